"""`SERIES_JOIN`: each record with its previous and its next partner in another stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.families import family
from penstock.sql.language.literals import interval_us
from penstock.sql.language.relations import Relation, quoted
from penstock.sql.series_join import Side, series_join
from penstock.sql.signature import KIND_NAMES, Kind, Shift, Value

_USAGE = (
    "TABLE(SERIES_JOIN(TABLE a PARTITION BY thing, TABLE b PARTITION BY thing,"
    " INTERVAL '5' SECOND))"
)


def series_joined(
    context: Context, call: exp.Anonymous, table: Callable[[Context, exp.Expr], Relation]
) -> Relation:
    """Analyse a time-series join; its columns are `left_...` and `right_...`, and `time`.

    Raises:
        InvalidQuery: It is not written as it must be.
    """
    if len(call.expressions) != 3:
        raise context.refuse(call, f"write it as in `{_USAGE}`")
    within = interval_us(context, call.expressions[2])
    sides = []
    for prefix, node in zip(("left", "right"), call.expressions[:2], strict=True):
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            msg = "write a table function inside another as `(SELECT * FROM TABLE(...))`"
            raise context.refuse(node, msg)
        if not isinstance(node, (exp.Table, exp.Subquery)):
            raise context.refuse(node, f"a table is wanted here; write it as in `{_USAGE}`")
        sides.append(_side(context, prefix, node, table(context, node)))
    (left, first, first_fields, first_keys), (right, second, second_fields, second_keys) = sides
    if len(left.keys) != len(right.keys):
        raise context.refuse(call, "both sides are partitioned by as many columns, or by none")
    for one, other in zip(first_keys, second_keys, strict=True):
        if family(one.kind) != family(other.kind):
            msg = f"one side is partitioned by {KIND_NAMES[one.kind]}, the other by"
            raise context.refuse(call, f"{msg} {KIND_NAMES[other.kind]}")
    pairs = series_join(left, right, within)
    row = (
        "CAST(hash(__left_time, __left_series, __left_row, __right_time, __right_series, "
        "__right_row) >> 1 AS BIGINT)"
    )
    names = ", ".join(value.sql for value in (*first_fields.values(), *second_fields.values()))
    sql = (
        f"(SELECT __time, NULL::TIMESTAMP AS __end, __left_series AS __series, {row} AS __row, "
        f'__time AS "time", {names} FROM ({pairs}) AS __pairs)'
    )
    time_uses = first.identity | second.identity
    context.use(time_uses)
    time = Value(quoted("time"), Kind.TIME, uses=time_uses, time=Shift(0, 0))
    # The later of both has the pair's time; the other one is at most `within` before.
    reach = first.needed.joined(second.needed)
    return Relation(
        sql,
        {"time": time, **first_fields, **second_fields},
        reach.widened(within, 0),
        identity=time_uses,
        copies=max(first.copies, second.copies),
    )


def _side(
    context: Context, prefix: str, node: exp.Expr, relation: Relation
) -> tuple[Side, Relation, dict[str, Value], list[Value]]:
    if relation.reach is None:
        raise context.refuse(node, "tables of the catalog have no time; use JOIN")
    time = next(
        (v for name in ("time", "window_time") if (v := relation.named(name)) and v.time), None
    )
    if time is None:
        raise context.refuse(node, "each side needs its time attribute, called `time`")
    partition = node.args.get("partition")
    keys: list[Value] = []
    for key in partition.expressions if partition is not None else ():
        found = relation.named(key.name)
        if found is None:
            raise context.refuse(key, f"there is no column `{key.name}` to partition by")
        context.use(found.uses)
        keys.append(found)
    context.use(time.uses | relation.identity)
    shift = time.time or Shift(0, 0)
    rows = replace(relation, reach=relation.needed.shifted(shift))
    hidden = {f"__{prefix}_{name}": f"__{name}" for name in ("time", "series", "row")}
    columns = hidden | {f"{prefix}_{name}": _bare(v) for name, v in relation.fields.items()}
    fields = {
        f"{prefix}_{name}": replace(v, sql=quoted(f"{prefix}_{name}"), key=None, edge="", time=None)
        for name, v in relation.fields.items()
    }
    order = ("__time", "__series", "__row")
    side = Side(relation.sql, _bare(time), order, columns, [_bare(key) for key in keys])
    return side, rows, fields, keys


def _bare(value: Value) -> str:
    return value.sql[1:-1].replace('""', '"')
