"""Operators: arithmetic, texts that are put together, patterns."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from penstock.sql.language import ranges
from penstock.sql.language.families import NUMBERS, TEXTS, common_unit
from penstock.sql.language.relations import text, together
from penstock.sql.signature import KIND_NAMES, Kind, Value

if TYPE_CHECKING:
    from penstock.sql.language.expressions import Expressions

ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
}  # fmt: skip

_TIME_ARITHMETIC = {
    (Kind.TIME, "+", Kind.INTERVAL): Kind.TIME,
    (Kind.INTERVAL, "+", Kind.TIME): Kind.TIME,
    (Kind.TIME, "-", Kind.INTERVAL): Kind.TIME,
    (Kind.TIME, "-", Kind.TIME): Kind.INTERVAL,
    (Kind.INTERVAL, "+", Kind.INTERVAL): Kind.INTERVAL,
    (Kind.INTERVAL, "-", Kind.INTERVAL): Kind.INTERVAL,
}


def negative(expressions: Expressions, node: exp.Neg) -> Value:
    """Understand `-x`."""
    value = expressions.of_kind(node.this, NUMBERS | {Kind.INTERVAL}, "a number")
    sql = f"(-{value.sql})"
    if value.kind is Kind.INTEGER and value.literal is None:
        sql = ranges.whole(f"-{ranges.wide(value.sql)}")
    made = value.computed(sql, value.kind, value.unit)
    if isinstance(value.literal, (int, float)):
        return replace(made, literal=-value.literal)
    return made


def arithmetic(expressions: Expressions, node: exp.Expr) -> Value:
    """Understand `+ - * / %`: what does not fit is NULL rather than the end of the app."""
    left, right = expressions.value(node.this), expressions.value(node.expression)
    sign, uses = ARITHMETIC[type(node)], together((left, right))
    kinds = (left.kind, right.kind)
    if (sign in "+-" and Kind.INTERVAL in kinds) or kinds == (Kind.TIME, Kind.TIME):
        kind = _TIME_ARITHMETIC.get((left.kind, sign, right.kind))
        if kind is not None:
            return Value(f"({left.sql} {sign} {right.sql})", kind, uses=uses)
    if left.kind not in NUMBERS or right.kind not in NUMBERS:
        wrong = node.this if left.kind not in NUMBERS else node.expression
        kind = left.kind if left.kind not in NUMBERS else right.kind
        msg = f"`{sign}` wants numbers, and this is {KIND_NAMES[kind]}"
        raise expressions.context.refuse(wrong, msg)
    is_whole = kinds == (Kind.INTEGER, Kind.INTEGER)
    kind = Kind.INTEGER if is_whole else Kind.NUMBER
    if sign in "/%":
        # As in Flink, whole numbers divide to whole ones; by zero gives NULL.
        if sign == "/" and is_whole:
            sql = ranges.whole(f"{ranges.wide(left.sql)} // nullif({right.sql}, 0)")
            return Value(sql, kind, uses=uses)
        return Value(f"({left.sql} {sign} nullif({right.sql}, 0))", kind, uses=uses)
    unit = common_unit((left, right)) if sign in "+-" else None
    if is_whole:
        sql = ranges.whole(f"{ranges.wide(left.sql)} {sign} {right.sql}")
        return Value(sql, kind, unit=unit, uses=uses)
    return Value(f"({left.sql} {sign} {right.sql})", kind, unit=unit, uses=uses)


def concatenated(expressions: Expressions, node: exp.DPipe) -> Value:
    """Understand `||`."""
    parts = [expressions.of_kind(part, TEXTS, "a text") for part in node.flatten()]
    sql = ranges.text(" || ".join(part.sql for part in parts))
    return Value(sql, Kind.TEXT, uses=together(parts))


def like(expressions: Expressions, node: exp.Like) -> Value:
    """Understand `LIKE` and `NOT LIKE`."""
    return _matched(expressions, node, "")


def escaped(expressions: Expressions, node: exp.Escape) -> Value:
    """Understand `LIKE ... ESCAPE '!'`."""
    sign, matched = node.expression, node.this
    if not isinstance(matched, exp.Like):
        raise expressions.context.refuse(node, "ESCAPE belongs behind LIKE")
    if not isinstance(sign, exp.Literal) or not sign.is_string or len(sign.name) != 1:
        msg = "behind ESCAPE comes one character in quotes, as in `LIKE 'a!%' ESCAPE '!'`"
        raise expressions.context.refuse(sign, msg)
    return _matched(expressions, matched, sign.name)


def _matched(expressions: Expressions, node: exp.Like, escape: str) -> Value:
    left = expressions.of_kind(node.this, TEXTS, "a text")
    right = expressions.of_kind(node.expression, TEXTS, "a text")
    pattern, suffix = right.sql, ""
    if escape:
        if not isinstance(right.literal, str):
            # A pattern that ends in its escape has no meaning, and would stop the query.
            msg = "with ESCAPE, the pattern must be written out"
            raise expressions.context.refuse(node.expression, msg)
        if re.search(rf"^(?:[^{re.escape(escape)}]|{re.escape(escape)}.)*$", right.literal,
                     re.DOTALL) is None:  # fmt: skip
            msg = f"behind `{escape}` one more character is wanted in the pattern"
            raise expressions.context.refuse(node.expression, msg)
        suffix = f" ESCAPE {text(escape)}"
    word = "NOT LIKE" if node.args.get("negate") else "LIKE"
    sql = f"({left.sql} {word} {pattern}{suffix})"
    return Value(sql, Kind.TRUTH, uses=together((left, right)))
