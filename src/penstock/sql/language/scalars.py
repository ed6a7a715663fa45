"""Functions of single values, by Flink's names: mathematics, texts, conditions, times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.sql.language.relations import text, together
from penstock.sql.signature import Function, Kind, Value

_N, _I, _T, _B, _W, _ANY = (
    Kind.NUMBER, Kind.INTEGER, Kind.TEXT, Kind.TRUTH, Kind.TIME, Kind.ANY,
)  # fmt: skip


def _number(sql: str, count: int = 1, *, needs: int | None = None) -> Function:
    return Function((_N,) * count, _N, sql, needs=needs)


def _finite(sql: str) -> Function:
    return _number(f"(CASE WHEN isfinite({{0}}) THEN {sql} END)")


def _choice(template: str) -> Callable[[Sequence[Value]], Value]:
    """Return a rule for functions that give one of their arguments."""

    def make(args: Sequence[Value]) -> Value:
        kinds = {arg.kind for arg in args if arg.kind is not _ANY}
        if kinds == {_N, _I}:
            kinds = {_N}
        if kinds == {_T, Kind.JSON}:
            kinds = {_T}
        if len(kinds) > 1:
            msg = f"its arguments are of different kinds: {', '.join(sorted(kinds))}"
            raise ValueError(msg)
        units = {arg.unit for arg in args if arg.literal is None}
        unit = units.pop() if len(units) == 1 else None
        sql = template.replace("...", ", ".join(arg.sql for arg in args))
        return Value(sql, kinds.pop() if kinds else _ANY, unit=unit)

    return make


def _if(args: Sequence[Value]) -> Value:
    condition, yes, no = args
    made = _choice("...")([yes, no])
    sql = f"(CASE WHEN {condition.sql} THEN {yes.sql} ELSE {no.sql} END)"
    return Value(sql, made.kind, unit=made.unit)


def _same(template: str) -> Function:
    """Return a function of a number that keeps its kind and unit."""
    return Function((_N,), None, template, keeps_unit=True)


def _nullif(args: Sequence[Value]) -> Value:
    made = _choice("...")(args)
    return Value(f"nullif({args[0].sql}, {args[1].sql})", args[0].kind or made.kind, args[0].unit)


_PARTS = ("MICROSECOND", "MILLISECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH",
          "QUARTER", "YEAR")  # fmt: skip


def _date_format(args: Sequence[Value]) -> Value:
    time, pattern = args
    if not isinstance(pattern.literal, str):
        msg = "its pattern must be written out, as in DATE_FORMAT(time, 'yyyy-MM-dd HH:mm')"
        raise ValueError(msg)  # noqa: TRY004
    return Value(f"strftime({time.sql}, {text(_strftime(pattern.literal))})", _T)


_JAVA = {
    "yyyy": "%Y", "yy": "%y", "MM": "%m", "MMM": "%b", "MMMM": "%B", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "mm": "%M", "ss": "%S", "SSS": "%g", "SSSSSS": "%f",
    "a": "%p", "E": "%a", "EEE": "%a", "EEEE": "%A", "D": "%-j", "DDD": "%j", "M": "%-m",
}  # fmt: skip


def _strftime(pattern: str) -> str:
    """Return the pattern of Java's DateTimeFormatter as one of `strftime`."""
    made, place = [], 0
    while place < len(pattern):
        letter = pattern[place]
        if letter == "'":
            end = pattern.find("'", place + 1)
            if end < 0:
                msg = "its pattern has a single quote without its partner"
                raise ValueError(msg)
            made.append(pattern[place + 1 : end].replace("%", "%%") or "'")
            place = end + 1
        elif letter.isalpha() and letter.isascii():
            end = place
            while end < len(pattern) and pattern[end] == letter:
                end += 1
            run = pattern[place:end]
            if run not in _JAVA:
                msg = f"`{run}` in its pattern is not known; there are {', '.join(sorted(_JAVA))}"
                raise ValueError(msg)
            made.append(_JAVA[run])
            place = end
        else:
            made.append("%%" if letter == "%" else letter)
            place += 1
    return "".join(made)


def _substring(args: Sequence[Value]) -> Value:
    return Value(f"substring({', '.join(arg.sql for arg in args)})", _T, uses=together(args))


def _unit(arg: Value) -> str:
    unit = str(arg.literal).upper()
    if unit not in _PARTS:
        msg = f"its first argument is one of {', '.join(_PARTS)}, without quotes"
        raise ValueError(msg)
    return unit.lower()


def _difference(args: Sequence[Value]) -> Value:
    # Whole units that have passed, as Flink counts; DuckDB's datesub.
    return Value(f"datesub('{_unit(args[0])}', {args[1].sql}, {args[2].sql})", _I)


def _added(args: Sequence[Value]) -> Value:
    unit = _unit(args[0])
    return Value(f"({args[2].sql} + {args[1].sql} * INTERVAL 1 {unit})", _W)


SCALARS: dict[str, Function] = {
    # Mathematics. Outside of what a function is defined for, the answer is NULL.
    "ABS": _same("abs({0})"),
    "SIGN": Function((_N,), _N, "CAST(sign({0}) AS DOUBLE)"),
    "ROUND": Function(
        (_N, _I), _N, "round(CAST({0} AS DOUBLE), CAST({1} AS INTEGER))", keeps_unit=True,
        example="ROUND(result, 2)",
    ),
    "TRUNCATE": Function(
        (_N, _I), _N, "(trunc({0} * power(10::DOUBLE, {1})) / power(10::DOUBLE, {1}))",
        keeps_unit=True, example="TRUNCATE(result, 1)",
    ),
    "POWER": _number("power({0}, {1})", 2),
    "SQRT": _number("(CASE WHEN {0} >= 0 THEN sqrt({0}) END)"),
    "CBRT": _number("cbrt({0})"),
    "EXP": _number("exp({0})"),
    "LN": _number("(CASE WHEN {0} > 0 THEN ln({0}) END)"),
    "LOG10": _number("(CASE WHEN {0} > 0 THEN log10({0}) END)"),
    "LOG2": _number("(CASE WHEN {0} > 0 THEN log2({0}) END)"),
    "SIN": _finite("sin({0})"), "COS": _finite("cos({0})"),
    "TAN": _finite("tan({0})"), "COT": _finite("cot(nullif({0}, 0))"),
    "ASIN": _number("(CASE WHEN abs({0}) <= 1 THEN asin({0}) END)"),
    "ACOS": _number("(CASE WHEN abs({0}) <= 1 THEN acos({0}) END)"),
    "ATAN": _number("atan({0})"), "ATAN2": _number("atan2({0}, {1})", 2),
    "SINH": _number("sinh({0})"), "COSH": _number("cosh({0})"), "TANH": _number("tanh({0})"),
    "DEGREES": _number("degrees({0})"), "RADIANS": _number("radians({0})"),
    "PI": Function((), _N, "pi()"), "E": Function((), _N, "exp(1::DOUBLE)"),
    "MOD": Function((_N, _N), None, "({0} % nullif({1}, 0))"),
    # Choices.
    "COALESCE": Function((_ANY,), None, _choice("coalesce(...)"), is_variadic=True, needs=1),
    "IFNULL": Function((_ANY, _ANY), None, _choice("coalesce(...)")),
    "GREATEST": Function((_ANY,), None, _choice("greatest(...)"), is_variadic=True, needs=1),
    "LEAST": Function((_ANY,), None, _choice("least(...)"), is_variadic=True, needs=1),
    "NULLIF": Function((_ANY, _ANY), None, _nullif),
    "IF": Function((_B, _ANY, _ANY), None, _if, example="IF(result > 5, 'high', 'low')"),
    # Texts.
    "UPPER": Function((_T,), _T, "upper({0})"), "LOWER": Function((_T,), _T, "lower({0})"),
    "CHAR_LENGTH": Function((_T,), _I, "length({0})"),
    "CHARACTER_LENGTH": Function((_T,), _I, "length({0})"),
    "LENGTH": Function((_T,), _I, "length({0})"),
    "TRIM": Function((_T,), _T, "trim({0})"), "LTRIM": Function((_T,), _T, "ltrim({0})"),
    "RTRIM": Function((_T,), _T, "rtrim({0})"),
    "SUBSTRING": Function(
        (_T, _I, _I), _T, _substring, needs=2, example="SUBSTRING(text, 1, 3)"
    ),
    "SUBSTR": Function(
        (_T, _I, _I), _T, _substring, needs=2, example="SUBSTR(text, 1, 3)"
    ),
    "LEFT": Function((_T, _I), _T, "left({0}, {1})"),
    "RIGHT": Function((_T, _I), _T, "right({0}, {1})"),
    "REPLACE": Function((_T, _T, _T), _T, "replace({0}, {1}, {2})"),
    "REVERSE": Function((_T,), _T, "reverse({0})"),
    "CONCAT": Function((_ANY,), _T, "concat({args})", is_variadic=True, needs=1),
    "CONCAT_WS": Function((_T, _ANY), _T, "concat_ws({args})", is_variadic=True),
    "POSITION": Function((_T, _T), _I, "strpos({1}, {0})", example="POSITION('a' IN text)"),
    "SPLIT_INDEX": Function(
        (_T, _T, _I), _T, "split_part({0}, {1}, CAST({2} AS INTEGER) + 1)",
        example="SPLIT_INDEX(name, '.', 0)",
    ),
    "STARTSWITH": Function((_T, _T), _B, "starts_with({0}, {1})"),
    "ENDSWITH": Function((_T, _T), _B, "ends_with({0}, {1})"),
    # Times.
    "DATE_FORMAT": Function((_W, _T), _T, _date_format),
    "TIMESTAMPDIFF": Function(
        (_T, _W, _W), _I, _difference,
        example="TIMESTAMPDIFF(SECOND, time, result_time)",
    ),
    "TIMESTAMPADD": Function(
        (_T, _I, _W), _W, _added, example="TIMESTAMPADD(MINUTE, 5, time)"
    ),
    "TO_TIMESTAMP": Function((_T,), _W, "TRY_CAST({0} AS TIMESTAMP)"),
    "TO_TIMESTAMP_LTZ": Function(
        (_I, _I), _W, "make_timestamp(CAST(CASE WHEN abs({0} * power(10, 6 - {1})) < 9e18 "
        "THEN {0} * power(10, 6 - {1}) END AS BIGINT))",
        example="TO_TIMESTAMP_LTZ(1700000000000, 3)",
    ),
    "UNIX_TIMESTAMP": Function((_W,), _I, "CAST(floor(epoch({0})) AS BIGINT)"),
    **{
        part: Function((_W,), _I, f"CAST(date_part('{part.lower()}', {{0}}) AS BIGINT)")
        for part in ("YEAR", "QUARTER", "MONTH", "WEEK", "HOUR", "MINUTE", "SECOND")
    },
    "DAYOFMONTH": Function((_W,), _I, "CAST(date_part('day', {0}) AS BIGINT)"),
    "DAYOFYEAR": Function((_W,), _I, "CAST(date_part('doy', {0}) AS BIGINT)"),
    "DAYOFWEEK": Function((_W,), _I, "CAST(date_part('dow', {0}) + 1 AS BIGINT)"),
}  # fmt: skip
