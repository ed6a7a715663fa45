"""From SQL text to a plan."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence

from sqlglot import exp

from penstock.core.errors import InvalidQuery
from penstock.core.queries import Column, ColumnKind, Meaning
from penstock.sql.language.clauses import refuse_unread
from penstock.sql.language.context import MAX_SQL, TOO_LONG, Context
from penstock.sql.language.dialect import parse
from penstock.sql.language.pieces import closure
from penstock.sql.language.relations import NO_TAG, Relation, quoted, together
from penstock.sql.language.select import relation
from penstock.sql.plan import Plan, Source, Staged
from penstock.sql.signature import Kind, Shift, Value

_KINDS = {
    Kind.NUMBER: ColumnKind.NUMBER, Kind.INTEGER: ColumnKind.NUMBER,
    Kind.INTERVAL: ColumnKind.NUMBER, Kind.TRUTH: ColumnKind.TRUTH, Kind.TEXT: ColumnKind.TEXT,
    Kind.JSON: ColumnKind.JSON, Kind.TIME: ColumnKind.TIME, Kind.NUMBERS: ColumnKind.JSON,
    Kind.TEXTS: ColumnKind.JSON, Kind.ANY: ColumnKind.TEXT,
}  # fmt: skip


#: Longer than all times that can be kept.
_FOREVER_US = 10**18


def compile_query(sql: str, *, reach_us: int, apps: Container[str] | None = None) -> Plan:
    """Return the plan of a query.

    Args:
        sql: One `SELECT` of the language.
        reach_us: How far `LAG`, `LEAD`, row frames, as-of joins and sessions reach.
        apps: Names of apps whose output may be read; None lets any name pass.

    Raises:
        InvalidQuery: It cannot be understood, or not be bounded; says where and what instead.
    """
    tree, refusals = parse(sql)
    context = Context(refusals, reach_us, apps, analyse=relation)
    made = _analysed(context, tree)
    if made.reach is None:
        msg = "this has no time of its own; join it to observations"
        raise refusals.at((tree.args.get("from_") or tree).this, msg)
    return _plan(context, tree, made)


def compile_adhoc(sql: str, *, apps: Container[str] | None = None) -> Plan:
    """Return the plan of a question: answered once, over what is there, so nothing has a bound.

    Beside what apps may have, there are `GROUP BY` without windows, `DISTINCT`, `ORDER BY`,
    `LIMIT`, all set operations and joins, and queries in expressions. `LAG`, `LEAD` and sessions
    reach as far as there are rows. The SQL takes no parameters, has the columns of the answer
    only, and its rows are in order; `Input.start_us` and `end_us` say which rows it can do with.

    Raises:
        InvalidQuery: It cannot be understood; says where and what instead.
    """
    tree, refusals = parse(sql)
    context = Context(refusals, _FOREVER_US, apps, is_adhoc=True, analyse=relation)
    made = _analysed(context, tree)
    context.use(together(made.fields.values()))
    outputs = ", ".join(
        f"{_output(value)} AS {quoted(name)}" for name, value in made.fields.items()
    )
    with_sql = _with(context.relations())
    meaning = Meaning(
        columns=_columns(made, has_keys=False),
        sources=[_source_name(source) for source in context.sources],
        is_rowwise=False,
        back_us=0,
        ahead_us=0,
    )
    text = f"{with_sql}SELECT {outputs} FROM {made.sql} AS __answer{made.order}"
    return _bounded(Plan(text, context.inputs(), tuple(context.tables), meaning))


def _analysed(context: Context, tree: exp.Query) -> Relation:
    try:
        made = relation(context, tree)
        refuse_unread(tree, context.refusals)
        return made
    except RecursionError as error:
        msg = "the SQL is nested too deep; take parts of it into `WITH`"
        raise InvalidQuery(msg) from error


def _columns(made: Relation, *, has_keys: bool) -> list[Column]:
    return [
        Column(
            name=name,
            kind=_KINDS[value.kind],
            is_key=has_keys and value.key is not None,
            unit="s" if value.kind is Kind.INTERVAL else value.unit,
        )
        for name, value in made.fields.items()
    ]


def _plan(context: Context, tree: exp.Query, made: Relation) -> Plan:
    time, shift, end = _event_time(context, tree, made)
    has_keys = made.keys is not None and made.keys <= {v.key for v in made.fields.values()}
    _refuse_lost_keys(context, tree, made, has_keys=has_keys)
    context.use(together(made.fields.values()))
    if not has_keys or made.tag != NO_TAG:
        context.use(made.identity)
    is_rowwise = made.is_rowwise and shift == Shift(0, 0)
    if is_rowwise:
        context.use({(number, "end_time") for number, _ in made.identity})
    columns = _columns(made, has_keys=has_keys)
    outputs = ", ".join(
        f"{_output(value)} AS {quoted(name)}" for name, value in made.fields.items()
    )
    row = made.tag if has_keys else "__row"
    if shift.lo != shift.hi:
        # Rows of several times may have this one.
        row = f"CAST(hash(__time, {row}) >> 1 AS BIGINT)"
    inner = (
        f"SELECT {time} AS __time, {end} AS __end, __series, {row} AS __row, {outputs} "
        f"FROM {made.sql} AS __answer"
    )
    answer = f"SELECT * FROM ({inner}) AS __all WHERE __time >= $start AND __time < $end"
    reach = made.needed.shifted(shift).settled()
    meaning = Meaning(
        columns=columns,
        sources=[_source_name(source) for source in context.sources],
        is_rowwise=is_rowwise,
        back_us=reach.back,
        ahead_us=reach.ahead,
        grid_us=reach.grid,
        offset_us=reach.offset,
    )
    shared = {stage.name for stage in context.stages if stage.is_shared}
    text = f"{_with(context.relations(), shared)}{answer}"
    staged = _staged(context, answer, meaning)
    return _bounded(Plan(text, context.inputs(), tuple(context.tables), meaning, staged))


def _with(relations: Sequence[tuple[str, str]], shared: Collection[str] = ()) -> str:
    named = [
        f"{name} AS {'' if name in shared else 'NOT '}MATERIALIZED ({sql})"
        for name, sql in relations
    ]
    return f"WITH {', '.join(named)} " if named else ""


def _staged(context: Context, answer: str, meaning: Meaning) -> Staged | None:
    """Return how the answer follows from pieces of windows, when it follows from these alone."""
    if len(context.stages) != 1:
        return None
    stage, every = context.stages[0], context.relations()
    at = next(number for number, (name, _) in enumerate(every) if name == stage.name)
    behind = closure([entry for entry in every if entry[0] != stage.name], answer)
    before = closure(every[:at], every[at][1])
    inputs = {quoted(f"__rows{number}") for number in range(len(context.sources))}
    if any(name in inputs for name, _ in behind):
        return None
    if not any(stage.name in sql for sql in (answer, *(sql for _, sql in behind))):
        return None
    reach = stage.reach
    pieces = f"SELECT * FROM {every[at][1]} AS __s WHERE __piece >= $start AND __piece < $end"
    made = f"{_with(before)}{pieces}"
    making = Plan(
        made,
        context.inputs(),
        tuple(name for name in context.tables if quoted(name) in made),
        Meaning(
            columns=(), sources=meaning.sources, is_rowwise=False, back_us=reach.back,
            ahead_us=reach.ahead, grid_us=reach.grid, offset_us=reach.offset,
        ),
    )  # fmt: skip
    return Staged(making, stage.name[1:-1], f"{_with(behind)}{answer}")


def _bounded(plan: Plan) -> Plan:
    if len(plan.sql) > MAX_SQL:
        raise InvalidQuery(TOO_LONG)
    return plan


def _event_time(context: Context, tree: exp.Query, made: Relation) -> tuple[str, Shift, str]:
    """Return SQL of the event time, where it lies from `__time`, and SQL of the end."""
    named = made.named("time")
    start = next((v for v in made.fields.values() if v.edge == "window_start"), None)
    end = next((v for v in made.fields.values() if v.edge == "window_end"), None)
    if named is not None:
        if named.time is None:
            msg = (
                "the column `time` of an answer is its event time, and must be a time attribute as"
                " it is: `time` of a source, or an edge of a window; give what is computed another"
                " name"
            )
            raise context.refuse(_item(tree, "time"), msg)
        until = "__end" if named.time == Shift(0, 0) else "NULL::TIMESTAMP"
        return named.sql, named.time, until
    is_by_end = made.window is not None and made.window.form == "CUMULATE"
    if start is not None and start.time not in {None, Shift(0, 0)} and not is_by_end:
        assert start.time is not None
        return start.sql, start.time, end.sql if end is not None else "NULL::TIMESTAMP"
    return "__time", Shift(0, 0), "__end"


def _refuse_lost_keys(context: Context, tree: exp.Query, made: Relation, *, has_keys: bool) -> None:
    group = tree.args.get("group")
    if has_keys or made.keys is None or group is None:
        return
    present = {value.sql for value in made.fields.values()}
    for key in group.expressions:
        if (
            key.name not in {"window_start", "window_end", "window_time"}
            and quoted(key.name) not in present
        ):
            msg = f"`{key.sql()}` is in GROUP BY and not in the SELECT, so that its rows could not"
            raise context.refuse(key, f"{msg} be told apart; add it to the SELECT")
    raise context.refuse(group, "every column of GROUP BY must be in the SELECT too")


def _item(tree: exp.Query, name: str) -> exp.Expr:
    return next((s for s in tree.selects if s.alias_or_name.lower() == name), tree)


def _output(value: Value) -> str:
    if value.kind is Kind.INTERVAL:
        return f"epoch({value.sql})"
    if value.kind in {Kind.NUMBERS, Kind.TEXTS}:
        return f"CAST(to_json({value.sql}) AS VARCHAR)"
    return f"CAST({value.sql} AS {value.kind.duckdb})"


def _source_name(source: Source) -> str:
    if source.app:
        return f"apps.{source.app}"
    return ", ".join(source.names) or "observations"
