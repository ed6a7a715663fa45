"""Retention believes a clock that jumps ahead only when it has stood there for long enough."""

import msgspec

from penstock.core.clock import ManualClock
from penstock.core.settled import ClockMark, SettledClock

HOUR, DAY, YEAR = 3600.0, 86_400.0, 31_536_000.0


def settled(clock: ManualClock, mark: ClockMark | None = None) -> SettledClock:
    return SettledClock(clock, HOUR, DAY, mark)


def test_time_that_passes_is_believed() -> None:
    clock = ManualClock()
    time = settled(clock)
    for _ in range(5):
        clock.advance(YEAR)  # however seldom somebody looks
        assert time.now_us() == clock.now_us()
        assert time.ahead_s == 0


def test_small_jumps_and_jumps_back_are_believed_at_once() -> None:
    clock = ManualClock()
    time = settled(clock)
    for seconds in (HOUR, -HOUR, -YEAR, 59.0):
        clock.jump(seconds)
        assert time.now_us() == clock.now_us()


def test_a_jump_ahead_is_not_believed_until_it_has_stood_for_a_day() -> None:
    clock = ManualClock()
    time = settled(clock)
    before_us = clock.now_us()
    clock.jump(YEAR)
    assert time.now_us() == before_us
    assert time.ahead_s == YEAR
    clock.advance(DAY - 1)
    assert time.now_us() == before_us + (DAY - 1) * 1e6
    clock.advance(1)
    assert time.now_us() == clock.now_us()


def test_a_clock_that_is_set_right_again_is_believed_at_once() -> None:
    clock = ManualClock()
    time = settled(clock)
    clock.jump(YEAR)
    clock.advance(HOUR)
    time.now_us()
    clock.jump(-YEAR)
    assert time.now_us() == clock.now_us()
    clock.jump(YEAR)
    clock.advance(DAY - 1)  # it begins anew
    assert time.now_us() < clock.now_us()


def test_another_jump_begins_anew() -> None:
    clock = ManualClock()
    time = settled(clock)
    for _ in range(10):
        clock.jump(YEAR)
        time.now_us()
        clock.advance(DAY * 0.9)
        assert clock.now_us() - time.now_us() >= YEAR * 1e6


def test_a_restart_neither_hides_a_jump_nor_begins_the_wait_anew() -> None:
    clock = ManualClock()
    time = settled(clock)
    before_us = clock.now_us()
    clock.jump(YEAR)
    for _ in range(4):
        mark = msgspec.json.decode(msgspec.json.encode(time.mark()), type=ClockMark)
        time = settled(clock, mark)
        assert time.now_us() < before_us + DAY * 1e6
        clock.advance(DAY / 4)
    assert time.now_us() == clock.now_us()


def test_who_runs_by_day_only_is_believed_after_some_days() -> None:
    clock = ManualClock()
    time = settled(clock)
    for _ in range(3):
        mark = time.mark()
        clock.advance(14 * HOUR)
        time = settled(clock, mark)
        assert time.now_us() < clock.now_us()
        clock.advance(10 * HOUR)
        time.now_us()
    assert time.now_us() == clock.now_us()
