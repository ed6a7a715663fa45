"""Values of bodies: times, and members of JSON objects, with errors that name their place."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from penstock.codecs.timestamps import text_us
from penstock.core.errors import CannotDecode, InvalidInput

#: A time in microseconds, or an interval of them.
Time = int | tuple[int, int]


def refuse(at: str, problem: str) -> NoReturn:
    """Raise `InvalidInput` about a place in a body."""
    raise InvalidInput(f"{at}: {problem}" if at else problem)


def within(at: str, member: str) -> str:
    """Return the place of a member."""
    return f"{at}.{member}" if at else member


def shown(value: object) -> str:
    """Return a value as it is shown in a message: JSON, not too long."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."


def read_json(body: bytes) -> Any:
    """Return the JSON of a body.

    Raises:
        InvalidInput: It is none.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise InvalidInput(f"the body is not JSON: {problem}") from None


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body."""
    found = read_json(body)
    if not isinstance(found, dict):
        refuse("", f"the body is {shown(found)}; expected a JSON object")
    return found


def read_time(value: object, at: str) -> Time:
    """Return a time, or an interval `start/end`."""
    if not isinstance(value, str):
        refuse(at, f"{shown(value)} is no time; expected ISO 8601, such as 2024-05-01T12:00:00Z")
    start, slash, end = value.partition("/")
    try:
        if not slash:
            return _moment(start)
        both = (_moment(start), _moment(end))
    except CannotDecode as problem:
        refuse(at, str(problem))
    if both[1] < both[0]:
        refuse(at, f"{shown(value)} ends before it starts")
    return both


def read_moment(value: object, at: str) -> int:
    """Return a time that is no interval."""
    time = read_time(value, at)
    if isinstance(time, tuple):
        refuse(at, f"{shown(value)} is an interval; expected one time")
    return time


def _moment(text: str) -> int:
    if "-" not in text[1:]:
        raise CannotDecode(f"{text[:60]!r} is no time; expected ISO 8601")
    return text_us(text.strip())
