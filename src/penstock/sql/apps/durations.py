"""Lengths of time as people write them: `2 s`, `1 min`, `500 ms`."""

from __future__ import annotations

import math
import re

from penstock.core.errors import InvalidInput

#: Seconds in each unit, the longest first.
_UNITS = {"d": 86_400.0, "h": 3_600.0, "min": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile(r"(\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*([a-z]+)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Return the seconds of a length like `2 s`, `1.5 min`, `500 ms`, `1 h` or `1 d`.

    Raises:
        InvalidInput: It is not one.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS.get(found[2].lower(), math.nan) if found else math.nan
    if not math.isfinite(seconds):
        msg = f"{text[:40]!r} is no length of time; write a number and ms, s, min, h or d, as `2 s`"
        raise InvalidInput(msg)
    return seconds


def print_duration(seconds: float) -> str:
    """Return a length in the longest unit in which it is a whole number; `parse_duration` reads it.

    Example:
        >>> print_duration(90.0), print_duration(0.5), print_duration(3600)
        ('90 s', '500 ms', '1 h')
    """
    for unit, size in _UNITS.items():
        count = round(seconds / size)
        if count and count * size == seconds and count < 1e9:
            return f"{count} {unit}"
    return f"{float(seconds)!r} s"
