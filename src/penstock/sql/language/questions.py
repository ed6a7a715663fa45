"""What only questions may have: they are answered once, so nothing of them needs a bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.relations import From, Relation, Scope, quoted, together
from penstock.sql.language.unions import united
from penstock.sql.signature import Value

#: The `HIDDEN` columns of rows that have no time.
NO_TIME = ("NULL::TIMESTAMP", "NULL::TIMESTAMP", "0::BIGINT", "0::BIGINT")
_TIMELESS = (
    "NULL::TIMESTAMP AS __time, NULL::TIMESTAMP AS __end, 0::BIGINT AS __series, 0::BIGINT AS __row"
)

_JOINS = {"": "JOIN", "INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN",
          "FULL": "FULL JOIN", "CROSS": "CROSS JOIN"}  # fmt: skip


def ordering(
    context: Context, node: exp.Select, expressions: Expressions, values: dict[str, Value]
) -> tuple[list[str], str]:
    """Return columns that `ORDER BY` needs beside those of the answer, and its SQL."""
    clause = node.args.get("order")
    extra: list[str] = []
    terms: list[str] = []
    names = {name.lower(): name for name in values}
    for term in clause.expressions if clause is not None else ():
        what = term.this
        if isinstance(what, exp.Literal) and not what.is_string and what.name.isdigit():
            place = int(what.name)
            if not 1 <= place <= len(values):
                raise context.refuse(what, f"the answer has columns 1 to {len(values)}")
            by = quoted(list(values)[place - 1])
        elif isinstance(what, exp.Column) and not what.table and what.name.lower() in names:
            by = quoted(names[what.name.lower()])
        else:
            value = expressions.value(what)
            context.use(value.uses)
            by = f"__order{len(extra)}"
            extra.append(f"{value.sql} AS {by}")
        nulls = "FIRST" if term.args.get("nulls_first") else "LAST"
        terms.append(f"{by} {'DESC' if term.args.get('desc') else 'ASC'} NULLS {nulls}")
    return extra, f" ORDER BY {', '.join(terms)}" if terms else ""


def finished(context: Context, node: exp.Query, made: Relation, order: str) -> Relation:
    """Apply `DISTINCT`, `ORDER BY`, `LIMIT` and `OFFSET` to what a query gives."""
    if node.args.get("distinct"):
        if node.args["distinct"].args.get("on"):
            raise context.refuse(node, "DISTINCT ON is not part of the language")
        if "__order" in order:
            raise context.refuse(
                node.args["order"], "with DISTINCT, order by columns of the answer"
            )
        context.use(together(made.fields.values()))
        names = ", ".join(value.sql for value in made.fields.values())
        sql = f"(SELECT {_TIMELESS}, {names} FROM {made.sql} AS __d GROUP BY {names})"
        made = replace(made, sql=sql, keys=None, use=None)
    limits = "".join(
        f" {word} {_count(context, node.args[arg])}"
        for arg, word in (("limit", "LIMIT"), ("offset", "OFFSET"))
        if node.args.get(arg)
    )
    if not order and not limits:
        return made
    sql = f"(SELECT * FROM {made.sql} AS __f{order}{limits})"
    # What is outside may not narrow what was counted.
    return replace(made, sql=sql, order=order, use=None)


def _count(context: Context, node: exp.Expr) -> int:
    number = node.args.get("expression") or node.args.get("count")
    if isinstance(number, exp.Literal) and not number.is_string and number.name.isdigit():
        return int(number.name)
    raise context.refuse(node, "LIMIT and OFFSET take a whole number that is written out")


def joined_freely(
    context: Context, left: From, join: exp.Join, alias: str, right: Relation
) -> From:
    """Join on any condition."""
    word = str(join.args.get("side") or join.args.get("kind") or "").upper()
    if word not in _JOINS or join.args.get("using") or join.args.get("method"):
        raise context.refuse(join.this, "write JOIN, LEFT, RIGHT, FULL or CROSS JOIN, with ON")
    if alias in left.scope.relations or alias == "__t":
        msg = "each relation of a join needs a name of its own: write AS and one behind it"
        raise context.refuse(join.this, msg)
    outer = {a: replace(r, use=None) for a, r in left.scope.relations.items()}
    scope = replace(
        left.scope,
        relations=(outer if word in {"RIGHT", "FULL"} else left.scope.relations)
        | {alias: replace(right, use=None) if word in {"LEFT", "FULL"} else right},
    )
    on = join.args.get("on")
    sql = f"{left.sql} {_JOINS[word]} {right.sql} AS {quoted(alias)}"
    if word == "CROSS" or on is None:
        sql = f"{left.sql} CROSS JOIN {right.sql} AS {quoted(alias)}"
    else:
        condition = Expressions(context, scope).truth(on)
        context.use(condition.uses)
        sql += f" ON {condition.sql}"
    whole = replace(left.whole, keys=None, is_rowwise=False, window=None, use=None)
    if whole.reach is None and right.reach is not None:
        name = quoted(alias)
        hidden = (f"{name}.__time", f"{name}.__end", f"{name}.__series", f"{name}.__row")
        return From(scope, sql, replace(whole, reach=right.reach), hidden)
    return From(scope, sql, whole, left.hidden)


def combined(
    context: Context,
    node: exp.SetOperation,
    analyse: Callable[[Context, exp.Expr], Relation],
) -> Relation:
    """Analyse `UNION`, `INTERSECT` and `EXCEPT`, with or without `ALL`."""
    sides = [node.this, node.expression]
    made = [analyse(context, side) for side in sides]
    if len(made[0].fields) != len(made[1].fields):
        msg = f"it has {len(made[1].fields)} columns, and the first query {len(made[0].fields)}"
        raise context.refuse(node.expression, msg)
    if node.args.get("by_name"):
        raise context.refuse(node, "queries are put together by the order of columns")
    fields = {
        name: united(context, sides, name, [[*m.fields.values()][number] for m in made])
        for number, name in enumerate(made[0].fields)
    }
    word = type(node).__name__.upper() + ("" if node.args.get("distinct") else " ALL")
    for one in made:
        context.use(together(one.fields.values()))
    parts = [
        "SELECT "
        + ", ".join(
            f"CAST({value.sql} AS {fields[name].kind.duckdb}) AS {quoted(name)}"
            for name, value in zip(fields, one.fields.values(), strict=True)
        )
        + f" FROM {one.sql} AS __p"
        for one in made
    ]
    names = ", ".join(quoted(name) for name in fields)
    sql = f"(SELECT {_TIMELESS}, {names} FROM (({parts[0]}) {word} ({parts[1]})) AS __c)"
    reach = made[0].reach or made[1].reach
    fields = {name: replace(value, key=None, edge="") for name, value in fields.items()}
    relation = Relation(sql, fields, reach)
    ordered = exp.Select(order=node.args.get("order"))
    extra, order = ordering(context, ordered, Expressions(context, Scope()), fields)
    assert not extra
    limits = exp.Select(limit=node.args.get("limit"), offset=node.args.get("offset"))
    return finished(context, limits, relation, order)
