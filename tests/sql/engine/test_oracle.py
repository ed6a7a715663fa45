"""Whatever the order of arrival, the batches and the crashes: the same as one run over all data."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from tests.sql.engine.bench import EPOCH, SECOND, Bench, mean, plan_of

from penstock.core.errors import InvalidQuery
from penstock.core.queries import Query, RunState
from penstock.sql.engine import pieces

#: Cases; more are asked for with PENSTOCK_ORACLE_CASES.
CASES = int(os.environ.get("PENSTOCK_ORACLE_CASES", "40"))

QUERIES = [
    mean(10),
    mean(5, key="name"),
    "SELECT result * 2 AS twice FROM observations WHERE result > 4",
    "SELECT result - LAG(result) OVER (PARTITION BY name ORDER BY time) AS step FROM observations",
    (
        "SELECT window_start, COUNT(*) AS n, MAX(result) AS top FROM TABLE(HOP(TABLE observations, "
        "DESCRIPTOR(time), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) "
        "GROUP BY window_start, window_end HAVING COUNT(*) < 6"
    ),
    (
        "SELECT window_start, name, COUNT(*) AS n FROM TABLE(SESSION(TABLE observations "
        "PARTITION BY name, DESCRIPTOR(time), INTERVAL '2' SECOND)) "
        "GROUP BY window_start, window_end, name"
    ),
    (
        "SELECT MAX(result) OVER (PARTITION BY name ORDER BY time RANGE BETWEEN "
        "INTERVAL '7' SECOND PRECEDING AND CURRENT ROW) AS top FROM observations"
    ),
    # Long windows, in pieces, of rows that depend on others around them.
    (
        "SELECT window_start, thing, AVG(step) AS mean, COUNT(DISTINCT result) AS n FROM TUMBLE("
        "(SELECT time, thing, result, result - LEAD(result) OVER (PARTITION BY name ORDER BY time)"
        " AS step FROM observations), DESCRIPTOR(time), INTERVAL '40' SECOND) "
        "GROUP BY window_start, window_end, thing"
    ),
    mean(60),
]


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of long windows for a few rows already."""
    monkeypatch.setattr(pieces, "AHEAD_ROWS", 3)


@pytest.mark.parametrize("seed", range(CASES))
def test_any_order_any_batches_any_crashes_end_as_one_run(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    sql = QUERIES[seed % len(QUERIES)]
    try:
        plan_of(Query(sql=sql, reach_s=100))
    except InvalidQuery as error:
        pytest.fail(f"{sql}: {error}")
    bench = Bench(tmp_path / "live")
    live = _lived(bench, rng, sql)
    sent = bench.sent
    bench.close()
    once = Bench(tmp_path / "once")
    once.datastreams(["one.t", "two.t", "three.t"])
    once.sent = sent
    once.read_log()
    once.clock.advance(200)
    once.start(1, sql, start_us=EPOCH - 50 * SECOND, reach_s=100)
    once.turn(100)
    expected = once.derived()
    once.close()
    assert live == expected
    # Where much came together, no window may have few rows.
    assert expected or "HAVING" in sql


def _lived(bench: Bench, rng: random.Random, sql: str) -> list[object]:
    ids = bench.datastreams(["one.t", "two.t", "three.t"])
    bench.start(1, sql, start_us=EPOCH - 50 * SECOND, reach_s=100, idle_s=10)
    is_started = True
    moments = [rng.randrange(0, 4 * 60) / 4 for _ in range(rng.randint(10, 80))]
    arriving = sorted(moments, key=lambda t: t + rng.choice([0, 0, 0, 1, 5, 30]) * rng.random())
    while arriving:
        size = rng.randint(1, 8)
        batch, arriving = arriving[:size], arriving[size:]
        bench.send(*((rng.choice(ids), t, float(rng.randrange(10))) for t in batch))
        ahead = EPOCH + round(max(batch) * SECOND) - bench.clock.now_us()
        bench.clock.advance(max(0.0, ahead / SECOND))
        if rng.random() < 0.6:
            bench.turn(rng.choice([0.0, 0.5, 3.0]))
        if rng.random() < 0.15:
            bench.store.flush()
        if rng.random() < 0.1 and is_started:
            bench.engine.stop(1)
            is_started = False
        if rng.random() < 0.15:
            bench.crash()
            is_started = False
            if rng.random() < 0.5:
                bench.read_log()
        if not is_started and rng.random() < 0.7:
            bench.start(1, sql, reach_s=100, idle_s=10)
            is_started = True
        bench.read_log()
    if not is_started:
        bench.start(1, sql, reach_s=100, idle_s=10)
    bench.turn(20)
    bench.turn(200)
    status = bench.engine.status(1)
    assert status is not None
    assert status.state is RunState.RUNNING, status.message
    return list(bench.derived())
