"""Sort keys, and where a page of them goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import FromClause, Text, and_, bindparam, literal_column, null, or_

from penstock.catalog.dialects.words import Exact, Falling, Given, Rising
from penstock.catalog.entities.reading_conditions import Conditions
from penstock.catalog.entities.reading_shapes import Node
from penstock.catalog.entities.reading_tables import Sql, TableRow


class Sorting:
    """Sorts rows of a type by keys, and at last by id, or by place where they have places.

    Args:
        conditions: Makes expressions into SQL.
        type_: Of the rows.
        row: The rows.
        keys: What to sort by, and whether descending.
        place: Place of a row among the targets of a link; one row may be at several.
    """

    def __init__(
        self,
        conditions: Conditions,
        type_: str,
        row: TableRow,
        keys: Sequence[tuple[Node, bool]],
        place: Sql | None = None,
    ) -> None:
        self._place = place
        self._last = row.c.id if place is None else place
        self._keys = [
            (*conditions.sort_key(type_, row, node), descending) for node, descending in keys
        ]

    def names(self) -> list[str]:
        """Return the names under which the keys' values are given."""
        keys = [f"s{at}" for at in range(len(self._keys))]
        return keys if self._place is None else [*keys, "place"]

    def labelled(self) -> list[Any]:
        """Return the keys' values, to be given with each row."""
        values = [key for key, _, _ in self._keys]
        values += [] if self._place is None else [self._place]
        return [value.label(name) for name, value in zip(self.names(), values, strict=True)]

    def order(self) -> list[Sql]:
        """Return the terms to order by."""
        keys = [_directed(in_order(key), descending) for key, in_order, descending in self._keys]
        return [*keys, self._last]

    def order_of(self, page: FromClause) -> list[Sql]:
        """Return the terms to order by where the keys' values are columns."""
        names = zip(self.names(), self._keys, strict=False)
        terms = [
            _directed(in_order(page.c[name]), descending)
            for name, (_, in_order, descending) in names
        ]
        return terms if self._place is None else [*terms, page.c.place]

    def is_after(self, known: tuple[bool, ...]) -> Sql:
        """Tell whether a row is behind the position in the parameters `after0` and so on.

        Args:
            known: Which of them are not null.
        """
        kinds = [Text() if in_order is Exact else Given() for _, in_order, _ in self._keys]
        position: list[Sql] = [
            bindparam(f"after{at}", type_=kind) for at, kind in enumerate([*kinds, Given()])
        ]
        tied: list[Sql] = []
        cases: list[Sql] = []
        firsts: list[Sql] = []
        keys = zip(self._keys, position, known, strict=False)
        for (shown, in_order, descending), given, is_known in keys:
            key, value = in_order(shown), in_order(given)
            firsts.append(key >= value)
            cases.append(and_(*tied, _beyond(key, value, descending=descending, known=is_known)))
            tied.append(key == value if is_known else key.is_(null()))
        cases.append(and_(*tied, self._last > position[-1]))
        if not self._keys:
            return cases[-1]
        # The first key alone bounds all of them; said by itself an index can start there.
        if known[0] and not self._keys[0][2]:
            return and_(firsts[0], or_(*cases))
        return or_(*cases)


def _directed(key: Sql, descending: bool) -> Sql:
    """Return a term to order by; nulls are less than everything."""
    return Falling(key) if descending else Rising(key)


def _beyond(key: Sql, value: Any, *, descending: bool, known: bool) -> Sql:
    if descending:
        return or_(key < value, key.is_(null())) if known else literal_column("0") == 1
    return key > value if known else key.is_not(null())
