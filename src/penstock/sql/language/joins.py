"""Joins: every pair of rows lies within a distance in time that the condition bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.literals import interval_us
from penstock.sql.language.relations import (
    NO_TAG,
    From,
    Relation,
    Scope,
    quoted,
    together,
)
from penstock.sql.signature import Shift, Value

#: Columns of catalog tables that have each value once. Names of things are not among them, as two
#: systems may use one, nor symbols of units, which may be defined in several ways.
_UNIQUE = {"things": {"id"}, "datastreams": {"id"}}

_FORMS = (
    "equal windows (`ON a.window_start = b.window_start AND a.window_end = b.window_end`), an"
    " interval (`ON a.time BETWEEN b.time - INTERVAL '5' SECOND AND b.time + INTERVAL '5' SECOND`)"
    " or ASOF JOIN (`ON a.thing = b.thing AND a.time >= b.time`)"
)


def joined(context: Context, left: From, join: exp.Join, alias: str, right: Relation) -> From:
    """Return a `FROM` with one more relation.

    Raises:
        InvalidQuery: It is no join that has a bound.
    """
    if alias in left.scope.relations or alias == "__t":
        msg = "each relation of a join needs a name of its own: write AS and one behind it"
        raise context.refuse(join.this, msg)
    is_left = _is_left(context, join)
    scope = replace(left.scope, relations=left.scope.relations | {alias: right})
    terms = _terms(context, join)
    version = join.this.args.get("version")
    if str(join.args.get("method") or "").upper() == "ASOF" or version is not None:
        from penstock.sql.language.asof import as_of

        return as_of(context, left, join, alias, right, terms, is_left=is_left)
    if not terms and right.reach is not None and left.whole.reach is not None:
        raise context.refuse(join.this, f"this join has no bound; there are joins on {_FORMS}")
    on = "TRUE"
    if terms:
        conditions = Expressions(context, scope)
        values = [conditions.truth(term) for term in terms]
        context.use(together(values))
        on = " AND ".join(value.sql for value in values)
    word = "LEFT JOIN" if is_left else "JOIN"
    sql = f"{left.sql} {word} {right.sql} AS {quoted(alias)} ON {on}"
    pair = _Pair(context, left, alias, right, scope, terms, is_left=is_left)
    if right.reach is None:
        return _with_catalog(pair, sql)
    if left.whole.reach is None and not context.is_adhoc:
        msg = "put the observations first, and join the tables of the catalog to them"
        raise context.refuse(join.this, msg)
    if _has_equal_windows(pair):
        return _on_windows(pair, sql)
    return _on_interval(pair, sql, join)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both sides of a join, and its condition."""

    context: Context
    left: From
    alias: str
    right: Relation
    scope: Scope
    terms: list[exp.Expr]
    is_left: bool

    def value(self, node: exp.Expr) -> Value:
        return Expressions(self.context, self.scope).value(node)

    def is_right(self, node: exp.Expr) -> bool | None:
        """Tell which side an expression is of; None for both or neither."""
        return side_of(self.scope, self.alias, node)


def side_of(scope: Scope, alias: str, node: exp.Expr) -> bool | None:
    """Tell whether an expression is of the right side alone (True), or the left one (False)."""
    sides = set()
    for column in node.find_all(exp.Column):
        owner = column.table
        if not owner:
            matches = scope.matches(column.name)
            owner = matches[0][0] if len(matches) == 1 else ""
        sides.add(owner.lower() == alias.lower())
    return sides.pop() if len(sides) == 1 else None


def pair_hash(left: From, alias: str) -> str:
    """Return SQL of a number that tells pairs of rows apart."""
    name = quoted(alias)
    parts = [left.hidden[0], left.hidden[2], left.hidden[3]]
    parts += [f"{name}.__time", f"{name}.__series", f"{name}.__row"]
    return f"CAST(hash({', '.join(parts)}) >> 1 AS BIGINT)"


def _is_left(context: Context, join: exp.Join) -> bool:
    side = str(join.args.get("side") or "").upper()
    kind = str(join.args.get("kind") or "").upper()
    method = str(join.args.get("method") or "").upper()
    if side not in {"", "LEFT"} or kind not in {"", "INNER", "OUTER", "CROSS"}:
        msg = f"{side or kind} JOIN is not there; write JOIN or LEFT JOIN, the other way round"
        raise context.refuse(join.this, msg)
    if method not in {"", "ASOF"} or join.args.get("match_condition"):
        raise context.refuse(
            join.this, f"{method or 'MATCH_CONDITION'} is not part of the language"
        )
    return side == "LEFT"


def _terms(context: Context, join: exp.Join) -> list[exp.Expr]:
    """Return the conditions of a join that all must hold."""
    if using := join.args.get("using"):
        name = using[0].name
        msg = f"write `ON a.{name} = b.{name}` instead of USING"
        raise context.refuse(using[0], msg)
    on = join.args.get("on")
    if on is None:
        return []
    return [_bare(term) for term in (on.flatten() if isinstance(on, exp.And) else [on])]


def _bare(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _with_catalog(pair: _Pair, sql: str) -> From:
    """Join a table of the catalog; rows stay what they are where it has one row for each."""
    table = pair.right.sql.strip('"')
    unique = _UNIQUE.get(table, set())
    is_single = any(
        isinstance(term, exp.EQ)
        and any(
            isinstance(one, exp.Column) and pair.is_right(one) is True
            and one.name.lower() in unique and pair.is_right(other) is False
            for one, other in ((term.this, term.expression), (term.expression, term.this))
        )
        for term in pair.terms
    )  # fmt: skip
    hidden = pair.left.hidden
    whole = pair.left.whole
    if not is_single:
        columns = ", ".join(f"{quoted(pair.alias)}.{v.sql}" for v in pair.right.fields.values())
        row = f"CAST(hash({hidden[3]}, {columns}) >> 1 AS BIGINT)"
        hidden = (*hidden[:3], row)
        whole = replace(whole, keys=None)
    return From(pair.scope, sql, replace(whole, fields={}), hidden)


def _has_equal_windows(pair: _Pair) -> bool:
    window = pair.right.window
    if window is None:
        return False
    lefts = [r.window for r in pair.left.scope.relations.values() if r.window is not None]
    equal = set()
    for term in pair.terms:
        if isinstance(term, exp.EQ):
            one, other = pair.value(term.this), pair.value(term.expression)
            if (
                one.edge
                and one.edge == other.edge
                and pair.is_right(term.this) is not None
                and (pair.is_right(term.this) is not pair.is_right(term.expression))
            ):
                equal.add(one.edge)
    wanted = {"window_start", "window_end"}
    return (
        window in lefts
        and window.form != "SESSION"
        and (equal >= wanted or (window.form in {"TUMBLE", "HOP"} and bool(equal & wanted)))
    )


def _on_windows(pair: _Pair, sql: str) -> From:
    """Join rows of equal windows: grouped ones have the same event time."""
    left, right = pair.left, pair.right
    window = right.window
    assert window is not None
    is_grouped = right.keys is not None and left.whole.keys is not None
    if not is_grouped:
        # Rows in windows, not groups: both lie somewhere in the same window.
        return _paired(pair, sql, Shift(-window.size, window.size))
    merged, keys = _merged_keys(pair)
    whole = replace(
        left.whole,
        reach=left.whole.needed.joined(right.needed),
        identity=left.whole.identity | right.identity,
        keys=keys,
        is_rowwise=False,
        window=window,
        # What tells unions apart is lost in the hash of the pair, which tells all apart.
        tag=left.whole.tag if left.whole.tag == right.tag == NO_TAG else "__row",
    )
    scope = replace(pair.scope, relations=pair.scope.relations | {pair.alias: merged})
    hidden = (*left.hidden[:3], pair_hash(left, pair.alias))
    return From(scope, sql, whole, hidden)


def _merged_keys(pair: _Pair) -> tuple[Relation, frozenset[int] | None]:
    """Return the right side with keys that are equal to one of the left side as that one."""
    same: dict[int, int] = {}
    for term in pair.terms:
        if isinstance(term, exp.EQ):
            one, other = pair.value(term.this), pair.value(term.expression)
            if pair.is_right(term.this):
                one, other = other, one
            if one.key is not None and other.key is not None:
                same[other.key] = one.key
    fields = {
        name: replace(value, key=same.get(value.key, value.key)) if value.key is not None
        else value
        for name, value in pair.right.fields.items()
    }  # fmt: skip
    keys = frozenset(same.get(key, key) for key in pair.right.keys or ())
    if pair.is_left:
        fields = {
            name: replace(v, time=None, edge="", key=v.key if v.key not in same.values() else None)
            for name, v in fields.items()
        }
    return replace(pair.right, fields=fields), (pair.left.whole.keys or frozenset()) | keys


def _on_interval(pair: _Pair, sql: str, join: exp.Join) -> From:
    """Join rows whose times lie within an interval of each other."""
    low: int | None = None
    high: int | None = None
    for term in pair.terms:
        for bound in _bounds(pair, term):
            least, most = bound
            low = least if low is None else low if least is None else max(low, least)
            high = most if high is None else high if most is None else min(high, most)
    if low is None or high is None:
        what = "no bound" if low is None and high is None else "a bound on one side only"
        msg = f"this join has {what} in time; there are joins on {_FORMS}"
        raise pair.context.refuse(join.args.get("on") or join.this, msg)
    return _paired(pair, sql, Shift(low, max(high, low)))


def _paired(pair: _Pair, sql: str, apart: Shift) -> From:
    """Join rows whose `__time` differ by `apart` (right minus left)."""
    left, right = pair.left, pair.right
    reach = left.whole.needed.joined(right.needed.widened(max(-apart.lo, 0), max(apart.hi, 0)))
    fields = {
        name: replace(
            value,
            time=None
            if value.time is None or pair.is_left
            else Shift(value.time.lo + apart.lo, value.time.hi + apart.hi),
            key=None,
            edge="",
        )
        for name, value in right.fields.items()
    }
    whole = replace(
        left.whole,
        reach=reach,
        identity=left.whole.identity | right.identity,
        keys=None,
        is_rowwise=False,
    )
    placed = replace(right, fields=fields, window=None)
    scope = replace(pair.scope, relations=pair.scope.relations | {pair.alias: placed})
    hidden = (left.hidden[0], left.hidden[1], left.hidden[2], pair_hash(left, pair.alias))
    return From(scope, sql, whole, hidden)


def _bounds(pair: _Pair, term: exp.Expr) -> list[tuple[int | None, int | None]]:
    """Return what a condition says of the distance of `__time`, right minus left."""
    if isinstance(term, exp.Between):
        pieces = [
            exp.GTE(this=term.this, expression=term.args["low"]),
            exp.LTE(this=term.this, expression=term.args["high"]),
        ]
        return [bound for piece in pieces for bound in _bounds(pair, piece)]
    if not isinstance(term, (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)):
        return []
    one, other = _linear(pair, term.this), _linear(pair, term.expression)
    if one is None or other is None:
        return []
    (one_is_right, one_shift), (other_is_right, other_shift) = one, other
    if one_is_right is other_is_right:
        return []
    # one.__time + one_shift <op> other.__time + other_shift
    right, left = (one_shift, other_shift) if one_is_right else (other_shift, one_shift)
    low, high = left.lo - right.hi, left.hi - right.lo
    is_upper = isinstance(term, (exp.LT, exp.LTE)) is one_is_right
    if isinstance(term, exp.EQ):
        return [(low, high)]
    return [(None, high)] if is_upper else [(low, None)]


def _linear(pair: _Pair, node: exp.Expr) -> tuple[bool, Shift] | None:
    """Return side and shift of a time attribute plus or minus a written interval."""
    node = _bare(node)
    if isinstance(node, (exp.Add, exp.Sub)):
        base, step = _bare(node.this), _bare(node.expression)
        if isinstance(base, exp.Interval) and isinstance(node, exp.Add):
            base, step = step, base
        inner = _linear(pair, base)
        if inner is None or not isinstance(step, exp.Interval):
            return None
        us = interval_us(pair.context, step, positive=False)
        us = -us if isinstance(node, exp.Sub) else us
        return inner[0], Shift(inner[1].lo + us, inner[1].hi + us)
    if not isinstance(node, exp.Column):
        return None
    value, is_right = pair.value(node), pair.is_right(node)
    if value.time is None or is_right is None:
        return None
    return is_right, value.time
