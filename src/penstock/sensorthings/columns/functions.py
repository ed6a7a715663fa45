"""Functions on texts, numbers and times, and arithmetic (OGC 18-088 tables 23 and 24)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.sensorthings.columns.values import (
    DURATION,
    NUMBER,
    TEXT,
    TIME,
    Bools,
    Int64s,
    Truth,
    Values,
    durations,
    each,
    numbers,
    objects,
    texts,
    times,
    truth,
)

_BLANKS = " \t\n\r\v\f"
_DAY_US = 86_400_000_000
#: Durations stay below this, so that sums of them and times fit into 64 bits.
_LONGEST = 2.0**62


def _on_text(function: Callable[[str], str]) -> Callable[[Values], Values]:
    def apply(value: Values) -> Values:
        return texts(objects(each(function, value.texts()).tolist()), value.is_a(TEXT))

    return apply


def _paired(function: Callable[[str, str], Any], dtype: Any) -> Callable[[Values, Values], Any]:
    """Return a function of two texts that is called once for each different text."""

    def apply(one: Values, other: Values) -> Any:
        first, second = one.texts(), other.texts()
        if len(second) == 1:
            fixed = second[0]
            return each(lambda text: function(text, fixed), first, dtype)
        if len(first) == 1:
            fixed = first[0]
            return each(lambda text: function(fixed, text), second, dtype)
        pairs = zip(first, second, strict=True)
        return np.array([function(a, b) for a, b in pairs], dtype)

    return apply


def _both_text(one: Values, other: Values) -> Bools:
    return one.is_a(TEXT) & other.is_a(TEXT)


_has = _paired(lambda whole, part: part in whole, bool)
_starts = _paired(str.startswith, bool)
_ends = _paired(str.endswith, bool)
_position = _paired(lambda whole, part: whole.find(part) + 1, np.float64)
_joined = _paired(lambda first, second: first + second, object)


def contains(whole: Values, part: Values) -> Truth:
    """Tell whether a text is within another."""
    return truth(_has(whole, part), _both_text(whole, part))


def substring_of(part: Values, whole: Values) -> Truth:
    """Tell whether the first text is within the second."""
    return contains(whole, part)


def starts_with(whole: Values, part: Values) -> Truth:
    """Tell whether a text begins with another."""
    return truth(_starts(whole, part), _both_text(whole, part))


def ends_with(whole: Values, part: Values) -> Truth:
    """Tell whether a text ends with another."""
    return truth(_ends(whole, part), _both_text(whole, part))


def index_of(whole: Values, part: Values) -> Values:
    """Return where a text begins in another, from 1; 0 when it is not there."""
    return numbers(_position(whole, part), _both_text(whole, part))


def concat(first: Values, second: Values) -> Values:
    """Return two texts joined."""
    return texts(_joined(first, second), _both_text(first, second))


def length(text: Values) -> Values:
    """Return the number of characters."""
    return numbers(each(len, text.texts(), np.float64), text.is_a(TEXT))


def substring(text: Values, start: Values, count: Values | None = None) -> Values:
    """Return the characters from a position on, from 0; at most so many."""
    known = text.is_a(TEXT) & start.is_a(NUMBER)
    parts: list[Any] = [text.texts(), start.numbers()]
    if count is not None:
        known = known & count.is_a(NUMBER)
        parts.append(count.numbers())
    columns = [np.broadcast_to(one, len(known)) for one in parts]
    found = [_cut(*row) if is_known else "" for is_known, *row in zip(known, *columns, strict=True)]
    return texts(objects(found), known)


def _cut(text: str, start: float, count: float | None = None) -> str:
    first = max(0, int(start))
    return text[first:] if count is None else text[first : first + max(0, int(count))]


def _rounded(number: Any) -> Any:
    """Round half away from zero; what is not finite stays as it is."""
    whole = np.trunc(number)
    return whole + np.where(np.abs(number - whole) >= 0.5, np.sign(number), 0.0)


def _on_number(function: Callable[[Any], Any]) -> Callable[[Values], Values]:
    def apply(value: Values) -> Values:
        with np.errstate(invalid="ignore"):
            return numbers(function(value.numbers()), value.is_a(NUMBER))

    return apply


def negative(value: Values) -> Values:
    """Return a number or a duration with the other sign."""
    if value.is_a(DURATION).any():
        return durations(-value.starts(), value.is_a(DURATION))
    return numbers(-value.numbers(), value.is_a(NUMBER))


def _calendar(unit: str, within: str) -> Callable[[Int64s], Any]:
    """Return how many units have begun since the larger unit did."""

    def apply(us: Int64s) -> Any:
        stamps = us.astype("datetime64[us]")
        larger = stamps.astype(f"datetime64[{within}]").astype(f"datetime64[{unit}]")
        return (stamps.astype(f"datetime64[{unit}]") - larger).astype(np.int64)

    return apply


_PARTS: dict[str, Callable[[Int64s], Any]] = {
    "year": lambda us: us.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": lambda us: _calendar("M", "Y")(us) + 1,
    "day": lambda us: _calendar("D", "M")(us) + 1,
    "hour": lambda us: us // 3_600_000_000 % 24,
    "minute": lambda us: us // 60_000_000 % 60,
    "second": lambda us: us // 1_000_000 % 60,
    "fractionalseconds": lambda us: us % 1_000_000 / 1e6,
    "totaloffsetminutes": lambda us: us * 0,
}


def _part(name: str) -> Callable[[Values], Values]:
    def apply(time: Values) -> Values:
        found = _PARTS[name](time.starts()).astype(np.float64)
        return numbers(found, time.is_a(TIME))

    return apply


def date(time: Values) -> Values:
    """Return the midnight (UTC) that a time's day begins with."""
    midnight = time.starts() // _DAY_US * _DAY_US
    return times(midnight, midnight, time.is_a(TIME))


def time_of_day(time: Values) -> Values:
    """Return how long before a time its day (UTC) began."""
    return durations(time.starts() % _DAY_US, time.is_a(TIME))


def _sum(left: Values, right: Values, sign: int) -> Values | None:
    """Add or subtract where a time or duration is involved; None where none is."""
    timed, length_ = left.is_a(TIME).any(), right.is_a(DURATION).any()
    if timed and length_:
        by = sign * right.starts()
        known = left.is_a(TIME) & right.is_a(DURATION)
        return times(left.starts() + by, left.ends() + by, known)
    if sign == 1 and left.is_a(DURATION).any() and right.is_a(TIME).any():
        return _sum(right, left, 1)
    if sign == -1 and timed and right.is_a(TIME).any():
        return durations(left.starts() - right.starts(), left.is_a(TIME) & right.is_a(TIME))
    if left.is_a(DURATION).any() and length_:
        total = left.starts().astype(np.float64) + sign * right.starts().astype(np.float64)
        known = left.is_a(DURATION) & right.is_a(DURATION) & (np.abs(total) < _LONGEST)
        return durations(left.starts() + sign * right.starts(), known)
    return None


def add(left: Values, right: Values) -> Values:
    """Add numbers, durations, or a duration to a time."""
    found = _sum(left, right, 1)
    return found if found is not None else _numeric(np.add, left, right)


def subtract(left: Values, right: Values) -> Values:
    """Subtract numbers, durations, times, or a duration from a time."""
    found = _sum(left, right, -1)
    return found if found is not None else _numeric(np.subtract, left, right)


def multiply(left: Values, right: Values) -> Values:
    """Multiply numbers, or a duration by a number."""
    if right.is_a(DURATION).any():
        left, right = right, left
    if left.is_a(DURATION).any():
        return _scaled(np.multiply, left, right)
    return _numeric(np.multiply, left, right)


def divide(left: Values, right: Values) -> Values:
    """Divide numbers, or a duration by a number; by 0 it is null."""
    if left.is_a(DURATION).any():
        return _scaled(np.divide, left, right)
    return _numeric(np.divide, left, right)


def modulo(left: Values, right: Values) -> Values:
    """Return what is left of a division, with the sign of the left side; by 0 it is null."""
    return _numeric(np.fmod, left, right)


def _numeric(function: Callable[[Any, Any], Any], left: Values, right: Values) -> Values:
    with np.errstate(all="ignore"):
        found = function(left.numbers(), right.numbers())
    return numbers(found, left.is_a(NUMBER) & right.is_a(NUMBER))


def _scaled(function: Callable[[Any, Any], Any], length_: Values, by: Values) -> Values:
    with np.errstate(all="ignore"):
        exact = np.rint(function(length_.starts().astype(np.float64), by.numbers()))
    fits = np.isfinite(exact) & (np.abs(exact) < _LONGEST)
    known = length_.is_a(DURATION) & by.is_a(NUMBER) & fits
    return durations(np.where(fits, exact, 0).astype(np.int64), known)


#: Functions that give a condition.
CONDITIONS: dict[str, Callable[..., Truth]] = {
    "substringof": substring_of,
    "contains": contains,
    "startswith": starts_with,
    "endswith": ends_with,
}
#: Functions and operators that give a value.
VALUES: dict[str, Callable[..., Values]] = {
    "indexof": index_of,
    "concat": concat,
    "length": length,
    "substring": substring,
    "tolower": _on_text(str.lower),
    "toupper": _on_text(str.upper),
    "trim": _on_text(lambda text: text.strip(_BLANKS)),
    "round": _on_number(_rounded),
    "floor": _on_number(np.floor),
    "ceiling": _on_number(np.ceil),
    "neg": negative,
    **{name: _part(name) for name in _PARTS},
    "date": date,
    "time": time_of_day,
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": divide,
    "mod": modulo,
}
#: First and last time there is.
BOUNDS = {"mindatetime": MIN_TIME_US, "maxdatetime": MAX_TIME_US - 1}
