"""Families of values: what fits together, and what comes out of several."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from penstock.sql.language.calls import aggregate_names
from penstock.sql.signature import KIND_NAMES, Kind, Value

NUMBERS = {Kind.NUMBER, Kind.INTEGER, Kind.ANY}
TEXTS = {Kind.TEXT, Kind.JSON, Kind.ANY}


def common_kind(values: Sequence[Value]) -> Kind:
    """Return the kind of what may be any of some values, which are of one family."""
    kinds = [value.kind for value in values if value.kind is not Kind.ANY]
    if not kinds:
        return Kind.ANY
    return Kind.NUMBER if Kind.NUMBER in kinds else kinds[0]


def has_aggregate(node: exp.Expr) -> bool:
    """Tell whether an aggregate is called in it, apart from those with OVER."""
    if isinstance(node, (exp.Window, exp.Query)):
        return False
    if isinstance(node, exp.Anonymous) and str(node.this).upper() in aggregate_names():
        return True
    return any(has_aggregate(part) for part in node.iter_expressions())


def family(kind: Kind) -> str:
    """Return the name of what values of a kind can be compared with."""
    if kind in NUMBERS:
        return "numbers"
    return {Kind.TEXT: "texts", Kind.JSON: "texts", Kind.TIME: "times"}.get(kind, KIND_NAMES[kind])


def common_unit(values: Sequence[Value]) -> str | None:
    """Return the unit that values share; numbers that are written out take that of the others."""
    units = {value.unit for value in values if value.literal is None and value.kind is not Kind.ANY}
    return units.pop() if len(units) == 1 else None
