"""What the engine hears of new rows: little work for the thread that keeps them, never waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.sql.engine.ranges import Int64s

Bools = npt.NDArray[np.bool_]

#: Batches that wait one by one; more are taken together.
MAX_WAITING = 4096


@dataclass(slots=True)
class Heard:
    """A batch that was kept, or removed.

    Attributes:
        datastream: Which datastreams it has rows of, ascending.
        first: Their earliest times.
        last: Their latest times.
        counts: How many rows each has.
        batch: The rows; None when they are too many or were removed, so that only the store
            tells what there is now.
        marks: Where the log was read up to with it; empty for what does not come from the log.
        rows: How many.
    """

    datastream: Int64s
    first: Int64s
    last: Int64s
    counts: Int64s
    batch: pa.RecordBatch | None
    marks: Mapping[str, int]
    rows: int


def heard_of(batch: pa.RecordBatch | pa.Table, marks: Mapping[str, int]) -> Heard:
    """Sum up a batch; without its rows if it is a table."""
    ids, times = int64s(batch, "datastream"), int64s(batch, "time")
    if not len(ids):
        return Heard(ids, times, times, ids, None, marks, 0)
    rows = batch if isinstance(batch, pa.RecordBatch) else None
    if ids[0] == ids[-1] and (ids == ids[0]).all():
        some, first, last = ids[:1], times.min(keepdims=True), times.max(keepdims=True)
        counts = np.array([len(ids)], np.int64)
    else:
        order = np.argsort(ids, kind="stable")
        ordered, at = ids[order], times[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        some = ordered[begins]
        first, last = np.minimum.reduceat(at, begins), np.maximum.reduceat(at, begins)
        counts = np.diff(begins, append=len(ids))
    return Heard(some, first, last, counts, rows, marks, len(ids))


def int64s(rows: pa.RecordBatch | pa.Table, name: str) -> Int64s:
    """Return a column of integers or times without nulls as numpy has it."""
    column = rows.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    found: Int64s = column.view(pa.int64()).to_numpy()
    return found


def spans_before(heard: Heard, mine: Bools, limit_us: int) -> tuple[Int64s, Int64s]:
    """Return first and last times of what lies before a time, of some datastreams of a batch.

    One by one where the rows are known, else by datastream.
    """
    late = mine & (heard.first < limit_us)
    if heard.batch is None or not late.any():
        return heard.first[late], np.minimum(heard.last[late], limit_us - 1)
    rows = chosen(pa.table(heard.batch), heard.datastream[late])
    times = int64s(rows, "time")
    times = times[times < limit_us]
    return times, times


def chosen(rows: pa.Table, ids: Int64s) -> pa.Table:
    """Return the rows of some datastreams."""
    held = int64s(rows, "datastream")
    if not len(held) or not len(ids):
        return rows.slice(0, 0)
    size = int(max(held.max(), ids[-1])) + 1
    if size > 4 * len(held) + 65536:
        return rows.filter(pc.is_in(rows.column("datastream"), pa.array(ids)))
    is_wanted = np.zeros(size, np.bool_)
    is_wanted[ids] = True
    mask = is_wanted[held]
    return rows if mask.all() else rows.filter(pa.array(mask))


class Tap:
    """Where ingest puts what it has kept, for the engine's thread to take.

    Args:
        max_rows: Rows that wait; of more only the touched ranges are known.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._waiting: deque[Heard] = deque()
        self._rows = 0
        self.wake = threading.Event()
        #: Whether anybody wants to know; batches pass unheard otherwise.
        self.is_open = False
        #: Rows that were too many to wait.
        self.dropped = 0

    def heard(self, batch: pa.RecordBatch | pa.Table, marks: Mapping[str, int]) -> None:
        """Take what was kept (a batch) or removed (a table)."""
        if not self.is_open:
            return
        self._add(heard_of(batch, marks))

    def touched(self, datastreams: Int64s, start_us: int, end_us: int) -> None:
        """Take a range of event time in which some datastreams may have changed.

        Args:
            datastreams: Which, ascending.
            start_us: First event time of it.
            end_us: First event time behind it.
        """
        if not self.is_open or not len(datastreams) or start_us >= end_us:
            return
        first, last = np.full_like(datastreams, start_us), np.full_like(datastreams, end_us - 1)
        counts = np.ones_like(datastreams)
        self._add(Heard(datastreams, first, last, counts, None, {}, len(datastreams)))

    def touched_each(self, datastreams: Int64s, first: Int64s, last: Int64s) -> None:
        """Take when each of some datastreams may have changed.

        Args:
            datastreams: Which; in any order, also several times.
            first: From when on.
            last: Until when, inclusive.
        """
        some, low, high = _spans(datastreams, first, last)
        for n, (start, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            self.touched(some[n : n + 1], start, end + 1)

    def _add(self, one: Heard) -> None:
        with self._lock:
            if one.batch is not None and self._rows + one.rows > self._max_rows:
                self.dropped += one.rows
                one.batch = None
            elif one.batch is not None:
                self._rows += one.rows
            if len(self._waiting) >= MAX_WAITING and self._waiting[-1].batch is None:
                one = _joined(self._waiting.pop(), one)
            self._waiting.append(one)
        self.wake.set()

    def take(self) -> list[Heard]:
        """Return what waits, oldest first."""
        with self._lock:
            taken, self._waiting = list(self._waiting), deque()
            self._rows = 0
        return taken

    @property
    def waiting_rows(self) -> int:
        """Rows that wait."""
        return self._rows


def _joined(a: Heard, b: Heard) -> Heard:
    ids = np.concatenate((a.datastream, b.datastream))
    first, last = np.concatenate((a.first, b.first)), np.concatenate((a.last, b.last))
    some, low, high = _spans(ids, first, last)
    counts = np.zeros(len(some), np.int64)
    np.add.at(counts, np.searchsorted(some, ids), np.concatenate((a.counts, b.counts)))
    return Heard(some, low, high, counts, None, b.marks or a.marks, a.rows + b.rows)


def _spans(ids: Int64s, first: Int64s, last: Int64s) -> tuple[Int64s, Int64s, Int64s]:
    """Return the ids, ascending and once, with the earliest and the latest time of each."""
    some, at = np.unique(ids, return_inverse=True)
    low = np.full(len(some), np.iinfo(np.int64).max)
    high = np.full(len(some), np.iinfo(np.int64).min)
    np.minimum.at(low, at, first)
    np.maximum.at(high, at, last)
    return some, low, high
