"""Saying no: where in the SQL, why, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sqlglot import exp

from penstock.core.errors import InvalidQuery


class Refusals:
    """Makes the errors of one SQL text.

    Args:
        sql: The text that was parsed.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def at(self, node: exp.Expr | None, message: str) -> InvalidQuery:
        """Return the error for a node of the syntax tree."""
        start = _start(node)
        return InvalidQuery(message) if start is None else self.at_offset(start, message)

    def at_offset(self, start: int, message: str) -> InvalidQuery:
        """Return the error for a place of the text."""
        before = self._sql[:start]
        line = before.count("\n") + 1
        return InvalidQuery(message, line, start - (before.rfind("\n") + 1) + 1)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?", or what there is."""
    names = sorted(set(known))
    lowered = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    if close:
        return f" Did you mean `{lowered[close[0]]}`?"
    if 0 < len(names) <= 24:
        return f" There are: {', '.join(names)}."
    return ""


def _start(node: exp.Expr | None) -> int | None:
    """Return where a node begins: its own place, or the first one of what it is made of."""
    if node is None:
        return None
    starts = [part.meta["start"] for part in node.walk() if isinstance(part.meta.get("start"), int)]
    own = node.meta.get("start")
    return own if isinstance(own, int) else min(starts, default=None)
