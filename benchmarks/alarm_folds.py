"""What a row costs in the rules of alarms, with 10,000 datastreams that each send once a second.

    python -m benchmarks alarm_folds

Only the fold: rows in, activations out, in one process; processor time, so that a busy machine
counts less. Batches of 500 rows as they come live, and of 10,000 as a backtest has them. The
first second, in which every datastream is new, is not counted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.alarms.folding import Conditions
from penstock.alarms.machine import Timing
from penstock.alarms.rows import Shape
from penstock.alarms.runs import Runs

KEYS = 10_000
SECONDS = 11
SECOND = 1_000_000
BEGIN_US = 1_764_000_000_000_000
BATCHES = (500, 10_000)

Fold = Conditions | Runs


def _tables(size: int, raised: Callable[[Any], Any] | None) -> list[pa.Table]:
    ids = np.tile(np.arange(1, KEYS + 1), SECONDS)
    times = BEGIN_US + np.arange(len(ids)) * SECOND // KEYS
    whole = {
        "__time": pa.array(times),
        "__end": pa.nulls(len(ids), pa.int64()),
        "__series": pa.array(ids),
        "__row": pa.array(np.zeros(len(ids), np.int64)),
        "name": pa.array([f"datastream-{id_}" for id_ in ids.tolist()]),
        "result": pa.array(np.arange(len(ids)) * 0.5),
    }
    if raised is not None:
        whole["raised"] = pa.array(raised(times))
    table = pa.table(whole)
    return [table.slice(at, size) for at in range(0, len(ids), size)]


def _cost_us(fold: Fold, tables: list[pa.Table]) -> float:
    """Return microseconds of processor time for a row."""
    spent = 0.0
    rows = 0
    for table in tables:
        began = time.process_time()
        fold.put(table, None, None)
        fold.advance(int(table["__time"][-1].as_py()) - 100_000)
        fold.touched.clear()
        if int(table["__time"][0].as_py()) >= BEGIN_US + SECOND:
            spent += time.process_time() - began
            rows += table.num_rows
    return round(spent / rows * 1e6, 3)


def _all(times: Any) -> Any:
    return np.ones(len(times), bool)


def _at_first(times: Any) -> Any:
    return times < BEGIN_US + SECOND // 2


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    kinds: dict[str, tuple[Callable[[], Fold], Callable[[Any], Any] | None]] = {
        "absence of 5 s": (lambda: Runs(Shape(), 5 * SECOND, absent=True), None),
        "no condition": (lambda: Runs(Shape(), 60 * SECOND, absent=False), None),
        "condition that holds for all": (lambda: Conditions(Shape(), Timing()), _all),
        "condition that held for half": (lambda: Conditions(Shape(), Timing()), _at_first),
        "condition that never holds": (
            lambda: Conditions(Shape(), Timing()),
            lambda times: ~_all(times),
        ),
    }
    figures = {
        kind: {f"batches of {size}": _cost_us(fold(), _tables(size, raised)) for size in BATCHES}
        for kind, (fold, raised) in kinds.items()
    }
    return {"what": "microseconds for a row", "keys": KEYS, **figures}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
