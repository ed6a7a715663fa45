"""Times as they are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.sensorthings.times import interval, iso, isos

_TIMES = st.one_of(
    st.integers(MIN_TIME_US, MAX_TIME_US - 1),
    st.integers(-(10**9), 10**9).map(lambda s: s * 1_000_000),
    st.integers(-(10**9), 10**9).map(lambda ms: ms * 1000),
)


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_000, "1970-01-01T00:00:00.001Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (MIN_TIME_US, "0001-01-01T00:00:00Z"),
        (1_577_836_800_120_000, "2020-01-01T00:00:00.120Z"),
    ],
)
def test_a_time_has_as_many_digits_as_it_needs(us: int, text: str) -> None:
    assert iso(us) == text


@given(st.lists(_TIMES, min_size=0, max_size=40))
def test_many_times_are_written_as_each_of_them(times: list[int]) -> None:
    assert isos(np.array(times, np.int64)) == [iso(us) for us in times]


def test_an_interval_is_its_start_and_its_end() -> None:
    assert interval(0, 1_000_000) == "1970-01-01T00:00:00Z/1970-01-01T00:00:01Z"
