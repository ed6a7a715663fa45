import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.api.times import NICE_WIDTHS_US, nice_width, parse_time, parse_width
from penstock.core.errors import InvalidInput

NOW = 1_700_000_000_123_456
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000),
        ("2023-11-14T23:13:20 01:00", 1_700_000_000_000_000),
        ("2023-11-14T22:13:20.000001Z", 1_700_000_000_000_001),
        ("2023-11-14", 1_699_920_000_000_000),
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000.5", 1_700_000_000_500_000),
        ("1700000000123", 1_700_000_000_123_000),
        ("1700000000123456", 1_700_000_000_123_456),
        ("1700000000123456789", 1_700_000_000_123_456),
        ("0", 0),
        ("-1", -1_000_000),
        ("-1.25", -1_250_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ("now", NOW),
        ("now-10m", NOW - 600_000_000),
        ("now-1.5s", NOW - 1_500_000),
    ],
)
def test_times_are_read(text: str, expected: int) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "now+1h",
        "now-",
        "now-1",
        "2023-13-01",
        "1e9",
        "9" * 20,
        "99999-01-01",
        "12:00",
        "½",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_time(text, NOW)


@given(st.datetimes(timezones=st.timezones()))
def test_every_iso_time_is_read_exactly(stamp: dt.datetime) -> None:
    offset = stamp.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60 or offset.microseconds:
        return
    whole = (stamp - EPOCH) // dt.timedelta(microseconds=1)
    if not -62_135_596_800_000_000 <= whole <= 253_402_300_800_000_000:
        return
    assert parse_time(stamp.isoformat(), NOW) == whole


@given(st.integers(10**14, 10**17 - 1))
def test_microseconds_are_read_exactly(time_us: int) -> None:
    assert parse_time(str(time_us), NOW) == time_us


@given(st.text(max_size=30))
def test_no_text_does_anything_else_than_be_read_or_refused(text: str) -> None:
    for parse in (lambda: parse_time(text, NOW), lambda: parse_width(text)):
        with contextlib.suppress(InvalidInput):
            assert isinstance(parse(), int)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1us", 1),
        ("250ms", 250_000),
        ("10s", 10_000_000),
        ("1.5m", 90_000_000),
        ("5min", 300_000_000),
        ("1d", 864 * 10**8),
    ],
)
def test_widths_are_read(text: str, expected: int) -> None:
    assert parse_width(text) == expected


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "0s", "1 s", "1S", "0.1us", "9" * 15 + "y"])
def test_what_is_no_width_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_width(text)


@given(st.integers(1, 10**15), st.integers(1, 5000))
def test_a_nice_width_gives_at_most_so_many_buckets(span_us: int, points: int) -> None:
    width = nice_width(span_us, points)
    assert width in NICE_WIDTHS_US
    assert span_us <= width * points or width == NICE_WIDTHS_US[-1]
