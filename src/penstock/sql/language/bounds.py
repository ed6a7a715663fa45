"""Which rows of an input a `WHERE` leaves, by its conditions on time."""

from __future__ import annotations

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.literals import moment_us
from penstock.sql.language.relations import Scope
from penstock.sql.signature import Shift

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ,
}  # fmt: skip


def narrow(context: Context, scope: Scope, condition: exp.Expr) -> None:
    """Note what a `WHERE` says of the times of inputs, where their rows stand on their own."""
    terms = condition.flatten() if isinstance(condition, exp.And) else [condition]
    for term in terms:
        if isinstance(term, exp.Between):
            _compare(context, scope, exp.GTE, term.this, term.args["low"])
            _compare(context, scope, exp.LTE, term.this, term.args["high"])
        elif type(term) in _FLIPPED:
            _compare(context, scope, type(term), term.this, term.expression)
            _compare(context, scope, _FLIPPED[type(term)], term.expression, term.this)


def _compare(
    context: Context, scope: Scope, form: type[exp.Expr], column: exp.Expr, other: exp.Expr
) -> None:
    us = _moment(other)
    if us is None or not isinstance(column, exp.Column):
        return
    matches = [
        (alias, value)
        for alias, value in scope.matches(column.name)
        if not column.table or alias.lower() == column.table.lower()
    ]
    if len(matches) != 1:
        return
    alias, value = matches[0]
    use = scope.relations[alias].use
    if use is None or value.time != Shift(0, 0):
        return
    start = us if form in {exp.GT, exp.GTE, exp.EQ} else None
    end = us + 1 if form in {exp.LT, exp.LTE, exp.EQ} else None
    context.narrow(use, start, end)


def _moment(node: exp.Expr) -> int | None:
    """Return a time that is written out, or None."""
    if isinstance(node, exp.Cast):
        node = node.this
    if not isinstance(node, exp.Literal) or not node.is_string:
        return None
    return moment_us(str(node.this))
