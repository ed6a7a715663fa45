"""`SELECT`: from a `FROM` to the relation that comes out of it."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.bounds import narrow
from penstock.sql.language.context import Context
from penstock.sql.language.dialect import TABLE_FUNCTIONS
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.families import has_aggregate
from penstock.sql.language.grouping import bare, grouped, has_edges
from penstock.sql.language.joins import joined
from penstock.sql.language.over import Over
from penstock.sql.language.pairs import series_joined
from penstock.sql.language.places import did_you_mean
from penstock.sql.language.questions import (
    NO_TIME,
    combined,
    finished,
    joined_freely,
    ordering,
)
from penstock.sql.language.relations import HIDDEN, From, Relation, Scope, quoted
from penstock.sql.language.unions import union
from penstock.sql.language.windows import arguments, windowed
from penstock.sql.plan import TABLES

_UNBOUNDED = {
    "order": "ORDER BY has no end in a stream; rows come in the order of their time anyway",
    "limit": "LIMIT has no meaning in a stream; `penstock sql` answers such questions",
    "offset": "OFFSET has no meaning in a stream; `penstock sql` answers such questions",
}
_UNKNOWN = {
    "laterals": "LATERAL", "pivots": "PIVOT", "sample": "TABLESAMPLE", "cluster": "CLUSTER BY",
    "distribute": "DISTRIBUTE BY", "sort": "SORT BY", "match": "MATCH_RECOGNIZE", "into": "INTO",
    "locks": "FOR UPDATE", "settings": "SETTINGS", "format": "FORMAT", "hint": "a hint",
    "prewhere": "PREWHERE", "connect": "CONNECT BY", "kind": "SELECT AS", "options": "OPTION",
    "operation_modifiers": "a modifier", "for_": "FOR",
}  # fmt: skip


def relation(context: Context, node: exp.Expr) -> Relation:
    """Analyse a query.

    Raises:
        InvalidQuery: Something of it is not part of the language, or has no bound.
    """
    if isinstance(node, exp.Subquery):
        _refuse_others(context, node)
        if node.args.get("with_") is None:
            return relation(context, node.this)
        return _with_names(context, node, node.this)
    if isinstance(node, exp.Table):
        msg = "a table, or a join of tables, in parentheses; leave the parentheses out"
        if isinstance(node.this, exp.Anonymous):
            msg = "a table function inside another one; write it as in `(SELECT * FROM TABLE(...))`"
        raise context.refuse(node, f"this cannot stand here: {msg}")
    if isinstance(node, exp.Select):
        return _with_names(context, node, node)
    if isinstance(node, exp.SetOperation):
        return _with_names(context, node, node)
    raise context.refuse(node, f"`{node.sql()[:60]}` is no query; a SELECT is wanted here")


def _with_names(context: Context, owner: exp.Expr, node: exp.Expr) -> Relation:
    """Analyse a query with what its `WITH` names."""
    clause = owner.args.get("with_")
    names: dict[str, Relation] = {}
    context.names.append(names)
    try:
        if clause is not None:
            if clause.args.get("recursive"):
                raise context.refuse(clause, "WITH RECURSIVE has no bound and is not supported")
            for cte in clause.expressions:
                name = cte.alias
                if cte.args["alias"].args.get("columns"):
                    msg = "name the columns in the SELECT, as in `SELECT avg(result) AS mean`"
                    raise context.refuse(cte, msg)
                if name.lower() in names:
                    raise context.refuse(cte, f"`{name}` is named twice in this WITH")
                before = context.uses
                made = relation(context, cte.this)
                sql = context.add_cte("with", made.sql)
                weight, context.uses = max(context.uses - before, 1), before
                names[name.lower()] = replace(made, sql=sql, use=None, weight=weight)
        if isinstance(node, exp.Select):
            return select(context, node)
        if isinstance(node, exp.SetOperation):
            is_all = isinstance(node, exp.Union) and not node.args.get("distinct")
            is_plain = not any(node.args.get(arg) for arg in ("order", "limit", "offset"))
            if context.is_adhoc and not (is_all and is_plain):
                return combined(context, node, relation)
            return union(context, node, relation)
        return relation(context, node)
    finally:
        context.names.pop()


def select(context: Context, node: exp.Select) -> Relation:
    """Analyse a `SELECT`."""
    _refuse_others(context, node)
    source = from_clause(context, node)
    conditions = []
    if where := node.args.get("where"):
        if context.is_adhoc:
            narrow(context, source.scope, where.this)
        condition = Expressions(context, source.scope).truth(where.this)
        context.use(condition.uses)
        conditions.append(condition.sql)
    where_sql = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    items = [*_items(context, node, source.scope)]
    is_grouped = node.args.get("group") is not None or any(has_aggregate(item) for _, item in items)
    if is_grouped:
        return grouped(context, node, source, items, where_sql)
    if having := node.args.get("having"):
        raise context.refuse(having, "HAVING belongs to GROUP BY; write WHERE here")
    return _plain(context, node, source, items, where_sql)


def from_clause(context: Context, node: exp.Select) -> From:
    """Analyse the `FROM` of a `SELECT`."""
    clause = node.args.get("from_")
    if clause is None and context.is_adhoc:
        return From(Scope(), "(SELECT 1) AS __one", Relation("", {}, None), NO_TIME)
    if clause is None:
        msg = "there is no FROM; write where the rows come from, as in `FROM observations`"
        raise context.refuse(node, msg)
    if version := clause.this.args.get("version"):
        msg = "FOR SYSTEM_TIME AS OF belongs behind a relation that is joined"
        raise context.refuse(version, msg)
    made = table(context, clause.this)
    alias = alias_of(context, clause.this)
    name = quoted(alias)
    hidden = (f"{name}.__time", f"{name}.__end", f"{name}.__series", f"{name}.__row")
    if isinstance(clause.this, exp.Table) and made.reach is None and made.sql[1:-1] in TABLES:
        hidden = NO_TIME
    source = From(Scope({alias: made}), f"{made.sql} AS {name}", made, hidden)
    for join in node.args.get("joins") or ():
        other = table(context, join.this)
        name = alias_of(context, join.this)
        is_as_of = join.args.get("method") or join.this.args.get("version")
        if context.is_adhoc and not is_as_of:
            source = joined_freely(context, source, join, name, other)
        else:
            source = joined(context, source, join, name, other)
        copies = max(source.whole.copies, other.copies)
        source = replace(source, whole=replace(source.whole, copies=copies))
    return source


def table(context: Context, node: exp.Expr) -> Relation:
    """Analyse what stands in a `FROM`: a name, a table function, or a query."""
    if isinstance(node, exp.Subquery):
        _refuse_others(context, node)
        return relation(context, node)
    if not isinstance(node, exp.Table):
        raise context.refuse(node, "a table, a table function or a query is wanted here")
    for arg, what in (("sample", "TABLESAMPLE"), ("pivots", "PIVOT"), ("hints", "a hint"),
                      ("only", "ONLY"), ("when", "a version"), ("changes", "CHANGES"),
                      ("rows_from", "ROWS FROM"), ("ordinality", "ORDINALITY")):  # fmt: skip
        if node.args.get(arg):
            raise context.refuse(node, f"{what} is not part of the language")
    call = node.this
    if isinstance(call, exp.Identifier):
        return context.table(node)
    if isinstance(call, exp.Anonymous) and str(call.this).upper() in TABLE_FUNCTIONS:
        return _table_function(context, call)
    name = str(getattr(call, "this", call)) if isinstance(call, exp.Expr) else ""
    hint = did_you_mean(name, TABLE_FUNCTIONS)
    raise context.refuse(node, f"there is no table function {name}.{hint}")


def _table_function(context: Context, call: exp.Anonymous) -> Relation:
    name = str(call.this).upper()
    if name == "SERIES_JOIN":
        return series_joined(context, call, table)
    args = arguments(context, call)
    return windowed(context, args, table(context, args.table))


def alias_of(context: Context, node: exp.Expr) -> str:
    """Return the name that a relation of a `FROM` goes by."""
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise context.refuse(node, "name columns in the SELECT, not behind the alias")
    name = alias.name if alias is not None else ""
    if not name and isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
        name = node.name
    if name.startswith("__"):
        raise context.refuse(node, "names must not begin with two underscores")
    return name or "__t"


def _items(context: Context, node: exp.Select, scope: Scope) -> list[tuple[str, exp.Expr]]:
    """Return the columns of a `SELECT`, with `*` written out, by their names."""
    items: list[tuple[str, exp.Expr]] = []
    for expression in node.expressions:
        star_of = None
        if isinstance(expression, exp.Star):
            star_of = list(scope.relations)
        elif isinstance(expression, exp.Column) and isinstance(expression.this, exp.Star):
            star_of = [a for a in scope.relations if a.lower() == expression.table.lower()]
            if not star_of:
                hint = did_you_mean(expression.table, scope.relations)
                raise context.refuse(expression, f"there is no `{expression.table}`.{hint}")
        if star_of is None:
            items.append((_name(context, expression, len(items)), expression))
            continue
        if any(expression.args.get(key) for key in ("except_", "replace", "rename")):
            raise context.refuse(expression, "name the columns that are wanted instead")
        for alias in star_of:
            for name in scope.relations[alias].fields:
                column = exp.column(exp.to_identifier(name, quoted=True), table=alias)
                column.meta.update(expression.meta)
                items.append((name, column))
    seen: dict[str, None] = {}
    for name, expression in items:
        if name.lower() in seen:
            msg = f"two columns of the answer are called `{name}`; rename one with AS"
            raise context.refuse(expression, msg)
        seen[name.lower()] = None
    return items


def _name(context: Context, expression: exp.Expr, number: int) -> str:
    if isinstance(expression, exp.Alias):
        name = expression.alias
    elif isinstance(expression, exp.Column):
        name = expression.name
    else:
        name = ""
    if name.startswith("__") or "\0" in name:
        raise context.refuse(expression, "names must not begin with two underscores")
    return name or f"column{number + 1}"


def _plain(
    context: Context,
    node: exp.Select,
    source: From,
    items: list[tuple[str, exp.Expr]],
    where_sql: str,
) -> Relation:
    """Analyse a `SELECT` that answers a row for each row."""
    over = None
    if any(item.find(exp.Window) for _, item in items):
        source = source.flat(where_sql)
        where_sql = ""
        over = Over(context, source, node)
    expressions = Expressions(context, source.scope, over=over.value if over else None)
    values = {name: expressions.value(bare(item)) for name, item in items}
    whole = source.whole
    if over is not None:
        source = replace(source, sql=over.from_sql())
        whole = replace(
            whole, reach=over.reach if whole.reach else None, is_rowwise=False, use=None
        )
    fields = {name: replace(value, sql=quoted(name)) for name, value in values.items()}
    hidden = ", ".join(f"{sql} AS {name}" for sql, name in zip(source.hidden, HIDDEN, strict=True))
    columns = ", ".join(f"{value.sql} AS {quoted(name)}" for name, value in values.items())
    if context.is_adhoc:
        extra, order = ordering(context, node, expressions, values)
        columns = ", ".join([columns, *extra])
    made = replace(
        whole,
        sql=f"(SELECT {hidden}, {columns} FROM {source.sql}{where_sql})",
        fields=fields,
        window=source.whole.window if has_edges(fields) else None,
    )
    return finished(context, node, made, order) if context.is_adhoc else made


def _refuse_others(context: Context, node: exp.Expr) -> None:
    """Refuse clauses that the language does not have."""
    for arg, message in _UNBOUNDED.items():
        if node.args.get(arg) and not context.is_adhoc:
            raise context.refuse(node.args[arg], message)
    for arg, name in _UNKNOWN.items():
        found = node.args.get(arg)
        if found:
            place = found[0] if isinstance(found, list) else found
            place = place if isinstance(place, exp.Expr) else node
            raise context.refuse(place, f"{name} is not part of the language")
    if node.args.get("distinct") and not context.is_adhoc:
        msg = "DISTINCT has no end in a stream; GROUP BY window_start, window_end and the columns"
        raise context.refuse(node, msg)
