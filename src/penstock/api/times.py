"""Times and widths as people write them in addresses."""

from __future__ import annotations

import re

import ciso8601

from penstock.core.errors import InvalidInput
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

_UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
    "y": 31_536_000_000_000,
}
_WIDTH = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)(us|ms|s|min|m|h|d|w|y)")
_NUMBER = re.compile(r"[+-]?\d{1,19}(?:\.\d{1,9})?")
_RELATIVE = re.compile(r"now(?:-(.+))?")

#: Widths that nest into each other and read well on an axis, in microseconds.
NICE_WIDTHS_US = tuple(
    width
    for unit, counts in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000_000, (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)),
        (3_600_000_000, (1, 2, 3, 6, 12, 24, 48, 168, 336, 720)),
    )
    for width in (unit * count for count in counts)
)


def parse_time(text: str, now_us: int) -> int:
    """Return microseconds UTC of an ISO 8601 time, an epoch number, `now` or `now-10m`.

    A time without offset is UTC. The unit of an epoch number (s, ms, us, ns) follows from its size.

    Raises:
        InvalidInput: It is none of these, or before year 1 or after year 9999.
    """
    time_us = _parse(text.strip(), now_us)
    if time_us is None or not MIN_TIME_US <= time_us <= MAX_TIME_US:
        msg = (
            f"time {text[:60]!r} cannot be read; write 2026-01-31T12:00:00Z, an epoch number in "
            "s, ms, us or ns, now, or now-10m"
        )
        raise InvalidInput(msg)
    return time_us


def _parse(text: str, now_us: int) -> int | None:
    if relative := _RELATIVE.fullmatch(text):
        return now_us - (parse_width(relative[1]) if relative[1] else 0)
    if _NUMBER.fullmatch(text):
        return _epoch(text)
    # A plus sign that was not percent-encoded arrives as a space.
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text) if "T" in text else text
    try:
        stamp = ciso8601.parse_datetime(text)
    except ValueError:
        return None
    whole = stamp.replace(tzinfo=None)
    offset = stamp.utcoffset()
    seconds = (whole.toordinal() - 719_163) * 86_400
    seconds += whole.hour * 3600 + whole.minute * 60 + whole.second
    time_us = seconds * 1_000_000 + whole.microsecond
    return time_us - (round(offset.total_seconds() * 1e6) if offset else 0)


def _epoch(text: str) -> int:
    whole, _, fraction = text.lstrip("+-").partition(".")
    size = int(whole)
    if size >= 10**17:
        time_us = size // 1000
    else:
        factor = 1_000_000 if size < 10**11 else 1_000 if size < 10**14 else 1
        time_us = size * factor + round(float(f"0.{fraction or 0}") * factor)
    return -time_us if text.startswith("-") else time_us


def parse_width(text: str) -> int:
    """Return microseconds of `500ms`, `10s`, `1.5m` or `1.5min`, `1h`, `1d`, `1w` or `1y`.

    Raises:
        InvalidInput: It is none of these or not positive.
    """
    match = _WIDTH.fullmatch(text.strip())
    width_us = round(float(match[1]) * _UNITS_US[match[2]]) if match else 0
    if width_us < 1 or width_us > MAX_TIME_US:
        msg = (
            f"{text[:60]!r} is not a length of time; write a positive number and a unit "
            f"({', '.join(_UNITS_US)}), like 10s"
        )
        raise InvalidInput(msg)
    return width_us


def nice_width(span_us: int, points: int) -> int:
    """Return the smallest nice width that cuts a span into at most `points` buckets."""
    for width in NICE_WIDTHS_US:
        if span_us <= width * points:
            return width
    return NICE_WIDTHS_US[-1]
