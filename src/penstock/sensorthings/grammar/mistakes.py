"""How the grammar says what is wrong: what was found, where, and what was expected."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from penstock.core.errors import InvalidInput

#: So much of what was found is shown.
_SHOWN = 40


def invalid(part: str, at: int, problem: str) -> InvalidInput:
    """Return the error for a mistake.

    Args:
        part: Which part of the request: `$filter`, `path`.
        at: Where in it, in characters from 0.
        problem: What is wrong and what to do.
    """
    return InvalidInput(f"{part}, position {at}: {problem}")


def shown(text: str) -> str:
    """Return text from outside in quotes, cut."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'result'?` when a known name is near, else nothing."""
    by_lower = {one.lower(): str(one) for one in known}
    near = get_close_matches(name[:64].lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
