"""Keyed one-second means by event time, 1,000 keys: rows per second through store and engine.

Rows are appended to the store and heard by the engine as ingest does it; the clock stops when
the means of all complete seconds are in the store.

Run: `python -m benchmarks.stream_windows [rows]`
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.bytewax_peer import keyed_means
from benchmarks.stream_rig import Rig

from penstock.core.observation import observations
from penstock.core.selection import Selection

KEYS = 1000
BATCH = 100_000
#: Rows in a second of event time.
PER_SECOND = 100_000
BEGIN_US = 1_764_000_000_000_000
QUERY = (
    "SELECT window_start, thing, AVG(result) AS mean FROM TABLE(TUMBLE(TABLE observations, "
    "DESCRIPTOR(time), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, thing"
)


def measure(rows: int, shuffle_s: float) -> dict[str, float]:
    """Return rows per second; `shuffle_s` is how far rows are out of order."""
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        ids = rig.datastreams(KEYS)
        batches = []
        at = np.arange(rows)
        times = BEGIN_US + at * (1_000_000 // PER_SECOND)
        order = np.argsort(times + rng.random(rows) * shuffle_s * 1e6) if shuffle_s else at
        for start in range(0, rows, BATCH):
            some = order[start : start + BATCH]
            values = np.round(20 + rng.random(len(some)), 2)
            batches.append(observations(ids[some % KEYS], times[some], values))
        rig.start(1, QUERY, start_us=BEGIN_US, lateness_s=2.0, idle_s=3600)
        rig.engine.open()
        until = BEGIN_US + (rows // PER_SECOND - 3) * 1_000_000
        began, worked = time.perf_counter(), time.process_time()
        for batch in batches:
            rig.send(batch)
        sent = time.perf_counter() - began
        while True:
            status = rig.engine.status(1)
            assert status is not None
            assert not status.message, status.message
            if status.done_us is not None and status.done_us >= until:
                break
            time.sleep(0.01)
        took, worked = time.perf_counter() - began, time.process_time() - worked
        rig.engine.close()
        derived = [d.id for d in rig.catalog.datastreams("app1", limit=10 * KEYS)]
        found = rig.store.scan(Selection(datastreams=tuple(derived), end_us=until)).num_rows
        assert found == (rows // PER_SECOND - 3) * KEYS, found
        status = rig.engine.status(1)
        assert status is not None
        result = {
            "rows": rows,
            "rows_per_s": round((rows // PER_SECOND - 3) * PER_SECOND / took),
            "append_s": round(sent, 3),
            "seconds": round(took, 3),
            "cpu_s": round(worked, 3),
            "rows_per_cpu_s": round(rows / worked),
            "engine_busy_s": round(status.busy_s, 3),
            "late_rows": status.late_rows,
            "repairs": status.repairs,
        }
        rig.close()
        return result


def run(rows: int = 3_000_000) -> dict[str, object]:
    """Return the result, with Bytewax beside it."""
    return {
        "keys": KEYS,
        "wanted_rows_per_s": 1_500_000,
        "in_order": measure(rows, 0),
        "out_of_order_by_1_s": measure(rows, 1.0),
        "bytewax": keyed_means(rows // 3, KEYS, PER_SECOND),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:])), indent=2) + "\n")
