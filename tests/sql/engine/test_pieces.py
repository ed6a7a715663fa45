"""Pieces of long windows are made ahead, and no answer shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.sql.engine.bench import EPOCH, SECOND, Bench, mean

from penstock.core.queries import RunState
from penstock.core.selection import Selection
from penstock.sql.engine import pieces
from penstock.sql.settings import SqlSettings

#: Where the minute begins that tests are about, seconds after `EPOCH`.
MINUTE = 40.0
Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(pieces, "AHEAD_ROWS", 5)
    made: list[Bench] = []

    def one(**settings: int) -> Bench:
        made.append(Bench(tmp_path, SqlSettings(catalog_age_s=0, **settings)))
        return made[-1]

    yield one
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make: Make) -> Bench:
    """A minute that is computed up to its half."""
    bench = make()
    bench.datastreams(["one.t", "two.t"])
    bench.clock.advance(MINUTE)
    bench.start(1, mean(60))
    fill(bench, 0, 30)
    return bench


def fill(bench: Bench, begin: int, end: int) -> None:
    """Let seconds of the minute pass, with a row in each that says which it is."""
    for second in range(begin, end):
        bench.send((1, MINUTE + second, float(second)))
        bench.turn(1)


def held(bench: Bench) -> list[tuple[float, float]]:
    running = bench.engine._running[1]
    assert running.pieces is not None
    since = EPOCH + MINUTE * SECOND
    return [((a - since) / SECOND, (b - since) / SECOND) for a, b in running.pieces.held]


def rows_read(bench: Bench) -> float:
    return bench.engine.stats()["penstock_sql_rows_read_total"]


def answer(bench: Bench, value: float, name: str = "one.app1.mean") -> None:
    """Let the minute pass, and expect its mean."""
    bench.turn(200)
    assert (name, MINUTE, value) in bench.derived()
    status = bench.engine.status(1)
    assert status is not None
    assert status.state is RunState.RUNNING, status.message


def test_little_is_left_to_read_at_the_end_of_the_window(bench: Bench) -> None:
    fill(bench, 30, 60)
    assert held(bench)[-1][1] >= 50
    before = rows_read(bench)
    answer(bench, 29.5)
    assert rows_read(bench) - before <= 12
    assert rows_read(bench) == 60


def test_a_late_row_takes_only_the_pieces_with_it_that_it_is_in(bench: Bench) -> None:
    before = held(bench)
    bench.send((1, MINUTE + 10.5, 120.0))
    bench.turn()
    lost = [span for span in before if span not in held(bench)]
    assert [a <= 10.5 < b for a, b in lost] == [True]
    bench.send((1, MINUTE + 3, 63.0))
    bench.turn()
    fill(bench, 30, 60)
    answer(bench, (sum(range(60)) + 120 + 60) / 61)


def test_a_late_row_repairs_a_window_by_way_of_its_pieces(bench: Bench) -> None:
    fill(bench, 30, 64)
    assert ("one.app1.mean", MINUTE, 29.5) in bench.derived()
    before = rows_read(bench)
    bench.send((1, MINUTE + 10, 70.0))
    bench.turn()
    assert ("one.app1.mean", MINUTE, 30.5) in bench.derived()
    assert rows_read(bench) - before <= 12
    status = bench.engine.status(1)
    assert status is not None
    assert (status.late_rows, status.repairs) == (1, 1)


def test_a_late_row_repairs_all_windows_that_hop_over_it_by_way_of_one_piece(make: Make) -> None:
    bench = make()
    bench.datastreams(["one.t", "two.t"])
    bench.clock.advance(MINUTE)
    hop = "HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND, INTERVAL '60' SECOND)"
    bench.start(
        1, f"SELECT window_start, thing, SUM(result) AS sum, COUNT(*) AS n FROM {hop} "
        "GROUP BY window_start, window_end, thing",
    )  # fmt: skip
    fill(bench, 0, 105)

    def sums() -> dict[float, float]:
        found = {at - MINUTE: n for name, at, n in bench.derived() if name.endswith("sum")}
        return {at: n for at, n in found.items() if at >= 0}

    once = {float(at): float(sum(range(at, at + 60))) for at in (0, 10, 20, 30, 40)}
    assert sums() == once
    assert rows_read(bench) <= 105
    before = rows_read(bench)
    bench.send((1, MINUTE + 25.5, 1000.0))
    bench.turn()
    assert sums() == {at: n + 1000 * (at < 30) for at, n in once.items()}
    assert rows_read(bench) - before <= 12


def test_pieces_are_made_again_after_a_crash_amid_a_window(bench: Bench) -> None:
    bench.store.flush()
    fill(bench, 30, 35)
    bench.crash()
    bench.read_log()
    bench.start(1, mean(60))
    bench.turn()
    assert held(bench)
    fill(bench, 35, 60)
    answer(bench, 29.5)


@pytest.mark.parametrize("room", [0, 200])
def test_what_has_no_room_is_computed_at_the_end(make: Make, room: int) -> None:
    bench = make(pieces_bytes=room)
    bench.datastreams(["one.t"])
    bench.clock.advance(MINUTE)
    bench.start(1, mean(60))
    fill(bench, 0, 60)
    assert held(bench) == []
    assert bench.engine.stats()["penstock_sql_pieces_bytes"] == 0
    before = rows_read(bench)
    answer(bench, 29.5)
    assert rows_read(bench) - before >= 60
    fill(bench, 200, 210)
    assert bench.engine.stats()["penstock_sql_pieces_bytes"] <= room


def test_two_queries_share_the_room_and_what_they_read(bench: Bench) -> None:
    bench.start(2, mean(60, key="name"))
    fill(bench, 30, 60)
    every = bench.engine.stats()["penstock_sql_pieces_bytes"]
    bench.engine.stop(2)
    assert 0 < bench.engine.stats()["penstock_sql_pieces_bytes"] < every
    answer(bench, 29.5)
    bench.start(2, mean(60, key="name"))
    bench.turn(200)
    assert [row[1:] for row in bench.derived(2)] == [(MINUTE, 29.5)]


def test_another_query_does_not_get_the_pieces_of_the_one_before(bench: Bench) -> None:
    bench.engine.stop(1)
    bench.start(1, mean(60).replace("AVG(result)", "MAX(result)"))
    fill(bench, 30, 60)
    answer(bench, 59.0)


def test_a_deleted_row_is_in_no_piece(bench: Bench) -> None:
    at = EPOCH + round((MINUTE + 10) * SECOND)
    gone = bench.store.scan(Selection(datastreams=(1,), start_us=at, end_us=at + 1))
    assert gone.num_rows == 1
    bench.store.delete_rows(gone)
    bench.engine.heard(gone, {})
    fill(bench, 30, 60)
    answer(bench, (sum(range(60)) - 10) / 59)


def test_a_row_that_is_sent_again_counts_once(bench: Bench) -> None:
    bench.send((1, MINUTE + 10, 10.0), (1, MINUTE + 11, 71.0))
    fill(bench, 30, 60)
    answer(bench, 30.5)


def test_a_datastream_that_joins_late_is_in_the_whole_window(bench: Bench) -> None:
    bench.send((2, MINUTE + 5, 100.0), (2, MINUTE + 25, 300.0))
    bench.turn()
    (new,) = bench.datastreams(["three.t"])
    bench.send((new, MINUTE + 3, 5.0), (new, MINUTE + 20, 7.0))
    fill(bench, 30, 60)
    answer(bench, 29.5)
    answer(bench, 200.0, "two.app1.mean")
    answer(bench, 6.0, "three.app1.mean")


def test_what_the_catalog_says_at_the_end_of_the_window_counts(bench: Bench) -> None:
    """As the whole window does when it is computed at once."""
    running = bench.engine._running[1]
    assert running.pieces is not None
    picture = bench.engine.pictures.now()
    infos = [msgspec.structs.replace(one, thing="renamed") if one.id == 1 else one
             for one in picture.infos]  # fmt: skip
    real = bench.engine.pictures._catalog.datastreams

    def renamed(*args: object, **named: object) -> object:
        found = {one.id: one for one in infos}
        return [found.get(one.id, one) for one in real(*args, **named)]  # type: ignore[arg-type]

    bench.engine.pictures._catalog = _Renaming(bench.engine.pictures._catalog, renamed)  # type: ignore[assignment]
    fill(bench, 30, 60)
    answer(bench, 29.5, "renamed.app1.mean")
    assert not [one for one in bench.derived() if one[0] == "one.app1.mean" and one[1] == MINUTE]


class _Renaming:
    """A catalog in which a Thing has another name."""

    def __init__(self, catalog: object, datastreams: object) -> None:
        self._catalog = catalog
        self.datastreams = datastreams

    def __getattr__(self, name: str) -> object:
        return getattr(self._catalog, name)


def test_a_range_in_the_past_with_windows_of_more_rows_than_are_read_at_once(make: Make) -> None:
    bench = make(max_slice_rows=1000)
    (a,) = bench.datastreams(["one.t"])
    bench.send(*((a, n / 50, float(n % 7)) for n in range(9000)))
    bench.start(1, mean(60), start_us=EPOCH)
    bench.turn(400)
    found = [value for _, _, value in bench.derived()]
    per_minute = [[n % 7 for n in range(9000) if (n / 50 + 20) // 60 == at] for at in range(4)]
    assert found == pytest.approx([sum(some) / len(some) for some in per_minute if some])
