"""`GROUP BY`: over windows, and over all rows for questions."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.pieces import Pieces, overlapping, reach_of, single
from penstock.sql.language.questions import NO_TIME, finished, ordering
from penstock.sql.language.relations import (
    HIDDEN,
    From,
    Relation,
    Window,
    microseconds,
    quoted,
    together,
)
from penstock.sql.language.windows import grouped_reach
from penstock.sql.signature import Shift, Value


def bare(expression: exp.Expr) -> exp.Expr:
    """Return an expression without its name."""
    return expression.this if isinstance(expression, exp.Alias) else expression


def has_edges(fields: dict[str, Value]) -> bool:
    """Tell whether the bounds of windows are still there."""
    edges = {value.edge for value in fields.values()}
    return "window_start" in edges or "window_end" in edges


def grouped(
    context: Context,
    node: exp.Select,
    source: From,
    items: list[tuple[str, exp.Expr]],
    where_sql: str,
) -> Relation:
    """Analyse a `SELECT` with `GROUP BY` over windows."""
    group = node.args.get("group")
    window = source.whole.window
    plain = Expressions(context, source.scope)
    keys: list[tuple[exp.Expr, Value]] = []
    for key in _group_keys(context, group):
        value = plain.value(key)
        context.use(value.uses)
        if not value.edge:
            value = replace(value, key=context.new_key(), time=None)
        keys.append((key, value))
    edges = {value.edge: value for _, value in keys if value.edge}
    is_open = context.is_adhoc and not edges
    if (window is None or not edges) and not is_open:
        msg = (
            "GROUP BY without a window has no end in a stream; put the rows into windows, as in"
            " `FROM TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE)) GROUP"
            " BY window_start, window_end`"
        )
        raise context.refuse(group or node, msg)
    if window is None or not edges:
        return _all_groups(context, node, source, items, where_sql, keys)
    lost = [name for name in window.keys if name not in {k.name.lower() for k, _ in keys}]
    if lost:
        msg = f"sessions are of one `{lost[0]}` each: put it into GROUP BY"
        raise context.refuse(group, msg)
    alias = next(a for a, r in source.scope.relations.items() if r.window is not None)
    start, end = _edges(context, group, source, alias, window)
    groups = [
        (key, replace(value, time=_edge_place(window, value.edge)) if value.edge else value)
        for key, value in keys
    ]
    order = ", ".join(source.hidden[i] for i in (0, 2, 3))
    expressions = Expressions(context, source.scope, groups=groups, order=order)
    values = {name: expressions.value(bare(item)) for name, item in items}
    having_sql = _having(context, node, expressions)
    others = [value for value in (value for _, value in groups) if not value.edge]
    identity = _identity(window, start, end, [value.sql for value in others])
    columns = ", ".join(f"{value.sql} AS {quoted(name)}" for name, value in values.items())
    if context.is_adhoc:
        extra, in_order = ordering(context, node, expressions, values)
        columns = ", ".join([columns, *extra])
    by = ", ".join(dict.fromkeys([start, end, *(value.sql for _, value in keys)]))
    sql = None if context.is_adhoc else _in_pieces(context, node, source, items, where_sql, groups)
    sql = sql or (
        f"(SELECT {identity}, {columns} FROM {source.sql}{where_sql} GROUP BY {by}{having_sql})"
    )
    context.use(source.whole.identity if "ORDER BY" in columns else ())
    fields = {name: replace(value, sql=quoted(name)) for name, value in values.items()}
    made = Relation(
        sql,
        fields,
        grouped_reach(source.whole, window),
        identity=together(value for _, value in keys),
        keys=frozenset(value.key for value in others if value.key is not None),
        window=window if has_edges(fields) else None,
        copies=source.whole.copies,
    )
    return finished(context, node, made, in_order) if context.is_adhoc else made


def _in_pieces(
    context: Context,
    node: exp.Select,
    source: From,
    items: list[tuple[str, exp.Expr]],
    where_sql: str,
    groups: list[tuple[exp.Expr, Value]],
) -> str | None:
    """Return the SQL of a long window by way of its pieces; None where that cannot be."""
    window = source.whole.window
    reach = None if window is None else reach_of(source, window)
    if window is None or reach is None:
        return None
    alias = next(a for a, r in source.scope.relations.items() if r.window is not None)
    bounds = _edges(context, node.args.get("group"), source, alias, window)
    rows = source if window.form == "TUMBLE" else single(source)
    if rows is None:
        return None
    edges = {} if window.form == "TUMBLE" else _over_pieces(bounds, groups)
    pieces = Pieces.by([*bounds, *(value.sql for _, value in groups)], edges)
    expressions = Expressions(context, source.scope, groups=groups, pieces=pieces)
    values = {name: expressions.value(bare(item)) for name, item in items}
    having_sql = _having(context, node, expressions)
    if not pieces.is_possible or (edges and pieces.names_windows(where_sql)):
        return None
    start, end = (pieces.edges.get(sql) or pieces.keys[sql] for sql in bounds)
    others = [pieces.key(value).sql for _, value in groups if not value.edge]
    columns = ", ".join(f"{value.sql} AS {quoted(name)}" for name, value in values.items())
    name = context.add_stage(pieces.sql(rows, where_sql, reach), reach, is_shared=bool(edges))
    by = [*([start, end] if edges else []), *pieces.keys.values()]
    return (
        f"(SELECT {_identity(window, start, end, others)}, {columns} "
        f"FROM {overlapping(window, name) if edges else f'{name} AS __s'} "
        f"GROUP BY {', '.join(by)}{having_sql})"
    )


def _over_pieces(bounds: tuple[str, str], groups: list[tuple[exp.Expr, Value]]) -> dict[str, str]:
    """Return what the bounds of windows are where pieces are joined with windows."""
    start, end = "__w.__start", "__w.__until"
    known = {"window_start": start, "window_end": end}
    known["window_time"] = f"({end} - {microseconds(1)})"
    edges = {value.sql: known[value.edge] for _, value in groups if value.edge}
    return {**edges, bounds[0]: start, bounds[1]: end}


def _identity(window: Window, start: str, end: str, keys: list[str]) -> str:
    """Return the columns that tell a row of grouped windows apart, given their SQL."""
    row = f"hash({', '.join(keys)})" if keys else "0"
    until = end
    if window.form == "CUMULATE":
        # Those that share a beginning are told by their end.
        row, start, until = f"hash({start}, {row})", end, "NULL::TIMESTAMP"
    return (
        f"{start} AS __time, {until} AS __end, 0::BIGINT AS __series, "
        f"CAST({row} >> 1 AS BIGINT) AS __row"
    )


def _edges(
    context: Context, group: exp.Expr | None, source: From, alias: str, window: Window
) -> tuple[str, str]:
    """Return the SQL of where windows begin and end; their columns may have other names."""
    scope = source.scope
    columns = [scope.column(alias, name) for name in scope.relations[alias].fields]
    found = {v.edge: v.sql for v in columns if v is not None and v.edge}
    start, end = found.get("window_start"), found.get("window_end")
    if window.form in {"TUMBLE", "HOP"}:
        size = microseconds(window.size)
        start, end = start or f"({end} - {size})", end or f"({start} + {size})"
    if start is None or end is None:
        msg = "take both window_start and window_end along, to where they are grouped by"
        raise context.refuse(group, msg)
    return start, end


def _all_groups(
    context: Context,
    node: exp.Select,
    source: From,
    items: list[tuple[str, exp.Expr]],
    where_sql: str,
    keys: list[tuple[exp.Expr, Value]],
) -> Relation:
    """Analyse `GROUP BY` without a window, and aggregates over all rows: for questions."""
    order = ", ".join(source.hidden[i] for i in (0, 2, 3))
    expressions = Expressions(context, source.scope, groups=keys, order=order)
    values = {name: expressions.value(bare(item)) for name, item in items}
    having_sql = _having(context, node, expressions)
    extra, in_order = ordering(context, node, expressions, values)
    columns = ", ".join(
        [f"{value.sql} AS {quoted(name)}" for name, value in values.items()] + extra
    )
    by = f" GROUP BY {', '.join(dict.fromkeys(value.sql for _, value in keys))}" if keys else ""
    context.use(source.whole.identity if "ORDER BY" in columns else ())
    hidden = ", ".join(f"{sql} AS {name}" for sql, name in zip(NO_TIME, HIDDEN, strict=True))
    sql = f"(SELECT {hidden}, {columns} FROM {source.sql}{where_sql}{by}{having_sql})"
    fields = {
        name: replace(value, sql=quoted(name), time=None, key=None)
        for name, value in values.items()
    }
    made = Relation(sql, fields, source.whole.reach, copies=source.whole.copies)
    return finished(context, node, made, in_order)


def _edge_place(window: Window, edge: str) -> Shift:
    """Return where an edge of a grouped window lies from the event time of its row."""
    if window.form == "SESSION":
        return {
            "window_start": Shift(0, 0),
            "window_end": Shift(window.step, window.size + window.step),
            "window_time": Shift(window.step - 1, window.size + window.step - 1),
        }[edge]
    if window.form == "CUMULATE":
        return {
            "window_start": Shift(-window.size, -window.step),
            "window_end": Shift(0, 0),
            "window_time": Shift(-1, -1),
        }[edge]
    return {
        "window_start": Shift(0, 0),
        "window_end": Shift(window.size, window.size),
        "window_time": Shift(window.size - 1, window.size - 1),
    }[edge]


def _group_keys(context: Context, group: exp.Group | None) -> list[exp.Expr]:
    if group is None:
        return []
    for form in ("grouping_sets", "cube", "rollup", "totals", "all"):
        if group.args.get(form):
            msg = "GROUPING SETS, CUBE and ROLLUP are not there; write a UNION ALL of queries"
            raise context.refuse(group, msg)
    for key in group.expressions:
        if isinstance(key, exp.Literal):
            raise context.refuse(key, "name the columns of GROUP BY")
    return list(group.expressions)


def _having(context: Context, node: exp.Select, expressions: Expressions) -> str:
    having = node.args.get("having")
    if not having:
        return ""
    condition = expressions.truth(having.this)
    context.use(condition.uses)
    return f" HAVING {condition.sql}"
