"""Timestamps as people write them, and those that a client gives itself."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client.times import Stamps, iso, moment, time_us
from penstock.codecs.timestamps import text_us
from penstock.core.clock import ManualClock
from penstock.core.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001
    datetime(9999, 12, 30),  # noqa: DTZ001
    # CPython reads an offset below a second as none, and no clock has such a zone.
    timezones=st.integers(-82_800, 82_800).map(lambda s: timezone(timedelta(seconds=s))),
)
AT = 1_777_629_600_123_456


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        (1_777_629_600, 1_777_629_600_000_000),
        (1_777_629_600_123, 1_777_629_600_123_000),
        (AT, AT),
        (AT * 1000 + 999, AT),
        ("1777629600", 1_777_629_600_000_000),
        (str(AT * 1000), AT),
        (1_777_629_600.5, 1_777_629_600_500_000),
        ("1777629600.123456789", AT),
        ("2026-05-01T10:00:00.123456Z", AT),
        ("2026-05-01T10:00:00.123456", AT),
        ("2026-05-01 12:00:00.123456+02:00", AT),
        ("2026-05-01T10:00:00.123456789Z", AT),
        ("20260501T100000Z", 1_777_629_600_000_000),
        ("2026-05-01", 1_777_593_600_000_000),
        (datetime(2026, 5, 1, 10, tzinfo=UTC), 1_777_629_600_000_000),
    ],
)
def test_iso_epochs_of_four_units_and_datetimes_are_read(given_: object, wanted: int) -> None:
    assert time_us(given_) == wanted


@pytest.mark.parametrize(
    "given_",
    [
        0,
        12345,
        123_456_789_012,
        -1_777_629_600,
        float("nan"),
        True,
        "",
        "yesterday",
        "2026-13-01",
        "12:00",
        datetime(2026, 5, 1),  # noqa: DTZ001
        b"2026",
        [],
    ],
)
def test_other_values_are_refused_and_what_is_allowed_is_said(given_: object) -> None:
    with pytest.raises(InvalidInput, match="allowed are ISO 8601"):
        time_us(given_)


@given(MOMENTS)
def test_a_time_survives_its_text_and_the_platform_reads_it_alike(when: datetime) -> None:
    wanted = (when - EPOCH) // timedelta(microseconds=1)
    assert time_us(when) == wanted
    assert time_us(when.isoformat()) == wanted
    assert time_us(iso(wanted)) == wanted
    assert text_us(iso(wanted)) == wanted
    assert moment(wanted) == when


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(-900_000, 2_000_000)), max_size=60))
def test_no_time_is_given_twice_while_the_clock_steps_back_a_little(
    steps: list[tuple[int, int]],
) -> None:
    clock = ManualClock()
    stamps = Stamps(clock)
    given_: list[tuple[int, int]] = []
    newest = clock.now_us()
    for datastream, step_us in steps:
        clock.advance(max(step_us, newest - 900_000 - clock.now_us()) / 1e6)
        newest = max(newest, clock.now_us())
        given_.append((datastream, stamps.stamp(datastream)))
    assert len(set(given_)) == len(given_)


def test_a_clock_that_was_set_back_far_is_believed() -> None:
    clock = ManualClock()
    stamps = Stamps(clock)
    stamps.stamp(1)
    clock.advance(-3600)
    assert stamps.stamp(1) == clock.now_us()


def test_times_given_before_a_restart_are_not_given_again() -> None:
    clock = ManualClock()
    newest = max(Stamps(clock).stamp(1) for _ in range(5)) + 5
    assert Stamps(clock, newest).stamp(1) == newest + 1
    assert Stamps(clock, newest).stamp(2) == newest + 1
