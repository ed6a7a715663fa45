"""Comparisons as SQL: by kind, three-valued, intervals of time as FROST compares them.

With a side that is null the answer is unknown, unless that side is the word null. Values of
different kinds are not equal and in no order. Text against a number or truth that is no literal
compares the texts, as FROST and the OGC's test suite have it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, and_, case, func, literal_column, null, or_, select

from penstock.catalog.entities.reading_tables import Sql
from penstock.catalog.entities.reading_terms import (
    FALSE,
    JSON_KINDS,
    NOTHING,
    TRUE,
    Kind,
    Term,
    as_kind,
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
    if left.kind is right.kind is Kind.TIME:
        return truth(_times(word, left, right))
    if left.kind is right.kind and left.kind in _PLAIN:
        return truth(_SQL[word](left.sql, right.sql))
    if _is_text_against_value(left, right):
        return truth(_SQL[word](_plain_text(left), _plain_text(right)))
    return truth(_unequal(word, left, right))


def is_in(tested: Term, choices: Sequence[Term]) -> Term:
    """Return whether a value is one of several, or in the JSON array that the only one is."""
    if len(choices) == 1 and choices[0].kind is Kind.MEMBERS:
        chosen = select(func.json_each(choices[0].sql).table_valued("value").c.value)
        return truth(tested.sql.in_(chosen)) if tested.kind is Kind.NUMBER else truth(FALSE)
    if len(choices) == 1 and choices[0].kind is Kind.JSON and not choices[0].is_literal:
        return truth(_in_array(tested, choices[0]))
    if tested.kind in _PLAIN and all(one.kind is tested.kind for one in choices):
        return truth(tested.sql.in_([one.sql for one in choices]))
    parts = [compare(Operator.EQ, tested, one) for one in choices]
    return truth(or_(*(part.sql for part in parts)))


def _with_null(word: Operator, left: Term, right: Term) -> Term:
    if word not in (Operator.EQ, Operator.NE):
        return NOTHING
    other = right if left.kind is Kind.NULL else left
    found = is_null(other)
    return truth(found if word is Operator.EQ else ~found)


def _is_text_against_value(left: Term, right: Term) -> bool:
    """Tell whether one side is text and the other a number or truth that was not written down."""
    text, other = (left, right) if left.kind is Kind.TEXT else (right, left)
    return (
        text.kind is Kind.TEXT
        and other.kind in (Kind.NUMBER, Kind.TRUTH, Kind.JSON)
        and not other.is_literal
    )


def _plain_text(term: Term) -> Sql:
    if term.kind is Kind.TRUTH:
        return case((term.sql, "true"), (~term.sql, "false"))
    if term.kind is Kind.NUMBER:
        return func.penstock_number_text(term.sql)
    return term.sql


def _unequal(word: Operator, left: Term, right: Term) -> Sql:
    """Return the answer for values of different kinds: unknown where one is null."""
    answer = TRUE if word is Operator.NE else FALSE
    return case((or_(is_null(left), is_null(right)), null()), else_=answer)


def _json(word: Operator, left: Term, right: Term) -> Sql:
    if left.kind is not Kind.JSON:
        return _json(_TURNED.get(word, word), right, left)
    if right.kind is Kind.JSON:
        return _json_pair(word, left, right)
    if right.kind is Kind.TEXT:
        return _SQL[word](json_text(left), right.sql)
    if right.kind is Kind.TIME:
        return _times(word, _json_time(left), right)
    if right.kind not in JSON_KINDS:
        return _unequal(word, left, right)
    different = TRUE if word is Operator.NE else FALSE
    same = _SQL[word](json_value(left), right.sql)
    return case((is_null(left), null()), (is_json_of(left, right.kind), same), else_=different)


def _json_pair(word: Operator, left: Term, right: Term) -> Sql:
    """Compare two JSON values: those of one kind as such, others by their texts."""
    are_numbers = and_(is_json_of(left, Kind.NUMBER), is_json_of(right, Kind.NUMBER))
    return case(
        (or_(is_null(left), is_null(right)), null()),
        (are_numbers, _SQL[word](json_value(left), json_value(right))),
        else_=_SQL[word](json_text(left), json_text(right)),
    )


def _json_time(term: Term) -> Term:
    """Return the time that a text in JSON is, null when it is none."""
    value = as_kind(term, Kind.TEXT)
    assert value is not None
    return time(func.penstock_time(value))


def _in_array(tested: Term, array: Term) -> Sql:
    """Tell whether a JSON array holds a value; what is no array is compared itself."""
    is_array = json_kind(array) == literal_column("'array'")
    items = case((is_array, json_value(array)), else_=literal_column("'[]'"))
    item = func.json_each(items).table_valued("value", "type")
    words: list[Sql] = [literal_column(f"'{word}'") for word in JSON_KINDS.get(tested.kind, ())]
    if tested.kind is Kind.JSON:
        is_same = item.c.type == json_kind(tested)
        value = json_value(tested)
    elif words:
        is_same, value = item.c.type.in_(words), tested.sql
    else:
        return FALSE
    held: Select[Any] = select(literal_column("1")).where(is_same, item.c.value == value)
    itself = compare(Operator.EQ, array, tested).sql
    return case(
        (or_(is_null(array), is_null(tested)), null()),
        (is_array, held.correlate_except(item).exists()),
        else_=itself,
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
