"""As-of joins: each row with the last one of another relation before it, or the next behind it."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.joins import side_of
from penstock.sql.language.relations import From, Relation, microseconds, quoted
from penstock.sql.signature import Shift, Value

_USAGE = "a ASOF JOIN b ON a.thing = b.thing AND a.time >= b.time"

#: What a comparison of the left time with the right one is when its sides are swapped.
_SWAPPED = {">=": "<=", ">": "<", "<=": ">=", "<": ">"}
_WORDS: dict[type[exp.Expr], str] = {exp.GTE: ">=", exp.GT: ">", exp.LTE: "<=", exp.LT: "<"}


def as_of(
    context: Context,
    left: From,
    join: exp.Join,
    alias: str,
    right: Relation,
    terms: list[exp.Expr],
    *,
    is_left: bool,
) -> From:
    """Return a `FROM` with an as-of join; partners lie no further apart than the query's reach.

    Raises:
        InvalidQuery: Its condition is not what an as-of join takes.
    """
    if right.reach is None:
        msg = "tables of the catalog are as they are now; write JOIN or LEFT JOIN"
        raise context.refuse(join.this, msg)
    if left.whole.reach is None:
        raise context.refuse(join.this, "put the observations first")
    scope = replace(left.scope, relations=left.scope.relations | {alias: right})
    plain = Expressions(context, scope)
    keys: list[tuple[Value, Value]] = []
    times: list[tuple[Value, Value, str]] = []
    version = join.this.args.get("version")
    if version is not None:
        times.append((_version_time(context, plain, version), _right_time(context, join, right,
                     alias), ">="))  # fmt: skip
    for term in terms:
        one, other = term.this, term.args.get("expression")
        if not isinstance(term, exp.Binary) or not isinstance(other, exp.Expr):
            raise context.refuse(term, f"an as-of join is written as in `{_USAGE}`")
        sides = (side_of(scope, alias, one), side_of(scope, alias, other))
        word = "=" if isinstance(term, exp.EQ) else _WORDS.get(type(term))
        if word is None or None in sides or sides[0] is sides[1]:
            msg = f"an as-of join is written as in `{_USAGE}`; put other conditions into WHERE"
            raise context.refuse(term, f"{msg} or a subquery")
        plain.value(term)
        first, second = plain.value(one), plain.value(other)
        if sides[0] is True:
            first, second, word = second, first, _SWAPPED.get(word, word)
        if word == "=":
            keys.append((first, second))
        elif first.time is None or second.time is None:
            msg = "the times of an as-of join must be time attributes as they are"
            raise context.refuse(term, msg)
        else:
            times.append((first, second, word))
        context.use(first.uses | second.uses)
    if len(times) != 1:
        msg = f"an as-of join compares times once, as in `{_USAGE}`"
        raise context.refuse(join.args.get("on") or join.this, msg)
    return _joined(context, left, alias, right, keys, times[0], is_left=is_left)


def _joined(
    context: Context,
    left: From,
    alias: str,
    right: Relation,
    keys: list[tuple[Value, Value]],
    times: tuple[Value, Value, str],
    *,
    is_left: bool,
) -> From:
    mine, theirs, word = times
    reach = context.reach_us
    name = quoted(alias)
    # Of rows of one key and time, the one with the highest identity is taken, every time.
    by = ", ".join(value.sql for value in (*(other for _, other in keys), theirs))
    ties = f"PARTITION BY {by} ORDER BY {name}.__series DESC, {name}.__time DESC, {name}.__row DESC"
    single = f"(SELECT * FROM {right.sql} AS {name} QUALIFY row_number() OVER ({ties}) = 1)"
    on = " AND ".join(
        [*(f"{one.sql} = {other.sql}" for one, other in keys), f"{mine.sql} {word} {theirs.sql}"]
    )
    is_before = word in {">=", ">"}
    apart = f"{mine.sql} - {theirs.sql}" if is_before else f"{theirs.sql} - {mine.sql}"
    near = f"({apart} <= {microseconds(reach)})"
    join = "ASOF LEFT JOIN" if is_left else "ASOF JOIN"
    context.use(left.whole.identity | right.identity)
    sql = f"{left.sql} {join} {single} AS {name} ON {on}"
    scope = replace(left.scope, relations=left.scope.relations | {alias: right})
    # right.__time - left.__time, from the distance of the two attributes.
    low, high = (-reach, 0) if is_before else (0, reach)
    mine_at, theirs_at = mine.time or Shift(0, 0), theirs.time or Shift(0, 0)
    apart_at = Shift(low + mine_at.lo - theirs_at.hi, high + mine_at.hi - theirs_at.lo)
    fields = {
        field: replace(
            value,
            time=None
            if value.time is None or is_left
            else Shift(value.time.lo + apart_at.lo, value.time.hi + apart_at.hi),
            key=None,
            edge="",
        )
        for field, value in right.fields.items()
    }
    placed = replace(right, fields=fields, window=None, use=None)
    whole = replace(
        left.whole,
        reach=left.whole.needed.joined(
            right.needed.widened(max(-apart_at.lo, 0), max(apart_at.hi, 0))
        ),
        identity=left.whole.identity | right.identity,
        is_rowwise=False,
        use=None,
    )
    relations = left.scope.relations | {alias: placed}
    if is_left:
        scope = replace(scope, relations=relations, guards=left.scope.guards | {alias: near})
        return From(scope, sql, whole, left.hidden)
    scope = replace(scope, relations=relations)
    return From(scope, sql, whole, left.hidden).flat(f" WHERE {near}")


def _version_time(context: Context, plain: Expressions, version: exp.Expr) -> Value:
    if (
        version.this != "TIMESTAMP"
        or version.args.get("kind") != "AS OF"
        or version.args.get("expression") is None
    ):
        msg = "write it as in `JOIN b FOR SYSTEM_TIME AS OF a.time ON a.thing = b.thing`"
        raise context.refuse(version, msg)
    value = plain.value(version.expression)
    if value.time is None:
        msg = "FOR SYSTEM_TIME AS OF takes the time attribute of the left side, as in `a.time`"
        raise context.refuse(version, msg)
    context.use(value.uses)
    return value


def _right_time(context: Context, join: exp.Join, right: Relation, alias: str) -> Value:
    for name in ("time", "window_time"):
        found = right.named(name)
        if found is not None and found.time is not None:
            context.use(found.uses)
            return replace(found, sql=f"{quoted(alias)}.{found.sql}")
    msg = "the right side of an as-of join needs its column `time` (or `window_time`)"
    raise context.refuse(join.this, msg)
