"""Bytes per observation: 1,000 sensors at 1 Hz for an hour, two decimals.

Run: `python -m benchmarks.store_size`
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from penstock.core.clock import SystemClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings

SENSORS, SECONDS = 1_000, 3_600
START_US = 1_764_000_000_000_000 // 3_600_000_000 * 3_600_000_000
Rows = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


def readings(jitter_ms: int, noise: float, seed: int = 1) -> Rows:
    """Return datastream, time, number in order of arrival.

    Each sensor wanders slowly (steps of `noise`) and reads each second, up to `jitter_ms` late.
    """
    rng = np.random.default_rng(seed)
    late_ms = rng.integers(0, jitter_ms + 1, (SECONDS, SENSORS))
    time_us = START_US + np.arange(SECONDS)[:, None] * 1_000_000 + late_ms * 1_000
    start = rng.uniform(10, 40, SENSORS)
    number = np.round(start + np.cumsum(rng.normal(0, noise, (SECONDS, SENSORS)), axis=0), 2)
    datastream = np.broadcast_to(np.arange(1, SENSORS + 1), (SECONDS, SENSORS))
    return datastream.ravel(), time_us.ravel(), number.ravel()


def measure(rows: Rows) -> dict[str, object]:
    """Return bytes per row in the lake, after flushing and after merging, and beside it."""
    datastream, time_us, number = rows
    total = len(number)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        settings = LakeSettings(background=False, flush_rows=10**9, hot_max_rows=10**9, grace_s=0)
        store = LakeStore.open(directory, settings, SystemClock())
        step = 60 * SENSORS
        for at in range(0, total, step):
            part = slice(at, at + step)
            store.append(observations(datastream[part], time_us[part], number[part]))
            store.flush()
        flushed = size_of(directory)
        started = time.perf_counter()
        store.compact()
        seconds = time.perf_counter() - started
        store.close()
        store = LakeStore.open(directory, settings, SystemClock())
        back = store.scan(Selection())
        is_lossless = is_same(back, rows)
        merged = size_of(directory)
        store.close()
        plain = directory / "plain.parquet"
        table = back.select(["datastream", "time", "number"])
        pq.write_table(
            table.sort_by([("datastream", "ascending"), ("time", "ascending")]),
            plain,
            compression="zstd",
        )
        return {
            "rows": total,
            "after_flush": round(flushed / total, 3),
            "after_merge": round(merged / total, 3),
            "merge_s": round(seconds, 2),
            "plain_parquet_zstd": round(plain.stat().st_size / total, 3),
            "lossless": is_lossless,
        }


def is_same(table: object, rows: Rows) -> bool:
    """Return whether a scan gave back the very rows, bit by bit."""
    datastream, time_us, number = rows
    order = np.lexsort((datastream, time_us))
    columns = [table["datastream"], table["time"].cast("int64"), table["number"]]  # type: ignore[index]
    found = [column.to_numpy() for column in columns]
    expected = (datastream[order], time_us[order], number[order])
    return all(
        np.array_equal(one.view(np.int64), other.view(np.int64))
        for one, other in zip(found, expected, strict=True)
    )


def size_of(directory: Path) -> int:
    """Return the bytes of everything in a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def run() -> dict[str, object]:
    """Measure."""
    return {
        "without_jitter": measure(readings(0, 0.05)),
        "jitter_0_to_3_ms": measure(readings(3, 0.05)),
        "jitter_0_to_9_ms": measure(readings(9, 0.05)),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
