"""The store on PostgreSQL beside the lake: rows taken in durably, questions, bytes per row.

1,000 datastreams at 1 Hz with two decimals, batches of 100,000 rows and of 1,000. The server syncs
its log as it does by default; it and the store share the machine.

Run: `python -m benchmarks.postgres_store [rows]`
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from benchmarks.store_queries import HOUR_US, START_US, timed
from tests.postgres_server import PostgresServer

from penstock.core.clock import SystemClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.runtime.stores import HouseStore
from penstock.stores.lake import LakeStore
from penstock.stores.postgres import PostgresStore
from penstock.stores.settings import LakeSettings

SERIES = 1_000
SECOND_US = 1_000_000
#: What a server with 8 GiB would be given; syncing as by default.
SERVER = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "2GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
}


def batches(first_s: int, seconds: int, per_batch: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of so many seconds of all datastreams."""
    wave = np.round(20 + np.cumsum(np.random.default_rng(1).normal(0, 0.05, 200_000)), 2)
    ids = np.tile(np.arange(1, SERIES + 1), per_batch)
    for at in range(first_s, first_s + seconds, per_batch):
        second = (at + np.arange(per_batch)).repeat(SERIES)
        numbers = wave[(second + ids * 97) % len(wave)]
        yield observations(ids, START_US + second * SECOND_US, numbers)


def append(store: HouseStore, given: Iterator[pa.RecordBatch]) -> dict[str, float]:
    """Append batches and make them durable; return the rate, and how long one of them took."""
    rows, took = 0, []
    began = time.perf_counter()
    for number, batch in enumerate(given):
        started = time.perf_counter()
        rows += store.append(batch, {"door": number})
        took.append(time.perf_counter() - started)
    store.flush()
    rate = rows / (time.perf_counter() - began)
    return {"rows_per_s": round(rate), "append_p50_ms": round(float(np.median(took)) * 1e3, 2)}


def ask(store: HouseStore) -> dict[str, object]:
    """Return how long answers take."""
    ids = list(range(1, SERIES + 1))

    def hour(number: int) -> object:
        chosen = (1 + number * 397 % SERIES,)
        return store.scan(
            Selection(datastreams=chosen, start_us=START_US, end_us=START_US + HOUR_US)
        )

    def second(number: int) -> object:
        start = START_US + (number * 37 % 3000) * SECOND_US
        return store.scan(Selection(start_us=start, end_us=start + SECOND_US))

    def chart(number: int) -> object:
        return store.buckets(Selection(datastreams=(1 + number * 397 % SERIES,)), 10 * SECOND_US)

    return {
        "one_series_one_hour": timed(hour),
        "one_second_of_all": timed(second),
        "latest_of_1000": timed(lambda _: store.latest(ids)),
        "count": timed(lambda _: store.count()),
        "last_100_of_all": timed(lambda _: store.scan(Selection(limit=100, descending=True))),
        "chart_of_one_series": timed(chart),
        "means_of_all_series": timed(lambda _: store.buckets(Selection(), HOUR_US), 3),
    }


def measure(
    store: HouseStore, rows: int, settle: Callable[[], object] = lambda: None
) -> dict[str, object]:
    """Load and ask one store; `settle` is what it does by itself within minutes."""
    seconds = rows // SERIES
    large = append(store, batches(0, seconds, 100))
    small = append(store, batches(seconds, 200, 1))
    late = append(store, batches(seconds // 2, 100, 100))
    settle()
    return {"batches_of_100000": large, "batches_of_1000": small, "again": late} | ask(store)


@contextmanager
def postgres() -> Iterator[tuple[PostgresStore, PostgresServer]]:
    """Start a server and open a store on it."""
    with PostgresServer(SERVER) as server:
        store = PostgresStore.open(server.new_database())
        try:
            yield store, server
        finally:
            store.close()


def run(rows: int = 2_000_000) -> dict[str, object]:
    """Measure both."""
    result: dict[str, object] = {"rows": rows, "datastreams": SERIES}
    with postgres() as (store, server):
        found = measure(
            store, rows, lambda: server.sql("VACUUM (ANALYZE) penstock.observations", "test_1")
        )
        size = server.sql(
            "SELECT sum(pg_total_relation_size(relid)) FROM "
            "pg_partition_tree('penstock.observations')",
            "test_1",
        )
        indexes = server.sql(
            "SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('penstock.observations')",
            "test_1",
        )
        count = store.count()
        found["bytes_per_row"] = round(int(size) / count, 1)
        found["of_these_indexes"] = round(int(indexes) / count, 1)
        found["server"] = server.sql("SHOW server_version")
        result["postgres"] = found
    with tempfile.TemporaryDirectory() as name:
        lake = LakeStore.open(Path(name), LakeSettings(), SystemClock())
        found = measure(lake, rows)
        lake.compact()
        files = sum(path.stat().st_size for path in Path(name).rglob("*") if path.is_file())
        found["bytes_per_row"] = round(files / lake.count(), 2)
        result["lake"] = found
        lake.close()
    return result


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
