"""Arithmetic as SQL: numbers, times and lengths of time. Anything else is null."""

from __future__ import annotations

import operator

from sqlalchemy import and_, case, func

from penstock.catalog.entities.reading_tables import Sql
from penstock.catalog.entities.reading_terms import (
    NOTHING,
    Kind,
    Term,
    as_kind,
    duration,
    number,
    time,
)
from penstock.core.expression import Operator
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

ARITHMETIC = frozenset(
    {Operator.ADD, Operator.SUB, Operator.MUL, Operator.DIV, Operator.MOD, Operator.NEGATE}
)


def calculate(word: Operator, terms: list[Term]) -> Term:
    """Return the result of an operator on one or two values."""
    left, right = terms[0], terms[-1]
    if word is Operator.NEGATE:
        return _negated(left)
    kinds = (left.kind, right.kind)
    if Kind.TIME in kinds:
        return _with_times(word, left, right)
    if Kind.DURATION in kinds:
        return _with_durations(word, left, right)
    one, other = as_kind(left, Kind.NUMBER), as_kind(right, Kind.NUMBER)
    return NOTHING if one is None or other is None else number(_numbers(word, one, other))


def _numbers(word: Operator, one: Sql, other: Sql) -> Sql:
    """Return the result: null where it is none or not finite, which SQL's own operators are not."""
    function: Sql = getattr(func, f"penstock_{word}")(one, other)
    return function


def _negated(term: Term) -> Term:
    if term.kind is Kind.DURATION:
        return duration(-term.sql)
    value = as_kind(term, Kind.NUMBER)
    return NOTHING if value is None else number(-value)


def _with_times(word: Operator, left: Term, right: Term) -> Term:
    if left.kind is right.kind and word is Operator.SUB:
        return duration(left.sql - right.sql)
    if left.kind is Kind.DURATION and word is Operator.ADD:
        left, right = right, left
    if left.kind is not Kind.TIME or right.kind is not Kind.DURATION:
        return NOTHING
    if word not in (Operator.ADD, Operator.SUB):
        return NOTHING
    move = operator.add if word is Operator.ADD else operator.sub
    start = move(left.sql, right.sql)
    if left.end is None:
        return time(_possible(start, start, start))
    end = move(left.end, right.sql)
    return time(_possible(start, start, end), _possible(end, start, end))


def _possible(value: Sql, start: Sql, end: Sql) -> Sql:
    """Return a time if both ends are within the years that there are, else null."""
    is_possible = and_(start >= MIN_TIME_US, end < MAX_TIME_US)
    return case((is_possible, value))


def _with_durations(word: Operator, left: Term, right: Term) -> Term:
    if left.kind is right.kind:
        if word not in (Operator.ADD, Operator.SUB):
            return NOTHING
        return duration(_lengths(word, left.sql, right.sql))
    if left.kind is not Kind.DURATION and word is Operator.MUL:
        left, right = right, left
    factor = as_kind(right, Kind.NUMBER)
    is_scaled = word in (Operator.MUL, Operator.DIV) and left.kind is Kind.DURATION
    return (
        NOTHING if factor is None or not is_scaled else duration(_lengths(word, left.sql, factor))
    )


def _lengths(word: Operator, one: Sql, other: Sql) -> Sql:
    function: Sql = getattr(func, f"penstock_duration_{word}")(one, other)
    return function
