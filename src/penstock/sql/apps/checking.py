"""What may be said of an app, beside its query."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import msgspec

from penstock.core.apps import AppSpec, Output, OutputKind
from penstock.core.errors import InvalidInput
from penstock.core.publish import encode_publish
from penstock.core.queries import Meaning
from penstock.sql.apps.app_text import check_sql

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMN = re.compile(r"\{([^{}]*)\}")

#: Longest SQL and longest other text, in characters.
MAX_SQL = 100_000
MAX_TEXT = 2_000
#: Longest lateness, idle time and reach, in seconds: a year.
MAX_S = 366 * 86_400.0


def checked(spec: AppSpec) -> AppSpec:
    """Return what somebody said of an app as it is kept: without blanks around its parts.

    Raises:
        InvalidInput: It cannot be kept; the message names the part and what is allowed.
    """
    if not _NAME.fullmatch(spec.name):
        msg = (
            f"app name {spec.name[:70]!r} is not allowed; take 1 to 63 letters, digits, `-` and `_`"
        )
        raise InvalidInput(msg)
    sql = spec.sql.strip()
    _text("sql", sql, MAX_SQL)
    check_sql(sql)
    description = "\n".join(line.strip() for line in spec.description.strip().split("\n"))
    _text("description", description, MAX_TEXT)
    for what, value in (
        ("lateness", spec.lateness_s), ("idle", spec.idle_s), ("reach", spec.reach_s),
    ):  # fmt: skip
        if not (math.isfinite(value) and 0 <= value <= MAX_S):
            msg = f"{what}_s = {value:g} is not allowed; take 0 to {MAX_S:.0f} seconds"
            raise InvalidInput(msg)
    start = _line("start", spec.start) or "now"
    start_of(start)
    return msgspec.structs.replace(
        spec, sql=sql, description=description, start=start, output=_output(spec.output)
    )


def start_of(start: str) -> int | None:
    """Return the microseconds UTC of a start that is a time, or None for the two words.

    Raises:
        InvalidInput: It is neither.
    """
    if start in ("now", "beginning"):
        return None
    try:
        time = datetime.fromisoformat(start)
    except ValueError as error:
        msg = (
            f"start {start[:40]!r} is not allowed; take `now`, `beginning` or an ISO 8601 time "
            "like 2026-01-31T12:00:00Z"
        )
        raise InvalidInput(msg) from error
    return (time.replace(tzinfo=time.tzinfo or UTC) - _EPOCH) // timedelta(microseconds=1)


def columns_in(template: str) -> list[str]:
    """Return the columns that a topic or the name of a Thing is made with."""
    return _COLUMN.findall(template)


def check_columns(spec: AppSpec, meaning: Meaning) -> None:
    """Do nothing if the output names columns that the query has.

    Raises:
        InvalidInput: It names others, or there is nothing to keep.
    """
    every = [column.name for column in meaning.columns]
    keys = [column.name for column in meaning.columns if column.is_key]
    of_thing = [*keys, "thing"] if meaning.is_rowwise else keys
    output = spec.output
    for what, names, known in (
        ("topic", columns_in(output.topic), every),
        ("thing", columns_in(output.thing), of_thing),
        ("unit", output.units, every),
        ("property", output.properties, every),
    ):
        for name in names:
            if name not in known:
                msg = f"{what} names the column {name!r}; possible are {', '.join(known) or 'none'}"
                raise InvalidInput(msg)
    if output.kind is OutputKind.DATASTREAMS and every == keys:
        msg = "the query gives no values to keep; select one beside the keys, as AVG(result)"
        raise InvalidInput(msg)


def _output(output: Output) -> Output:
    topic, thing = _line("topic", output.topic), _line("thing", output.thing)
    if output.kind is OutputKind.TOPIC:
        if not topic:
            msg = "output `topic` needs a topic, as `site/boiler/mean` or `{thing}/mean`"
            raise InvalidInput(msg)
        encode_publish(_COLUMN.sub("x", topic), b"")
        if thing or output.units or output.properties:
            msg = "thing, units and properties are of derived Datastreams; output is a topic"
            raise InvalidInput(msg)
    elif topic:
        msg = "a topic is given, but the output is `datastreams`; say output `topic`, or no topic"
        raise InvalidInput(msg)
    return msgspec.structs.replace(
        output,
        topic=topic,
        thing=thing,
        units={name: _line(f"unit.{name}", text) for name, text in output.units.items()},
        properties={
            name: _line(f"property.{name}", text) for name, text in output.properties.items()
        },
    )


def _line(what: str, text: str) -> str:
    text = text.strip()
    _text(what, text, MAX_TEXT, is_line=True)
    return text


def _text(what: str, text: str, most: int, *, is_line: bool = False) -> None:
    if len(text) > most:
        msg = f"{what} has {len(text)} characters; up to {most} are allowed"
        raise InvalidInput(msg)
    if any(_is_no_text(one) and (is_line or one not in "\t\r\n") for one in text):
        msg = f"{what} holds characters that are no text (control characters or half a surrogate)"
        raise InvalidInput(msg)


def _is_no_text(character: str) -> bool:
    return (
        character < " " or character in "\x7f\u2028\u2029\x85" or "\ud800" <= character <= "\udfff"
    )
