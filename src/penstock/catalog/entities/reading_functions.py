"""The functions of filters as SQL (OGC 18-088 tables 24 to 27).

What databases lack begins with `penstock_`, see `dialects.words`. Arguments of the wrong kind give
null.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, case, func, literal_column, or_, type_coerce

from penstock.catalog.dialects.words import CalendarPart, Ends, Instr, Place, Trimmed
from penstock.catalog.entities.reading_tables import Sql
from penstock.catalog.entities.reading_terms import (
    NOTHING,
    Kind,
    Term,
    as_kind,
    as_span,
    duration,
    number,
    text,
    time,
    truth,
)
from penstock.core.errors import InvalidInput
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

Function = Callable[..., Term]

_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_SECOND_US = 1_000_000


def call(name: str, arguments: Sequence[Term], at: int) -> Term:
    """Return what a function gives.

    Raises:
        InvalidInput: There is no such function, or it takes another number of arguments.
    """
    known = FUNCTIONS.get(name)
    if known is None:
        msg = f"there is no function {name!r} (at position {at}); there are {', '.join(FUNCTIONS)}"
        raise InvalidInput(msg)
    least, most, function = known
    if not least <= len(arguments) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        msg = f"{name} takes {wanted} arguments and got {len(arguments)} (at position {at})"
        raise InvalidInput(msg)
    if name == "during" and arguments[1].kind is Kind.TIME and arguments[1].end is None:
        msg = f"the second argument of during has to be an interval (at position {at})"
        raise InvalidInput(msg)
    return function(*arguments)


def _of(result: Callable[[Sql], Term], *kinds: Kind) -> Callable[[Callable[..., Sql]], Function]:
    """Make a function of terms from one of SQL: null where an argument is of another kind."""

    def make(function: Callable[..., Sql]) -> Function:
        def call_it(*arguments: Term) -> Term:
            values = [as_kind(term, kind) for term, kind in zip(arguments, kinds, strict=False)]
            if any(value is None for value in values):
                return NOTHING
            return result(function(*values))

        return call_it

    return make


def _substring(whole: Sql, start: Sql, count: Sql | None = None) -> Sql:
    first = Place(start) + 1
    if count is None:
        return func.substr(whole, first)
    return func.substr(whole, first, Place(count))


def _starts(whole: Sql, part: Sql) -> Sql:
    return func.substr(whole, 1, func.length(part)) == part


def _holds(whole: Sql, part: Sql) -> Sql:
    return Instr(whole, part) > 0


def _modulo(of: Sql, length: int) -> Sql:
    """Return what is left over, never negative: SQL's own has the sign of the left side."""
    per: Sql = literal_column(str(length), BigInteger)
    return (type_coerce(of, BigInteger) % per + per) % per


def _quotient(of: Sql, size: int) -> Sql:
    """Divide without a rest: neither side is negative."""
    return type_coerce(of, BigInteger) // literal_column(str(size), BigInteger)


def _on_time(part: Callable[[Sql], Sql], result: Callable[[Sql], Term] = number) -> Function:
    def call_it(term: Term) -> Term:
        return result(part(term.sql)) if term.kind is Kind.TIME else NOTHING

    return call_it


def _calendar(letter: str) -> Function:
    """Return a part of the date: `Y`, `m` or `d`."""

    def part(us: Sql) -> Sql:
        day = (us - _modulo(us, _DAY_US)).self_group().op("/")(literal_column(str(_DAY_US)))
        return CalendarPart(day, about=(letter,))

    return _on_time(part)


def _clock(size: int, within: int) -> Function:
    """Return hours, minutes or seconds: how often `size` is in what `within` leaves over."""
    return _on_time(lambda us: _modulo(us, within).self_group().op("/")(literal_column(str(size))))


def _on_spans(test: Callable[[Sql, Sql, Sql, Sql], Sql]) -> Function:
    """Make a function that compares two times, each a start and an end."""

    def call_it(left: Term, right: Term) -> Term:
        ours, theirs = as_span(left), as_span(right)
        if ours is None or theirs is None:
            return NOTHING
        return truth(test(*ours, *theirs))

    return call_it


def _instants_or(
    instants: Callable[[Any, Any], Any], test: Callable[[Sql, Sql, Sql, Sql], Sql]
) -> Function:
    """Compare two points in time plainly, so that an index can be used."""
    spans = _on_spans(test)

    def call_it(left: Term, right: Term) -> Term:
        if left.kind is right.kind is Kind.TIME and left.end is None and right.end is None:
            return truth(instants(left.sql, right.sql))
        return spans(left, right)

    return call_it


def _relation(name: str) -> Function:
    return _of(truth, Kind.GEOMETRY, Kind.GEOMETRY)(
        lambda left, right: func.penstock_relation(name, left, right)
    )


_TEXT, _NUMBER, _SHAPE = Kind.TEXT, Kind.NUMBER, Kind.GEOMETRY
_two_texts = _of(truth, _TEXT, _TEXT)
_one_text = _of(text, _TEXT)
_one_number = _of(number, _NUMBER)

FUNCTIONS: Mapping[str, tuple[int, int, Function]] = {
    "substringof": (2, 2, _two_texts(lambda part, whole: _holds(whole, part))),
    "contains": (2, 2, _two_texts(_holds)),
    "startswith": (2, 2, _two_texts(_starts)),
    "endswith": (2, 2, _two_texts(Ends)),
    "length": (1, 1, _of(number, _TEXT)(func.length)),
    "indexof": (2, 2, _of(number, _TEXT, _TEXT)(Instr)),
    "substring": (2, 3, _of(text, _TEXT, _NUMBER, _NUMBER)(_substring)),
    "tolower": (1, 1, _one_text(func.penstock_lower)),
    "toupper": (1, 1, _one_text(func.penstock_upper)),
    "trim": (1, 1, _one_text(lambda whole: Trimmed(whole, " \t\n\r\v\f"))),
    "concat": (2, 2, _of(text, _TEXT, _TEXT)(lambda left, right: left.op("||")(right))),
    "year": (1, 1, _calendar("Y")),
    "month": (1, 1, _calendar("m")),
    "day": (1, 1, _calendar("d")),
    "hour": (1, 1, _clock(_HOUR_US, _DAY_US)),
    "minute": (1, 1, _clock(_MINUTE_US, _HOUR_US)),
    "second": (1, 1, _clock(_SECOND_US, _MINUTE_US)),
    "fractionalseconds": (1, 1, _on_time(lambda us: _modulo(us, _SECOND_US) / 1e6)),
    "date": (1, 1, _on_time(lambda us: us - _modulo(us, _DAY_US), time)),
    "time": (1, 1, _on_time(lambda us: _modulo(us, _DAY_US), duration)),
    "totaloffsetminutes": (1, 1, _on_time(lambda us: case((us.is_not(None), 0)))),
    "now": (0, 0, lambda: time(bindparam("now", type_=BigInteger()))),
    "mindatetime": (0, 0, lambda: time(literal_column(str(MIN_TIME_US)))),
    "maxdatetime": (0, 0, lambda: time(literal_column(str(MAX_TIME_US - 1)))),
    "before": (2, 2, _instants_or(operator.lt, lambda s, e, s2, _: and_(e <= s2, s < s2))),
    "after": (2, 2, _instants_or(operator.gt, lambda s, _, s2, e2: and_(s >= e2, s > s2))),
    "meets": (2, 2, _on_spans(lambda s, e, s2, e2: or_(s == e2, e == s2))),
    "during": (2, 2, _on_spans(lambda s, e, s2, e2: and_(s2 <= s, s < e2, e <= e2))),
    "overlaps": (2, 2, _on_spans(lambda s, e, s2, e2: or_(and_(s < e2, s2 < e), s == s2))),
    "starts": (2, 2, _on_spans(lambda s, _, s2, __: s == s2)),
    "finishes": (2, 2, _on_spans(lambda _, e, __, e2: e == e2)),
    "round": (1, 1, _one_number(func.penstock_round)),
    "floor": (1, 1, _one_number(func.penstock_floor)),
    "ceiling": (1, 1, _one_number(func.penstock_ceiling)),
    "geo.distance": (2, 2, _of(number, _SHAPE, _SHAPE)(func.penstock_distance)),
    "geo.length": (1, 1, _of(number, _SHAPE)(func.penstock_length)),
    "geo.intersects": (2, 2, _relation("intersects")),
    **{
        f"st_{name}": (2, 2, _relation(name))
        for name in (
            "equals", "disjoint", "touches", "within", "overlaps", "crosses", "intersects",
            "contains",
        )
    },
    "st_relate": (3, 3, _of(truth, _SHAPE, _SHAPE, _TEXT)(func.penstock_relates)),
}  # fmt: skip
