"""Values within conditions: SQL together with the kind of value that it gives.

Nothing converts from one kind to another: what is of the wrong kind is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Text,
    bindparam,
    case,
    cast,
    literal_column,
    null,
)
from sqlalchemy.types import TypeEngine

from penstock.catalog.dialects.words import (
    Exact,
    Given,
    JsonAbsent,
    JsonDocument,
    JsonInOrder,
    JsonKind,
    JsonNumber,
    JsonShown,
    JsonText,
    JsonTruth,
    JsonWritten,
    Steps,
)
from penstock.catalog.entities.reading_shapes import Slot
from penstock.catalog.entities.reading_tables import Sql
from penstock.core.errors import NotSupported


class Kind(Enum):
    """What a value is."""

    NULL = "null"
    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    TIME = "time"
    DURATION = "duration"
    GEOMETRY = "geometry"
    #: A JSON value, of any kind in each row.
    JSON = "json"
    #: A set of whole numbers, or of texts, as a JSON array.
    MEMBERS = "members"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Term:
    """A value.

    Attributes:
        kind: What it is.
        sql: The value; of an interval its start; of JSON the document.
        end: The end of an interval, when it may be one.
        paths: Of JSON: where in the document; more than one where an item may be of an array or of
            an object, of which at most one is there.
        is_literal: It was written down, and is no property.
    """

    kind: Kind
    sql: Sql
    end: Sql | None = None
    paths: tuple[Steps, ...] = ()
    is_literal: bool = False


#: A value that is not there.
NOTHING = Term(Kind.NULL, null())
#: The word null.
NULL = Term(Kind.NULL, null(), is_literal=True)
TRUE, FALSE = literal_column("1") == literal_column("1"), literal_column("1") == literal_column("0")


def number(sql: Sql) -> Term:
    """Return a number."""
    return Term(Kind.NUMBER, sql)


def text(sql: Sql) -> Term:
    """Return a text."""
    return Term(Kind.TEXT, sql)


def truth(sql: Sql) -> Term:
    """Return true, false or null."""
    return Term(Kind.TRUTH, sql)


def time(start: Sql, end: Sql | None = None) -> Term:
    """Return a point in time, or an interval, microseconds."""
    return Term(Kind.TIME, start, end)


def duration(sql: Sql) -> Term:
    """Return a length of time, microseconds."""
    return Term(Kind.DURATION, sql)


#: What kinds of literals are to the database; numbers are whole or not by their value.
_TYPES: dict[str, TypeEngine[Any]] = {
    "number": Given(),
    "text": Text(),
    "geometry": Text(),
    "members": Text(),
    "texts": Text(),
    "truth": Boolean(),
    "time": BigInteger(),
    "span": BigInteger(),
    "duration": BigInteger(),
}


def of_slot(slot: Slot) -> Term:
    """Return the value of a literal."""
    if slot.kind == "null":
        return NULL
    type_ = _TYPES.get(slot.kind)
    value: Sql = bindparam(f"v{slot.first}", type_=type_)
    if slot.kind == "span":
        end = bindparam(f"v{slot.first + 1}", type_=type_)
        return Term(Kind.TIME, value, end, is_literal=True)
    return Term(Kind(slot.kind), value, is_literal=True)


def of_json(document: Sql, path: Sequence[str], at: int) -> Term:
    """Return what is at a path of a JSON document.

    Raises:
        NotSupported: The name of a member holds a quotation mark or backslash.
    """
    paths: list[Steps] = [()]
    for name in path:
        if '"' in name or "\\" in name:
            msg = f"members called {name!r} cannot be asked for (at position {at})"
            raise NotSupported(msg)
        steps: list[str | int] = [name, *([int(name)] if _INDEX.fullmatch(name) else [])]
        paths = [(*start, step) for start in paths for step in steps]
        if len(paths) > _MOST_PATHS:
            msg = f"a path with so many numbers cannot be followed (at position {at})"
            raise NotSupported(msg)
    return Term(Kind.JSON, document, paths=tuple(paths))


#: Steps that count in an array; with more digits they count further than any array is long.
_INDEX = re.compile(r"[0-9]{1,9}")

#: A number may be an item of an array or a member of an object; more than three of them in a path
#: would make long statements.
_MOST_PATHS = 8


def json_value(term: Term, kind: Kind) -> Sql:
    """Return a JSON value that is of a kind; where it is of another one, anything."""
    return _JSON_VALUES[kind](term.sql, about=(term.paths,))


_JSON_VALUES = {Kind.NUMBER: JsonNumber, Kind.TEXT: JsonText, Kind.TRUTH: JsonTruth}


def json_kind(term: Term) -> Sql:
    """Return SQLite's word for the kind of a JSON value; null when it is missing."""
    return JsonKind(term.sql, about=(term.paths,))


#: What SQLite calls JSON values of the kinds that have a counterpart here.
JSON_KINDS = {
    Kind.NUMBER: ("integer", "real"),
    Kind.TEXT: ("text",),
    Kind.TRUTH: ("true", "false"),
}


def is_json_of(term: Term, kind: Kind) -> Sql:
    """Tell whether a JSON value is of a kind; null when it is missing."""
    words: list[Sql] = [literal_column(f"'{word}'") for word in JSON_KINDS[kind]]
    return json_kind(term).in_(words)


def json_text(term: Term) -> Sql:
    """Return a JSON value as it is written, text without quotation marks."""
    return JsonWritten(term.sql, about=(term.paths,))


def as_kind(term: Term, kind: Kind) -> Sql | None:
    """Return the value if it is of a kind, else null; None when it never is."""
    if term.kind is kind:
        return term.sql
    if term.kind is Kind.JSON and kind in JSON_KINDS:
        return case((is_json_of(term, kind), json_value(term, kind)))
    if term.kind is Kind.JSON and kind is Kind.GEOMETRY:
        document = JsonDocument(term.sql, about=(term.paths,))
        if term.paths == ((),):
            return document
        return case((json_kind(term) == literal_column("'object'"), document))
    return None


def as_span(term: Term) -> tuple[Sql, Sql] | None:
    """Return start and end of a time; None when it is none."""
    if term.kind is not Kind.TIME:
        return None
    return term.sql, term.sql if term.end is None else term.end


def is_null(term: Term) -> Sql:
    """Tell whether there is no value."""
    if term.kind is Kind.NULL:
        return TRUE
    if term.kind is Kind.JSON:
        return JsonAbsent(term.sql, about=(term.paths,))
    return term.sql.is_(null())


def default(term: Term) -> tuple[Sql, Callable[[Sql], Sql]]:
    """Return the value whatever it is, and what makes such values greater or less than others."""
    if term.kind is Kind.JSON:
        return JsonShown(term.sql, about=(term.paths,)), JsonInOrder
    if term.kind is Kind.NULL:
        return cast(null(), Text), Exact
    return term.sql, Exact if term.kind in (Kind.TEXT, Kind.GEOMETRY) else _itself


def _itself(value: Sql) -> Sql:
    return value
