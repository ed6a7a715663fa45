"""Relations: what is known of a table, a subquery or a join while a query is analysed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from penstock.sql.language.reach import Reach
from penstock.sql.signature import Shift, Value

#: The columns that carry the identity of a row through every step.
HIDDEN = ("__time", "__end", "__series", "__row")

Uses = frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Window:
    """The windows that rows were put into, in microseconds.

    Attributes:
        form: `TUMBLE`, `HOP`, `CUMULATE` or `SESSION`.
        size: Longest extent; for sessions, the reach.
        step: Distance between windows; for sessions, the gap.
        offset: Where windows begin, from the epoch.
        keys: Session windows are told apart by these keys too.
        time: Where the time attribute lies that the windows are made of.
    """

    form: str
    size: int
    step: int
    offset: int = 0
    keys: tuple[str, ...] = ()
    time: Shift = field(default=Shift(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Relation:
    """What is known of a relation.

    Attributes:
        sql: It, for a `FROM`: a name or a `SELECT` in parentheses. Has the `HIDDEN` columns, and
            the fields by their names.
        fields: Its columns by name, in order; the `sql` of each is its quoted name.
        reach: Of its rows by their `__time`; None for tables of the catalog, which have no time.
        identity: What the `HIDDEN` columns depend on.
        keys: Numbers of the group keys that tell rows of one `__time` apart, if these do.
        window: The windows of its `window_start` and `window_end`, or None.
        is_rowwise: Each row follows from one row of an input, with its time and datastream.
    """

    sql: str
    fields: dict[str, Value]
    reach: Reach | None
    identity: Uses = frozenset()
    keys: frozenset[int] | None = None
    window: Window | None = None
    is_rowwise: bool = False

    def named(self, name: str) -> Value | None:
        """Return a field by its name, whatever the case."""
        lowered = name.lower()
        return next((v for known, v in self.fields.items() if known.lower() == lowered), None)

    @property
    def needed(self) -> Reach:
        """Its reach, for what has one."""
        return self.reach or Reach()


@dataclass(slots=True)
class Scope:
    """What names mean in one `SELECT`: relations by alias, in the order of its `FROM`."""

    relations: dict[str, Relation] = field(default_factory=dict)

    def column(self, alias: str, name: str) -> Value | None:
        """Return a column of one relation as it is written in SQL."""
        relation = self.relations.get(alias)
        found = relation.named(name) if relation else None
        return None if found is None else replace(found, sql=f"{quoted(alias)}.{found.sql}")

    def matches(self, name: str) -> list[tuple[str, Value]]:
        """Return the columns of that name, with the alias of their relation."""
        found = ((alias, self.column(alias, name)) for alias in self.relations)
        return [(alias, value) for alias, value in found if value is not None]


def quoted(name: str) -> str:
    """Return an identifier for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a text literal for DuckDB."""
    return "'" + value.replace("'", "''") + "'"


def microseconds(us: int) -> str:
    """Return an interval for DuckDB."""
    return f"to_microseconds({us})"


def together(values: Iterable[Value]) -> Uses:
    """Return all that values depend on."""
    return frozenset().union(*(value.uses for value in values))
