"""What the engine promises, on a store and a catalog that are turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sql.engine.bench import Bench, mean


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_a_window_is_answered_when_the_watermark_has_passed_its_end(bench: Bench) -> None:
    a, b = bench.datastreams(["one.t", "two.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 3, 4.0), (b, 2, 10.0), (a, 11.9, 9.0))
    bench.turn(11.9)
    assert bench.derived() == []
    bench.send((a, 12.5, 8.0))
    bench.turn(1)
    assert bench.derived() == [("one.app1.mean", 0.0, 3.0), ("two.app1.mean", 0.0, 10.0)]


def test_a_late_row_repairs_the_window_that_it_touches(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 13, 4.0))
    bench.turn(14)
    assert bench.derived() == [("one.app1.mean", 0.0, 2.0)]
    bench.send((a, 2, 6.0))
    bench.turn()
    assert bench.derived() == [("one.app1.mean", 0.0, 4.0)]
    status = bench.engine.status(1)
    assert status is not None
    assert (status.late_rows, status.repairs) == (1, 1)


def test_a_row_by_row_query_answers_at_once_and_takes_back_what_no_longer_holds(
    bench: Bench,
) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, "SELECT result * 2 AS twice FROM observations WHERE result > 3")
    bench.send((a, 1, 4.0), (a, 2, 1.0))
    bench.turn(3)
    assert bench.derived() == [("one.app1.twice.t", 1.0, 8.0)]
    bench.send((a, 1, 2.0), (a, 2, 5.0))
    bench.turn()
    assert bench.derived() == [("one.app1.twice.t", 2.0, 10.0)]


def test_a_time_far_in_the_future_moves_no_watermark(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 4e9, 1.0))
    bench.turn(2)
    status = bench.engine.status(1)
    assert status is not None
    assert status.watermark_us is not None
    assert status.watermark_us <= bench.clock.now_us()
    assert bench.derived() == []
    bench.send((a, 3, 4.0), (a, 12.5, 0.0))
    bench.turn(11)
    assert bench.derived() == [("one.app1.mean", 0.0, 3.0)]
    assert bench.engine.status(1).late_rows == 0  # type: ignore[union-attr]


def test_an_idle_source_follows_the_clock(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10), idle_s=30)
    bench.send((a, 1, 2.0))
    bench.turn()
    bench.turn(29)
    assert bench.derived() == []
    bench.turn(2)
    assert bench.derived() == [("one.app1.mean", 0.0, 2.0)]


def test_history_is_caught_up_and_late_rows_of_a_stopped_query_repair_it(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.send((a, -95, 1.0), (a, -5, 3.0))
    bench.start(1, mean(10), start_us=0)
    bench.turn(40)
    assert bench.derived() == [("one.app1.mean", -100.0, 1.0), ("one.app1.mean", -10.0, 3.0)]
    bench.engine.stop(1)
    bench.send((a, -96, 2.0), (a, 41, 1.0))
    bench.turn(20)
    bench.crash()
    bench.read_log()
    bench.turn(60)
    bench.start(1, mean(10))
    bench.turn(60)
    assert bench.derived() == [
        ("one.app1.mean", -100.0, 1.5), ("one.app1.mean", -10.0, 3.0),
        ("one.app1.mean", 40.0, 1.0),
    ]  # fmt: skip


def test_an_app_reads_what_another_derives_and_follows_its_repairs(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.start(2, mean(60, source="apps.app1"))
    bench.send((a, 1, 2.0), (a, 11, 4.0), (a, 75, 0.0))
    bench.turn(80)
    bench.turn(120)
    bench.turn(40)
    assert bench.derived(2) == [("one.app2.mean", -20.0, 3.0), ("one.app2.mean", 40.0, 0.0)]
    bench.send((a, 2, 4.0))
    bench.turn()
    assert bench.derived(2)[0] == ("one.app2.mean", -20.0, 3.5)


def test_a_repair_writes_only_what_it_changes(bench: Bench) -> None:
    a, b = bench.datastreams(["one.t", "two.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (b, 1, 5.0), (a, 13, 4.0), (b, 13, 4.0))
    bench.turn(14)
    kept = bench.engine.outlet.rows_kept
    assert kept == 2
    bench.send((a, 2, 6.0))
    bench.turn()
    assert bench.derived() == [("one.app1.mean", 0.0, 4.0), ("two.app1.mean", 0.0, 5.0)]
    assert bench.engine.outlet.rows_kept == kept + 1
    assert bench.engine.outlet.rows_removed == 0
