"""Bytes that times cost in Parquet, by encoding, beside what their jitter must cost.

Run: `python -m benchmarks.store_times`

The rows of `store_size`, sorted and in row groups as the lake writes them. `delta` is what the lake
does: the time itself, DELTA_BINARY_PACKED. The others keep a time as the tick of a regular grid and
how many milliseconds it is behind. `another_program` is DuckDB, asked for an hour of some files of
an hour each, and for all. docs/decisions/0013-time-is-one-column.md says what came of it.
"""

from __future__ import annotations

import io
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.store_size import SECONDS, SENSORS, START_US, readings

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
HOUR_US = 3_600_000_000
#: Files of an hour each that another program is asked about.
FILES = 30


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


def entropy_of_steps(values: npt.NDArray[np.int64]) -> float:
    """Return the bytes per value that no encoding of differences goes below."""
    return entropy(np.diff(values.reshape(SENSORS, SECONDS), axis=1).ravel())


def in_two(stored: pa.Table) -> tuple[pa.Table, dict[str, Any]]:
    """Return a file's columns with tick and rest in place of the time, and how to write them."""
    at = stored.schema.get_field_index("time")
    kind = stored.schema.field("time").type
    time_ms = stored["time"].cast(pa.int64()).to_numpy()
    behind = time_ms % STEP_MS
    tick = pa.array(time_ms - behind).view(kind)
    table = stored.set_column(at, pa.field("tick", kind, nullable=False), tick)
    rest = pa.field("rest", pa.int16(), nullable=False)
    table = table.add_column(at + 1, rest, pa.array(behind.astype(np.int16)))
    options = writer_options(3)
    encodings = {("tick" if n == "time" else n): e for n, e in options["column_encoding"].items()}
    return table, options | {
        "use_dictionary": [*options["use_dictionary"], "rest"],
        "write_statistics": ["datastream", "tick", "feature"],
        "column_encoding": encodings,
    }


def another_program(jitter_ms: int) -> dict[str, object]:
    """Return milliseconds that DuckDB takes over files of either kind."""
    datastream, time_us, number = readings(jitter_ms, 0.05)
    found: dict[str, object] = {"files": FILES, "rows": FILES * len(number)}
    with tempfile.TemporaryDirectory() as name, duckdb.connect() as base:
        kinds = {"time": "time", "tick_and_rest": "tick + to_milliseconds(rest)"}
        for at in range(FILES):
            batch = observations(datastream, time_us + at * HOUR_US, number)
            stored = to_file(by_identity(pa.Table.from_batches([batch])), file_schema(in_ms=True))
            written = {"time": (stored, writer_options(3)), "tick_and_rest": in_two(stored)}
            for kind, (table, options) in written.items():
                path = Path(name) / f"{kind}-{at}.parquet"
                pq.write_table(table, path, row_group_size=ROW_GROUP_ROWS, **options)
        last = START_US + (FILES - 1) * HOUR_US
        within = f"time >= make_timestamptz({last}) AND time < make_timestamptz({last + HOUR_US})"
        for kind, expression in kinds.items():
            base.execute(
                f"CREATE VIEW {kind} AS SELECT datastream, {expression} AS time, "
                "coalesce(digits / 10.0::DOUBLE ** scale, number) AS number "
                f"FROM read_parquet('{name}/{kind}-*.parquet')"
            )
            every = f"SELECT count(*), avg(number) FROM {kind}"
            found[kind] = {
                "an_hour_ms": _asked(base, f"{every} WHERE {within}"),
                "everything_ms": _asked(base, every),
            }
    return found


def _asked(base: duckdb.DuckDBPyConnection, query: str) -> float:
    taken = []
    for _ in range(4):
        started = time.perf_counter()
        base.execute(query).fetchall()
        taken.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(taken[1:]), 1)


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
    two, two_options = in_two(stored)
    return {
        "rows": SENSORS * SECONDS,
        "entropy_of_the_jitter": entropy(behind),
        "entropy_of_its_differences": entropy_of_steps(behind),
        "delta": size(pa.table({"time": time_ms}), **delta),
        "tick_and_rest": {
            name: round(tick + size(rest, **options), 3) for name, options in RESTS.items()
        },
        "whole_file_of_tick_and_rest": size(two, **two_options),
        "whole_file_by_zstd_level": {
            level: size(stored, **writer_options(level)) for level in LEVELS
        },
    }


def run() -> dict[str, object]:
    """Measure."""
    found: dict[str, object] = {f"jitter_0_to_{n}_ms": measure(n) for n in (0, 3, 9, 30, 99)}
    return found | {"another_program": another_program(9)}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
