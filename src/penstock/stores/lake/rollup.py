"""Roll-ups: beside a file of rows, a small file that says what they amount to by bucket."""

from __future__ import annotations

from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.stores.bucketing import combine, partials
from penstock.stores.selecting import int64s

_SECOND_US = 1_000_000
#: Widths of buckets that a roll-up can have; each divides the next.
WIDTHS_US = tuple(n * _SECOND_US for n in (1, 10, 60, 600, 3_600, 21_600, 86_400))
#: Rows that one bucket should stand for, so that roll-ups stay below 1/50 of the rows' bytes.
ROWS_PER_BUCKET = 1_000
#: Where a file has too many datastreams for that, a roll-up still pays from here on.
LEAST_ROWS_PER_BUCKET = 100
_ROW_GROUP_ROWS = 16_384
_SORTED_INTEGERS = ("datastream", "time", "count", "first_time", "last_time")
_FEATURES = ("first_feature", "last_feature")


class RollupBuilder:
    """Collects the roll-up of a file while its rows are written, whole datastreams at a time."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []
        self._rows = 0
        self._width = 0

    def add(self, rows: pa.Table) -> None:
        """Take in rows in `SCHEMA`, by identity."""
        datastream, time = int64s(rows["datastream"]), int64s(rows["time"])
        for width in WIDTHS_US[self._width :]:
            bucket = time // width
            changes = (bucket[1:] != bucket[:-1]) | (datastream[1:] != datastream[:-1])
            if np.count_nonzero(changes) * ROWS_PER_BUCKET <= len(time):
                break
            self._width = min(self._width + 1, len(WIDTHS_US) - 1)
        self._parts.append(partials(rows, WIDTHS_US[self._width]))
        self._rows += rows.num_rows

    def finish(self) -> tuple[pa.Table, int] | None:
        """Return the roll-up and its width in microseconds; None when it would not pay."""
        width = WIDTHS_US[self._width]
        table = combine(self._parts, width)
        if table.num_rows * LEAST_ROWS_PER_BUCKET > self._rows or not table.num_rows:
            return None
        return table, width


def write_rollup(sink: IO[bytes], table: pa.Table) -> None:
    """Write a roll-up; the caller syncs."""
    names = [*_SORTED_INTEGERS, *_FEATURES]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=False,
        column_encoding=dict.fromkeys(names, "DELTA_BINARY_PACKED"),
        store_schema=False,
    )
