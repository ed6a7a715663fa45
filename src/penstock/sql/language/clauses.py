"""What of the syntax is read: everything else that the parser takes is refused, never dropped."""

from __future__ import annotations

from sqlglot import exp

from penstock.sql.language.places import Refusals

_BINARY = frozenset({"this", "expression"})
_THIS = frozenset({"this"})
_LIST = frozenset({"expressions"})

#: For each node that analysis takes: which of its parts are read there.
_READ: dict[type[exp.Expr], frozenset[str]] = {
    # Queries.
    exp.Select: frozenset({
        "with_", "expressions", "from_", "joins", "where", "group", "having", "windows",
        "distinct", "order", "limit", "offset",
    }),
    **dict.fromkeys(
        (exp.Union, exp.Intersect, exp.Except),
        frozenset({"this", "expression", "distinct", "order", "limit", "offset", "with_"}),
    ),
    exp.Subquery: frozenset({"this", "alias", "with_", "partition"}),
    exp.With: _LIST, exp.CTE: frozenset({"this", "alias"}), exp.TableAlias: _THIS,
    exp.From: _THIS, exp.Where: _THIS, exp.Having: _THIS, exp.Group: _LIST, exp.Order: _LIST,
    exp.Table: frozenset({"this", "db", "alias", "version", "partition"}),
    exp.Version: frozenset({"this", "kind", "expression"}),
    exp.Partition: _LIST,
    exp.Join: frozenset({"this", "on", "side", "kind", "method"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}), exp.Offset: frozenset({"expression"}),
    exp.Fetch: frozenset({"count", "direction", "limit_options"}),
    exp.LimitOptions: frozenset({"rows"}),
    exp.Distinct: _LIST,
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over", "alias"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
    # Expressions.
    **dict.fromkeys(
        (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ,
         exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.And, exp.Or, exp.Is, exp.Escape,
         exp.Filter, exp.Kwarg, exp.Extract, exp.IntervalSpan),
        _BINARY,
    ),
    **dict.fromkeys((exp.Not, exp.Neg, exp.Paren, exp.Boolean, exp.Var), _THIS),
    exp.DPipe: _BINARY | {"safe"},
    exp.Like: _BINARY | {"negate"},
    exp.Between: frozenset({"this", "low", "high"}),
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Case: frozenset({"this", "ifs", "default"}), exp.If: frozenset({"this", "true"}),
    exp.Cast: frozenset({"this", "to"}), exp.TryCast: frozenset({"this", "to", "safe"}),
    exp.DataType: frozenset({"this", "expressions"}), exp.DataTypeParam: _THIS,
    exp.Floor: frozenset({"this", "to"}), exp.Ceil: frozenset({"this", "to"}),
    exp.Anonymous: frozenset({"this", "expressions"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Interval: frozenset({"this", "unit"}),
    exp.Null: frozenset(), exp.Star: frozenset(),
}  # fmt: skip

#: What parts are called in SQL, where that is not their own name.
_NAMES = {
    "joins": "a join inside a join; write the joins one behind the other",
    "symmetric": "SYMMETRIC; write the lower bound first",
    "exclude": "EXCLUDE in a frame",
    "ilike": "ILIKE behind `*`",
    "match_condition": "MATCH_CONDITION",
    "limit_options": "WITH TIES",
    "with_ties": "WITH TIES",
    "materialized": "MATERIALIZED",
}


def refuse_unread(tree: exp.Expr, refusals: Refusals) -> None:
    """Refuse a query that was analysed if something of it was never looked at.

    Raises:
        InvalidQuery: It has a clause or a word that the language does not have.
    """
    for node in tree.walk():
        read = _READ.get(type(node))
        if read is None:
            msg = f"`{node.sql()[:60]}` is not part of the language; see docs/reference/sql.md"
            raise refusals.at(node if _has_place(node) else node.parent, msg)
        for arg, part in node.args.items():
            # `False` and 0 say that something is not there; an empty list does too.
            if arg in read or not part:
                continue
            place = part[0] if isinstance(part, list) else part
            place = place if isinstance(place, exp.Expr) and _has_place(place) else node
            what = _NAMES.get(arg) or arg.strip("_").replace("_", " ").upper()
            raise refusals.at(place, f"this is not part of the language: {what}")


def _has_place(node: exp.Expr) -> bool:
    return any(isinstance(part.meta.get("start"), int) for part in node.walk())
