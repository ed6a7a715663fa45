"""Members of JSON values, as a path names them: `properties/rooms/0`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: Digits of a number that may name a place in a list; no list that is held is longer.
_MAX_DIGITS = 9


def position(value: Sequence[Any], name: str) -> int | None:
    """Return the place in a list that a name is the number of; None when there is none such."""
    if not (name.isascii() and name.isdigit() and len(name) <= _MAX_DIGITS):
        return None
    at = int(name)
    return at if at < len(value) else None


def member(value: Any, names: Sequence[str]) -> Any:
    """Return what a path leads to within JSON; None when there is nothing."""
    for name in names:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and (at := position(value, name)) is not None:
            value = value[at]
        else:
            return None
    return value
