"""Times: exact to the microsecond, one at a time or many at once."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.codecs.time_columns import epochs_us, read_times
from penstock.codecs.timestamps import epoch_us, text_us, time_us, time_zone
from penstock.core.errors import CannotDecode, ConfigError
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAIVE = EPOCH.replace(tzinfo=None)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2019-11-26T03:54:20+03:00", "2019-11-26T00:54:20+00:00"),
        ("2019-11-26T03:54:20+0300", "2019-11-26T00:54:20+00:00"),
        ("2019-11-26T03:54:20-03", "2019-11-26T06:54:20+00:00"),
        ("2024-02-29T23:59:59.999999999Z", "2024-02-29T23:59:59.999999+00:00"),
        ("2024-02-29 23:59:59,5z", "2024-02-29T23:59:59.5+00:00"),
        ("20240501T120000.25Z", "2024-05-01T12:00:00.25+00:00"),
        ("20240501T1200+0530", "2024-05-01T06:30:00+00:00"),
        ("2024-05-01T12:00", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
        ("1714557600", "2024-05-01T10:00:00+00:00"),
        ("1714557600123", "2024-05-01T10:00:00.123+00:00"),
        ("1714557600123456", "2024-05-01T10:00:00.123456+00:00"),
        ("1714557600123456789", "2024-05-01T10:00:00.123456+00:00"),
        ("1714557600.1234567", "2024-05-01T10:00:00.123456+00:00"),
        ("1714557600123.4567", "2024-05-01T10:00:00.123456+00:00"),
        ("-100000000.0000001", "1966-10-31T14:13:19.999999+00:00"),
    ],
)
def test_a_text_means_its_time_exactly(text: str, meant: str):
    assert text_us(text) == (datetime.fromisoformat(meant) - EPOCH) // MICROSECOND


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2024",
        "20240501",
        "2024-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-05-01T24:00:00Z",
        "2024-05-01T00:60:00Z",
        "2024-05-01T00:00:00+24:00",
        "2024-05-01T00:00:00+00:60",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2024-05-01T00:00:00Zjunk",
        "2024-05-01T00:00:00Z\x00",
        "\u0662\u0660\u0662\u0664-05-01T00:00:00Z",
        "1" * 21,
        -99_999_999_999,
        10**30,
        float("inf"),
        True,
        None,
        [],
    ],
)
def test_what_is_no_time_is_refused_with_what_is_allowed(value: object):
    with pytest.raises(CannotDecode, match="ISO 8601"):
        time_us(value)


@pytest.mark.parametrize(
    ("value", "us"),
    [
        (99_999_999_999, 99_999_999_999_000_000),
        (100_000_000_000, 100_000_000_000_000),
        (99_999_999_999_999, 99_999_999_999_999_000),
        (100_000_000_000_000, 100_000_000_000_000),
        (99_999_999_999_999_999, 99_999_999_999_999_999),
        (100_000_000_000_000_000, 100_000_000_000_000),
        (-1, -1_000_000),
        (-1_500_000_000_001, -1_500_000_000_001_000),
        (1_714_557_600.123456, 1_714_557_600_123_456),
        (1_714_557_600_123.456, 1_714_557_600_123_456),
        (1.714557600123456e15, 1_714_557_600_123_456),
    ],
)
def test_the_unit_of_an_epoch_follows_from_its_magnitude(value: float, us: int):
    assert epoch_us(value) == us


@given(st.integers(MIN_TIME_US, MAX_TIME_US - 1), st.integers(-23 * 60, 23 * 60))
def test_a_printed_time_is_read_back_in_any_offset(us: int, minutes: int):
    local = us + minutes * 60_000_000
    if not MIN_TIME_US <= local < MAX_TIME_US:
        return
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    at = NAIVE + timedelta(microseconds=local)
    assert text_us(f"{at.isoformat(timespec='microseconds')}{sign}{hours:02}:{rest:02}") == us


@given(st.integers(10**8, 10**19), st.integers(0, 6))
def test_an_epoch_text_is_never_rounded(digits: int, places: int):
    text = str(digits)
    if places and len(text) - places >= 9:
        text = f"{text[:-places]}.{text[-places:]}"
    value = Decimal(text)
    whole = int(value)
    scale = 6 if whole < 10**11 else 3 if whole < 10**14 else 0 if whole < 10**17 else -3
    assert text_us(text) == int(value.scaleb(scale))


_texts = st.one_of(
    st.datetimes(min_value=NAIVE.replace(1, 1, 2), max_value=NAIVE.replace(9999, 12, 30)).map(
        lambda at: at.isoformat()
    ),
    st.datetimes(min_value=NAIVE.replace(1950), max_value=NAIVE.replace(2050)).map(
        lambda at: f"{at:%Y-%m-%dT%H:%M:%S}Z"
    ),
    st.from_regex(
        r"(19|20)[0-9]{2}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
        r"(\.[0-9]{1,9})?(Z|[+-][0-2][0-9]:?[0-6][0-9])?",
        fullmatch=True,
    ),
    st.integers(-(10**19), 10**19).map(str),
    st.text(max_size=24),
)
_values = st.one_of(
    _texts, st.none(), st.integers(-(2**64), 2**64), st.floats(), st.booleans(), st.just({})
)
_zones = st.sampled_from(["UTC", "+05:30", "Europe/Vienna", "America/St_Johns"])


def alone(value: object, missing: int, zone: str) -> int | str:
    if value is None:
        return missing
    try:
        return time_us(value, time_zone(zone))
    except CannotDecode as problem:
        return str(problem)


@given(
    st.one_of(
        st.lists(_texts, max_size=8),
        st.lists(_values, max_size=8),
        st.lists(st.integers(-(2**63), 2**63 - 1), max_size=8),
    ),
    st.integers(1, 40),
    _zones,
)
def test_a_column_is_read_like_each_value_alone(values: list[object], times: int, zone: str):
    values = values * times
    missing = np.arange(len(values), dtype=np.int64)
    found, bad = read_times(values, missing, time_zone(zone))
    got: list[int | str] = [*found.tolist()]
    for row, reason in bad:
        got[row] = reason
    assert [row for row, _ in bad] == sorted({row for row, _ in bad})
    assert got == [alone(value, row, zone) for row, value in enumerate(values)]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_epochs_out_of_range_stay_out_of_range(values: list[int]):
    for value, us in zip(values, epochs_us(np.array(values, np.int64)).tolist(), strict=True):
        try:
            assert epoch_us(value) == us
        except CannotDecode:
            assert not MIN_TIME_US <= us < MAX_TIME_US


def test_a_local_time_is_read_in_its_zone_through_summer_and_winter():
    zone = time_zone("Europe/Vienna")
    assert isinstance(zone, ZoneInfo)
    texts = [f"2024-{month:02}-15T12:00:00" for month in range(1, 13)] * 20
    found, bad = read_times(texts, np.zeros(len(texts), np.int64), zone)
    assert not bad
    hours = [datetime.fromtimestamp(us / 1e6, UTC).hour for us in found.tolist()[:12]]
    assert hours == [11, 11, 11, 10, 10, 10, 10, 10, 10, 10, 11, 11]


def test_an_unknown_zone_is_a_configuration_error():
    with pytest.raises(ConfigError, match=re.escape("+02:00")):
        time_zone("Europe/Atlantis")
