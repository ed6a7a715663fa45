"""Calls of functions: what each one takes is checked, and its template filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from sqlglot import exp

from penstock.sql.functions import FUNCTIONS as OWN
from penstock.sql.language.aggregates import AGGREGATES, DISTINCT
from penstock.sql.language.context import Context
from penstock.sql.language.pieces import Pieces
from penstock.sql.language.relations import together
from penstock.sql.language.scalars import SCALARS
from penstock.sql.signature import KIND_NAMES, Function, Functions, Kind, Value, followed


def _all() -> dict[str, Function]:
    tables: list[Functions] = [SCALARS, AGGREGATES, OWN]
    together_: dict[str, Function] = {}
    for table in tables:
        together_.update(table)
    return together_


#: Every function there is, by name.
FUNCTIONS: dict[str, Function] = _all()


@cache
def aggregate_names() -> frozenset[str]:
    """Return the names of the aggregates."""
    return frozenset(name for name, function in FUNCTIONS.items() if function.is_aggregate)


def called(
    context: Context,
    node: exp.Expr,
    name: str,
    args: Sequence[Value],
    *,
    order: str = "",
    distinct: bool = False,
) -> Value:
    """Return the value of a call.

    Args:
        context: Of the compilation.
        node: The call, for errors.
        name: Of the function, in capitals.
        args: What it is called with.
        order: SQL that ordered aggregates order their rows by.
        distinct: `DISTINCT` stands before the arguments.

    Raises:
        InvalidQuery: The arguments are not what it takes.
    """
    function = FUNCTIONS[name]
    usage = f"; write it as in `{function.example}`" if function.example else ""
    _check_number(context, node, name, function, len(args), usage)
    taken = []
    for number, arg in enumerate(args):
        wanted = function.takes[min(number, len(function.takes) - 1)]
        if not _fits(arg, wanted):
            place = _ORDINALS[min(number, 5)]
            msg = (
                f"{name} takes {KIND_NAMES[wanted]} as its {place} argument, and"
                f" this is {KIND_NAMES[arg.kind]}{usage}"
            )
            part = node.expressions[number] if number < len(node.expressions) else node
            raise context.refuse(part, msg)
        taken.append(arg)
    is_of_order = function.is_ordered and name != "LISTAGG"
    if distinct and (
        not function.is_aggregate or not args or callable(function.sql) or is_of_order
    ):
        raise context.refuse(node, f"DISTINCT has no meaning in {name}{usage}")
    if name == "LISTAGG" and not isinstance(args[1].literal, str):
        raise context.refuse(node, f"its separator must be written out{usage}")
    if callable(function.sql):
        try:
            made = function.sql(taken)
        except ValueError as error:
            raise context.refuse(node, f"{name}: {error}") from error
        sql, kind, unit = made.sql, made.kind, made.unit
    else:
        parts = [arg.sql for arg in taken]
        if distinct:
            # Rows that are one have no time of their own.
            order = parts[0]
            parts[0] = f"DISTINCT {parts[0]}"
        sql = _filled(function.sql, parts, order)
        kind = function.gives or _kind_of_first(taken)
        unit = taken[0].unit if function.keeps_unit and taken else None
    return Value(sql, kind, unit=unit, uses=together(taken))


def merged(pieces: Pieces, name: str, args: Sequence[Value], clause: str, *, distinct: bool) -> str:
    """Return the SQL of an aggregate over pieces, and note what it needs of them.

    Args:
        pieces: What is known of each piece.
        name: Of the aggregate, in capitals.
        args: What it is called with.
        clause: Its `FILTER`, or "".
        distinct: `DISTINCT` stands before the arguments.
    """
    merge = FUNCTIONS[name].merge
    if distinct:
        merge = DISTINCT if name == "COUNT" else None
    if merge is None:
        pieces.is_possible = False
        return "NULL"
    over_rows = [_filled(part, [arg.sql for arg in args], "") for part in merge.parts]
    parts = [pieces.part(followed(sql, clause) if clause else sql) for sql in over_rows]
    return _filled(merge.whole, parts, "")


def _filled(template: str, parts: Sequence[str], order: str) -> str:
    """Fill a template in one pass: what is put in is not looked at again."""
    values = {str(number): part for number, part in enumerate(parts)}
    values |= {"args": ", ".join(parts), "order": f"ORDER BY {order}" if order else ""}
    return re.sub(r"\{(\d+|args|order)\}", lambda match: values.get(match[1], "NULL"), template)


def _kind_of_first(taken: Sequence[Value]) -> Kind:
    kinds = [value.kind for value in taken if value.kind is not Kind.ANY]
    if Kind.NUMBER in kinds:
        return Kind.NUMBER
    return kinds[0] if kinds else Kind.ANY


def _check_number(
    context: Context, node: exp.Expr, name: str, function: Function, given: int, usage: str
) -> None:
    most = None if function.is_variadic else len(function.takes)
    least = len(function.takes) if function.needs is None else function.needs
    if given < least or (most is not None and given > most):
        wanted = (
            str(least) if most == least else f"{least} to {most}" if most else f"{least} or more"
        )
        msg = f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {given}{usage}"
        raise context.refuse(node, msg)


def _fits(arg: Value, wanted: Kind) -> bool:
    return (
        Kind.ANY in (arg.kind, wanted)
        or arg.kind is wanted
        or (wanted is Kind.NUMBER and arg.kind is Kind.INTEGER)
        or (wanted in {Kind.TEXT, Kind.JSON} and arg.kind in {Kind.TEXT, Kind.JSON})
    )


_ORDINALS = ("first", "second", "third", "fourth", "fifth", "last")
