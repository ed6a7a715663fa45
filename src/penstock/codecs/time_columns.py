"""Times as devices write them, a column at once; the same answers as `timestamps`.

Texts are sorted by shape (which characters are digits). The pattern of `timestamps` reads one
text of a shape and so says in which columns its year, month and so on stand; then all texts of that
shape are read by arithmetic on columns of characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, tzinfo

import numpy as np
import numpy.typing as npt

from penstock.codecs.timestamps import (
    DAY_US,
    EPOCH_ORDINAL,
    ISO_8601,
    MICROSECONDS_BELOW,
    MILLISECONDS_BELOW,
    SECONDS_BELOW,
    time_us,
    unreadable,
    zone_offset_us,
)
from penstock.core.codec import Int64s
from penstock.core.errors import CannotDecode
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

Characters = npt.NDArray[np.uint8]
#: Row number of a value that is not a time, and why.
Unreadable = list[tuple[int, str]]

#: Below this many values one at a time is faster.
_FEW = 24
#: Shapes tried per text length before the rest is read one at a time.
_MAX_SHAPES = 4
#: Zones change their offset on multiples of this in modern times; others are read one at a time.
_QUARTER_US = 900_000_000


def read_times(
    values: Sequence[object], missing_us: Int64s, zone: tzinfo = UTC
) -> tuple[Int64s, Unreadable]:
    """Read a column of JSON values; None takes its row of `missing_us`.

    Rows that cannot be read are told with the reason; their time is 0.
    """
    kinds = set(map(type, values))
    if not kinds <= {int, str, type(None)} or len(values) < _FEW:
        return _one_by_one(values, missing_us, zone)
    if kinds == {str}:
        return _texts(values, zone)  # type: ignore[arg-type]
    if kinds == {int}:
        return _epochs(values)  # type: ignore[arg-type]
    times = np.array(missing_us, np.int64)
    bad: Unreadable = []
    for kind in kinds - {type(None)}:
        rows = [row for row, value in enumerate(values) if type(value) is kind]
        part, failed = read_times([values[row] for row in rows], missing_us[rows], zone)
        times[rows] = part
        bad += [(rows[row], reason) for row, reason in failed]
    return times, sorted(bad)


def _one_by_one(
    values: Sequence[object], missing_us: Int64s | None, zone: tzinfo
) -> tuple[Int64s, Unreadable]:
    times: list[int] = []
    bad: Unreadable = []
    for row, value in enumerate(values):
        try:
            if value is None and missing_us is not None:
                times.append(int(missing_us[row]))
            else:
                times.append(time_us(value, zone))
        except CannotDecode as problem:
            times.append(0)
            bad.append((row, str(problem)))
    return np.array(times, np.int64), bad


def _epochs(values: Sequence[int]) -> tuple[Int64s, Unreadable]:
    try:
        given = np.array(values, np.int64)
    except OverflowError:
        return _one_by_one(values, None, UTC)
    times = epochs_us(given)
    return times, _out_of_range(times, values)


def epochs_us(given: Int64s) -> Int64s:
    """Return epochs of any unit in microseconds; those out of range lie outside MIN and MAX."""
    low, high = int(given.min(initial=0)), int(given.max(initial=0))
    if low >= SECONDS_BELOW and high < MILLISECONDS_BELOW and low > 0:
        return given * 1_000
    size = np.abs(given)
    size[given == np.iinfo(np.int64).min] = np.iinfo(np.int64).max
    small = np.where(size < MILLISECONDS_BELOW, given, 0)
    return np.select(
        [size < SECONDS_BELOW, size < MILLISECONDS_BELOW, size < MICROSECONDS_BELOW],
        [small * 1_000_000, small * 1_000, given],
        given // 1_000,
    )


def _out_of_range(times: Int64s, values: Sequence[object]) -> Unreadable:
    wrong = np.flatnonzero((times < MIN_TIME_US) | (times >= MAX_TIME_US))
    reasons = [
        (row, unreadable(values[row], "outside the years 1 to 9999")) for row in wrong.tolist()
    ]
    times[wrong] = 0
    return reasons


def _texts(values: Sequence[str], zone: tzinfo) -> tuple[Int64s, Unreadable]:
    times = np.zeros(len(values), np.int64)
    left: list[int] = []
    widths = list(map(len, values))
    different = set(widths)
    for width in different:
        if len(different) == 1:
            rows, texts = np.arange(len(values)), values
        else:
            rows = np.flatnonzero(np.array(widths) == width)
            texts = [values[row] for row in rows.tolist()]
        raw = "".join(texts).encode("ascii", "replace")
        matrix = np.frombuffer(raw, np.uint8).reshape(len(rows), width)
        part, unread = text_matrix_us(matrix, zone)
        times[rows] = part
        left += rows[unread].tolist()
    bad: Unreadable = []
    if left:
        left.sort()
        part, failed = _one_by_one([values[row] for row in left], None, zone)
        times[left] = part
        bad = [(left[row], reason) for row, reason in failed]
    return times, bad


def text_matrix_us(matrix: Characters, zone: tzinfo) -> tuple[Int64s, Int64s]:
    """Read ISO 8601 texts of one length, one per row of characters.

    Returns the times, and the rows that it does not read: wrong ones and rare shapes.
    """
    times = np.zeros(len(matrix), np.int64)
    rows = np.arange(len(matrix))
    unread: list[Int64s] = []
    columns = np.ascontiguousarray(matrix.T)
    for _ in range(_MAX_SHAPES):
        if not len(rows):
            break
        sample = columns[:, 0]
        match = ISO_8601.fullmatch(sample.tobytes().decode("ascii", "replace"))
        if match is None:
            unread.append(rows[:1])
            rows, columns = rows[1:], columns[:, 1:]
            continue
        alike = _same_shape(columns, sample)
        if alike.all():
            times[rows], fine = _columns_us(columns, match, zone)
            unread.append(rows[~fine])
            rows = rows[:0]
            break
        times[rows[alike]], fine = _columns_us(columns[:, alike], match, zone)
        unread.append(rows[alike][~fine])
        rows, columns = rows[~alike], columns[:, ~alike]
    return times, np.concatenate([*unread, rows])


def _same_shape(columns: Characters, sample: Characters) -> npt.NDArray[np.bool_]:
    digit = (sample >= 48) & (sample <= 57)
    digits_are_digits = ((columns[digit] - np.uint8(48)) <= 9).all(axis=0)
    rest_is_equal = (columns[~digit] == sample[~digit, None]).all(axis=0)
    return np.asarray(digits_are_digits & rest_is_equal, np.bool_)


def _columns_us(
    columns: Characters, match: re.Match[str], zone: tzinfo
) -> tuple[Int64s, npt.NDArray[np.bool_]]:
    """Return times, and which rows are real dates and times within range."""

    def span(name: str) -> tuple[int, int]:
        at = match.span(name)
        return at if at[0] >= 0 or name == "year" else match.span(name + "2")

    def number(name: str, longest: int = 9) -> Int64s | int:
        start, stop = span(name)
        if start < 0:
            return 0
        stop = min(stop, start + longest)
        if (columns[start:stop] == columns[start:stop, :1]).all():
            return int(columns[start:stop, 0].tobytes())
        total = columns[start].astype(np.int64) - 48
        for column in range(start + 1, stop):
            total = total * 10 + (columns[column] - np.uint8(48))
        return np.asarray(total, np.int64)

    days, fine = _days(number("year"), number("month"), number("day"))
    hour, minute, second = number("hour"), number("minute"), number("second")
    fine = fine & (hour <= 23) & (minute <= 59) & (second <= 60)
    local = days * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
    start, stop = span("fraction")
    local = local + number("fraction", 6) * 10 ** (6 - min(6, stop - start))
    times = np.broadcast_to(np.asarray(local, np.int64), columns.shape[1:])
    if span("zone")[0] < 0:
        times, known = from_zone(times, zone)
        fine = fine & known
    elif span("sign")[0] >= 0:
        hours, minutes = number("zone_hour"), number("zone_minute")
        fine = fine & (hours <= 23) & (minutes <= 59)
        offset = hours * 3_600_000_000 + minutes * 60_000_000
        minus = columns[span("sign")[0], 0] == ord("-")
        times = times + offset if minus else times - offset
    fine = fine & (times >= MIN_TIME_US) & (times < MAX_TIME_US)
    return times, np.broadcast_to(np.asarray(fine, np.bool_), columns.shape[1:])


def _days(
    year: Int64s | int, month: Int64s | int, day: Int64s | int
) -> tuple[Int64s | int, npt.NDArray[np.bool_] | bool]:
    """Return days since 1970-01-01 in the proleptic Gregorian calendar, and which are real."""
    year_, month_, day_ = np.asarray(year), np.asarray(month), np.asarray(day)
    leap = (year_ % 4 == 0) & ((year_ % 100 != 0) | (year_ % 400 == 0))
    fine = (year_ >= 1) & (month_ >= 1) & (month_ <= 12) & (day_ >= 1)
    month_ = np.clip(month_, 1, 12)
    fine &= day_ <= _MONTH_DAYS[month_] + (leap & (month_ == 2))
    before = year_ - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days = days + _DAYS_BEFORE[month_] + (leap & (month_ > 2)) + day_ - EPOCH_ORDINAL
    return days, fine


_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_BEFORE = np.concatenate([[0], np.cumsum(_MONTH_DAYS)[:-1]])


def from_zone(local: Int64s, zone: tzinfo) -> tuple[Int64s, npt.NDArray[np.bool_] | bool]:
    """Return UTC times of local ones, and which of them are certain."""
    if zone is UTC:
        return local, True
    quarters, which = np.unique(local // _QUARTER_US, return_inverse=True)
    if len(quarters) * 4 > len(local):
        return local, np.zeros(len(local), np.bool_)
    offsets = np.zeros(len(quarters), np.int64)
    certain = np.zeros(len(quarters), np.bool_)
    for at, quarter in enumerate(quarters.tolist()):
        first, last = quarter * _QUARTER_US, (quarter + 1) * _QUARTER_US - 1
        if first >= MIN_TIME_US and last < MAX_TIME_US:
            offsets[at] = zone_offset_us(first, zone)
            certain[at] = offsets[at] == zone_offset_us(last, zone)
    return local - offsets[which], certain[which]
