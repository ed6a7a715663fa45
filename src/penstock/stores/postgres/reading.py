"""Answers to selections, newest rows, counts and extents."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.store import EXTENTS, SUMMARIES, Summary
from penstock.stores.postgres import texts
from penstock.stores.postgres.changes import EXTENT_NAMES
from penstock.stores.postgres.layout import Layout
from penstock.stores.postgres.readers import Readers
from penstock.stores.postgres.where import among, chosen
from penstock.stores.selecting import int64s, order

#: The columns of `SCHEMA`, as SQL.
COLUMNS = ", ".join(SCHEMA.names)
#: Datastreams of which each is asked for its first rows, when the first of all are wanted.
_FEW = 64
#: How much longer a stretch of time is looked through that should have enough rows.
_MARGIN = 4
#: How much longer the next one is when it has not.
_GROWTH = 32


class Reading:
    """Answers from one schema.

    Args:
        readers: The connections.
        layout: How the rows are laid out.
    """

    def __init__(self, readers: Readers, layout: Layout) -> None:
        self._readers = readers
        self._rows = f"{layout.schema}.observations"
        self._series = f"{layout.schema}.series"

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in order."""
        if selection.limit is None:
            query = f"SELECT {COLUMNS} FROM {self._rows} WHERE {chosen(selection)}"
            # Sorting here takes a fraction of what it takes there.
            return order(self._fetch(query), descending=selection.descending)
        if selection.limit == 0 or selection.datastreams == ():
            return SCHEMA.empty_table()
        return self._first(selection, selection.limit)

    def _first_of_each(self, selection: Selection, limit: int) -> str:
        """Return the query for the first rows of a few datastreams, each of which has an index."""
        way = "DESC" if selection.descending else "ASC"
        parts = []
        for datastream in sorted(set(selection.datastreams or ())):
            one = msgspec.structs.replace(selection, datastreams=(datastream,))
            parts.append(
                f"(SELECT {COLUMNS} FROM {self._rows} WHERE {chosen(one)} "
                f"ORDER BY time {way}, feature {way} LIMIT {limit})"
            )
        if len(parts) == 1:
            return parts[0][1:-1]
        return f"{' UNION ALL '.join(parts)} {_ordered(selection)} LIMIT {limit}"

    def _first(self, selection: Selection, limit: int) -> pa.Table:
        """Return the first rows, looking through longer and longer stretches of time.

        There is no index in the order of time alone, which would take 50 bytes a row; and a query
        that names a stretch looks at few of the tables.
        """
        span = self._span(selection)
        if span is None:
            return SCHEMA.empty_table()
        spacing_us, low, high = span
        width = max(round(spacing_us * limit * _MARGIN), 1)
        while True:
            stretch = _stretch(selection, low, high, width)
            rows = self._fetch(self._first_rows(stretch or selection, limit))
            if stretch is None or rows.num_rows == limit:
                return rows
            width *= _GROWTH

    def _first_rows(self, selection: Selection, limit: int) -> str:
        """Return the query for the first rows of a selection."""
        if selection.datastreams is not None and len(set(selection.datastreams)) <= _FEW:
            return self._first_of_each(selection, limit)
        return (
            f"SELECT {COLUMNS} FROM {self._rows} WHERE {chosen(selection)} "
            f"{_ordered(selection)} LIMIT {limit}"
        )

    def _span(self, selection: Selection) -> tuple[float, int, int] | None:
        """Return how far apart rows are on average, and the times between which there are some."""
        found = self._readers.fetch(
            "SELECT sum(count)::bigint AS count, min(first_time) AS low, max(time) AS high "
            f"FROM {self._series} WHERE {among('datastream', selection.datastreams)}"
        )
        count = found["count"][0].as_py()
        if not count:
            return None
        first, last = int(int64s(found["low"])[0]), int(int64s(found["high"])[0])
        starts = [selection.start_us]
        ends = [selection.end_us]
        if selection.after is not None:
            (ends if selection.descending else starts).append(selection.after.time_us)
        low = max([first, *(one for one in starts if one is not None)])
        high = min([last, *(one for one in ends if one is not None)])
        return ((last - first) / count, low, high) if low <= high else None

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream; None when it holds nothing."""
        found = self.summaries([datastream])
        if not found.num_rows:
            return None
        count = found["count"][0].as_py()
        first_us, last_us = int64s(found["first_time"])[0], int64s(found["last_time"])[0]
        return Summary(count, int(first_us), int(last_us))

    def summaries(self, datastreams: Sequence[int] | None) -> pa.Table:
        """Return `SUMMARIES` of datastreams."""
        query = (
            f"SELECT datastream, count, first_time, time AS last_time FROM {self._series} "
            f"WHERE {among('datastream', datastreams)} ORDER BY datastream"
        )
        return in_schema(self._readers.fetch(query), SUMMARIES)

    def count(self) -> int:
        """Return the number of observations."""
        query = f"SELECT coalesce(sum(count), 0)::bigint AS count FROM {self._series}"
        return int(self._readers.fetch(query)["count"][0].as_py())

    def latest(self, datastreams: Sequence[int] | None) -> pa.Table:
        """Return the newest row of each datastream."""
        query = (
            f"SELECT {COLUMNS} FROM {self._series} "
            f"WHERE {among('datastream', datastreams)} ORDER BY datastream"
        )
        return self._fetch(query)

    def extents(self, datastreams: Sequence[int] | None) -> tuple[pa.Table, pa.Table]:
        """Return `EXTENTS`, and those that had to be found out, with the revision they are of."""
        names = ", ".join(f"{ours} AS {theirs}" for theirs, ours in EXTENT_NAMES.items())
        where = among("datastream", datastreams)
        # One query, so that the rows are those of the revision.
        found = self._readers.fetch(
            f"SELECT datastream, {names}, true AS is_known, revision FROM {self._series} "
            f"WHERE is_known AND {where} UNION ALL "
            "SELECT s.datastream, max(greatest(o.time, o.end_time)), min(o.result_time), "
            f"max(o.result_time), {finite('min')}, {finite('max')}, false, s.revision "
            f"FROM {self._series} s JOIN {self._rows} o USING (datastream) "
            f"WHERE NOT s.is_known AND {where} GROUP BY s.datastream, s.revision "
            "ORDER BY datastream"
        )
        looked = found.filter(pc.invert(found["is_known"])).drop_columns(["is_known"])
        return in_schema(found, EXTENTS), looked

    def _fetch(self, query: str) -> pa.Table:
        return rows_of(self._readers.fetch(query))


def finite(function: str) -> str:
    """Return an aggregate of numbers that leaves out NaN."""
    return f"{function}(o.number) FILTER (WHERE o.number <> 'NaN')"


def rows_of(table: pa.Table, *, is_raw: bool = False) -> pa.Table:
    """Return what the database answers as rows in `SCHEMA`; raw, with texts as they are kept."""
    rows = in_schema(table, SCHEMA)
    if is_raw:
        return rows
    for name in ("text", "parameters"):
        column = rows[name]
        given = texts.given(column)
        if given is not column:
            rows = rows.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), given)
    return rows


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the columns of a schema."""
    columns = [table[field.name].cast(field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _ordered(selection: Selection) -> str:
    way = "DESC" if selection.descending else "ASC"
    return f"ORDER BY time {way}, datastream {way}, feature {way}"


def _stretch(selection: Selection, low: int, high: int, width: int) -> Selection | None:
    """Return the selection cut to what is within a width of its beginning; None for all of it."""
    if width >= high - low:
        return None
    if selection.descending:
        return msgspec.structs.replace(selection, start_us=high - width)
    return msgspec.structs.replace(selection, end_us=low + width + 1)
