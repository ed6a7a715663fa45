"""Bytes that times cost in Parquet, by encoding, beside what their jitter must cost.

Run: `python -m benchmarks.store_times`

The rows of `store_size`, sorted and in row groups as the lake writes them. `delta` is what the lake
does: the time itself, DELTA_BINARY_PACKED. The others keep a time as the tick of a regular grid and
how many milliseconds it is behind. docs/decisions/0013-time-is-one-column.md says what came of it.
"""

from __future__ import annotations

import io
import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.store_size import SECONDS, SENSORS, readings

from penstock.core.observation import observations
from penstock.stores.lake.encoding import file_schema, to_file, writer_options
from penstock.stores.lake.merging import by_identity

#: Whole series of an hour that fit into a row group.
ROW_GROUP_ROWS = 32_768 // SECONDS * SECONDS
STEP_MS = 1_000
#: How a number of milliseconds behind the grid can be kept.
RESTS = {
    "dictionary": {"use_dictionary": True},
    "byte_stream_split": {"use_dictionary": False, "column_encoding": "BYTE_STREAM_SPLIT"},
    "plain": {"use_dictionary": False, "column_encoding": "PLAIN"},
}
LEVELS = (1, 3, 9, 19)


def size(table: pa.Table, **options: object) -> float:
    """Return bytes per row of a table as Parquet."""
    sink = io.BytesIO()
    given: dict[str, object] = {
        "compression": "zstd",
        "compression_level": 3,
        "store_schema": False,
        **options,
    }
    pq.write_table(table, sink, row_group_size=ROW_GROUP_ROWS, **given)  # type: ignore[arg-type]
    return round(sink.tell() / table.num_rows, 3)


def entropy(values: npt.NDArray[np.int64]) -> float:
    """Return the bytes per value that no encoding of independent values goes below."""
    share = np.unique(values, return_counts=True)[1] / len(values)
    return round(float((share * -np.log2(share)).sum() / 8) + 0.0, 3)


def measure(jitter_ms: int) -> dict[str, object]:
    """Return bytes per row."""
    batch = observations(*readings(jitter_ms, 0.05))
    rows = by_identity(pa.Table.from_batches([batch]))
    stored = to_file(rows, file_schema(in_ms=True))
    time_ms = stored["time"].cast(pa.int64()).to_numpy()
    behind = time_ms % STEP_MS
    delta = {"column_encoding": "DELTA_BINARY_PACKED", "use_dictionary": False}
    tick = size(pa.table({"tick": time_ms - behind}), **delta)
    rest = pa.table({"behind": behind.astype(np.int32)})
    return {
        "rows": SENSORS * SECONDS,
        "entropy_of_the_jitter": entropy(behind),
        "delta": size(pa.table({"time": time_ms}), **delta),
        "tick_and_rest": {
            name: round(tick + size(rest, **options), 3) for name, options in RESTS.items()
        },
        "whole_file_by_zstd_level": {
            level: size(stored, **writer_options(level)) for level in LEVELS
        },
    }


def run() -> dict[str, object]:
    """Measure."""
    return {f"jitter_0_to_{jitter}_ms": measure(jitter) for jitter in (0, 3, 9, 30, 99)}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
