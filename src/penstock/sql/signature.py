"""What the language knows of values and functions: one shape, so that every table of them adds up.

A function is a rule that makes DuckDB SQL of the SQL of its arguments. Nothing else gets there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a value is, by the type that DuckDB holds it in."""

    NUMBER = "DOUBLE"
    INTEGER = "BIGINT"
    TRUTH = "BOOLEAN"
    TEXT = "VARCHAR"
    #: JSON, kept as its text.
    JSON = "JSON"
    #: UTC, microseconds, without a zone.
    TIME = "TIMESTAMP"
    INTERVAL = "INTERVAL"
    NUMBERS = "DOUBLE[]"
    TEXTS = "VARCHAR[]"
    #: The kind of the `NULL` literal; in a signature: any kind.
    ANY = "ANY"

    @property
    def duckdb(self) -> str:
        """Name of the type for a cast."""
        return "VARCHAR" if self in {Kind.JSON, Kind.ANY} else self.value


#: Kinds, for people.
KIND_NAMES = {
    Kind.NUMBER: "a number", Kind.INTEGER: "a whole number", Kind.TRUTH: "true or false",
    Kind.TEXT: "a text", Kind.JSON: "JSON", Kind.TIME: "a time", Kind.INTERVAL: "an interval",
    Kind.NUMBERS: "a list of numbers", Kind.TEXTS: "a list of texts", Kind.ANY: "NULL",
}  # fmt: skip

#: `Value.unit` of what has the unit of the source's rows; which that is shows when it runs.
SOURCE_UNIT = ""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a time lies from the event time of its row: between `lo` and `hi` microseconds."""

    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Value:
    """An expression that was understood.

    Attributes:
        sql: It, for DuckDB, safe to put between operators.
        kind: What it gives.
        unit: Symbol of its unit, `SOURCE_UNIT`, or None when it has none.
        literal: What it is, if it is written out (`str`, `int`, `float`, `bool`), else None.
        uses: Columns of inputs that it depends on: (number of the input, column).
        time: If it is a time attribute, where it lies from the event time of the row.
        key: Number of the group key that it is, or None.
        edge: `window_start`, `window_end` or `window_time` if it is one of its window, or "".
    """

    sql: str
    kind: Kind
    unit: str | None = None
    literal: str | float | bool | None = None
    uses: frozenset[tuple[int, str]] = frozenset()
    time: Shift | None = None
    key: int | None = None
    edge: str = ""

    def computed(self, sql: str, kind: Kind, unit: str | None = None) -> Value:
        """Return what was made of this value alone."""
        return replace(
            self, sql=sql, kind=kind, unit=unit, literal=None, time=None, key=None, edge=""
        )


@dataclass(frozen=True, slots=True)
class Merge:
    """How an aggregate over parts of some rows makes the one over all of them.

    Attributes:
        parts: Templates of aggregates over the rows of a part, as `Function.sql`.
        whole: Template of the aggregate over the parts; `{0}`, `{1}`, ... are what `parts` gave.
    """

    parts: tuple[str, ...]
    whole: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    Attributes:
        takes: Kinds of its arguments; `NUMBER` takes an `INTEGER` too, `TEXT` a `JSON` too.
        gives: Kind of its value; None for that of its first argument.
        sql: Template with `{0}`, `{1}`, ... and `{args}` for all, with commas; or a function that
            makes the value of the values given, and raises `ValueError` with what is wrong with
            them and what to write instead. What both return must be safe between operators.
        needs: How many arguments must be given; None for all of `takes`.
        is_variadic: The last of `takes` may be given any number of times.
        is_aggregate: It makes one value of many rows.
        is_ordered: An aggregate whose value depends on the order of the rows: its SQL contains
            `{order}`, which becomes `ORDER BY` event time and what breaks ties.
        keeps_unit: Its value has the unit of its first argument.
        merge: How it follows from parts of the rows; None when it does not.
        example: A call of it, for people.
    """

    takes: tuple[Kind, ...]
    gives: Kind | None
    sql: str | Callable[[Sequence[Value]], Value]
    needs: int | None = None
    is_variadic: bool = False
    is_aggregate: bool = False
    is_ordered: bool = False
    keeps_unit: bool = False
    merge: Merge | None = None
    example: str = ""


#: Stands in the SQL of an aggregate behind each call of DuckDB's, where `FILTER` and `OVER` go,
#: when that is not its end. A comment, and no quoted text or name can hold it: quotes are doubled
#: there.
CALL_END = "/*'\"call*/"


def followed(sql: str, clause: str) -> str:
    """Return the SQL of an aggregate with a `FILTER` or `OVER` behind it."""
    if CALL_END in sql:
        return sql.replace(CALL_END, f" {clause}{CALL_END}")
    return f"{sql} {clause}"


#: Functions by name, in capitals.
Functions = Mapping[str, Function]
