"""What the engine hears of new rows: little work for the thread that keeps them, never waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.sql.engine.ranges import Int64s

#: Batches that wait one by one; more are taken together.
MAX_WAITING = 4096


@dataclass(slots=True)
class Heard:
    """A batch that was kept, or removed.

    Attributes:
        datastream: Which datastreams it has rows of, ascending.
        first: Their earliest times.
        last: Their latest times.
        batch: The rows; None when they are too many or were removed, so that only the store
            tells what there is now.
        marks: Where the log was read up to with it; empty for what does not come from the log.
        rows: How many.
    """

    datastream: Int64s
    first: Int64s
    last: Int64s
    batch: pa.RecordBatch | None
    marks: Mapping[str, int]
    rows: int


def heard_of(batch: pa.RecordBatch | pa.Table, marks: Mapping[str, int]) -> Heard:
    """Sum up a batch; without its rows if it is a table."""
    ids, times = int64s(batch, "datastream"), int64s(batch, "time")
    if not len(ids):
        return Heard(ids, times, times, None, marks, 0)
    rows = batch if isinstance(batch, pa.RecordBatch) else None
    if ids[0] == ids[-1] and (ids == ids[0]).all():
        some, first, last = ids[:1], times.min(keepdims=True), times.max(keepdims=True)
    else:
        order = np.argsort(ids, kind="stable")
        ordered, at = ids[order], times[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        some = ordered[begins]
        first, last = np.minimum.reduceat(at, begins), np.maximum.reduceat(at, begins)
    return Heard(some, first, last, rows, marks, len(ids))


def int64s(rows: pa.RecordBatch | pa.Table, name: str) -> Int64s:
    """Return a column of integers or times without nulls as numpy has it."""
    column = rows.column(name)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    found: Int64s = column.view(pa.int64()).to_numpy()
    return found


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
        self._add(Heard(datastreams, first, last, None, {}, len(datastreams)))

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
    some, at = np.unique(ids, return_inverse=True)
    low = np.full(len(some), np.iinfo(np.int64).max)
    high = np.full(len(some), np.iinfo(np.int64).min)
    np.minimum.at(low, at, first)
    np.maximum.at(high, at, last)
    return Heard(some, low, high, None, b.marks or a.marks, a.rows + b.rows)
