"""100 stream apps at 10,000 messages/s through store and engine: cores taken in all.

Of the apps 40 answer row by row, 40 compute means of one second and 20 of ten, of patterns of
Datastreams and of all. What is counted is the whole process: appending, engine, derived rows.

Run: `python -m benchmarks.stream_apps [seconds]`
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.stream_rig import Rig

from penstock.core.observation import observations

APPS, RATE, KEYS, PER_S = 100, 10_000, 1000, 20


def query(number: int) -> str:
    """Return the query of an app; every app reads about a tenth, the last ones all."""
    source = f'"thing0{number % 10}*"' if number < 90 else "observations"
    if number % 5 < 2:
        return f"SELECT result * 1.8 + 32 AS f FROM {source} WHERE result > 29.{number:02}"
    seconds = 1 if number % 5 < 4 else 10
    return (
        f"SELECT window_start, AVG(result) AS mean, MAX(result) AS top FROM TABLE(TUMBLE(TABLE "
        f"{source}, DESCRIPTOR(time), INTERVAL '{seconds}' SECOND)) "
        "GROUP BY window_start, window_end"
    )


def run(seconds: int = 30) -> dict[str, object]:
    """Return the result."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        ids = rig.datastreams(KEYS)
        for number in range(APPS):
            rig.start(number + 1, query(number), lateness_s=1.0)
        rig.engine.open()
        rows = RATE // PER_S
        began = worked = lag = 0.0
        for tick in range((seconds + 5) * PER_S):
            if tick == 5 * PER_S:
                began, worked = time.perf_counter(), time.process_time()
            now_us = time.time_ns() // 1000
            at = (tick * rows + np.arange(rows)) % KEYS
            times = now_us - np.arange(rows)[::-1]
            rig.send(observations(ids[at], times, np.round(20 + rng.random(rows) * 10, 2)))
            lag = max(lag, rig.engine.stats()["penstock_sql_lag_seconds"]) if began else 0.0
            due = (tick + 1) / PER_S if not began else (tick + 1 - 5 * PER_S) / PER_S
            start = began or time.perf_counter()
            time.sleep(max(0.0, start + due - time.perf_counter()) if began else 1 / PER_S)
        took = time.perf_counter() - began
        cpu = time.process_time() - worked
        stats = dict(rig.engine.stats())
        states = {str(s.state) for n in range(APPS) if (s := rig.engine.status(n + 1)) is not None}
        rig.close()
        return {
            "apps": APPS, "rate": round(rows * seconds * PER_S / took), "seconds": round(took, 1),
            "cores": round(cpu / took, 3), "wanted_cores": 1.0, "states": sorted(states),
            "engine_turns_busy_s": round(stats["penstock_sql_busy_seconds_total"], 2),
            "slices": stats["penstock_sql_slices_total"],
            "late_rows": stats["penstock_sql_late_rows_total"],
            "rows_kept": stats["penstock_sql_rows_kept_total"], "largest_lag_s": round(lag, 2),
        }  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:])), indent=2) + "\n")
