"""What devices and the door say, read from JSON; and what is said to devices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import ciso8601
import msgspec

from penstock.core.commands import Task, TaskState, Value
from penstock.core.device_logs import Level, LogLine
from penstock.core.devices import Json, Presence
from penstock.core.errors import CannotDecode
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: What reading bad JSON raises; the last when it is too deep.
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: Objects and arrays within each other, in a state.
MAX_DEPTH = 64

#: Other words for levels.
_LEVELS = {
    "WARN": Level.WARNING,
    "ERR": Level.ERROR,
    "CRITICAL": Level.ERROR,
    "FATAL": Level.ERROR,
    "NOTICE": Level.INFO,
    "TRACE": Level.DEBUG,
    **{level.value: level for level in Level},
}


class RegistryEntry(msgspec.Struct, frozen=True, rename="pascal"):
    """A sensor says what it is; further members are ignored."""

    serial_number: str
    sample_frequency: float | None = None


class _Line(msgspec.Struct, rename={"at": "Timestamp", "level": "Level", "text": "Message"}):
    text: str
    level: str = "INFO"
    at: str | int | float | None = None


class _PlainLine(msgspec.Struct, rename={"at": "time", "text": "message"}):
    text: str
    level: str = "INFO"
    at: str | int | float | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A device says what became of a command."""

    task: str = ""
    state: TaskState = TaskState.DONE
    message: str = ""


class _AnswerBody(msgspec.Struct, kw_only=True):
    task: str = msgspec.field(default="", name="Task")
    plain_task: str = msgspec.field(default="", name="task")
    state: str = msgspec.field(default="", name="State")
    plain_state: str = msgspec.field(default="", name="state")
    message: str = msgspec.field(default="", name="Message")
    plain_message: str = msgspec.field(default="", name="message")


#: What a device may say of a task.
_SAYABLE = {state.value: state for state in (TaskState.ACCEPTED, TaskState.DONE, TaskState.FAILED)}
#: Longest text of a device about a task, in characters.
MAX_MESSAGE_CHARS = 1000


class _Client(msgspec.Struct):
    online: bool
    at: int
    client: str
    system: int = 1
    user: str | None = None
    reason: str = ""
    keep_alive_s: int = 0
    address: str | None = None


class _Door(msgspec.Struct):
    started: int


def read_registry(payload: bytes, serial: str) -> RegistryEntry:
    """Return what a sensor says of itself.

    Raises:
        CannotDecode: It is not JSON of this form, or speaks of another sensor.
    """
    entry = _decode(payload, RegistryEntry, '{"SerialNumber": text, "SampleFrequency": number}')
    if entry.serial_number != serial:
        msg = f"the topic is of sensor {serial!r}, the message of {entry.serial_number[:40]!r}"
        raise CannotDecode(msg)
    frequency = entry.sample_frequency
    if frequency is not None and not (math.isfinite(frequency) and frequency > 0):
        msg = f"SampleFrequency {frequency!r} is not allowed; it is a positive number of Hz"
        raise CannotDecode(msg)
    return entry


def read_lines(
    payload: bytes, device: str, system: int, arrived_us: int, max_chars: int
) -> list[LogLine]:
    """Return the lines of a message: one, or an array of them.

    Raises:
        CannotDecode: It is not JSON of this form.
    """
    wanted = '{"Timestamp": RFC 3339, "Level": text, "Message": text}, or an array of these'
    kind: Any = list[_Line] if payload.lstrip()[:1] == b"[" else _Line
    found: Any
    try:
        found = msgspec.json.decode(payload, type=kind)
    except msgspec.ValidationError:
        kind = list[_PlainLine] if payload.lstrip()[:1] == b"[" else _PlainLine
        found = _decode(payload, kind, wanted)
    except BAD_JSON as error:
        msg = f"cannot be read: {error}; expected is {wanted}"
        raise CannotDecode(msg) from error
    lines: Sequence[_Line | _PlainLine] = found if isinstance(found, list) else [found]
    return [
        LogLine(
            device=device,
            system=system,
            time_us=arrived_us if line.at is None else _time_us(line.at),
            level=_level(line.level),
            message=_clean(line.text)[:max_chars],
        )
        for line in lines
    ]


def read_state(payload: bytes, max_bytes: int) -> Mapping[str, Json]:
    """Return the state that a device reports.

    Raises:
        CannotDecode: It is not a JSON object, or too large.
    """
    if len(payload) > max_bytes:
        msg = f"a state of {len(payload)} bytes is too large; up to {max_bytes} are kept"
        raise CannotDecode(msg)
    state = _decode(payload, dict[str, object], "a JSON object")
    if not is_shallow(state):
        msg = f"a state deeper than {MAX_DEPTH} levels is not kept"
        raise CannotDecode(msg)
    return state


def is_shallow(document: object) -> bool:
    """Tell whether JSON has no more than `MAX_DEPTH` objects and arrays within each other."""
    layer = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            part
            for one in layer
            if isinstance(one, (Mapping, list))
            for part in (one.values() if isinstance(one, Mapping) else one)
        ]
        if not layer:
            return True
    return not any(isinstance(one, (Mapping, list)) for one in layer)


def read_answer(payload: bytes, task: str) -> Answer:
    """Return what a device says of a task.

    Args:
        payload: `{"Task", "State", "Message"}`; empty means done.
        task: The task that the topic names, if it does.

    Raises:
        CannotDecode: It is not JSON of this form, or no task is named.
    """
    wanted = '{"Task": text, "State": "accepted", "done" or "failed", "Message": text}'
    body = _decode(payload, _AnswerBody, wanted) if payload.strip() else _AnswerBody()
    key = task or body.task or body.plain_task
    if not key:
        msg = f"no task is named; expected is {wanted}"
        raise CannotDecode(msg)
    said = (body.state or body.plain_state or TaskState.DONE.value).lower()
    if said not in _SAYABLE:
        msg = f"state {said[:40]!r} is not one of {', '.join(_SAYABLE)}"
        raise CannotDecode(msg)
    text = _clean(body.message or body.plain_message)[:MAX_MESSAGE_CHARS]
    return Answer(task=key, state=_SAYABLE[said], message=text)


def read_presence(payload: bytes) -> Presence:
    """Return what the door says of a client.

    Raises:
        CannotDecode: It is not what doors say.
    """
    said = _decode(payload, _Client, "what the door says of a client")
    return Presence(
        client=said.client,
        online=said.online,
        at_us=said.at,
        system=said.system,
        user=said.user or "",
        reason=said.reason,
        keep_alive_s=said.keep_alive_s,
        address=said.address or "",
    )


def read_start(payload: bytes) -> int:
    """Return when the door started.

    Raises:
        CannotDecode: It is not what doors say.
    """
    return _decode(payload, _Door, "what a door says when it starts").started


def write_command(task: Task, serial: str) -> bytes:
    """Return a command as devices get it."""
    params: Mapping[str, Value] = task.parameters
    return msgspec.json.encode(
        {
            "SerialNumber": serial,
            "Timestamp": stamp(task.created_us),
            "Command": task.command,
            "Params": params,
            "Task": task.key,
        }
    )


def write_desired(version: int, desired: Mapping[str, Json], delta: Mapping[str, Json]) -> bytes:
    """Return the desired state as devices get it."""
    return msgspec.json.encode({"version": version, "desired": desired, "delta": delta})


def stamp(time_us: int) -> str:
    """Return a time in RFC 3339 with microseconds, UTC."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def _decode(payload: bytes, kind: type[T], wanted: str) -> T:
    try:
        return msgspec.json.decode(payload, type=kind)
    except BAD_JSON as error:
        msg = f"cannot be read: {error}; expected is {wanted}"
        raise CannotDecode(msg) from error


def _level(text: str) -> Level:
    level = _LEVELS.get(text.strip().upper())
    if level is None:
        msg = f"level {text[:40]!r} is not one of {', '.join(Level)}"
        raise CannotDecode(msg)
    return level


def _time_us(value: str | float) -> int:
    if isinstance(value, str):
        try:
            moment = ciso8601.parse_datetime(value[:40])
        except ValueError as error:
            msg = f"time {value[:60]!r} is not RFC 3339, as in 2026-01-31T08:00:00Z"
            raise CannotDecode(msg) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        time_us = (moment - _EPOCH) // timedelta(microseconds=1)
    else:
        time_us = _epoch_us(value)
    if not MIN_TIME_US <= time_us < MAX_TIME_US:
        msg = f"time {value!r} is outside the years 1 to 9999"
        raise CannotDecode(msg)
    return time_us


def _epoch_us(value: float) -> int:
    """Return an epoch number in s, ms, us or ns as microseconds, by its size."""
    if not abs(value) < 1e20:
        msg = f"time {value!r} is not an epoch number"
        raise CannotDecode(msg)
    for bound, factor in ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1)):
        if abs(value) < bound:
            return round(value * factor)
    return round(value / 1000)


def _clean(text: str) -> str:
    """Return text without what no text column takes."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()
