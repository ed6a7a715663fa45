"""`UNION ALL`: rows of several queries, told apart by the number of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.families import common_kind
from penstock.sql.language.relations import NO_TAG, Relation, quoted
from penstock.sql.signature import KIND_NAMES, Kind, Shift, Value

#: `__row` of a union keeps the number of the query in its lowest bits.
BRANCH_BITS = 8

Analyse = Callable[[Context, exp.Expr], Relation]


def union(context: Context, node: exp.SetOperation, analyse: Analyse) -> Relation:
    """Analyse `... UNION ALL ...`.

    Raises:
        InvalidQuery: It is another set operation, or the queries have different columns.
    """
    branches = _branches(context, node)
    if len(branches) >= 1 << BRANCH_BITS:
        raise context.refuse(node, f"at most {(1 << BRANCH_BITS) - 1} queries can be united")
    made = [_by_its_time(analyse(context, branch)) for branch in branches]
    first = made[0]
    for branch, other in zip(branches, made, strict=True):
        if len(other.fields) != len(first.fields):
            msg = f"it has {len(other.fields)} columns, and the first query {len(first.fields)}"
            raise context.refuse(branch, f"{msg}; UNION ALL wants as many in each")
        if (other.reach is None) != (first.reach is None):
            raise context.refuse(branch, "tables of the catalog have no time; join them instead")
    fields = {
        name: united(context, branches, name, [[*m.fields.values()][number] for m in made])
        for number, name in enumerate(first.fields)
    }
    # Rows of a union within one are told apart by more than keys and the number of the query.
    is_keyed = all(
        m.keys is not None and m.keys <= _keys(m) and m.tag == first.tag == NO_TAG for m in made
    ) and (len({tuple(v.key is None for v in m.fields.values()) for m in made}) == 1)
    keys = frozenset(v.key for v in fields.values() if v.key is not None) if is_keyed else None
    reach = made[0].reach
    for other in made[1:]:
        reach = other.needed.joined(reach) if reach else None
    parts = []
    for number, other in enumerate(made):
        columns = ", ".join(
            f"CAST({value.sql} AS {fields[name].kind.duckdb}) AS {quoted(name)}"
            if fields[name].kind is not value.kind
            else f"{value.sql} AS {quoted(name)}"
            for name, value in zip(fields, other.fields.values(), strict=True)
        )
        row = f"CAST(((hash(__row) >> {BRANCH_BITS + 1}) << {BRANCH_BITS}) + {number} AS BIGINT)"
        parts.append(
            f"SELECT __time, __end, __series, {row} AS __row, {columns} FROM {other.sql} AS __u"
        )
    windows = {m.window for m in made}
    window = windows.pop() if len(windows) == 1 else None
    return Relation(
        f"({' UNION ALL '.join(parts)})",
        fields if window else {name: replace(v, edge="") for name, v in fields.items()},
        reach,
        identity=frozenset().union(*(m.identity for m in made)),
        keys=keys,
        window=window,
        is_rowwise=all(m.is_rowwise for m in made),
        copies=max(m.copies for m in made),
        tag=f"(__row & {(1 << BRANCH_BITS) - 1})",
    )


def _keys(relation: Relation) -> frozenset[int]:
    return frozenset(v.key for v in relation.fields.values() if v.key is not None)


def _branches(context: Context, node: exp.Expr) -> list[exp.Expr]:
    """Return the queries of a chain of unions, in order."""
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.SetOperation):
        return _branches(context, node.this)
    if not isinstance(node, exp.SetOperation):
        return [node]
    for arg, name in (("order", "ORDER BY"), ("limit", "LIMIT"), ("offset", "OFFSET")):
        if node.args.get(arg):
            raise context.refuse(node.args[arg], f"{name} has no meaning behind UNION ALL")
    if not isinstance(node, exp.Union) or node.args.get("distinct"):
        name = "UNION" if isinstance(node, exp.Union) else type(node).__name__.upper()
        msg = f"{name} compares all rows there will ever be; write UNION ALL, or a join"
        raise context.refuse(node.expression, msg)
    if node.args.get("by_name"):
        raise context.refuse(node, "UNION ALL goes by the order of columns, not BY NAME")
    # From the left, without recursion: generated queries may unite many.
    parts: list[exp.Expr] = []
    while isinstance(node, exp.Union) and not node.args.get("distinct"):
        parts = [*_branches(context, node.expression), *parts]
        node = node.this
    return [*_branches(context, node), *parts]


def _by_its_time(relation: Relation) -> Relation:
    """Make the column `time` the event time, where it is another one."""
    time = relation.named("time")
    if time is None or time.time is None or time.time == Shift(0, 0):
        return relation
    shift = time.time
    fields = {
        name: replace(
            value,
            time=Shift(0, 0)
            if value.sql == time.sql
            else Shift(value.time.lo - shift.hi, value.time.hi - shift.lo),
        )
        if value.time is not None
        else value
        for name, value in relation.fields.items()
    }
    names = ", ".join(value.sql for value in fields.values())
    sql = (
        f"(SELECT {time.sql} AS __time, NULL::TIMESTAMP AS __end, __series, "
        f"CAST(hash(__row, __time) >> 1 AS BIGINT) AS __row, {names} FROM {relation.sql} AS __v)"
    )
    is_single = shift.lo == shift.hi
    return replace(
        relation,
        sql=sql,
        fields=fields,
        reach=relation.needed.shifted(shift),
        keys=relation.keys if is_single else None,
        is_rowwise=False,
        window=None,
    )


def united(context: Context, branches: list[exp.Expr], name: str, values: list[Value]) -> Value:
    """Return the column that several become."""
    kinds = {v.kind for v in values if v.kind is not Kind.ANY}
    if kinds <= {Kind.NUMBER, Kind.INTEGER} or kinds <= {Kind.TEXT, Kind.JSON}:
        kind = common_kind(values)
    elif len(kinds) == 1:
        kind = kinds.pop()
    else:
        number = next(n for n, v in enumerate(values) if v.kind is not values[0].kind)
        msg = f"`{name}` is {KIND_NAMES[values[number].kind]} here"
        raise context.refuse(
            branches[number], f"{msg}, and {KIND_NAMES[values[0].kind]} in the first query"
        )
    places = [v.time for v in values]
    time = None
    if all(place is not None for place in places):
        known = [place for place in places if place is not None]
        time = Shift(min(p.lo for p in known), max(p.hi for p in known))
    units = {v.unit for v in values}
    edges = {v.edge for v in values}
    return Value(
        quoted(name),
        kind,
        unit=units.pop() if len(units) == 1 else None,
        uses=frozenset().union(*(v.uses for v in values)),
        time=time,
        key=context.new_key() if all(v.key is not None for v in values) else None,
        edge=edges.pop() if len(edges) == 1 else "",
    )
