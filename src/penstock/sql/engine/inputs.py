"""From rows of the store to the relations that a plan reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from penstock.core.selection import Selection
from penstock.core.store import Store
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import Int64s, Range
from penstock.sql.engine.tap import chosen, int64s
from penstock.sql.plan import Input, Plan

#: Columns of `plan.INPUT_COLUMNS` that the store has, and what they are called there.
STORED = {
    "time": "time", "end_time": "end_time", "result_time": "result_time", "result": "number",
    "text": "text", "datastream": "datastream", "feature": "feature", "parameters": "parameters",
}  # fmt: skip
_NAIVE = pa.timestamp("us")
#: Datastreams from which on it is quicker to read all rows than those of each.
MANY = 2000


def relation(rows: pa.Table, columns: tuple[str, ...], picture: Picture) -> pa.Table:
    """Return rows in `core.observation.SCHEMA` with the columns that an input wants."""
    arrays: list[pa.ChunkedArray | pa.Array] = []
    at: Int64s | None = None
    for name in columns:
        stored = STORED.get(name)
        if stored is None:
            if at is None:
                at = picture.index(int64s(rows, "datastream"))
            arrays.append(picture.column(name, at))
            continue
        column = rows.column(stored)
        arrays.append(column.cast(_NAIVE) if pa.types.is_timestamp(column.type) else column)
    return pa.Table.from_arrays(arrays, names=list(columns))


@dataclass(slots=True)
class Wanted:
    """What one run of a plan reads: the datastreams of each of its inputs, and the range."""

    plan: Plan
    ids: Mapping[str, Int64s]
    start_us: int
    end_us: int

    @property
    def reach(self) -> Range:
        """Event times of the inputs."""
        meaning = self.plan.meaning
        return self.start_us - meaning.back_us, self.end_us + meaning.ahead_us


@dataclass(slots=True)
class Scans:
    """Reads the store for the runs of one turn, and what several of them want only once.

    Args:
        store: Where the rows are.
        max_rows: Rows that are read at once.
    """

    store: Store
    max_rows: int
    #: Which datastreams are wanted in a range by the runs that are coming.
    shared: dict[Range, Int64s] = field(default_factory=dict)
    #: Rows read.
    rows_read: int = 0
    _held: dict[Range, tuple[Int64s, pa.Table]] = field(default_factory=dict)

    def expect(self, wanted: Wanted) -> None:
        """Say what will be asked for, so that it is read together with what others ask for."""
        ids = union(wanted.ids)
        held = self.shared.get(wanted.reach)
        self.shared[wanted.reach] = ids if held is None else np.union1d(held, ids)

    def rows(self, span: Range, ids: Int64s) -> pa.Table | None:
        """Return the rows of datastreams in a range; None when they are more than allowed."""
        held = self._held.get(span)
        if held is not None and np.isin(ids, held[0], assume_unique=True).all():
            return held[1] if len(ids) == len(held[0]) else chosen(held[1], ids)
        for together in (self.shared.get(span), ids):
            if together is None:
                continue
            table = self._scan(span, together)
            if table is not None:
                self._held = {span: (together, table)}
                return table if len(ids) == len(together) else chosen(table, ids)
        return None

    def first_behind(self, span: Range, ids: Int64s) -> int:
        """Return the time of the first row that is too many in a range."""
        many = self._selection(span, ids)
        table = self.store.scan(many)
        return int(int64s(table, "time")[-1]) if table.num_rows else span[1]

    def forget(self) -> None:
        """Begin anew."""
        self._held.clear()
        self.shared.clear()

    def _scan(self, span: Range, ids: Int64s) -> pa.Table | None:
        if not len(ids):
            return self.store.scan(Selection(datastreams=(), limit=0))
        table = self.store.scan(self._selection(span, ids))
        self.rows_read += table.num_rows
        if table.num_rows > self.max_rows:
            return None
        return chosen(table, ids) if len(ids) > MANY else table

    def _selection(self, span: Range, ids: Int64s) -> Selection:
        return Selection(
            datastreams=None if len(ids) > MANY else tuple(ids.tolist()),
            start_us=span[0],
            end_us=span[1],
            limit=self.max_rows + 1,
        )


def union(ids: Mapping[str, Int64s]) -> Int64s:
    """Return the datastreams of all inputs, ascending."""
    every = list(ids.values())
    if len(every) == 1:
        return every[0]
    return np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)


def relations_of(
    plan: Plan, parts: Mapping[str, pa.Table], picture: Picture
) -> dict[str, pa.Table]:
    """Return the relations of a plan's inputs, from the rows of each."""
    return {
        one.relation: relation(parts[one.relation], one.columns, picture) for one in plan.inputs
    }


def input_ids(inputs: tuple[Input, ...], by_source: Mapping[object, Int64s]) -> dict[str, Int64s]:
    """Return the datastreams of each input, by relation."""
    return {one.relation: by_source[one.source] for one in inputs}
