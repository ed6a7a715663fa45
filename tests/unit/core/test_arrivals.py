"""Arrival times tell messages apart."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.clock import MAX_AHEAD_US, Arrivals, ManualClock

runs = st.lists(st.tuples(st.integers(0, 300), st.floats(-0.0001, 0.001)), max_size=50)


@given(runs)
def test_no_two_messages_share_an_arrival_time(runs: list[tuple[int, float]]) -> None:
    clock = ManualClock()
    arrivals = Arrivals(clock)
    given_out: list[int] = []
    for count, seconds in runs:
        first = arrivals.stamp(count)
        given_out += range(first, first + count)
        clock.advance(seconds)
    assert len(given_out) == len(set(given_out))


def test_a_clock_that_was_set_back_is_believed() -> None:
    clock = ManualClock()
    arrivals = Arrivals(clock)
    arrivals.stamp(1)
    clock.advance(-3600)
    assert arrivals.stamp(1) == clock.now_us()


def test_a_message_that_comes_alone_gets_the_time_of_the_clock() -> None:
    clock = ManualClock()
    arrivals = Arrivals(clock)
    assert arrivals.stamp(1) == clock.now_us()
    clock.advance(MAX_AHEAD_US / 1e6)
    assert arrivals.stamp(1) == clock.now_us()
