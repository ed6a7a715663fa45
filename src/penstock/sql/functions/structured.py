"""Access to JSON results and parameters, with the names and the meaning of Flink SQL.

What is no JSON has nothing at any path: it gives NULL and never stops a query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from penstock.sql.functions.making import merged, quoted
from penstock.sql.signature import Function, Kind, Value

#: What `RETURNING` may name.
RETURNING = (Kind.TEXT, Kind.NUMBER, Kind.INTEGER, Kind.TRUTH)

_STEP = re.compile(
    r"""\. (?P<name>[^\W\d]\w*) | \. "(?P<quoted>[^"\\]+)"
        | \[ \s* (?P<index>\d{1,9}) \s* \] | \[ \s* '(?P<key>[^'\\]+)' \s* \]""",
    re.VERBOSE,
)


def path_of(text: str) -> str:
    """Return a JSON path for DuckDB, from Flink's: `$.a."b c"[0]['d']`, after `lax` or nothing.

    Raises:
        ValueError: It is no such path.
    """
    path = text.strip()
    path = path.removeprefix("lax ").lstrip()
    steps, at = [], 1
    while path.startswith("$") and at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            break
        name = match["name"] or match["quoted"] or match["key"]
        steps.append(f'."{name}"' if name else f"[{match['index']}]")
        at = match.end()
    if not path.startswith("$") or at < len(path) or any('"' in step[2:-1] for step in steps):
        msg = f"the path {text!r} is not understood; paths look like '$.a.b[0]' or '$.\"a b\"'"
        raise ValueError(msg)
    return "$" + "".join(steps)


def _at(values: Sequence[Value]) -> tuple[str, str]:
    path = values[1].literal
    if not isinstance(path, str):
        msg = "the path must be written out, as in JSON_VALUE(text, '$.a.b')"
        raise ValueError(msg)  # noqa: TRY004
    return f"({values[0].sql})", quoted(path_of(path))


def _value(values: Sequence[Value]) -> Value:
    text, path = _at(values)
    kind = values[2].kind if len(values) > 2 else Kind.TEXT
    if kind not in RETURNING:
        msg = "JSON_VALUE can be RETURNING STRING, DOUBLE, BIGINT or BOOLEAN"
        raise ValueError(msg)
    # An object or an array is no value: as a text it must not show, and it is never a number.
    found = f"json_value({text}, {path}) ->> '$'" if kind is Kind.TEXT else f"{text} ->> {path}"
    sql = f"CASE WHEN json_valid({text}) THEN ({found}) END"
    if kind is not Kind.TEXT:
        sql = f"TRY_CAST({sql} AS {kind.duckdb})"
    return merged(values[:1], f"({sql})", kind)


def _query(values: Sequence[Value]) -> Value:
    text, path = _at(values)
    sql = (
        f"CASE WHEN json_valid({text}) AND json_type({text}, {path}) IN ('OBJECT', 'ARRAY')"
        f" THEN CAST(json_extract({text}, {path}) AS VARCHAR) END"
    )
    return merged(values[:1], f"({sql})", Kind.JSON)


def _exists(values: Sequence[Value]) -> Value:
    text, path = _at(values)
    sql = (
        f"CASE WHEN {text} IS NULL THEN NULL WHEN json_valid({text})"
        f" THEN json_exists({text}, {path}) ELSE false END"
    )
    return merged(values[:1], f"({sql})", Kind.TRUTH)


FUNCTIONS = {
    "JSON_VALUE": Function(
        takes=(Kind.TEXT, Kind.TEXT, Kind.ANY),
        gives=None,
        sql=_value,
        needs=2,
        example="JSON_VALUE(text, '$.position.x' RETURNING DOUBLE)",
    ),
    "JSON_QUERY": Function(
        takes=(Kind.TEXT, Kind.TEXT),
        gives=Kind.JSON,
        sql=_query,
        example="JSON_QUERY(parameters, '$.location')",
    ),
    "JSON_EXISTS": Function(
        takes=(Kind.TEXT, Kind.TEXT),
        gives=Kind.TRUTH,
        sql=_exists,
        example="JSON_EXISTS(parameters, '$.location')",
    ),
}
