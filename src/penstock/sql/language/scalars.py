"""Functions of single values, by Flink's names: mathematics, texts, conditions, times."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.sql.language import ranges
from penstock.sql.language.relations import text, together
from penstock.sql.signature import Function, Kind, Value

_N, _I, _T, _B, _W, _ANY = (
    Kind.NUMBER, Kind.INTEGER, Kind.TEXT, Kind.TRUTH, Kind.TIME, Kind.ANY,
)  # fmt: skip


def _number(sql: str, count: int = 1, *, needs: int | None = None) -> Function:
    return Function((_N,) * count, _N, sql, needs=needs)


def _defined(sql: str) -> Function:
    """Return a function that is NULL where it is not defined."""
    return _number(ranges.number(sql))


def _logarithm(word: str) -> Function:
    return _defined(f"nullif({word}({{0}}), '-infinity'::DOUBLE)")


def _absolute(args: Sequence[Value]) -> Value:
    (value,) = args
    if value.kind is _I:
        return Value(ranges.whole(f"abs({ranges.wide(value.sql)})"), _I, value.unit)
    return Value(f"abs({value.sql})", value.kind, value.unit)


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


#: How many units a year has, at most.
_PER_YEAR = {
    "microsecond": 366 * 86_400 * 10**6, "millisecond": 366 * 86_400 * 10**3,
    "second": 366 * 86_400, "minute": 366 * 1_440, "hour": 366 * 24, "day": 366, "week": 53,
    "month": 12, "quarter": 4, "year": 1,
}  # fmt: skip


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


def _joined(args: Sequence[Value]) -> Value:
    # Unlike DuckDB's function, NULL if one is.
    parts = " || ".join(f"CAST({arg.sql} AS VARCHAR)" for arg in args)
    return Value(ranges.text(f"({parts})"), _T)


def _substring(args: Sequence[Value]) -> Value:
    places = ", ".join(ranges.count(arg.sql) for arg in args[1:])
    return Value(f"substring({args[0].sql}, {places})", _T, uses=together(args))


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
    most = str(10_000 * _PER_YEAR[unit])
    steps = ranges.between(args[1].sql, f"(-{most})", most)
    return Value(ranges.time(f"({args[2].sql} + {steps} * INTERVAL 1 {unit})"), _W)


def _of_number(args: Sequence[Value]) -> Value:
    digits = args[1].literal
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 6:
        msg = "its second argument says how many digits of the number are behind the second: 0 to 6"
        raise ValueError(msg)
    us = f"{ranges.wide(args[0].sql)} * {10 ** (6 - digits)}"
    us = ranges.between(us, f"({ranges.FIRST_US - 1})", f"{ranges.END_US}")
    return Value(f"make_timestamp({ranges.whole(us)})", _W)


#: A place from 0 on; others are NULL.
_PLACE = "nullif(greatest({2}, -1), -1)"

SCALARS: dict[str, Function] = {
    # Mathematics. Outside of what a function is defined for, the answer is NULL.
    "ABS": Function((_N,), None, _absolute),
    "SIGN": Function((_N,), _N, "CAST(sign({0}) AS DOUBLE)"),
    "ROUND": Function(
        (_N, _I), _N, f"round(CAST({{0}} AS DOUBLE), {ranges.count('{1}')})", keeps_unit=True,
        example="ROUND(result, 2)",
    ),
    "TRUNCATE": Function(
        (_N, _I), _N, f"trunc(CAST({{0}} AS DOUBLE), {ranges.count('{1}')})",
        keeps_unit=True, example="TRUNCATE(result, 1)",
    ),
    "POWER": _number("power({0}, {1})", 2),
    "SQRT": _defined("sqrt({0})"),
    "CBRT": _number("cbrt({0})"),
    "EXP": _number("exp({0})"),
    "LN": _logarithm("ln"),
    "LOG10": _logarithm("log10"),
    "LOG2": _logarithm("log2"),
    "SIN": _defined("sin({0})"), "COS": _defined("cos({0})"),
    "TAN": _defined("tan({0})"), "COT": _defined("cot(nullif({0}, 0))"),
    "ASIN": _defined("asin({0})"),
    "ACOS": _defined("acos({0})"),
    "ATAN": _number("atan({0})"), "ATAN2": _number("atan2({0}, {1})", 2),
    "SINH": _number("sinh({0})"), "COSH": _number("cosh({0})"), "TANH": _number("tanh({0})"),
    "DEGREES": _number("degrees({0})"), "RADIANS": _number("radians({0})"),
    "PI": Function((), _N, "pi()"), "E": Function((), _N, "exp(1::DOUBLE)"),
    "MOD": Function((_N, _N), None, "({0} % nullif({1}, 0))"),
    # Choices.
    "COALESCE": Function((_ANY,), None, _choice("coalesce(...)"), is_variadic=True, needs=1),
    "IFNULL": Function((_ANY, _ANY), None, _choice("coalesce(...)")),
    # As in Flink, NULL if one is.
    "GREATEST": Function(
        (_ANY,), None, _choice("list_sort([...], 'DESC', 'NULLS FIRST')[1]"),
        is_variadic=True, needs=1,
    ),
    "LEAST": Function(
        (_ANY,), None, _choice("list_sort([...], 'ASC', 'NULLS FIRST')[1]"),
        is_variadic=True, needs=1,
    ),
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
    "REPLACE": Function((_T, _T, _T), _T, ranges.text(
        f"replace(left({{0}}, {ranges.MAX_TEXT}), {{1}}, left({{2}}, {ranges.MAX_REPLACEMENT}))"
    )),
    "REVERSE": Function((_T,), _T, "reverse({0})"),
    "CONCAT": Function((_ANY,), _T, _joined, is_variadic=True, needs=1),
    "CONCAT_WS": Function((_T, _ANY), _T, ranges.text("concat_ws({args})"), is_variadic=True),
    "POSITION": Function((_T, _T), _I, "strpos({1}, {0})", example="POSITION('a' IN text)"),
    "SPLIT_INDEX": Function(
        (_T, _T, _I), _T,
        f"split_part({{0}}, {{1}}, {ranges.count(_PLACE)}::BIGINT + 1)",
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
    "TO_TIMESTAMP": Function((_T,), _W, ranges.time(ranges.moment("{0}"))),
    "TO_TIMESTAMP_LTZ": Function(
        (_I, _I), _W, _of_number,
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
