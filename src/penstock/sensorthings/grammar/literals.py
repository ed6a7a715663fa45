"""Values as they are written: texts, numbers, times, intervals, durations, geometries."""

from __future__ import annotations

import calendar
import math
import re
from datetime import datetime, timedelta

from penstock.codecs.timestamps import EPOCH_ORDINAL, in_range, text_us
from penstock.core.errors import CannotDecode
from penstock.core.expression import Duration, Moment, Shape, Span, Value
from penstock.sensorthings.grammar.mistakes import shown
from penstock.sensorthings.grammar.names import TEXT
from penstock.sensorthings.grammar.scanner import Scanner
from penstock.sensorthings.grammar.wkt import read_wkt

_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]++)?+)?+"
#: A blank for the plus that was lost from a URL is taken for one.
_DATE_TIME = (
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[Tt]{_TIME}(?:[Zz]|[+-][0-9]{{2}}:?[0-9]{{2}}"
    r"|[ ][0-9]{2}:[0-9]{2}(?![0-9:.,]))?+)?+"
)
_DURATION = (
    r"(?P<sign>[+-]?)P(?=[0-9T])(?:(?P<years>[0-9]{1,6})Y)?(?:(?P<months>[0-9]{1,6})M)?"
    r"(?:(?P<weeks>[0-9]{1,9})W)?(?:(?P<days>[0-9]{1,9})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,13})H)?(?:(?P<minutes>[0-9]{1,13})M)?"
    r"(?:(?P<seconds>[0-9]{1,13})(?:[.,](?P<fraction>[0-9]++))?S)?)?"
)
#: Behind a value no letter, digit or quote can follow.
_END = r"(?![\w.'@$])"
_DATE_TIME_HERE = re.compile(_DATE_TIME)
_TIME_HERE = re.compile(_TIME + _END)
_DURATION_HERE = re.compile(_DURATION, re.IGNORECASE)
_BARE_DURATION = re.compile(_DURATION + r"(?![\w'@$:-])")
_INTEGER = re.compile(r"[+-]?[0-9]++" + _END)
_NUMBER = re.compile(r"[+-]?[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+" + _END)
_STARTS_NUMBER = re.compile(r"[+-]?[0-9]")
_WORD = re.compile(r"(null|true|false)(?![\w.@$/(-])")
_PREFIXED = re.compile(r"([A-Za-z]++)(?=')")
_INTERVAL_MARK = re.compile(r"/(?=[0-9+-]|P)")

_WORDS: dict[str, Value] = {"null": None, "true": True, "false": False}
_INT64 = 2**63
_UNITS = (("weeks", 604_800), ("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
#: Longest duration, microseconds: longer than from the year 1 to 9999.
MAX_DURATION_US = 10**18


def read_literal(scanner: Scanner) -> tuple[Value] | None:
    """Read a value; None, and nothing is read, when what comes next is none.

    Raises:
        InvalidInput: It begins like a value and is not a whole one.
    """
    if text := scanner.match(TEXT):
        return (text[1].replace("''", "'"),)
    if scanner.text.startswith("'", scanner.at):
        scanner.fail("this text has no end; close it with ' (and write '' for a quote within)")
    if word := scanner.match(_WORD):
        return (_WORDS[word[1]],)
    if prefix := scanner.match(_PREFIXED):
        return (_prefixed(scanner, prefix),)
    at = scanner.at
    first = _point(scanner)
    if first is not None:
        return (_interval_or(scanner, first, at),)
    return _time_or_number(scanner)


def _time_or_number(scanner: Scanner) -> tuple[Value] | None:
    at = scanner.at
    if time := scanner.match(_TIME_HERE):
        return (Duration(_clock_us(scanner, time[0], at)),)
    if whole := scanner.match(_INTEGER):
        digits = whole[0]
        number = int(digits) if len(digits) < 30 else _INT64
        if -_INT64 <= number < _INT64:
            return (number,)
        return (_finite(scanner, digits, at),)
    if real := scanner.match(_NUMBER):
        return (_finite(scanner, real[0], at),)
    if _STARTS_NUMBER.match(scanner.text, at):
        scanner.unexpected(
            "a number such as 5, 2.5 or 1e3, or a time such as 2024-05-01T12:00:00Z, and a blank"
        )
    return None


def _finite(scanner: Scanner, digits: str, at: int) -> float:
    number = float(digits)
    if math.isinf(number):
        scanner.fail(f"the number {shown(digits)} is too large", at)
    return number


def _prefixed(scanner: Scanner, prefix: re.Match[str]) -> Value:
    at, name = prefix.start(), prefix[1].lower()
    quoted = scanner.match(TEXT)
    if quoted is None:
        scanner.fail("this text has no end; close it with '", prefix.end())
    inside = quoted[1].strip()
    if name in {"geography", "geometry"}:
        return Shape(read_wkt(scanner, inside, prefix.end() + 1))
    inner = Scanner(inside, scanner.part)
    if name == "duration":
        match = inner.match(_DURATION_HERE)
        if match is not None and inner.ended:
            return Duration(_duration_us(scanner, match, at))
        scanner.fail(f"{shown(inside)} is no duration; write duration'PT1H30M'", at)
    if name not in {"datetime", "datetimeoffset", "date", "time", "timeofday"}:
        scanner.fail(
            f"found {shown(prefix[1])} before a text, expected duration, geography or datetime", at
        )
    value = read_literal(inner) if inside and not inside.startswith("'") else None
    if value is None or not inner.ended or not isinstance(value[0], (Moment, Span, Duration)):
        scanner.fail(f"{shown(inside)} is no time; write 2024-05-01T12:00:00Z", at)
    return value[0]


class _Period(Duration, frozen=True, tag="period"):
    """A duration with years and months, which only an interval can have."""

    months: int = 0


def _point(scanner: Scanner) -> Moment | _Period | None:
    at = scanner.at
    if stamp := scanner.match(_DATE_TIME_HERE):
        try:
            return Moment(text_us(stamp[0].replace(" ", "+").replace(",", ".")))
        except CannotDecode:
            scanner.fail(f"there is no time {shown(stamp[0])}; write 2024-05-01T12:00:00Z", at)
    if match := scanner.match(_BARE_DURATION):
        return _period(scanner, match, at)
    return None


def _interval_or(scanner: Scanner, first: Moment | _Period, at: int) -> Value:
    if not scanner.match(_INTERVAL_MARK):
        if isinstance(first, Moment):
            if re.compile(_END).match(scanner.text, scanner.at) is None:
                scanner.unexpected("a blank or an operator behind the time")
            return first
        return Duration(_without_months(scanner, first, at))
    second = _point(scanner)
    if isinstance(first, Moment) and isinstance(second, Moment):
        start, end = first.us, second.us
    elif isinstance(first, Moment) and isinstance(second, _Period):
        start, end = first.us, _moved(scanner, first.us, second, 1, at)
    elif isinstance(first, _Period) and isinstance(second, Moment):
        start, end = _moved(scanner, second.us, first, -1, at), second.us
    else:
        scanner.unexpected("an interval: start/end, start/duration or duration/end")
    if end < start:
        scanner.fail("the interval ends before it starts; write start/end", at)
    return Span(start, end)


def _moved(scanner: Scanner, us: int, by: _Period, direction: int, at: int) -> int:
    try:
        if by.months:
            us = _months_later(us, by.months * direction)
        return in_range(us + by.us * direction, us)
    except (CannotDecode, ValueError, OverflowError):
        scanner.fail("the interval leaves the years 1 to 9999", at)


def _months_later(us: int, months: int) -> int:
    days, clock = divmod(us, 86_400_000_000)
    day = datetime.fromordinal(days + EPOCH_ORDINAL)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    later = day.replace(year=year, month=month + 1, day=min(day.day, last))
    return (later.toordinal() - EPOCH_ORDINAL) * 86_400_000_000 + clock


def _period(scanner: Scanner, match: re.Match[str], at: int) -> _Period:
    part = match.groupdict()
    us = sum(int(part[name] or 0) * seconds for name, seconds in _UNITS) * 1_000_000
    us += int((part["fraction"] or "")[:6].ljust(6, "0"))
    if us > MAX_DURATION_US:
        scanner.fail(f"the duration {shown(match[0])} is too long", at)
    months = int(part["years"] or 0) * 12 + int(part["months"] or 0)
    sign = -1 if part["sign"] == "-" else 1
    return _Period(sign * us, sign * months)


def _duration_us(scanner: Scanner, match: re.Match[str], at: int) -> int:
    return _without_months(scanner, _period(scanner, match, at), at)


def _without_months(scanner: Scanner, period: _Period, at: int) -> int:
    if period.months:
        scanner.fail("years and months have no fixed length; give days, such as P30D", at)
    return period.us


def _clock_us(scanner: Scanner, text: str, at: int) -> int:
    try:
        return text_us(f"1970-01-01T{text.replace(',', '.')}Z")
    except CannotDecode:
        scanner.fail(f"there is no time of day {shown(text)}; write 12:30:00", at)


def moment_text(us: int) -> str:
    """Return a time as it is written: `2024-05-01T12:00:00.5Z`."""
    days, clock = divmod(us, 86_400_000_000)
    day = datetime.fromordinal(days + EPOCH_ORDINAL) + timedelta(microseconds=clock)
    fraction = f".{day.microsecond:06d}".rstrip("0") if day.microsecond else ""
    return f"{day.year:04d}-{day.strftime('%m-%dT%H:%M:%S')}{fraction}Z"


def duration_text(us: int) -> str:
    """Return a duration as it is written: `PT1.5S`."""
    seconds, micros = divmod(abs(us), 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{'-' if us < 0 else ''}PT{seconds}{fraction}S"
