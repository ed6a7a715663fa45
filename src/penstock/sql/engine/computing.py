"""Computes the answer of a plan for a range, from the store or from rows at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from penstock.core.access import EVERYTHING, Scope
from penstock.core.errors import NotConnected, TooMuch
from penstock.core.queries import END, ROW, SERIES, TIME, ColumnKind
from penstock.sql.engine.duck import Duck, TooSlow, bounds_of
from penstock.sql.engine.inputs import Scans, Wanted, relations_of, union
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import Range, floor
from penstock.sql.plan import Plan

_KINDS = {
    ColumnKind.NUMBER: pa.float64(), ColumnKind.TRUTH: pa.bool_(), ColumnKind.TEXT: pa.string(),
    ColumnKind.JSON: pa.string(), ColumnKind.TIME: pa.timestamp("us"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """The answer for the first part of a range: up to where, and from how many rows."""

    answer: pa.Table
    end_us: int
    rows_in: int


class Computer:
    """Runs plans; made when the first query is. For one thread.

    Args:
        duck: Where they are run.
        scope_of: What a query's system may read, for tables of the catalog.
        max_rows: Rows that are read at once.
    """

    def __init__(self, duck: Duck, max_rows: int) -> None:
        self._duck = duck
        self._max_rows = max_rows
        self.is_given_up = False
        #: What is seen of the catalog's tables.
        self.scope: Callable[[], Scope] = lambda: EVERYTHING

    def give_up(self) -> None:
        """End what is computed at the moment, and compute no more; callable from any thread."""
        self.is_given_up = True
        self._duck.interrupt()

    def close(self) -> None:
        """Release what it runs in."""
        self._duck.close()

    def part(self, wanted: Wanted, scans: Scans, picture: Picture) -> Part:
        """Compute as much of a range, from its start, as can be read at once.

        Raises:
            InvalidQuery: A value in it cannot be computed.
            TooSlow: It takes longer than a slice may.
            TooMuch: A single slice has too many rows, or takes too much memory.
            NotConnected: It was given up.
        """
        return self._first(wanted, scans, picture, self.answer)

    def pieces(self, wanted: Wanted, scans: Scans, picture: Picture) -> Part:
        """Do as `part` for a plan that makes pieces, in columns of its own."""
        return self._first(wanted, scans, picture, self._run)

    def _first(
        self, wanted: Wanted, scans: Scans, picture: Picture,
        run: Callable[[Plan, Mapping[str, pa.Table], Range, Picture], pa.Table],
    ) -> Part:  # fmt: skip
        while True:
            if self.is_given_up:
                raise NotConnected("Penstock ends; it is computed when it is there again")
            rows = self._read(wanted, scans)
            if rows is None:
                end = self._shorter(wanted, scans)
            else:
                try:
                    span = wanted.start_us, wanted.end_us
                    answer = run(wanted.plan, rows, span, picture)
                except TooSlow:
                    # Others have their turn before a shorter part is tried.
                    raise
                except TooMuch:
                    end = floor((wanted.start_us + wanted.end_us) // 2, wanted.plan.meaning)
                    if end <= wanted.start_us and not self.is_given_up:
                        raise
                else:
                    return Part(answer, span[1], sum(part.num_rows for part in rows.values()))
            wanted = Wanted(wanted.plan, wanted.ids, wanted.start_us, end)

    def answer(
        self, plan: Plan, parts: Mapping[str, pa.Table], span: Range, picture: Picture
    ) -> pa.Table:
        """Run a plan over rows, and return the answer by time, in the types that are promised."""
        return in_order(plan, self._run(plan, parts, span, picture))

    def whole(self, plan: Plan, pieces: pa.Table | None, span: Range, picture: Picture) -> pa.Table:
        """Answer a range from the pieces that it needs, and others or not."""
        if pieces is None or plan.staged is None:
            return schema_of(plan).empty_table()
        relations = {plan.staged.relation: pieces}
        answer = self._answer(plan.staged.sql, relations, plan.tables, span, picture)
        return in_order(plan, answer)

    def _run(
        self, plan: Plan, parts: Mapping[str, pa.Table], span: Range, picture: Picture
    ) -> pa.Table:
        if not any(rows.num_rows for rows in parts.values()):
            return pa.table({})
        relations = relations_of(plan, parts, picture)
        return self._answer(plan.sql, relations, plan.tables, span, picture)

    def _answer(
        self, sql: str, relations: dict[str, pa.Table], tables: Sequence[str], span: Range,
        picture: Picture,
    ) -> pa.Table:  # fmt: skip
        relations |= {name: picture.table(name, self.scope()) for name in tables}
        return self._duck.run(sql, relations, bounds_of(sql, *span))

    def _read(self, wanted: Wanted, scans: Scans) -> dict[str, pa.Table] | None:
        parts = {}
        for name, ids in wanted.ids.items():
            rows = scans.rows(wanted.reach, ids)
            if rows is None:
                return None
            parts[name] = rows
        return parts

    def _shorter(self, wanted: Wanted, scans: Scans) -> int:
        meaning = wanted.plan.meaning
        behind = scans.first_behind(wanted.reach, union(wanted.ids))
        end = min(
            floor(behind - meaning.ahead_us, meaning),
            floor((wanted.start_us + wanted.end_us) // 2, meaning),
        )
        if end <= wanted.start_us:
            msg = (
                f"a single slice of it reads more than {self._max_rows} rows; take shorter windows "
                "or fewer sources, or set sql.max_slice_rows higher"
            )
            raise TooMuch(msg)
        return end


def in_order(plan: Plan, answer: pa.Table) -> pa.Table:
    """Return an answer by time, in the types that are promised."""
    schema = schema_of(plan)
    if not answer.num_rows:
        return schema.empty_table()
    answer = answer.select(schema.names).cast(schema)
    return answer if answer.num_rows < 2 else answer.sort_by(TIME)


def schema_of(plan: Plan) -> pa.Schema:
    """Return the types of a plan's answer."""
    first = [
        (TIME, pa.timestamp("us")), (END, pa.timestamp("us")), (SERIES, pa.int64()),
        (ROW, pa.int64()),
    ]  # fmt: skip
    columns = [(column.name, _KINDS[column.kind]) for column in plan.meaning.columns]
    return pa.schema([*first, *columns])
