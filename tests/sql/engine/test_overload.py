"""More rows than may wait, and rows that have expired."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from tests.sql.engine.bench import SECOND, Bench, mean

from penstock.core.observation import observations
from penstock.sql.engine.tap import MAX_WAITING, Tap
from penstock.sql.settings import SqlSettings

TWICE = "SELECT time, result * 2 AS twice FROM observations WHERE result > 3"


@pytest.mark.parametrize("sql", [mean(10), TWICE])
def test_what_the_tap_cannot_hold_is_read_from_the_store(sql: str, tmp_path: Path) -> None:
    derived = []
    for n, most in enumerate([1_000_000, 5]):
        bench = Bench(tmp_path / str(n), SqlSettings(catalog_age_s=0, max_waiting_rows=most))
        a, b = bench.datastreams(["one.t", "two.t"])
        bench.start(1, sql)
        rng = random.Random(1)
        for second in range(60):
            bench.send(*((rng.choice([a, b]), second + k / 8, rng.random() * 9) for k in range(4)))
            bench.clock.advance(1)
            if second % 20 == 19:
                assert bench.engine.tap.waiting_rows <= most
                bench.turn()
        bench.turn(60)
        assert (bench.engine.tap.dropped > 0) == (most == 5)
        status = bench.engine.status(1)
        assert status is not None
        assert (status.rows_out > 0) is True
        derived.append(bench.derived())
        bench.close()
    assert derived[0]
    assert derived[0] == derived[1]


def test_many_batches_that_cannot_be_held_are_one_touch() -> None:
    tap = Tap(1)
    tap.is_open = True
    for n in range(MAX_WAITING + 1000):
        tap.heard(observations([n % 3, 3], [n, n + 5], [1.0, 2.0]), {"door": n})
    taken = tap.take()
    assert len(taken) <= MAX_WAITING + 1
    assert taken[-1].marks == {"door": MAX_WAITING + 999}
    assert taken[-1].last.max() == MAX_WAITING + 1004


def test_late_rows_beside_expired_ones_change_nothing_and_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.retention_s = 100.0
    bench.crash()
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 3, 4.0), (a, 95, 1.0), (a, 120, 5.0))
    bench.turn(120)
    before = bench.derived()
    assert before == [("one.app1.mean", 0.0, 3.0), ("one.app1.mean", 90.0, 1.0)]
    # What is older than its retention goes, measured and derived; a late row comes for it.
    bench.store.expire({}, 100 * SECOND, bench.clock.now_us())
    bench.send((a, 4, 100.0), (a, 97, 3.0))
    bench.turn(1)
    after = bench.derived()
    assert after == [("one.app1.mean", 90.0, 2.0)]
    status = bench.engine.status(1)
    assert status is not None
    assert (status.too_late, status.repairs) == (1, 1)
    bench.close()


def test_what_waits_in_the_ledger_is_forgotten_once_it_has_expired(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.retention_s = 100.0
    bench.crash()
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 33, 4.0))
    bench.turn(40)
    bench.engine.stop(1)
    bench.send((a, 2, 6.0))
    bench.turn(1)
    bench.store.flush()
    assert _pending(bench)
    bench.clock.advance(200)
    bench.turn(1)
    bench.store.flush()
    bench.turn(1)
    assert not _pending(bench)
    bench.start(1, mean(10))
    bench.turn(1)
    assert bench.derived()[0] == ("one.app1.mean", 0.0, 2.0)
    bench.close()


def test_derived_datastreams_may_expire_before_what_they_are_made_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 13, 4.0), (a, 95, 1.0), (a, 120, 5.0))
    bench.turn(120)
    (derived,) = (d.id for d in bench.catalog.datastreams() if d.properties.get("app_id") == 1)
    bench.store.expire({derived: 60 * SECOND}, None, bench.clock.now_us())
    assert bench.derived() == [("one.app1.mean", 90.0, 1.0)]
    # A late row brings back the window that it is in, and no other.
    bench.send((a, 2, 4.0))
    bench.turn(1)
    assert bench.derived() == [("one.app1.mean", 0.0, 3.0), ("one.app1.mean", 90.0, 1.0)]
    bench.close()


def _pending(bench: Bench) -> list[object]:
    entries = msgspec.json.decode((bench.folder / "sql" / "queries.json").read_bytes())
    return [pending for entry in entries for pending in entry["pending"]]
