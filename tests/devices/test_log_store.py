from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core.clock import ManualClock
from penstock.core.device_logs import Level, LogLine, LogQuery
from penstock.core.errors import Corrupt, NotConnected
from penstock.devices import log_search
from penstock.devices.log_store import LogStore, levelled
from penstock.devices.settings import DeviceSettings

T0 = 1_700_000_000_000_000


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[LogStore]:
    store = LogStore(tmp_path / "logs.sqlite", DeviceSettings(), ManualClock())
    yield store
    store.close()


def line(text: str, *, device: str = "a", at: int = 0, level: Level = Level.INFO) -> LogLine:
    return LogLine(device=device, time_us=T0 + at, level=level, message=text)


def texts(store: LogStore, **query: object) -> list[str]:
    return [one.message for one in store.search(LogQuery(**query)).lines]  # type: ignore[arg-type]


WORDS = st.text(st.sampled_from('aAbBeE15.:-_"*ÄäßÉ %'), min_size=0, max_size=8)
LINES = st.builds(
    LogLine,
    device=st.sampled_from(["a", "b", "c'd"]),
    system=st.sampled_from([1, 2]),
    time_us=st.integers(T0, T0 + 9),
    level=st.sampled_from(Level),
    message=WORDS,
)
QUERIES = st.builds(
    LogQuery,
    devices=st.none() | st.lists(st.sampled_from(["a", "b", "c'd", "x"]), max_size=3),
    systems=st.none() | st.frozensets(st.sampled_from([1, 2])),
    things=st.frozensets(st.tuples(st.sampled_from([1, 2]), st.sampled_from(["a", "b"]))),
    levels=st.frozensets(st.sampled_from(Level)),
    words=st.lists(WORDS.map(str.strip).filter(bool), max_size=2),
    from_us=st.none() | st.integers(T0, T0 + 9),
    until_us=st.none() | st.integers(T0, T0 + 9),
    limit=st.sampled_from([1, 2, 1000]),
)


def everything(store: LogStore, query: LogQuery) -> list[LogLine]:
    """Follow a search to its end."""
    found: list[LogLine] = []
    while True:
        page = store.search(query)
        found += page.lines
        assert not page.is_cut or page.next is not None
        if page.next is None:
            return found
        query = msgspec.structs.replace(query, before=page.next)


@pytest.mark.parametrize("looked_at", [1, 3, 100_000])
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(LINES, max_size=25), st.lists(QUERIES, min_size=1, max_size=8))
def test_a_search_finds_what_looking_at_every_line_finds(
    monkeypatch: pytest.MonkeyPatch,
    looked_at: int,
    lines: list[LogLine],
    queries: list[LogQuery],
) -> None:
    monkeypatch.setattr(log_search, "LOOKED_AT", looked_at)
    monkeypatch.setattr(log_search, "RARE", looked_at)
    with tempfile.TemporaryDirectory() as folder:
        store = LogStore(Path(folder) / "logs.sqlite", DeviceSettings(), ManualClock())
        store.append(lines)
        distinct = {(one.system, one.device, one.time_us, one.level, one.message) for one in lines}
        for query in queries:
            found = everything(store, query)
            keys = [(one.system, one.device, one.time_us, one.level, one.message) for one in found]
            expected = {
                key
                for key in distinct
                if query.takes(
                    LogLine(
                        system=key[0], device=key[1], time_us=key[2], level=key[3], message=key[4]
                    )
                )
            }
            assert set(keys) == expected
            assert len(keys) == len(expected)
            order = [(one.time_us, one.id) for one in found]
            assert order == sorted(order, reverse=True)
        store.close()


@given(st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_pages_follow_each_other_without_gap_or_repetition(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LogStore(Path(folder) / "logs.sqlite", DeviceSettings(), ManualClock())
        store.append([line(f"line {n}", at=n // 3) for n in range(11)])
        whole = store.search(LogQuery(limit=100)).lines
        assert everything(store, LogQuery(limit=size)) == list(whole)
        store.close()


def test_a_line_that_comes_again_is_kept_once(logs: LogStore) -> None:
    assert logs.append([line("power on"), line("power on"), line("ready", at=1)]) == 2
    assert logs.append([line("power on")]) == 0
    assert logs.append([line("power on", level=Level.ERROR), line("power on", device="b")]) == 2


def test_lines_survive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "logs.sqlite"
    store = LogStore(file, DeviceSettings(), ManualClock())
    store.append([line("self-test PASSED")])
    store.close()
    store.close()
    again = LogStore(file, DeviceSettings(), ManualClock())
    assert texts(again, words=(["test", "passed"])) == ["self-test PASSED"]
    again.close()


def test_old_lines_and_lines_that_are_too_many_go(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    settings_ = DeviceSettings(log_retention_s=100.0, max_log_lines=100)
    store = LogStore(tmp_path / "logs.sqlite", settings_, clock)
    store.append([line(f"n{n}", at=n * 1_000_000) for n in range(130)])
    assert store.trim() == 30
    clock.advance(205)
    assert store.trim() == 75
    left = texts(store, limit=1000)
    assert len(left) == 25
    assert left[-1] == "n105"
    assert texts(store, words=["n30"]) == []
    store.close()


def test_all_lines_of_a_device_can_be_deleted(logs: LogStore) -> None:
    logs.append([line("x"), line("y", device="b"), line("z", at=1)])
    assert logs.delete(1, "a") == 2
    assert texts(logs) == ["y"]


async def test_followers_get_what_they_asked_for_as_it_is_kept(logs: LogStore) -> None:
    everything = logs.follow(LogQuery())
    errors = logs.follow(LogQuery(levels=frozenset({Level.ERROR})))
    await asyncio.to_thread(logs.append, [line("fine"), line("bad", at=1, level=Level.ERROR)])
    lines, is_skipped = await asyncio.wait_for(everything.next(), 90)
    assert ([one.message for one in lines], is_skipped) == (["fine", "bad"], False)
    assert all(one.id for one in lines)
    lines, _ = await asyncio.wait_for(errors.next(), 90)
    assert [one.message for one in lines] == ["bad"]
    everything.close()
    everything.close()
    logs.append([line("late", at=2)])
    waiting = asyncio.ensure_future(everything.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "logs.sqlite"
    file.write_bytes(b"this is not a database" * 100)
    with pytest.raises(Corrupt):
        LogStore(file, DeviceSettings(), ManualClock())


def test_a_file_of_a_newer_penstock_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "logs.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(NotConnected, match="newer Penstock"):
        LogStore(file, DeviceSettings(), ManualClock())


def test_a_search_that_the_index_does_not_help_is_bounded_and_says_so(
    logs: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_search, "LOOKED_AT", 100)
    logs.append([line("E1" if n == 7 else "all is well", at=n) for n in range(1000)])
    page = logs.search(LogQuery(words=["e1"]))
    assert (list(page.lines), page.next, page.is_cut) == ([], (T0 + 900, 901), True)
    assert [one.time_us - T0 for one in everything(logs, LogQuery(words=["e1"]))] == [7]
    whole = logs.search(LogQuery(words=["well"], limit=5))
    assert (len(whole.lines), whole.is_cut) == (5, False)


def test_a_company_that_floods_the_log_drives_out_its_own_lines_only(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    bounds = DeviceSettings(max_log_lines=1000)
    companies = {1: 1, 2: 2, 3: 2, 4: 2}  # the flood of company 2 comes from several systems
    store = LogStore(tmp_path / "logs.sqlite", bounds, clock, lambda: companies)
    store.append(
        [
            LogLine(system=1, device="a", time_us=T0 + n, level=Level.INFO, message="x")
            for n in range(400)
        ]
    )
    for system in (2, 3, 4):
        store.append(
            [
                LogLine(system=system, device="b", time_us=T0 + n, level=Level.INFO, message="y")
                for n in range(300)
            ]
        )
    assert store.is_swollen
    assert 300 <= store.trim() < 310
    assert not store.is_swollen
    left = everything(store, LogQuery(limit=1000))
    assert sum(one.system == 1 for one in left) == 400
    assert {one.system: sum(o.system == one.system for o in left) for one in left}[2] >= 190
    store.close()


@given(
    st.dictionaries(st.integers(0, 9), st.integers(1, 100), min_size=1),
    st.integers(-5, 400),
)
def test_what_is_too_much_is_taken_from_those_who_have_most(
    held: dict[int, int], surplus: int
) -> None:
    taken = levelled(held, surplus)
    total = sum(taken.values())
    assert min(max(0, surplus), sum(held.values())) <= total <= max(0, surplus) + len(held)
    left = {key: amount - taken.get(key, 0) for key, amount in held.items()}
    assert min(left.values()) >= 0
    if taken:
        assert all(amount <= min(left[key] for key in taken) for amount in left.values())
