"""Query latencies at 50 M rows, roll-ups over a year, and rows appended per second.

Run: `python -m benchmarks.store_queries [rows]`
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from penstock.core.clock import SystemClock
from penstock.core.errors import Backpressure
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings

SERIES = 10_000
BATCH = 100_000
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
START_US = 1_764_000_000_000_000 // DAY_US * DAY_US


def load(store: LakeStore, series: int, steps: int, every_us: int) -> dict[str, float]:
    """Append `series * steps` rows in order of time; return rows per second."""
    rng = np.random.default_rng(1)
    per_batch = max(BATCH // series, 1)
    wave = np.round(20 + np.cumsum(rng.normal(0, 0.05, 200_000)), 2)
    ids = np.tile(np.arange(1, series + 1), per_batch)
    appending = 0.0
    began = time.perf_counter()
    for at in range(0, steps, per_batch):
        count = min(per_batch, steps - at) * series
        times = START_US + (at + np.arange(per_batch)).repeat(series) * every_us
        numbers = wave[(at + ids + np.arange(per_batch).repeat(series)) % len(wave)]
        batch = observations(ids[:count], times[:count], numbers[:count])
        while True:
            started = time.perf_counter()
            try:
                store.append(batch, {"door": at})
            except Backpressure as error:
                time.sleep(error.retry_after_s)
            else:
                appending += time.perf_counter() - started
                break
    total = series * steps
    return {
        "append_rows_per_s": round(total / appending),
        "sustained_rows_per_s": round(total / (time.perf_counter() - began)),
    }


def timed(call: Callable[[int], object], times: int = 20) -> dict[str, float]:
    """Return milliseconds of a call: median, worst, and processor time; after one to warm up."""
    call(0)
    found, busy = [], []
    for number in range(times):
        started, working = time.perf_counter(), time.thread_time()
        call(number)
        busy.append((time.thread_time() - working) * 1e3)
        found.append((time.perf_counter() - started) * 1e3)
    return {
        "p50_ms": round(statistics.median(found), 2),
        "max_ms": round(max(found), 2),
        "cpu_p50_ms": round(statistics.median(busy), 2),
    }


def run(rows: int = 50_000_000) -> dict[str, object]:
    """Measure."""
    return {"wide": wide(rows), "year": year()}


def wide(rows: int) -> dict[str, object]:
    """10,000 datastreams at 1 Hz."""
    result: dict[str, object] = {"rows": rows, "datastreams": SERIES}
    with tempfile.TemporaryDirectory() as name:
        store = LakeStore.open(Path(name), LakeSettings(), SystemClock())
        result |= load(store, SERIES, rows // SERIES, 1_000_000)
        result["right_after_loading"] = ask(store)
        store.compact()
        result["after_merging"] = ask(store)
        store.close()
        started = time.perf_counter()
        store = LakeStore.open(Path(name), LakeSettings(), SystemClock())
        result["open_s"] = round(time.perf_counter() - started, 3)
        store.close()
    result["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return result


def ask(store: LakeStore) -> dict[str, object]:
    """Return the latencies of each kind of question."""
    wanted = list(range(1, SERIES + 1))

    def hour(number: int) -> object:
        one = Selection(
            datastreams=(1 + number * 397 % SERIES,), start_us=START_US, end_us=START_US + HOUR_US
        )
        return store.scan(one)

    def page(number: int) -> object:
        return store.scan(Selection(limit=100, start_us=START_US + number * 1_000_000))

    def newest(_: int) -> object:
        return store.scan(Selection(limit=100, descending=True))

    return {
        "one_series_one_hour": timed(hour),
        "latest_of_10000": timed(lambda _: store.latest(wanted)),
        "count": timed(lambda _: store.count()),
        "first_100_of_all": timed(page, 5),
        "last_100_of_all": timed(newest, 5),
    }


def year() -> dict[str, object]:
    """10 datastreams every 10 s for a year."""
    result: dict[str, object] = {"rows": 10 * 3_153_600}
    with tempfile.TemporaryDirectory() as name:
        store = LakeStore.open(Path(name), LakeSettings(), SystemClock())
        result |= load(store, 10, 3_153_600, 10_000_000)
        store.compact()
        for label, span, width in (
            ("buckets_of_an_hour", HOUR_US, 10_000_000),
            ("buckets_of_a_day", DAY_US, 60_000_000),
            ("buckets_of_a_month", 30 * DAY_US, HOUR_US),
            ("buckets_of_a_year", 365 * DAY_US, 12 * HOUR_US),
        ):
            chosen = Selection(datastreams=(3,), start_us=START_US, end_us=START_US + span)
            result[label] = timed(lambda _, c=chosen, w=width: store.buckets(c, w), 5)  # type: ignore[misc]
        store.close()
    return result


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
