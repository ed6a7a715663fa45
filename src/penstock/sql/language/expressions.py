"""Expressions: each kind of node is understood here, or refused; what comes out is our own SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlglot import exp

from penstock.sql.language import literals, operators
from penstock.sql.language.calls import FUNCTIONS, called, merged
from penstock.sql.language.context import MAX_SQL, TOO_LONG, Context
from penstock.sql.language.conversions import TIME_UNITS, cast, extract, rounded
from penstock.sql.language.families import common_kind, common_unit, family
from penstock.sql.language.pieces import Pieces
from penstock.sql.language.places import did_you_mean
from penstock.sql.language.relations import Scope, together
from penstock.sql.signature import KIND_NAMES, Kind, Value, followed

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM", exp.NullSafeNEQ: "IS DISTINCT FROM",
}  # fmt: skip


class Expressions:
    """Understands the expressions of one `SELECT`.

    Args:
        context: Of the compilation.
        scope: What names mean.
        groups: The group keys, when only these and aggregates are there: node and value.
        order: SQL to order the rows of ordered aggregates by; "" where there are no aggregates.
        over: Understands `... OVER (...)`, where that is allowed.
        pieces: Keys and aggregates are said of these, and not of rows.
    """

    def __init__(
        self,
        context: Context,
        scope: Scope,
        *,
        groups: Sequence[tuple[exp.Expr, Value]] | None = None,
        order: str = "",
        over: Callable[[exp.Window], Value] | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.context = context
        self.scope = scope
        self._groups = groups
        self._order = order
        self._over = over
        self._pieces = pieces
        self._inside_aggregate = False

    def truth(self, node: exp.Expr) -> Value:
        """Understand a condition."""
        return self.of_kind(node, {Kind.TRUTH, Kind.ANY}, "a condition")

    def of_kind(self, node: exp.Expr, kinds: set[Kind], wanted: str) -> Value:
        """Understand an expression that must be of one of some kinds."""
        value = self.value(node)
        if value.kind not in kinds:
            msg = f"{wanted} is wanted here, and this is {KIND_NAMES[value.kind]}"
            raise self.context.refuse(node, msg)
        return value

    def value(self, node: exp.Expr) -> Value:
        """Understand an expression.

        Raises:
            InvalidQuery: It is nothing that the language has, or does not fit together.
        """
        if self._groups is not None and not self._inside_aggregate:
            for group, value in self._groups:
                if group == node:
                    return self._key(value)
        if type(node) in _COMPARISONS:
            return self._comparison(node)
        method = _METHODS.get(type(node))
        if method is None:
            msg = f"`{node.sql()[:60]}` is not part of the language; see docs/reference/sql.md"
            raise self.context.refuse(node, msg)
        made = method(self, node)
        if len(made.sql) > MAX_SQL:
            raise self.context.refuse(node, TOO_LONG)
        return made

    def _literal(self, node: exp.Literal) -> Value:
        return literals.literal(self.context, node)

    def _interval(self, node: exp.Interval) -> Value:
        return literals.interval(self.context, node)

    def _boolean(self, node: exp.Boolean) -> Value:
        return Value("TRUE" if node.this else "FALSE", Kind.TRUTH, literal=bool(node.this))

    def _null(self, _node: exp.Null) -> Value:
        return Value("NULL", Kind.ANY)

    def _column(self, node: exp.Column) -> Value:
        name, alias = node.name, node.table
        if isinstance(node.this, exp.Star):
            raise self.context.refuse(node, "`*` can only stand on its own in a SELECT")
        if node.args.get("db"):
            raise self.context.refuse(node, "a column is named `column` or `alias.column`")
        if alias:
            known = next((a for a in self.scope.relations if a.lower() == alias.lower()), None)
            if known is None:
                hint = did_you_mean(alias, self.scope.relations)
                raise self.context.refuse(node, f"there is no `{alias}` in the FROM.{hint}")
            found = self.scope.column(known, name)
            names = list(self.scope.relations[known].fields)
        else:
            matches = self.scope.matches(name)
            if len(matches) > 1:
                choices = " or ".join(f"`{alias}.{name}`" for alias, _ in matches)
                msg = f"`{name}` may be several columns; write {choices}"
                raise self.context.refuse(node, msg)
            found = matches[0][1] if matches else None
            names = [n for relation in self.scope.relations.values() for n in relation.fields]
        if found is None:
            if self._groups is None and not alias and name.upper() in _NOW:
                raise self.context.refuse(node, _NO_CLOCK.format(name.upper()))
            hint = did_you_mean(name, names)
            raise self.context.refuse(node, f"there is no column `{name}`.{hint}")
        if self._groups is not None and not self._inside_aggregate:
            for _, group in self._groups:
                if group.sql == found.sql:
                    return self._key(group)
            msg = (
                f"`{name}` differs within a group: put it into GROUP BY, or into an aggregate"
                f" as in `MAX({name})`"
            )
            raise self.context.refuse(node, msg)
        return found

    def _key(self, value: Value) -> Value:
        return value if self._pieces is None else self._pieces.key(value)

    def _paren(self, node: exp.Paren) -> Value:
        return self.value(node.this)

    def _not(self, node: exp.Not) -> Value:
        value = self.truth(node.this)
        return value.computed(f"(NOT {value.sql})", Kind.TRUTH)

    def _connected(self, node: exp.And | exp.Or) -> Value:
        # Flat, so that a long chain of conditions is no deep recursion.
        parts = [self.truth(part) for part in node.flatten()]
        word = " AND " if isinstance(node, exp.And) else " OR "
        return Value(f"({word.join(p.sql for p in parts)})", Kind.TRUTH, uses=together(parts))

    def _comparison(self, node: exp.Expr) -> Value:
        left, right = self._alike(node, [node.this, node.expression])
        sql = f"({left.sql} {_COMPARISONS[type(node)]} {right.sql})"
        return Value(sql, Kind.TRUTH, uses=together((left, right)))

    def _alike(self, node: exp.Expr, parts: Sequence[exp.Expr]) -> list[Value]:
        """Understand expressions that must be of one family; a text beside a time becomes one."""
        values = [self.value(part) for part in parts]
        if any(value.kind is Kind.TIME for value in values):
            values = [
                self.time_of_literal(value, part)
                if value.kind is Kind.TEXT and value.literal is not None
                else value
                for value, part in zip(values, parts, strict=True)
            ]
        families = {family(value.kind) for value in values if value.kind is not Kind.ANY}
        if len(families) > 1:
            first, second, *_ = sorted(families)
            msg = f"{first} and {second} cannot be compared or mixed; CAST one of them"
            raise self.context.refuse(node, msg)
        return values

    def time_of_literal(self, value: Value, node: exp.Expr) -> Value:
        """Return the time that a text says."""
        us = literals.moment_us(str(value.literal))
        if us is None:
            msg = f"{value.sql} is no time; write it as in '2024-01-31 12:00:00'"
            raise self.context.refuse(node, msg)
        return value.computed(f"make_timestamp({us})", Kind.TIME)

    def _in(self, node: exp.In) -> Value:
        query = node.args.get("query")
        if query is not None and self.context.is_adhoc:
            value = self.value(node.this)
            sql, first = self._query(query)
            if family(first.kind) != family(value.kind) and Kind.ANY not in {
                first.kind,
                value.kind,
            }:
                msg = f"this is {KIND_NAMES[value.kind]}, and there {KIND_NAMES[first.kind]}"
                raise self.context.refuse(node, msg)
            return value.computed(f"({value.sql} IN {sql})", Kind.TRUTH)
        if query is not None or node.args.get("unnest"):
            msg = "IN takes a list of values here; JOIN with a subquery instead"
            raise self.context.refuse(node, msg)
        first, *others = self._alike(node, [node.this, *node.expressions])
        sql = f"({first.sql} IN ({', '.join(value.sql for value in others)}))"
        return Value(sql, Kind.TRUTH, uses=together((first, *others)))

    def _query(self, node: exp.Expr) -> tuple[str, Value]:
        """Return a query inside an expression: it sees nothing of the rows around it."""
        made = self.context.analyse(self.context, node)
        self.context.use(together(made.fields.values()))
        if len(made.fields) != 1:
            msg = f"one column is wanted here, and this has {len(made.fields)}"
            raise self.context.refuse(node, msg)
        first = next(iter(made.fields.values()))
        return f"(SELECT {first.sql} FROM {made.sql} AS __q{made.order})", first

    def _scalar(self, node: exp.Subquery) -> Value:
        if not self.context.is_adhoc:
            msg = "a query inside an expression has no bound in a stream; JOIN it instead"
            raise self.context.refuse(node, msg)
        sql, first = self._query(node)
        return Value(sql, first.kind, unit=first.unit)

    def _between(self, node: exp.Between) -> Value:
        value, low, high = self._alike(node, [node.this, node.args["low"], node.args["high"]])
        sql = f"({value.sql} BETWEEN {low.sql} AND {high.sql})"
        return Value(sql, Kind.TRUTH, uses=together((value, low, high)))

    def _is(self, node: exp.Is) -> Value:
        value = self.value(node.this)
        if isinstance(node.expression, exp.Null):
            word = "NULL"
        elif isinstance(node.expression, exp.Boolean) and value.kind is Kind.TRUTH:
            word = "TRUE" if node.expression.this else "FALSE"
        else:
            raise self.context.refuse(node, "after IS comes NULL, TRUE or FALSE")
        return value.computed(f"({value.sql} IS {word})", Kind.TRUTH)

    def _case(self, node: exp.Case) -> Value:
        subject = node.this
        whens, thens = [], []
        for branch in node.args["ifs"]:
            whens.append(
                self._comparison(exp.EQ(this=subject, expression=branch.this))
                if subject
                else self.truth(branch.this)
            )
            thens.append(branch.args["true"])
        default = node.args.get("default")
        values = self._alike(node, [*thens, *([default] if default else [])])
        branches = " ".join(
            f"WHEN {when.sql} THEN {then.sql}" for when, then in zip(whens, values, strict=False)
        )
        otherwise = f" ELSE {values[-1].sql}" if default else ""
        return Value(
            f"(CASE {branches}{otherwise} END)",
            common_kind(values),
            unit=common_unit(values),
            uses=together((*whens, *values)),
        )

    def _call(self, node: exp.Expr) -> Value:
        return self._function(node, condition=None)

    def _filtered(self, node: exp.Filter) -> Value:
        where = node.expression
        return self._function(node.this, condition=where.this)

    def _function(self, node: exp.Expr, condition: exp.Expr | None) -> Value:
        if not isinstance(node, exp.Anonymous) or not isinstance(node.this, str):
            raise self.context.refuse(node, "a function is wanted here")
        name = node.this.upper()
        function = FUNCTIONS.get(name)
        if function is None:
            if name in _NOW:
                raise self.context.refuse(node, _NO_CLOCK.format(name))
            hint = did_you_mean(name, FUNCTIONS)
            raise self.context.refuse(node, f"there is no function {name}.{hint}")
        if not function.is_aggregate:
            if condition is not None:
                raise self.context.refuse(node, "FILTER belongs behind an aggregate")
            args = [self._argument(name, arg) for arg in node.expressions]
            return called(self.context, node, name, args)
        if self._inside_aggregate:
            raise self.context.refuse(node, f"{name} cannot stand inside another aggregate")
        if self._groups is None:
            raise self.context.refuse(node, _misplaced(name))
        return self.aggregate(node, name, condition)

    def _argument(self, name: str, node: exp.Expr) -> Value:
        if isinstance(node, exp.DataType) and name.startswith("JSON_"):
            kind = literals.kind_of_type(self.context, node)
            return Value("NULL", Kind.TIME if kind is None else kind)
        if name in _TAKE_UNIT and isinstance(node, exp.Column) and node.name.upper() in TIME_UNITS:
            return Value("NULL", Kind.TEXT, literal=node.name)
        return self.value(node)

    def aggregate(
        self, node: exp.Anonymous, name: str, condition: exp.Expr | None, order: str | None = None
    ) -> Value:
        """Understand a call of an aggregate, over the rows of a group or a frame."""
        self._inside_aggregate = True
        try:
            args, distinct = self._aggregate_args(node)
            made = called(
                self.context, node, name, args,
                order=self._order if order is None else order, distinct=distinct,
            )  # fmt: skip
            clause = ""
            if condition is not None:
                where = self.truth(condition)
                clause = f"FILTER (WHERE {where.sql})"
                made = replace(made, sql=followed(made.sql, clause), uses=made.uses | where.uses)
            if self._pieces is None:
                return made
            sql = merged(self._pieces, name, args, clause, distinct=distinct)
            return replace(made, sql=sql)
        finally:
            self._inside_aggregate = False

    def _aggregate_args(self, node: exp.Anonymous) -> tuple[list[Value], bool]:
        parts, distinct = node.expressions, False
        if len(parts) == 1 and isinstance(parts[0], exp.Star):
            return [], False
        if parts and isinstance(parts[0], exp.Distinct):
            parts, distinct = [*parts[0].expressions, *parts[1:]], True
        return [self.value(part) for part in parts], distinct

    def _windowed(self, node: exp.Window) -> Value:
        if self._over is None:
            msg = "an OVER window can stand in a SELECT without GROUP BY only; use a subquery"
            raise self.context.refuse(node, msg)
        return self._over(node)


_NOW = {
    "NOW", "CURRENT_TIMESTAMP", "CURRENT_TIME", "CURRENT_DATE", "LOCALTIME", "LOCALTIMESTAMP",
    "PROCTIME", "RAND", "RANDOM", "RAND_INTEGER", "UUID", "CURRENT_ROW_TIMESTAMP",
}  # fmt: skip
#: Functions whose first argument is a unit of time, as a bare word.
_TAKE_UNIT = {"TIMESTAMPDIFF", "TIMESTAMPADD"}
_NO_CLOCK = (
    "{} differs from run to run, and an answer must follow from the data alone; use the column"
    " `time` of the observation, or `result_time`"
)

_METHODS: dict[type[exp.Expr], Callable[..., Value]] = {
    exp.Literal: Expressions._literal,
    exp.Interval: Expressions._interval,
    exp.Boolean: Expressions._boolean,
    exp.Null: Expressions._null,
    exp.Column: Expressions._column,
    exp.Paren: Expressions._paren,
    exp.Neg: operators.negative,
    exp.Not: Expressions._not,
    exp.And: Expressions._connected,
    exp.Or: Expressions._connected,
    exp.DPipe: operators.concatenated,
    exp.Like: operators.like,
    exp.Escape: operators.escaped,
    **dict.fromkeys(operators.ARITHMETIC, operators.arithmetic),
    exp.In: Expressions._in,
    exp.Between: Expressions._between,
    exp.Is: Expressions._is,
    exp.Case: Expressions._case,
    exp.Cast: cast,
    exp.TryCast: cast,
    exp.Extract: extract,
    exp.Floor: rounded,
    exp.Ceil: rounded,
    exp.Anonymous: Expressions._call,
    exp.Filter: Expressions._filtered,
    exp.Window: Expressions._windowed,
    exp.Subquery: Expressions._scalar,
}


def _misplaced(name: str) -> str:
    return (
        f"{name} is an aggregate and cannot stand here; put it into the SELECT or HAVING of a"
        " query with GROUP BY, or write OVER (...) behind it"
    )
