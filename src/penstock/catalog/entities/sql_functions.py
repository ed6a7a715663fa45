"""Functions that conditions need and SQLite lacks, registered on each connection.

They never raise: what cannot be computed is null.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import ciso8601

from penstock.catalog.entities import geometry

#: The first whole number that doubles do not tell from its neighbour.
_EXACT = 2**53
#: Lengths of time from here on, microseconds, are none.
_LONGEST = 2**62
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def register(connection: Any) -> None:
    """Make the functions known to a connection of `sqlite3`."""
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(f"penstock_{name}", arguments, function, deterministic=True)


def _lower(text: object) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _upper(text: object) -> str | None:
    return text.upper() if isinstance(text, str) else None


def _on_number(function: Callable[[float], float]) -> Callable[[object], float | None]:
    def call(value: object) -> float | None:
        if isinstance(value, int):
            return value
        return function(value) if isinstance(value, float) and math.isfinite(value) else None

    return call


def _round(value: float) -> float:
    """Round half away from zero."""
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)


def _calculating(function: Callable[[float, float], float]) -> Callable[..., float | None]:
    """Make a function of two doubles give null where it cannot be computed."""

    def call(left: object, right: object) -> float | None:
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            return None
        try:
            value = function(float(left), float(right))
        except (ArithmeticError, ValueError):
            return None
        return value if math.isfinite(value) else None

    return call


def _lengthening(function: Callable[[Any, Any], float]) -> Callable[..., int | None]:
    """Make a function of a length of time, microseconds, give null where it is too long."""

    def call(left: object, right: object) -> int | None:
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            return None
        try:
            value = function(left, right)
        except ArithmeticError:
            return None
        return round(value) if math.isfinite(value) and abs(value) < _LONGEST else None

    return call


def _number_text(value: object) -> str | None:
    """Return a number as text: whole ones that doubles keep exactly without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return repr(value) if isinstance(value, (int, float)) else None


def _time(text: object) -> int | None:
    """Return the time that a text is by ISO 8601, microseconds UTC."""
    if not isinstance(text, str):
        return None
    try:
        moment = ciso8601.parse_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "lower": (1, _lower),
    "upper": (1, _upper),
    "round": (1, _on_number(_round)),
    "floor": (1, _on_number(lambda value: float(math.floor(value)))),
    "ceiling": (1, _on_number(lambda value: float(math.ceil(value)))),
    "add": (2, _calculating(operator.add)),
    "sub": (2, _calculating(operator.sub)),
    "mul": (2, _calculating(operator.mul)),
    "div": (2, _calculating(operator.truediv)),
    "mod": (2, _calculating(math.fmod)),
    "duration_add": (2, _lengthening(operator.add)),
    "duration_sub": (2, _lengthening(operator.sub)),
    "duration_mul": (2, _lengthening(lambda us, by: float(us) * float(by))),
    "duration_div": (2, _lengthening(lambda us, by: float(us) / float(by))),
    "number_text": (1, _number_text),
    "time": (1, _time),
    "relation": (3, geometry.relation),
    "relates": (3, geometry.relates),
    "distance": (2, geometry.distance),
    "length": (1, geometry.length),
}
