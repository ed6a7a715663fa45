"""What is written out in a query: numbers, texts, intervals, types."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.relations import microseconds, text
from penstock.sql.signature import Kind, Value

#: Microseconds in units of time, by the name that Flink gives them.
UNITS = {
    "MICROSECOND": 1,
    "MILLISECOND": 1_000,
    "SECOND": 1_000_000,
    "MINUTE": 60_000_000,
    "HOUR": 3_600_000_000,
    "DAY": 86_400_000_000,
    "WEEK": 604_800_000_000,
}

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_TYPES = {
    Kind.INTEGER: ("TINYINT", "SMALLINT", "INT", "BIGINT"),
    Kind.NUMBER: ("FLOAT", "DOUBLE", "DECIMAL"),
    Kind.TEXT: ("CHAR", "VARCHAR", "TEXT"),
    Kind.TRUTH: ("BOOLEAN",),
    Kind.TIME: ("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ", "TIMESTAMPNTZ"),
}


def literal(context: Context, node: exp.Literal) -> Value:
    """Understand a number or a text."""
    raw = str(node.this)
    if node.is_string:
        if "\0" in raw:
            raise context.refuse(node, "a text cannot hold the character 0")
        return Value(text(raw), Kind.TEXT, literal=raw)
    if raw.isdigit():
        if int(raw) >= 2**63:
            raise context.refuse(node, f"{raw} is too large; integers go up to {2**63 - 1}")
        return Value(str(int(raw)), Kind.INTEGER, literal=int(raw))
    try:
        number = float(raw)
    except ValueError:
        raise context.refuse(node, f"`{raw}` is no number") from None
    if not math.isfinite(number):
        raise context.refuse(node, f"{raw} is too large for a number")
    return Value(f"CAST('{number!r}' AS DOUBLE)", Kind.NUMBER, literal=number)


def interval_us(context: Context, node: exp.Expr | None, *, positive: bool = True) -> int:
    """Return the microseconds of an interval that is written out.

    Raises:
        InvalidQuery: It is none, has months or years, or is not above 0 where it must be.
    """
    if not isinstance(node, exp.Interval):
        raise context.refuse(node, "an interval is wanted here, as in `INTERVAL '10' SECOND`")
    amount, unit = node.this, node.args.get("unit")
    sign = 1
    if isinstance(amount, exp.Neg):
        sign, amount = -1, amount.this
    raw = amount.name if isinstance(amount, exp.Literal) else ""
    us = None
    if isinstance(unit, exp.IntervalSpan):
        us = _span(raw, unit.this.name.upper(), unit.expression.name.upper())
    elif unit is not None:
        us = _times(raw, unit.name.upper())
    if us is None:
        msg = (
            "this interval cannot be understood; write a number in quotes and MILLISECOND, SECOND,"
            " MINUTE, HOUR, DAY or WEEK, as in `INTERVAL '10' SECOND`"
        )
        raise context.refuse(node, msg)
    us *= sign
    if positive and us <= 0:
        raise context.refuse(node, "this interval must be longer than 0")
    if abs(us) > 10 * 366 * UNITS["DAY"]:
        raise context.refuse(node, "this interval is longer than ten years")
    return us


def interval(context: Context, node: exp.Interval) -> Value:
    """Understand an interval as a value."""
    return Value(
        microseconds(interval_us(context, node, positive=False)), Kind.INTERVAL, literal=None
    )


def kind_of_type(context: Context, node: exp.Expr) -> Kind | None:
    """Return the kind of a type that is written out; None for `DATE`."""
    name = str(getattr(node.this, "name", node.this)).upper()
    if name == "DATE":
        return None
    for kind, names in _TYPES.items():
        if name in names:
            return kind
    msg = (
        f"the type {node.sql()} is not known here; there are BOOLEAN, INT, BIGINT, DOUBLE,"
        " DECIMAL(p, s), STRING, DATE and TIMESTAMP(3)"
    )
    raise context.refuse(node, msg)


def moment_us(raw: str) -> int | None:
    """Return a time that is written out, microseconds UTC; UTC is meant where no offset stands."""
    try:
        moment = dt.datetime.fromisoformat(raw.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _times(raw: str, unit: str) -> int | None:
    one = UNITS.get(unit) or UNITS.get(unit.removesuffix("S"))
    try:
        amount = Decimal(raw.strip())
    except InvalidOperation:
        return None
    if one is None or not amount.is_finite() or abs(amount) > 10**13:
        return None
    return int(amount * one)


def _span(raw: str, first: str, last: str) -> int | None:
    """Return the microseconds of `'1:30' MINUTE TO SECOND` and others."""
    names = ["DAY", "HOUR", "MINUTE", "SECOND"]
    if first not in names or last not in names:
        return None
    units = names[names.index(first) : names.index(last) + 1]
    parts = [part for part in re.split(r"[ :]", raw.strip()) if part]
    if len(parts) != len(units):
        return None
    amounts = [_times(part, unit) for part, unit in zip(parts, units, strict=True)]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
