"""Where derived rows wait for the end of the engine's turn, to be kept in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.core.store import Marks
from penstock.sql.engine.ranges import Int64s
from penstock.sql.engine.tap import int64s

_IDENTITY = pa.schema([SCHEMA.field(name) for name in ("datastream", "time", "feature")])

#: Keeps rows (and marks with them, in one step) after it has removed others; waits until it is
#: done. `ingest.Ingest.keep`.
Keep = Callable[[pa.RecordBatch, Marks, "pa.Table | None"], None]

#: Tells that some datastreams were computed again from a time to another one, exclusive.
Touched = Callable[[Int64s, int, int], None]


class Outlet:
    """Gathers what a turn of the engine has to say to the store. For the engine's thread only.

    Args:
        keep: Brings it there.
        touched: Takes ranges that were computed again, for queries that read what is derived.
    """

    def __init__(self, keep: Keep, touched: Touched) -> None:
        self._keep = keep
        self._touched = touched
        self._ranges: list[tuple[Int64s, int, int]] = []
        self._flushed: list[Int64s] = []
        self._rows: list[pa.Table] = []
        self._removed: list[pa.Table] = []
        #: Rows that were brought.
        self.rows_kept = 0
        self.rows_removed = 0
        #: How often it was emptied.
        self.flushes = 0

    @property
    def holds_rows(self) -> bool:
        """Whether something waits."""
        return bool(self._rows or self._removed)

    def begin(self) -> None:
        """Count anew what there is news of; what waits is still news."""
        self._flushed = []

    @property
    def news(self) -> Int64s:
        """Of which Datastreams there was something since `begin`, ascending."""
        ids = [int64s(rows, "datastream") for rows in (*self._rows, *self._removed)]
        ids += [some for some, _, _ in self._ranges]
        return np.unique(np.concatenate([*self._flushed, *ids, np.zeros(0, np.int64)]))

    def add(self, rows: pa.Table) -> None:
        """Take rows in `core.observation.SCHEMA`; of two with one identity the later one counts."""
        if rows.num_rows:
            self._rows.append(rows)

    def remove(self, rows: pa.Table) -> None:
        """Take identities of rows that are to go; none of them may wait here."""
        if rows.num_rows:
            self._removed.append(rows.select(_IDENTITY.names).cast(_IDENTITY))

    def touch(self, datastreams: Int64s, start_us: int, end_us: int) -> None:
        """Tell, with the rows, that a range was computed again, even if nothing is new in it.

        What the rows say is not enough: before a crash they may have become durable, and those
        who read them may not have.
        """
        self._ranges.append((datastreams, start_us, end_us))

    def flush(self, marks: Mapping[str, int] | None = None) -> None:
        """Bring what waits, and marks with it.

        Raises:
            PenstockError: It could not be kept, and waits on.
        """
        if self.holds_rows or marks:
            removed = pa.concat_tables(self._removed) if self._removed else None
            batch = _one_batch(self._rows)
            self._keep(batch, marks or {}, removed)
            self._flushed = [self.news]
            self.rows_kept += batch.num_rows
            self.rows_removed += 0 if removed is None else removed.num_rows
            self._rows, self._removed = [], []
            self.flushes += 1
        ranges, self._ranges = self._ranges, []
        for one in ranges:
            self._touched(*one)


def _one_batch(tables: list[pa.Table]) -> pa.RecordBatch:
    table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    arrays = [column.combine_chunks() for column in table.columns]
    arrays = [a if isinstance(a, pa.Array) else pa.concat_arrays(a.chunks) for a in arrays]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
