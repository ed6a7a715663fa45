"""One generation of hot rows: what came between two flushes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.store import Summary
from penstock.stores.lake.arrival import Arrival
from penstock.stores.lake.chunks import CHUNK_ROWS, Chunks, ChunkView, Columns, choose, tables_of
from penstock.stores.lake.late import LateRows
from penstock.stores.selecting import NEVER, Int64s
from penstock.stores.spans import Spans

#: Part of a whole file that several generations may fill.
_SHARE = 0.375


class Generation:
    """Fresh and late rows, and for each slot what its fresh rows amount to."""

    def __init__(self) -> None:
        self._chunks = Chunks()
        self.late = LateRows()
        self.text_bytes = 0
        self.marks: dict[str, int] = {}
        self.count = np.zeros(0, np.int64)
        self.first = np.zeros(0, np.int64)
        self.last = np.zeros(0, np.int64)
        self.last_row = np.zeros(0, np.int64)

    @property
    def rows(self) -> int:
        """Rows held, replaced late ones included."""
        return self._chunks.rows + len(self.late)

    @property
    def fresh_rows(self) -> int:
        """Fresh rows held."""
        return self._chunks.rows

    def add(self, columns: Columns, arrival: Arrival, slots: int, marks: Mapping[str, int]) -> None:
        """Keep a batch that `arrival.split` split; `slots` is how many there are by now."""
        before = self._chunks.rows
        if arrival.late is not None:
            self.late = self.late.add(columns.take(arrival.late))
        fresh = columns if arrival.fresh is None else columns.take(arrival.fresh)
        if len(fresh):
            self._chunks.append(fresh)
            self._grow(slots)
            at = arrival.slots
            self.count[at] += arrival.counts
            self.first[at] = np.minimum(self.first[at], arrival.first)
            self.last[at] = arrival.last
            self.last_row[at] = arrival.last_row + before
        self.marks.update(marks)

    def view(self) -> FreshRows:
        """Return the fresh rows held now; to be called while nobody adds."""
        slots = np.flatnonzero(self.count)
        return FreshRows(
            views=self._chunks.view(),
            rows=self._chunks.rows,
            slots=slots,
            count=self.count[slots],
            first=self.first[slots],
            last=self.last[slots],
            last_row=self.last_row[slots],
        )

    def _grow(self, slots: int) -> None:
        missing = slots - len(self.count)
        if missing > 0:
            missing += slots // 4
            self.count = np.append(self.count, np.zeros(missing, np.int64))
            self.first = np.append(self.first, np.full(missing, np.iinfo(np.int64).max))
            self.last = np.append(self.last, np.full(missing, NEVER))
            self.last_row = np.append(self.last_row, np.full(missing, -1))


def leading(generations: Sequence[Generation], file_rows: int) -> Sequence[Generation]:
    """Return the first generations, as many as make a file that is worth it; at least one.

    When the disk is slower than what comes in, several wait. In one file they are found sooner
    and merged less often, but to sort them all takes memory, about 200 bytes a row.
    """
    rows, count = 0, 0
    for generation in generations:
        rows += generation.rows
        if count and rows > file_rows * _SHARE:
            break
        count += 1
    return generations[:count]


@dataclass(frozen=True, slots=True)
class FreshRows:
    """The fresh rows of a generation at one moment.

    Attributes:
        views: The rows.
        rows: How many.
        slots: Slots that have some, ascending; the other columns belong to them.
        count: Their rows.
        first: Their first times.
        last: Their last times.
        last_row: Position of their last rows.
    """

    views: tuple[ChunkView, ...]
    rows: int
    slots: Int64s
    count: Int64s
    first: Int64s
    last: Int64s
    last_row: Int64s

    def summary(self, slot: int) -> Summary | None:
        """Return count and extent of one slot."""
        at = int(np.searchsorted(self.slots, slot))
        if at == len(self.slots) or self.slots[at] != slot:
            return None
        return Summary(int(self.count[at]), int(self.first[at]), int(self.last[at]))

    def spans(self, datastreams: Int64s | None, ids: Int64s) -> Spans:
        """Return counts and extents of these datastreams, or all, given the ids of the slots."""
        found = Spans(ids[self.slots], self.count, self.first, self.last)
        return found.among(datastreams)

    def newest_of(self, datastreams: Int64s | None, ids: Int64s) -> pa.Table:
        """Return the newest row of these datastreams, or all, given the ids of the slots."""
        rows = self.last_row
        if datastreams is not None:
            rows = rows[np.isin(ids[self.slots], datastreams)]
        return take_rows(self.views, rows).table() if len(rows) else SCHEMA.empty_table()


def take_rows(views: tuple[ChunkView, ...], rows: Int64s) -> Columns:
    """Return rows by their position over all chunks, in the order asked for."""
    order = np.argsort(rows, kind="stable")
    chunk_of = rows[order] // CHUNK_ROWS
    parts = []
    for number in np.unique(chunk_of).tolist():
        inside = rows[order[chunk_of == number]] - number * CHUNK_ROWS
        parts.append(views[number].columns().take(inside).table())
    back = np.empty(len(rows), np.int64)
    back[order] = np.arange(len(rows))
    batch = pa.concat_tables(parts).take(pa.array(back)).combine_chunks().to_batches()[0]
    return Columns.of(batch)


def scan_fresh(views: Iterable[ChunkView], selection: Selection) -> list[pa.Table]:
    """Return the chosen rows of some chunks."""
    chosen = (view for view in views if view.may_hold(selection))
    return tables_of(choose(view.columns(), selection) for view in chosen)
