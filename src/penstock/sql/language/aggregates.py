"""Aggregates, by Flink's names. Sums are compensated, so that the order of rows does not show."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.sql.functions import LISTED
from penstock.sql.signature import CALL_END, Function, Kind, Merge, Value

_N, _I, _T, _B, _ANY = Kind.NUMBER, Kind.INTEGER, Kind.TEXT, Kind.TRUTH, Kind.ANY


#: What `COUNT(DISTINCT ...)` is of parts: the values themselves. Nulls do not count.
DISTINCT = Merge(
    (f"coalesce(list(DISTINCT {{0}}){CALL_END}, [])",), "list_unique(flatten(list({0})))"
)


def _numeric(sql: str, *, keeps_unit: bool = False, merge: Merge | None = None) -> Function:
    return Function((_N,), _N, sql, is_aggregate=True, keeps_unit=keeps_unit, merge=merge)


def _chosen(sql: str, *, is_ordered: bool = False, merge: Merge | None = None) -> Function:
    return Function(
        (_ANY,), None, sql, is_aggregate=True, is_ordered=is_ordered, keeps_unit=True, merge=merge
    )


def _same(sql: str) -> Merge:
    return Merge((sql,), sql)


def _fraction(arg: Value) -> float:
    number = arg.literal
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= 1:
        msg = "its second argument is a share from 0 to 1 that is written out, as in 0.95"
        raise ValueError(msg)
    return float(number)


def _percentile(args: Sequence[Value]) -> Value:
    return Value(f"quantile_cont({args[0].sql}, {_fraction(args[1])!r})", _N, unit=args[0].unit)


AGGREGATES: dict[str, Function] = {
    "COUNT": Function(
        (_ANY,), _I, "count({args})", needs=0, is_aggregate=True,
        merge=Merge(("count({args})",), "CAST(sum({0}) AS BIGINT)"),
    ),
    "SUM": _numeric("fsum({0})", keeps_unit=True, merge=_same("fsum({0})")),
    "AVG": _numeric(
        "favg({0})", keeps_unit=True,
        merge=Merge(("fsum({0})", "count({0})"), "(fsum({0}) / sum({1}))"),
    ),
    "MIN": _chosen("min({0})", merge=_same("min({0})")),
    "MAX": _chosen("max({0})", merge=_same("max({0})")),
    "STDDEV_POP": _numeric("stddev_pop({0})", keeps_unit=True),
    "STDDEV_SAMP": _numeric("stddev_samp({0})", keeps_unit=True),
    "VAR_POP": _numeric("var_pop({0})"),
    "VAR_SAMP": _numeric("var_samp({0})"),
    "MEDIAN": _numeric("median({0})", keeps_unit=True),
    "PERCENTILE": Function(
        (_N, _N), _N, _percentile, is_aggregate=True, example="PERCENTILE(result, 0.95)"
    ),
    "FIRST_VALUE": _chosen("first({0} {order})", is_ordered=True),
    "LAST_VALUE": _chosen("last({0} {order})", is_ordered=True),
    "BOOL_AND": Function(
        (_B,), _B, "bool_and({0})", is_aggregate=True, merge=_same("bool_and({0})")
    ),
    "BOOL_OR": Function(
        (_B,), _B, "bool_or({0})", is_aggregate=True, merge=_same("bool_or({0})")
    ),
    "ARRAY_AGG": Function(
        (_N,), Kind.NUMBERS, "list(CAST({0} AS DOUBLE) {order})", is_aggregate=True, is_ordered=True
    ),
    "LISTAGG": Function(
        (_T, _T), _T, f"{LISTED}(string_agg({{0}}, {{1}} {{order}}){CALL_END})",
        is_aggregate=True, is_ordered=True,
        example="LISTAGG(text, ',')",
    ),
    "REGR_SLOPE": Function((_N, _N), _N, "regr_slope({0}, {1})", is_aggregate=True),
    "CORR": Function((_N, _N), _N, "corr({0}, {1})", is_aggregate=True),
}  # fmt: skip
