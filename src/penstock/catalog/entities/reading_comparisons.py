"""Comparisons as SQL: by kind, three-valued, intervals of time as FROST compares them.

With a side that is null the answer is unknown, unless that side is the word null. Values of
different kinds are not equal and in no order. Text against a number or truth in JSON compares the
texts, as FROST and the OGC's test suite have it, and so do those in JSON among each other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, literal_column, null, or_, select

from penstock.catalog.dialects.words import (
    Among,
    AmongTexts,
    EmptyArray,
    Exact,
    ItemNumber,
    ItemTruth,
    ItemWritten,
    JsonItems,
    JsonPart,
)
from penstock.catalog.entities.reading_tables import Sql
from penstock.catalog.entities.reading_terms import (
    FALSE,
    JSON_KINDS,
    NOTHING,
    NULL,
    TRUE,
    Kind,
    Term,
    as_span,
    is_json_of,
    is_null,
    json_kind,
    json_text,
    json_value,
    time,
    truth,
)
from penstock.core.expression import Operator

_SQL: dict[Operator, Callable[[Sql, Sql], Sql]] = {
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
}
_TURNED = {
    Operator.GT: Operator.LT,
    Operator.GE: Operator.LE,
    Operator.LT: Operator.GT,
    Operator.LE: Operator.GE,
}
_PLAIN = frozenset({Kind.NUMBER, Kind.TEXT, Kind.TRUTH, Kind.DURATION})


def compare(word: Operator, left: Term, right: Term) -> Term:
    """Return whether a comparison holds."""
    if Kind.NULL in (left.kind, right.kind):
        return _with_null(word, left, right)
    if left.kind is Kind.JSON or right.kind is Kind.JSON:
        return truth(_json(word, left, right))
    if {left.kind, right.kind} == {Kind.TEXT, Kind.TIME}:
        left, right = _read_time(left), _read_time(right)
    if left.kind is right.kind is Kind.TIME:
        return truth(_times(word, left, right))
    if left.kind is right.kind and left.kind in _PLAIN:
        return truth(_plain(word, left.kind, left.sql, right.sql))
    return truth(_unequal(word, left, right))


def _plain(word: Operator, kind: Kind, left: Sql, right: Sql) -> Sql:
    """Compare values of one kind; texts are in the order of their code points."""
    if kind is Kind.TEXT and word in _TURNED:
        left = Exact(left)
    return _SQL[word](left, right)


def is_in(tested: Term, choices: Sequence[Term]) -> Term:
    """Return whether a value is one of several, or in the JSON array that the only one is."""
    if len(choices) == 1 and choices[0].kind in (Kind.MEMBERS, Kind.TEXTS):
        return truth(_in_set(tested, choices[0]))
    if len(choices) == 1 and choices[0].kind is Kind.JSON and not choices[0].is_literal:
        return truth(_in_array(tested, choices[0]))
    if tested.kind in _PLAIN and all(one.kind is tested.kind for one in choices):
        return truth(tested.sql.in_([one.sql for one in choices]))
    parts = [compare(Operator.EQ, tested, one) for one in choices]
    return truth(or_(*(part.sql for part in parts)))


def _in_set(tested: Term, choices: Term) -> Sql:
    """Tell whether a value is in a set that is one parameter."""
    kind, is_among = _SETS[choices.kind]
    if tested.kind is kind:
        return is_among(tested.sql, choices.sql)
    if tested.kind is not Kind.JSON:
        return _unequal(Operator.EQ, tested, choices)
    is_fit, value = (
        (_is_scalar(json_kind(tested)), json_text(tested))
        if kind is Kind.TEXT
        else (is_json_of(tested, kind), json_value(tested, kind))
    )
    return case((is_null(tested), null()), (is_fit, is_among(value, choices.sql)), else_=FALSE)


_SETS = {Kind.TEXTS: (Kind.TEXT, AmongTexts), Kind.MEMBERS: (Kind.NUMBER, Among)}


def _with_null(word: Operator, left: Term, right: Term) -> Term:
    if word not in (Operator.EQ, Operator.NE) or not (left is NULL or right is NULL):
        return NOTHING
    other = right if left is NULL else left
    found = is_null(other)
    return truth(found if word is Operator.EQ else ~found)


def _unequal(word: Operator, left: Term, right: Term) -> Sql:
    """Return the answer for values of different kinds: unknown where one is null."""
    answer = TRUE if word is Operator.NE else FALSE
    return case((or_(is_null(left), is_null(right)), null()), else_=answer)


def _json(word: Operator, left: Term, right: Term) -> Sql:
    if left.kind is not Kind.JSON:
        return _json(_TURNED.get(word, word), right, left)
    if right.kind is Kind.JSON:
        return _json_pair(word, left, right)
    if right.kind not in JSON_KINDS and right.kind is not Kind.TIME:
        return _unequal(word, left, right)
    different = TRUE if word is Operator.NE else FALSE
    if right.kind is Kind.TIME:
        is_fit, same = is_json_of(left, Kind.TEXT), _times(word, _json_time(left), right)
    elif right.kind is Kind.TEXT:
        is_fit = _is_scalar(json_kind(left))
        same = _plain(word, Kind.TEXT, json_text(left), right.sql)
    else:
        is_fit = is_json_of(left, right.kind)
        same = _SQL[word](json_value(left, right.kind), right.sql)
    is_unknown = is_null(left) if right.is_literal else or_(is_null(left), is_null(right))
    return case((is_unknown, null()), (is_fit, same), else_=different)


@dataclass(frozen=True, slots=True)
class _Value:
    """A JSON value: SQLite's word for its kind, what it is if it is that, and as it is written."""

    kind: Sql
    number: Sql
    truth: Sql
    written: Sql
    is_null: Sql


def _value_of(term: Term) -> _Value:
    return _Value(
        json_kind(term),
        json_value(term, Kind.NUMBER),
        json_value(term, Kind.TRUTH),
        json_text(term),
        is_null(term),
    )


def _json_pair(word: Operator, left: Term, right: Term) -> Sql:
    return _pair_of_json(word, _value_of(left), _value_of(right))


def _pair_of_json(word: Operator, left: _Value, right: _Value) -> Sql:
    """Compare two JSON values: of one kind as such, others as text."""
    compare_them = _SQL[word]
    numbers = (_is_word(left.kind, Kind.NUMBER), _is_word(right.kind, Kind.NUMBER))
    truths = (_is_word(left.kind, Kind.TRUTH), _is_word(right.kind, Kind.TRUTH))
    return case(
        (or_(left.is_null, right.is_null), null()),
        (
            or_(~_is_scalar(left.kind), ~_is_scalar(right.kind)),
            TRUE if word is Operator.NE else FALSE,
        ),
        (and_(*numbers), compare_them(left.number, right.number)),
        (and_(*truths), compare_them(left.truth, right.truth)),
        else_=_plain(word, Kind.TEXT, left.written, right.written),
    )


def _is_word(kind: Sql, wanted: Kind) -> Sql:
    return kind.in_([literal_column(f"'{word}'") for word in JSON_KINDS[wanted]])


def _is_scalar(kind: Sql) -> Sql:
    return kind.not_in([literal_column("'array'"), literal_column("'object'")])


def _json_time(term: Term) -> Term:
    """Return the time that a text in JSON is, null when it is none."""
    return time(func.penstock_time(json_value(term, Kind.TEXT)))


def _read_time(term: Term) -> Term:
    return time(func.penstock_time(term.sql)) if term.kind is Kind.TEXT else term


def _in_array(tested: Term, array: Term) -> Sql:
    """Tell whether a JSON array holds a value; what is no array is compared itself."""
    is_array = json_kind(array) == literal_column("'array'")
    items = case((is_array, JsonPart(array.sql, about=(array.paths,))), else_=EmptyArray())
    row = JsonItems(items).table_valued("value", "type")
    item = _Value(
        row.c.type,
        ItemNumber(row.c.value),
        ItemTruth(row.c.value),
        ItemWritten(row.c.value, row.c.type),
        row.c.type == literal_column("'null'"),
    )
    if tested.kind is Kind.JSON:
        is_same = _pair_of_json(Operator.EQ, _value_of(tested), item)
    elif tested.kind is Kind.TEXT:
        is_same = and_(_is_scalar(item.kind), item.written == tested.sql)
    elif tested.kind in JSON_KINDS:
        value = item.number if tested.kind is Kind.NUMBER else item.truth
        is_same = and_(_is_word(item.kind, tested.kind), value == tested.sql)
    else:
        is_same = FALSE
    held: Select[Any] = select(literal_column("1")).where(is_same)
    return case(
        (and_(is_array, is_null(tested)), null()),
        (is_array, held.correlate_except(row).exists()),
        else_=compare(Operator.EQ, array, tested).sql,
    )


def _times(word: Operator, left: Term, right: Term) -> Sql:
    if left.end is None and right.end is None:
        return _SQL[word](left.sql, right.sql)
    return _spans(word, left, right)


def _spans(word: Operator, left: Term, right: Term) -> Sql:
    ours, theirs = as_span(left), as_span(right)
    assert ours is not None
    assert theirs is not None
    (s1, e1), (s2, e2) = ours, theirs
    if word is Operator.EQ:
        return and_(s1 == s2, e1 == e2)
    if word is Operator.NE:
        return or_(s1 != s2, e1 != e2)
    if word is Operator.GT:
        return and_(s1 >= e2, s1 > s2)
    if word is Operator.GE:
        return and_(s1 >= s2, e1 >= e2)
    if word is Operator.LT:
        return and_(e1 <= s2, s1 < s2)
    return and_(s1 <= s2, e1 <= e2)
