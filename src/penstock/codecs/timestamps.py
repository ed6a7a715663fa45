"""Times as devices write them, one value at a time: ISO 8601 and epoch s, ms, us, ns.

Everything becomes whole microseconds since 1970-01-01T00:00:00Z. Integers and texts never pass
through a float; digits below the microsecond are cut off towards the past. `time_columns` reads
many at once and gives the same answers.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from penstock.core.errors import CannotDecode, ConfigError
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

#: An epoch below this many units is in seconds (10 digits until the year 2286, 11 until 5138).
SECONDS_BELOW = 100_000_000_000
#: From there on milliseconds (13 digits today), below this.
MILLISECONDS_BELOW = 100_000_000_000_000
#: From there on microseconds (16 digits today), below this; nanoseconds (19 digits) above.
MICROSECONDS_BELOW = 100_000_000_000_000_000

DAY_US = 86_400_000_000
#: `date(1970, 1, 1).toordinal()`.
EPOCH_ORDINAL = 719_163

_CLOCK = (
    r"(?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})(?::?(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r" ?(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)?"
)
#: Extended (2024-05-01T12:00:00.5+02:00) and basic (20240501T120000Z) form; a date alone is its
#: midnight, a blank may stand for T.
ISO_8601 = re.compile(
    r"(?P<year>[0-9]{4})(?:"
    r"-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?:[Tt ]" + _CLOCK + r")?"
    r"|(?P<month2>[0-9]{2})(?P<day2>[0-9]{2})[Tt]" + re.sub(r"<(\w+)>", r"<\g<1>2>", _CLOCK) + r")"
)
#: Fewer than 9 digits could as well be a year or a date.
_EPOCH = re.compile(r"([+-]?)([0-9]{9,20})(?:\.([0-9]+))?")
ALLOWED = "allowed are ISO 8601, such as 2024-05-01T12:00:00Z, and epoch s, ms, us or ns"


def unreadable(value: object, why: str = "") -> str:
    """Return the reason given for a time that cannot be read."""
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    return f"cannot read {shown} as a time{why and ': ' + why}; {ALLOWED}"


def time_zone(name: str) -> tzinfo:
    """Return the zone in which times without an offset are meant.

    Args:
        name: `UTC`, a fixed offset such as `+02:00`, or a name such as `Europe/Vienna`.

    Raises:
        ConfigError: No such zone is known here.
    """
    if name.upper() in {"UTC", "Z"}:
        return UTC
    if offset := re.fullmatch(r"([+-])([0-9]{2}):?([0-5][0-9])", name):
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = (
            f"time zone {name!r} is not known here; use UTC, an offset such as +02:00, or a name "
            "such as Europe/Vienna (on systems without zone data: pip install tzdata)"
        )
        raise ConfigError(msg) from None


def in_range(time_us: int, value: object) -> int:
    """Return `time_us` when it can be kept.

    Raises:
        CannotDecode: It is not within the years 1 to 9999.
    """
    if MIN_TIME_US <= time_us < MAX_TIME_US:
        return time_us
    raise CannotDecode(unreadable(value, "outside the years 1 to 9999"))


def zone_offset_us(local_us: int, zone: tzinfo) -> int:
    """Return the offset from UTC of a local time; of two possible ones the earlier."""
    if zone is UTC:
        return 0
    local = datetime(1970, 1, 1) + timedelta(microseconds=local_us)  # noqa: DTZ001
    offset = zone.utcoffset(local) or timedelta()
    return (offset.days * 86_400 + offset.seconds) * 1_000_000 + offset.microseconds


def epoch_us(value: float) -> int:
    """Return an epoch of any of the four units, told apart by magnitude.

    A float is rounded to the nearest microsecond, an integer in nanoseconds is cut.

    Raises:
        CannotDecode: Outside the years 1 to 9999, or not a finite number.
    """
    if isinstance(value, float):
        return in_range(_float_us(value), value)
    size = abs(value)
    if size < SECONDS_BELOW:
        return in_range(value * 1_000_000, value)
    if size < MILLISECONDS_BELOW:
        return in_range(value * 1_000, value)
    if size < MICROSECONDS_BELOW:
        return in_range(value, value)
    return in_range(value // 1_000, value)


def seconds_us(seconds: float, origin_us: int = 0) -> int:
    """Return a time given in seconds since `origin_us`.

    Raises:
        CannotDecode: Outside the years 1 to 9999, or not a finite number.
    """
    if isinstance(seconds, int):
        return in_range(origin_us + seconds * 1_000_000, seconds)
    if not math.isfinite(seconds):
        raise CannotDecode(unreadable(seconds))
    whole = math.floor(seconds)
    return in_range(origin_us + whole * 1_000_000 + round((seconds - whole) * 1e6), seconds)


def _float_us(value: float) -> int:
    if not math.isfinite(value):
        raise CannotDecode(unreadable(value))
    size = abs(value)
    if size < MILLISECONDS_BELOW:
        scale = 1_000_000 if size < SECONDS_BELOW else 1_000
        whole = math.floor(value)
        return whole * scale + round((value - whole) * scale)
    return round(value) if size < MICROSECONDS_BELOW else int(value) // 1_000


def _epoch_text_us(sign: str, whole: str, fraction: str) -> int:
    number = int(whole)
    digits = 6
    for below in (SECONDS_BELOW, MILLISECONDS_BELOW):
        if number < below:
            break
        digits -= 3
    else:
        if number >= MICROSECONDS_BELOW:
            digits = -3
    kept = fraction[: max(digits, 0)].ljust(max(digits, 0), "0")
    scaled = int(whole + kept) if digits >= 0 else number
    if sign == "-":
        scaled = -scaled
        if fraction[max(digits, 0) :].strip("0"):
            scaled -= 1  # towards the past
    return scaled // 1_000 if digits < 0 else scaled


def iso_us(match: re.Match[str], zone: tzinfo) -> int:
    """Return the time of a match of `ISO_8601`; one without an offset is in `zone`.

    Raises:
        ValueError: Not a date of the calendar or not a time of day.
    """
    part = match.groupdict()
    if part["month2"] is not None:
        part = {name: part.get(f"{name}2", value) for name, value in part.items()}
    days = date(int(part["year"]), int(part["month"]), int(part["day"])).toordinal()
    hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError("no such time of day")
    micros = int((part["fraction"] or "")[:6].ljust(6, "0"))
    local = (days - EPOCH_ORDINAL) * DAY_US
    local += ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros
    if part["zone"] is None:
        return local - zone_offset_us(local, zone)
    if part["sign"] is None:
        return local
    offset = zone_us(int(part["zone_hour"]), int(part["zone_minute"] or 0))
    return local + offset if part["sign"] == "-" else local - offset


def zone_us(hours: int, minutes: int) -> int:
    """Return a written offset in microseconds.

    Raises:
        ValueError: A day or more, or 60 minutes or more.
    """
    if hours > 23 or minutes > 59:
        raise ValueError("no such offset from UTC")
    return (hours * 60 + minutes) * 60_000_000


def text_us(text: str, zone: tzinfo = UTC) -> int:
    """Return the time that a text means: ISO 8601, or an epoch in digits.

    Raises:
        CannotDecode: It is neither, or outside the years 1 to 9999.
    """
    if match := ISO_8601.fullmatch(text):
        try:
            return in_range(iso_us(match, zone), text)
        except (ValueError, OverflowError) as problem:
            raise CannotDecode(unreadable(text, str(problem))) from None
    if match := _EPOCH.fullmatch(text):
        return in_range(_epoch_text_us(match[1], match[2], match[3] or ""), text)
    raise CannotDecode(unreadable(text))


def time_us(value: object, zone: tzinfo = UTC) -> int:
    """Return the time that a JSON value means.

    Raises:
        CannotDecode: It is neither a number nor a text that is a time.
    """
    if isinstance(value, str):
        return text_us(value, zone)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return epoch_us(value)
    raise CannotDecode(unreadable(value))
