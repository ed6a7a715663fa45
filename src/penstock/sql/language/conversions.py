"""Conversions: casts, parts of times, rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.sql.language import literals, ranges
from penstock.sql.language.families import NUMBERS
from penstock.sql.language.places import did_you_mean
from penstock.sql.language.relations import text
from penstock.sql.signature import Kind, Value

if TYPE_CHECKING:
    from penstock.sql.language.expressions import Expressions

#: Units and parts of times.
TIME_UNITS = {
    "MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER",
    "YEAR", "DOW", "DOY", "EPOCH", "ISODOW",
}  # fmt: skip


def cast(expressions: Expressions, node: exp.Cast) -> Value:
    """Understand `CAST`; what cannot be cast is NULL."""
    value = expressions.value(node.this)
    kind = literals.kind_of_type(expressions.context, node.args["to"])
    is_text = value.kind in {Kind.TEXT, Kind.JSON}
    if kind is None:
        sql = ranges.moment(value.sql) if is_text else f"TRY_CAST({value.sql} AS TIMESTAMP)"
        return value.computed(f"date_trunc('day', {ranges.time(sql)})", Kind.TIME)
    if value.literal is not None and value.kind is Kind.TEXT and kind is Kind.TIME:
        return expressions.time_of_literal(value, node)
    unit = value.unit if kind in NUMBERS else None
    sql = f"TRY_CAST({value.sql} AS {kind.duckdb})"
    if kind is Kind.TIME and value.kind is not Kind.TIME:
        sql = ranges.time(ranges.moment(value.sql) if is_text else sql)
    if kind is Kind.NUMBER:
        digits = _digits(expressions, node)
        sql = sql if digits is None else f"round({sql}, {digits})"
    if kind is Kind.INTEGER and value.kind in {Kind.NUMBER, Kind.TEXT}:
        # As in Flink, towards zero; DuckDB rounds.
        sql = f"TRY_CAST(trunc(TRY_CAST({value.sql} AS DOUBLE)) AS BIGINT)"
    return value.computed(sql, kind, unit)


def _digits(expressions: Expressions, node: exp.Cast) -> int | None:
    """Return how many digits a `DECIMAL(p, s)` keeps; None for all."""
    sizes = [size.name for size in node.args["to"].expressions]
    if not sizes or node.args["to"].this != exp.DType.DECIMAL:
        return None
    numbers = [int(size) if size.isdigit() and len(size) < 4 else -1 for size in (*sizes, "0")]
    if not (1 <= numbers[0] <= 38 and 0 <= numbers[1] <= numbers[0] and len(sizes) <= 2):
        msg = "DECIMAL(p, s) has 1 to 38 digits, and at most all of them behind the point"
        raise expressions.context.refuse(node, msg)
    return numbers[1]


def extract(expressions: Expressions, node: exp.Extract) -> Value:
    """Understand `EXTRACT(HOUR FROM time)`."""
    unit = node.this.name.upper()
    if unit not in TIME_UNITS:
        msg = f"EXTRACT has no `{unit}`.{did_you_mean(unit, TIME_UNITS)}"
        raise expressions.context.refuse(node, msg)
    value = expressions.of_kind(node.expression, {Kind.TIME}, "a time")
    part = {"DOW": "dow", "ISODOW": "isodow"}.get(unit, unit.lower())
    return value.computed(
        f"CAST(floor(date_part({text(part)}, {value.sql})) AS BIGINT)", Kind.INTEGER
    )


def rounded(expressions: Expressions, node: exp.Floor | exp.Ceil) -> Value:
    """Understand `FLOOR` and `CEIL`, of a number or of a time to a unit."""
    word = "floor" if isinstance(node, exp.Floor) else "ceil"
    to = node.args.get("to")
    if to is None:
        value = expressions.of_kind(node.this, NUMBERS, "a number")
        return value.computed(f"{word}({value.sql})", value.kind, value.unit)
    unit = to.name.upper()
    if unit not in TIME_UNITS - {"DOW", "DOY", "EPOCH", "ISODOW"}:
        raise expressions.context.refuse(
            to, f"times have no `{unit}`.{did_you_mean(unit, TIME_UNITS)}"
        )
    value = expressions.of_kind(node.this, {Kind.TIME}, "a time")
    down = f"date_trunc({text(unit.lower())}, {{}})".format
    if word == "floor":
        return value.computed(down(value.sql), Kind.TIME)
    step = "to_milliseconds(1)" if unit == "MILLISECOND" else f"INTERVAL 1 {unit}"
    # A microsecond before, so that what is a whole unit already stays where it is.
    return value.computed(f"({down(f'{value.sql} - to_microseconds(1)')} + {step})", Kind.TIME)
