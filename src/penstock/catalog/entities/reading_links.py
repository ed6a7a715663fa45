"""Following links from rows of one table to rows of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, literal_column, select

from penstock.catalog.entities.reading_tables import SOURCES, Path, Sql, TableRow


@dataclass(frozen=True, slots=True)
class Ends:
    """What has to be equal for a row here and a row there to be linked.

    Attributes:
        here: A column of the row here.
        there: A column of the row there, or of the table between.
        rows: The row there, and the row of the table between.
        between: What holds between these two.
        place: A column of the table between that says in which order the rows there are.
    """

    here: Sql
    there: Sql
    rows: tuple[TableRow, ...]
    between: tuple[Sql, ...] = ()
    place: Sql | None = None

    def conditions(self) -> tuple[Sql, ...]:
        """Return what holds when both rows are at hand."""
        return (self.here == self.there, *self.between)

    def to_some(self, *conditions: Sql) -> Sql:
        """Tell whether it leads to some row for which conditions hold that need nothing here."""
        linked: Select[Any] = select(self.there).where(*self.between, *conditions)
        return self.here.in_(linked.correlate(None))

    def exists(self, *conditions: Sql) -> Sql:
        """Tell the same for conditions that may speak of rows of the statement around."""
        linked: Select[Any] = select(literal_column("1")).where(*self.conditions(), *conditions)
        return linked.correlate_except(*self.rows).exists()


def forward(type_: str, link: str, here: TableRow, there: TableRow) -> Ends:
    """Return what links a row of a type to a target of its link."""
    path = path_of(type_, link)
    if path.here is not None:
        return Ends(here.c[path.here], there.c.id, (there,))
    if path.there is not None:
        return Ends(here.c.id, there.c[path.there], (there,))
    assert path.between is not None
    table, ours, theirs = path.between
    pair = table.alias()
    place = None if path.position is None else pair.c[path.position]
    return Ends(here.c.id, pair.c[ours], (there, pair), (pair.c[theirs] == there.c.id,), place)


def backward(type_: str, link: str, target: TableRow, holder: TableRow) -> Ends:
    """Return what links a target back to the row whose link leads to it."""
    path = path_of(type_, link)
    if path.here is not None:
        return Ends(target.c.id, holder.c[path.here], (holder,))
    if path.there is not None:
        return Ends(target.c[path.there], holder.c.id, (holder,))
    assert path.between is not None
    table, ours, theirs = path.between
    pair = table.alias()
    return Ends(target.c.id, pair.c[theirs], (holder, pair), (pair.c[ours] == holder.c.id,))


def path_of(type_: str, link: str) -> Path:
    """Return where a link is in the tables; asking for another is a mistake of the caller."""
    return SOURCES[type_].paths[link]
