"""Comparisons of values, row by row: of what kind both are decides how."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.sensorthings.columns.values import (
    BOOL,
    DURATION,
    NULL,
    NUMBER,
    TEXT,
    TIME,
    Bools,
    Truth,
    Values,
    as_text,
    as_time,
    each,
    truth,
)

#: On numbers, texts and durations.
_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}

Ends = tuple[Any, Any]

#: On times as pairs of start and end.
_TIMES: dict[str, Callable[[Ends, Ends], Any]] = {
    "eq": lambda a, b: (a[0] == b[0]) & (a[1] == b[1]),
    "ne": lambda a, b: (a[0] != b[0]) | (a[1] != b[1]),
    "gt": lambda a, b: (a[0] >= b[1]) & (a[0] > b[0]),
    "ge": lambda a, b: (a[0] >= b[0]) & (a[1] >= b[1]),
    "lt": lambda a, b: (a[1] <= b[0]) & (a[0] < b[0]),
    "le": lambda a, b: (a[0] <= b[0]) & (a[1] <= b[1]),
    "meets": lambda a, b: (a[0] == b[1]) | (a[1] == b[0]),
    "during": lambda a, b: (b[0] <= a[0]) & (a[0] < b[1]) & (a[1] <= b[1]),
    "overlaps": lambda a, b: ((a[0] < b[1]) & (b[0] < a[1])) | (a[0] == b[0]),
    "starts": lambda a, b: a[0] == b[0],
    "finishes": lambda a, b: a[1] == b[1],
}
_TIMES["before"], _TIMES["after"] = _TIMES["lt"], _TIMES["gt"]

#: Functions that compare times.
RELATIONS = frozenset({"before", "after", "meets", "during", "overlaps", "starts", "finishes"})


def compare(name: str, left: Values, right: Values) -> Truth:
    """Compare two values: `eq`, `ne`, `gt`, `ge`, `lt` or `le`; with null nothing is known.

    Values of different kinds are not equal, and none is greater; objects and arrays equal nothing.
    """
    known = ~left.is_a(NULL) & ~right.is_a(NULL)
    left, right, known = _alike(left, right, known)
    holds = np.zeros(1, bool) if name != "ne" else np.ones(1, bool)
    both = left.kind == right.kind
    numeric = both & (left.is_a(NUMBER) | left.is_a(BOOL))
    if numeric.any():
        with np.errstate(invalid="ignore"):
            found = _PLAIN[name](left.numbers(), right.numbers())
        holds = np.where(numeric, found, holds)
    textual = both & left.is_a(TEXT)
    if textual.any():
        holds = np.where(textual, _texts(name, left, right), holds)
    timely = both & left.is_a(TIME)
    if timely.any():
        holds = np.where(timely, _times(name, left, right), holds)
    lengthy = both & left.is_a(DURATION)
    if lengthy.any():
        holds = np.where(lengthy, _PLAIN[name](left.starts(), right.starts()), holds)
    return truth(holds.astype(bool), known)


def relate(name: str, left: Values, right: Values) -> Truth:
    """Compare two times by a relation of Allen's; what is no time gives nothing known."""
    return truth(_times(name, left, right), left.is_a(TIME) & right.is_a(TIME))


def compare_with_null(name: str, values: Values) -> Truth:
    """Compare with the word `null`: `eq` and `ne` look at nothing else."""
    is_null = values.is_a(NULL)
    if name in {"eq", "ne"}:
        return truth(is_null == (name == "eq"), np.ones(1, bool))
    return truth(np.zeros(len(is_null), bool), np.zeros(1, bool))


def _alike(left: Values, right: Values, known: Bools) -> tuple[Values, Values, Bools]:
    """Make two sides of different kinds comparable where the language has a way to."""
    if left.is_a(TIME).any() and right.is_a(TEXT).any():
        right, known = _as_time_beside(right, left, known)
    elif right.is_a(TIME).any() and left.is_a(TEXT).any():
        left, known = _as_time_beside(left, right, known)
    if left.is_dynamic and right.is_dynamic:
        return *_both_as_text(left, right), known
    if left.is_dynamic and right.is_a(TEXT).any():
        return _as_text_beside(left, right), right, known
    if right.is_dynamic and left.is_a(TEXT).any():
        return left, _as_text_beside(right, left), known
    return left, right, known


_SIMPLE = (TEXT, NUMBER, BOOL)


def _as_time_beside(values: Values, other: Values, known: Bools) -> tuple[Values, Bools]:
    """Return texts as times where the other side is a time; a text that is none is not known."""
    differ = other.is_a(TIME) & values.is_a(TEXT)
    time = as_time(values)
    mixed = Values(
        np.where(differ, time.kind, values.kind).astype(np.uint8),
        values.number,
        values.text,
        np.where(differ, time.starts(), values.starts()),
        np.where(differ, time.ends(), values.ends()),
        values.other,
        values.is_dynamic,
    )
    return mixed, known & ~mixed.is_a(NULL)


def _as_text_beside(values: Values, other: Values) -> Values:
    """Return numbers and bools as texts where the other side is a text."""
    differ = other.is_a(TEXT) & (values.is_a(NUMBER) | values.is_a(BOOL))
    return _mixed(values, differ)


def _both_as_text(left: Values, right: Values) -> tuple[Values, Values]:
    simple = np.isin(left.kind, _SIMPLE) & np.isin(right.kind, _SIMPLE)
    differ = simple & (left.kind != right.kind)
    return _mixed(left, differ), _mixed(right, differ)


def _mixed(values: Values, differ: Bools) -> Values:
    if not differ.any():
        return values
    text = as_text(values)
    return Values(
        np.where(differ, text.kind, values.kind).astype(np.uint8),
        values.number,
        np.where(differ, text.texts(), values.texts()),
        values.start,
        values.end,
        values.other,
        is_dynamic=True,
    )


def _texts(name: str, left: Values, right: Values) -> Any:
    first, second = left.texts(), right.texts()
    plain = _PLAIN[name]
    if len(second) == 1 and len(first) > 1:
        fixed = second[0]
        return each(lambda one: plain(one, fixed), first, bool)
    if len(first) == 1 and len(second) > 1:
        fixed = first[0]
        return each(lambda one: plain(fixed, one), second, bool)
    return plain(first, second).astype(bool)


def _times(name: str, left: Values, right: Values) -> Any:
    return _TIMES[name]((left.starts(), left.ends()), (right.starts(), right.ends()))
