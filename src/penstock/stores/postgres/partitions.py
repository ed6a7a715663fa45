"""Ranges of time with a table each: made when the first row comes, dropped when all are old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.core.selection import Selection
from penstock.stores.postgres.layout import Layout
from penstock.stores.postgres.session import Session
from penstock.stores.postgres.where import chosen, instant
from penstock.stores.selecting import Int64s

#: Holds what finds no range of its own.
ELSEWHERE = "observations_elsewhere"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Partitions:
    """Which ranges have a table. TimescaleDB needs none of this.

    Args:
        layout: How the rows are laid out.
        most: Tables at most: devices with wrong clocks must not make thousands. What comes beyond
            goes to one table for the rest.
    """

    def __init__(self, layout: Layout, most: int) -> None:
        self._layout = layout
        self._most = most
        self._made: set[int] = set()
        self._has_rest = False
        #: Ranges of which there are rows in the table for the rest.
        self._shared: set[int] = set()

    def load(self, session: Session) -> None:
        """Look which tables there are."""
        if self._layout.is_hypertable:
            return
        names = session.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            f"WHERE i.inhparent = '{self._layout.schema}.observations'::regclass"
        )
        found = set(names["relname"].to_pylist())
        self._has_rest = ELSEWHERE in found
        found.discard(ELSEWHERE)
        self._made = {self._number(name) for name in found}

    def missing(self, time: Int64s) -> list[int]:
        """Return the numbers of the ranges of these times that have no table yet."""
        if self._layout.is_hypertable or not len(time):
            return []
        width = self._layout.partition_us
        low, high = int(time.min()) // width, int(time.max()) // width
        wanted = {low} if low == high else set(np.unique(time // width).tolist())
        if self._has_rest and len(self._made) >= self._most:
            return []
        return sorted(wanted - self._made - self._shared)

    def make(self, session: Session, numbers: list[int]) -> None:
        """Make tables for ranges, in a transaction of their own."""
        schema = self._layout.schema
        made: set[int] = set()
        for number in numbers:
            if len(self._made) + len(made) >= self._most:
                session.run(
                    f"CREATE TABLE IF NOT EXISTS {schema}.{ELSEWHERE} "
                    f"PARTITION OF {schema}.observations DEFAULT"
                )
                self._has_rest = True
                break
            name = self._name(number)
            start_us, end_us = self._bounds(number)
            if self._has_rest and self._rest_holds(session, start_us, end_us):
                self._shared.add(number)
                continue
            # Made apart and then attached: readers are not kept waiting.
            session.run(f"CREATE TABLE {schema}.{name} (LIKE {schema}.observations)")
            session.run(
                f"ALTER TABLE {schema}.observations ATTACH PARTITION {schema}.{name} "
                f"FOR VALUES FROM ({_bound(start_us)}) TO ({_bound(end_us)})"
            )
            made.add(number)
        session.commit()
        self._made |= made

    def _rest_holds(self, session: Session, start_us: int, end_us: int) -> bool:
        within = chosen(Selection(start_us=start_us, end_us=end_us))
        table = f"{self._layout.schema}.{ELSEWHERE}"
        return bool(session.value(f"SELECT EXISTS (SELECT FROM {table} WHERE {within})"))

    def older_than(self, limit_us: int) -> list[tuple[int, str]]:
        """Return numbers and names of the tables in which every row is older than a time."""
        width = self._layout.partition_us
        return [(n, self._name(n)) for n in sorted(self._made) if (n + 1) * width <= limit_us]

    def dropped(self, number: int) -> None:
        """Forget a table that is gone."""
        self._made.discard(number)

    def _bounds(self, number: int) -> tuple[int, int]:
        return number * self._layout.partition_us, (number + 1) * self._layout.partition_us

    def _name(self, number: int) -> str:
        """Return the name of a table: when its range starts, or its number before year 1."""
        start_us = max(self._bounds(number)[0], MIN_TIME_US)
        start = _EPOCH + timedelta(microseconds=start_us)
        return f"observations_{start.year:04d}{start:%m%dt%H%M%S}"

    def _number(self, name: str) -> int:
        digits = name.removeprefix("observations_")
        start = datetime.strptime(digits, "%Y%m%dt%H%M%S").replace(tzinfo=UTC)
        return (start - _EPOCH) // timedelta(microseconds=1) // self._layout.partition_us


def _bound(time_us: int) -> str:
    """Return the end of a range; beyond what can be kept there is none."""
    if time_us <= MIN_TIME_US:
        return "MINVALUE"
    return "MAXVALUE" if time_us >= MAX_TIME_US else instant(time_us).removeprefix("timestamptz ")
