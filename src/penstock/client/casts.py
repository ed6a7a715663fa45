"""Results as the type of their Datastream has them; what does not fit is refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from penstock.core.errors import InvalidInput
from penstock.core.series import ObservationType

#: Largest whole number that the store keeps exactly (2**53).
MAX_COUNT = 9_007_199_254_740_992

_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def cast(kind: ObservationType, result: object) -> Any:
    """Return a result as its type wants it: bool, int, float, str or dict.

    Nothing is lost on the way: 3.5 is no count, and "warm" is no measurement.

    Raises:
        InvalidInput: It cannot be had from this result.
    """
    try:
        return _CASTS[kind](_plain(result))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        why = f": {error}" if isinstance(error, ValueError) and str(error) else ""
        msg = f"result {result!r:.100} is no {kind.value}{why}; {_ALLOWED[kind]}"
        raise InvalidInput(msg) from None


def _plain(result: object) -> object:
    """Return a numpy scalar as Python has it."""
    if type(result).__module__ == "numpy" and getattr(result, "ndim", 1) == 0:
        return result.item()  # type: ignore[attr-defined]
    return result


def _truth(result: object) -> bool:
    if isinstance(result, bool):
        return result
    if isinstance(result, str):
        text = result.strip().lower()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise ValueError
    number = _measurement(result)
    if number in (0.0, 1.0):
        return bool(number)
    raise ValueError


def _count(result: object) -> int:
    if isinstance(result, str):
        number = int(result, 10)
    elif isinstance(result, float):
        if not result.is_integer():
            raise ValueError("it is not whole; round it first")
        number = int(result)
    else:
        number = operator.index(result)  # type: ignore[arg-type]
    if abs(number) > MAX_COUNT:
        raise ValueError("it is too large")
    return int(number)


def _measurement(result: object) -> float:
    if not isinstance(result, (int, float, str)) and not hasattr(result, "__float__"):
        raise TypeError
    number = float(result)
    if not math.isfinite(number):
        raise ValueError("it is not finite; leave out what was not measured")
    return number


def _category(result: object) -> str:
    if not isinstance(result, (str, int, float)):
        raise TypeError
    text = str(result)
    text.encode()
    return text


def _object(result: object) -> dict[str, Any]:
    if not isinstance(result, Mapping):
        raise TypeError
    found = dict(result)
    msgspec.json.encode(found)
    return found


def _complex(result: object) -> Any:
    if isinstance(result, (list, tuple)):
        msgspec.json.encode(result)
        return list(result)
    return _object(result)


_CASTS: Mapping[ObservationType, Callable[[object], Any]] = {
    ObservationType.TRUTH: _truth,
    ObservationType.COUNT: _count,
    ObservationType.MEASUREMENT: _measurement,
    ObservationType.CATEGORY: _category,
    ObservationType.COMPLEX: _complex,
}
_ALLOWED = {
    ObservationType.TRUTH: "allowed are True, False, 1, 0, and texts such as 'true' and 'off'",
    ObservationType.COUNT: f"allowed are whole numbers up to {MAX_COUNT}",
    ObservationType.MEASUREMENT: "allowed are finite numbers, and texts that are one",
    ObservationType.CATEGORY: "allowed are texts and numbers",
    ObservationType.COMPLEX: "allowed are objects (dict) and lists that JSON can hold",
}
