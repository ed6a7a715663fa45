"""Times as people give them to a client, in microseconds UTC."""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, datetime

from penstock.core.clock import MAX_AHEAD_US, Clock
from penstock.core.errors import InvalidInput

#: Years 1 to 9999, microseconds UTC; the upper bound is exclusive.
MIN_TIME_US = -62_135_596_800_000_000
MAX_TIME_US = 253_402_300_800_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Digits of an epoch, and what its unit is worth in microseconds; nanoseconds are cut.
_FACTORS = {10: 1_000_000, 13: 1_000, 16: 1}
_ALLOWED = (
    "allowed are ISO 8601 (2026-01-31T12:00:00Z; without an offset it is UTC), an epoch of 10 "
    "(s), 13 (ms), 16 (us) or 19 (ns) digits, a datetime with a time zone, and None for now"
)


def time_us(value: object) -> int:
    """Return microseconds UTC of a time as people write it.

    Args:
        value: ISO 8601 text (UTC without an offset), an epoch of 10, 13, 16 or 19 digits as a
            number or text, or a datetime with a time zone.

    Raises:
        InvalidInput: It is none of these, or not within the years 1 to 9999.
    """
    found = _read(value)
    if found is None or not MIN_TIME_US <= found < MAX_TIME_US:
        raise InvalidInput(f"timestamp {value!r:.100} cannot be read; {_ALLOWED}")
    return found


def iso(time: int) -> str:
    """Return microseconds UTC as ISO 8601 text."""
    seconds, micros = divmod(time, 1_000_000)
    return f"{_second(seconds)}.{micros:06d}Z"


def moment(time: int) -> datetime:
    """Return microseconds UTC as a datetime."""
    days, rest = divmod(time, 86_400_000_000)
    clock = datetime.fromordinal(days + 719_163).replace(tzinfo=UTC)
    seconds, micros = divmod(rest, 1_000_000)
    return clock.replace(
        hour=seconds // 3600, minute=seconds // 60 % 60, second=seconds % 60, microsecond=micros
    )


_last_second = (0, "1970-01-01T00:00:00")


def _second(seconds: int) -> str:
    """Return the text of a second; the last one is remembered, since most times are now."""
    global _last_second  # noqa: PLW0603
    known = _last_second
    if known[0] == seconds:
        return known[1]
    text = moment(seconds * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    _last_second = (seconds, text)
    return text


def _read(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, datetime):
        return _of(value) if value.tzinfo is not None else None
    if isinstance(value, str):
        if len(value) == 27 and value[26] == "Z" and value[19] == ".":  # as `iso` writes it
            with contextlib.suppress(ValueError):
                return _of(datetime.fromisoformat(value))
        text = value.strip()
        if re.fullmatch(r"[0-9]+", text):
            return _epoch(int(text), len(text))
        if re.fullmatch(r"[0-9]+\.[0-9]+", text):
            whole, _, fraction = text.partition(".")
            return _decimal(whole, fraction)
        return _iso(text)
    if hasattr(value, "__index__"):
        number = int(value)
        return _epoch(number, len(f"{max(number, 0)}"))
    if isinstance(value, float) and math.isfinite(value):
        number = math.floor(value)
        digits = len(f"{max(number, 0)}")
        found = _epoch(number, digits)
        scale = _FACTORS.get(digits, 0)
        return None if found is None else found + round((value - number) * scale)
    return None


def _epoch(number: int, digits: int) -> int | None:
    if digits == 19:
        return number // 1000
    factor = _FACTORS.get(digits)
    return None if factor is None else number * factor


def _decimal(whole: str, fraction: str) -> int | None:
    found = _epoch(int(whole), len(whole))
    scale = _FACTORS.get(len(whole), 1)
    return None if found is None else found + int(fraction[:18].ljust(18, "0")) * scale // 10**18


def _iso(text: str) -> int | None:
    # More than six digits of a second are cut; Python 3.11 reads the rest of ISO 8601.
    if not re.match(r"\d{4}-?(\d\d|W)", text):
        return None
    text = re.sub(r"([.,]\d{6})\d+", r"\1", text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _of(found if found.tzinfo is not None else found.replace(tzinfo=UTC))


def _of(value: datetime) -> int:
    since = value - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Stamps:
    """Gives phenomenon times to what has none: now, and no time twice for one datastream.

    Two results within a microsecond, or while the clock steps back a little, are told apart by a
    microsecond each. A clock that was set back by more than a second is believed.

    Args:
        clock: Tells the time.
        newest_us: The newest time given before a restart.
    """

    def __init__(self, clock: Clock, newest_us: int = 0) -> None:
        self._clock = clock
        self._floor_us = newest_us
        self._last: dict[int, int] = {}

    def stamp(self, datastream: int) -> int:
        """Return a time for a result of a datastream."""
        now_us = self._clock.now_us()
        last = self._last.get(datastream, self._floor_us)
        if 0 <= last - now_us <= MAX_AHEAD_US:
            now_us = last + 1
        self._last[datastream] = now_us
        return now_us
