"""Values of many rows at once: each row has a kind, and one array per kind holds what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.codecs.timestamps import ISO_8601, iso_us
from penstock.core.expression import Duration, Moment, Shape, Span, Value
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

Bools = npt.NDArray[np.bool_]
Kinds = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

#: Kinds of a row's value. Larger ones come later when sorted.
NULL, TEXT, NUMBER, BOOL, TIME, DURATION, JSON, SHAPE = range(8)

_WHOLE = 2.0**53


@dataclass(frozen=True, slots=True)
class Values:
    """Values of rows; an array of one stands for the same value in every row.

    Attributes:
        kind: Of each row.
        number: Where the kind is NUMBER or BOOL (1 and 0), else anything.
        text: Where it is TEXT; elsewhere some text.
        start: Where it is TIME, and the length where it is DURATION; microseconds.
        end: Where it is TIME; equal to the start of what is no interval.
        other: Where it is JSON (objects and arrays) or SHAPE (well-known text).
        is_dynamic: It comes out of JSON or a result: what kind it has, the data tells.
    """

    kind: Kinds
    number: Doubles | None = None
    text: Objects | None = None
    start: Int64s | None = None
    end: Int64s | None = None
    other: Objects | None = None
    is_dynamic: bool = False

    def is_a(self, kind: int) -> Bools:
        """Tell which rows have a kind."""
        return np.equal(self.kind, kind)

    def numbers(self) -> Doubles:
        """Return `number`; NaN everywhere when no row has one."""
        return np.full(1, np.nan) if self.number is None else self.number

    def texts(self) -> Objects:
        """Return `text`; empty everywhere when no row has one."""
        return objects([""]) if self.text is None else self.text

    def starts(self) -> Int64s:
        """Return `start`; 0 everywhere when no row has one."""
        return np.zeros(1, np.int64) if self.start is None else self.start

    def ends(self) -> Int64s:
        """Return `end`; 0 everywhere when no row has one."""
        return np.zeros(1, np.int64) if self.end is None else self.end

    def others(self) -> Objects:
        """Return `other`; None everywhere when no row has one."""
        return objects([None]) if self.other is None else self.other

    def take(self, rows: Int64s) -> Values:
        """Return the values of some rows, by their numbers."""

        def some(column: Any) -> Any:
            return column if column is None else column[rows]

        return Values(
            some(self.kind),
            some(self.number),
            some(self.text),
            some(self.start),
            some(self.end),
            some(self.other),
            self.is_dynamic,
        )


@dataclass(frozen=True, slots=True)
class Truth:
    """What a condition says of each row: true, false, or neither when it is not known."""

    true: Bools
    false: Bools

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.true & other.true, self.false | other.false)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.true | other.true, self.false & other.false)

    def __invert__(self) -> Truth:
        return Truth(self.false, self.true)


def truth(holds: Bools, known: Bools) -> Truth:
    """Return a truth from what holds, where that is known."""
    return Truth(holds & known, ~holds & known)


def truth_of(values: Values) -> Truth:
    """Return values as a condition: whatever is no bool is not known."""
    return truth(values.numbers() != 0, values.is_a(BOOL))


def values_of(condition: Truth) -> Values:
    """Return a condition as values."""
    known = condition.true | condition.false
    return Values(np.where(known, BOOL, NULL).astype(np.uint8), condition.true.astype(np.float64))


def numbers(number: Doubles, known: Bools) -> Values:
    """Return numbers where they are known and finite, null elsewhere."""
    known = known & np.isfinite(number)
    return Values(np.where(known, NUMBER, NULL).astype(np.uint8), number)


def texts(text: Objects, known: Bools) -> Values:
    """Return texts where they are known, null elsewhere."""
    return Values(np.where(known, TEXT, NULL).astype(np.uint8), text=text)


def times(start: Int64s, end: Int64s, known: Bools) -> Values:
    """Return times where they are known and within the years 1 to 9999, null elsewhere."""
    known = known & (start >= MIN_TIME_US) & (start < MAX_TIME_US)
    known = known & (end >= MIN_TIME_US) & (end < MAX_TIME_US)
    return Values(np.where(known, TIME, NULL).astype(np.uint8), start=start, end=end)


def durations(length: Int64s, known: Bools) -> Values:
    """Return durations where they are known, null elsewhere."""
    return Values(np.where(known, DURATION, NULL).astype(np.uint8), start=length)


def literal(value: Value) -> Values:
    """Return a value that is the same in every row."""
    if isinstance(value, Moment):
        return _one(TIME, start=value.us, end=value.us)
    if isinstance(value, Span):
        return _one(TIME, start=value.start_us, end=value.end_us)
    if isinstance(value, Duration):
        return _one(DURATION, start=value.us)
    if isinstance(value, Shape):
        return Values(np.full(1, SHAPE, np.uint8), other=objects([value.wkt]))
    found = from_json([value])
    return Values(found.kind, found.number, found.text)


def _one(kind: int, start: int, end: int = 0) -> Values:
    return Values(np.full(1, kind, np.uint8), start=np.array([start]), end=np.array([end]))


def from_json(items: Sequence[Any]) -> Values:
    """Return values of JSON, one by one: this is for members, which have no columns."""
    count = len(items)
    kind = np.zeros(count, np.uint8)
    number = np.full(count, np.nan)
    text = objects([""] * count)
    other = objects([None] * count)
    for at, item in enumerate(items):
        if item is None:
            continue
        if isinstance(item, str):
            kind[at], text[at] = TEXT, item
        elif isinstance(item, bool):
            kind[at], number[at] = BOOL, item
        elif isinstance(item, (int, float)):
            kind[at], number[at] = NUMBER, _double(item)
        else:
            kind[at], other[at] = JSON, item
    return Values(kind, number, text, other=other, is_dynamic=True)


def of_python(items: Sequence[Any], *, is_dynamic: bool) -> Values:
    """Return values of JSON, and times as `Moment` and `Span`."""
    found = from_json([None if isinstance(one, (Moment, Span)) else one for one in items])
    spans = [
        (one.us, one.us)
        if isinstance(one, Moment)
        else (one.start_us, one.end_us)
        if isinstance(one, Span)
        else None
        for one in items
    ]
    kind = np.where([one is not None for one in spans], TIME, found.kind).astype(np.uint8)
    start = np.array([0 if one is None else one[0] for one in spans], np.int64)
    end = np.array([0 if one is None else one[1] for one in spans], np.int64)
    return Values(kind, found.number, found.text, start, end, found.other, is_dynamic)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf


def objects(items: Sequence[Any]) -> Objects:
    """Return an array of Python objects; lists among them stay items."""
    found = np.empty(len(items), object)
    for at, item in enumerate(items):
        found[at] = item
    return found


def each(function: Callable[[str], Any], text: Objects, dtype: Any = object) -> npt.NDArray[Any]:
    """Apply a function to texts; to each different one once."""
    if len(text) < 64:
        return np.array([function(one) for one in text], dtype)
    coded = pa.array(text, pa.string()).dictionary_encode()
    different = [function(one) for one in coded.dictionary.to_pylist()]
    found: npt.NDArray[Any] = np.array(different, dtype).take(
        coded.indices.to_numpy(zero_copy_only=False)
    )
    return found


def number_text(number: float) -> str:
    """Return a number as JSON has it: whole ones without a point."""
    whole = number == np.floor(number) and abs(number) < _WHOLE
    return str(int(number)) if whole else repr(float(number))


def as_text(values: Values) -> Values:
    """Return texts, and numbers and bools as JSON writes them; everything else is null."""
    if not (values.is_a(NUMBER) | values.is_a(BOOL)).any():
        return texts(values.texts(), values.is_a(TEXT))
    rows = len(values.kind)
    text = np.broadcast_to(values.texts(), rows).copy()
    number = np.broadcast_to(values.numbers(), rows)
    for at in np.flatnonzero(values.is_a(NUMBER)).tolist():
        text[at] = number_text(number[at])
    is_bool = values.is_a(BOOL)
    text[is_bool] = np.where(number[is_bool] != 0, "true", "false")
    return texts(text, values.is_a(TEXT) | values.is_a(NUMBER) | is_bool)


def as_time(values: Values) -> Values:
    """Return times, and texts that are a time of ISO 8601; everything else is null."""
    is_text = values.is_a(TEXT)
    if not is_text.any():
        return times(values.starts(), values.ends(), values.is_a(TIME))
    read = each(_us, np.where(is_text, values.texts(), ""), np.int64)
    start = np.where(is_text, read, values.starts())
    end = np.where(is_text, read, values.ends())
    return times(start, end, values.is_a(TIME) | (is_text & (read >= MIN_TIME_US)))


def _us(text: str) -> int:
    us = moment_us(text)
    return MIN_TIME_US - 1 if us is None else us


def moment_us(text: str) -> int | None:
    """Return the time that a text is, ISO 8601, or None."""
    match = ISO_8601.fullmatch(text)
    if match is None:
        return None
    try:
        us = iso_us(match, UTC)
    except (ValueError, OverflowError):
        return None
    return us if MIN_TIME_US <= us < MAX_TIME_US else None


def span_of(text: str) -> tuple[int, int] | None:
    """Return the time or interval `start/end` that a text is, or None."""
    first, slash, second = text.partition("/")
    start = moment_us(first)
    end = moment_us(second) if slash else start
    return None if start is None or end is None else (start, end)


def decoded(text: str) -> Any:
    """Return text that is JSON as what it says, and any other as the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
