"""Stream apps as text: a header of `-- key: value` lines, an empty line, and the SQL.

A text holds any number of apps; each begins with its line `-- app: NAME`.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from penstock.core.apps import AppSpec, AppState, OutputKind
from penstock.core.errors import InvalidInput
from penstock.sql.apps.durations import parse_duration, print_duration

#: Keys of a header; `unit` and `property` are followed by a dot and the name of a column.
KEYS = (
    "app", "system", "output", "topic", "thing", "unit.COLUMN", "property.COLUMN", "lateness",
    "idle", "reach", "start", "state", "description",
)  # fmt: skip

#: The line that begins an app.
BEGIN = re.compile(r"--[ \t]*app[ \t]*:", re.IGNORECASE)
_LINE = re.compile(r'--\s*([A-Za-z]+)(?:\.("(?:[^"\\]|\\.)*"|[^\s:"]+))?\s*:(.*)')
_PLAIN = re.compile(r'[^\s:"]+')


@dataclass(frozen=True, slots=True)
class SaidApp:
    """An app of a text, and whether it was started when the text was written."""

    spec: AppSpec
    is_started: bool = False


@dataclass
class _Part:
    """The lines of one app, with the number of its first."""

    line: int
    lines: list[str] = field(default_factory=list)


def parse_apps(text: str) -> list[AppSpec]:
    """Return the apps of a text, in its order.

    What stands before the first app are comments.

    Raises:
        InvalidInput: Something cannot be understood; the message names the line.
    """
    return [one.spec for one in parse_texts(text)]


def parse_texts(text: str) -> list[SaidApp]:
    """Return the apps of a text, and whether they are started; see `parse_apps`."""
    said = [_app(part) for part in _parts(text)]
    seen: set[tuple[str, str]] = set()
    for spec in (one.spec for one in said):
        name = (spec.system, spec.name.lower())
        if name in seen:
            msg = f"app {spec.name!r} stands twice in the text; keep one"
            raise InvalidInput(msg)
        seen.add(name)
    return said


def print_apps(specs: Iterable[AppSpec]) -> str:
    """Return apps as text that `parse_apps` reads as they were.

    Raises:
        InvalidInput: The SQL of one has a line that would begin another app.
    """
    return print_texts(map(SaidApp, specs))


def print_texts(said: Iterable[SaidApp]) -> str:
    """Return apps as text that `parse_texts` reads as they were; see `print_apps`."""
    return "\n".join(print_app(one.spec, is_started=one.is_started) for one in said)


def print_app(spec: AppSpec, *, is_started: bool = False) -> str:
    """Return an app as text; see `print_apps`."""
    check_sql(spec.sql)
    state = ["-- state: started"] if is_started else []
    return "\n".join([*_header(spec), *state, "", spec.sql.strip(), ""])


def check_sql(sql: str) -> None:
    """Do nothing if SQL can stand in a text.

    Raises:
        InvalidInput: A line of it would begin another app.
    """
    for number, line in enumerate(split(sql), 1):
        if BEGIN.match(line):
            msg = (
                f"line {number} of the SQL is `-- app:`, which begins another app; write it so not"
            )
            raise InvalidInput(msg)


def split(text: str) -> list[str]:
    """Return the lines of a text; only line feeds end them, perhaps after a carriage return."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def _parts(text: str) -> list[_Part]:
    parts: list[_Part] = []
    for number, line in enumerate(split(text.removeprefix("\ufeff")), 1):
        if BEGIN.match(line):
            parts.append(_Part(number))
        if parts:
            parts[-1].lines.append(line)
        elif line.strip() and not line.lstrip().startswith("--"):
            msg = f"line {number}: an app begins with `-- app: NAME`, and none has begun here"
            raise InvalidInput(msg)
    return parts


def _app(part: _Part) -> SaidApp:
    said: dict[str, object] = {}
    output: dict[str, object] = {}
    units: dict[str, str] = {}
    properties: dict[str, str] = {}
    description: list[str] = []
    header = list(itertools.takewhile(lambda line: line.startswith("--"), part.lines))
    for number, line in enumerate(header, part.line):
        key, column, value = _said(line, number)
        target: dict[str, object] = said
        kept: object = value
        if key == "description":
            description.append(value)
            continue
        if key in ("unit", "property"):
            names = units if key == "unit" else properties
            _once(column in names, f"{key}.{column}", number)
            names[column] = value
            continue
        if key in ("output", "topic", "thing"):
            target, key = output, "kind" if key == "output" else key
            kept = _kind(value, number) if key == "kind" else value
        elif key in ("lateness", "idle", "reach"):
            key, kept = f"{key}_s", _duration(value, number)
        elif key == "app":
            key = "name"
        elif key == "state":
            kept = _state(value, number)
        _once(key in target, key, number)
        target[key] = kept
    sql = "\n".join(part.lines[len(header) :]).strip()
    if not sql:
        end = part.line + len(header)
        msg = f"line {end}: app {said['name']!r} has no SQL; write it below the header"
        raise InvalidInput(msg)
    document = {
        **said,
        "sql": sql,
        "description": "\n".join(description),
        "output": {**output, "units": units, "properties": properties},
    }
    state = document.pop("state", None)
    return SaidApp(msgspec.convert(document, AppSpec), is_started=state == AppState.STARTED)


def _said(line: str, number: int) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        msg = f"line {number}: write `-- key: value`, with a key of {', '.join(KEYS)}"
        raise InvalidInput(msg)
    key, column, value = found[1].lower(), found[2] or "", found[3].strip()
    takes_column = key in ("unit", "property")
    known = {one.partition(".")[0]: one for one in KEYS}
    if key not in known or takes_column != bool(column):
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean `{known[near[0]]}`?" if near else f"allowed are {', '.join(KEYS)}"
        msg = f"line {number}: there is no key {line[2:].partition(':')[0].strip()!r}; {hint}"
        raise InvalidInput(msg)
    if column.startswith('"'):
        column = msgspec.json.decode(column, type=str)
    return key, column, value


def _once(is_there: bool, key: str, number: int) -> None:
    if is_there:
        msg = f"line {number}: `{key}` stands twice; keep one"
        raise InvalidInput(msg)


def _kind(value: str, number: int) -> str:
    if value not in list(OutputKind):
        msg = f"line {number}: output {value!r} is none; allowed are {', '.join(OutputKind)}"
        raise InvalidInput(msg)
    return value


def _state(value: str, number: int) -> str:
    if value not in list(AppState):
        msg = f"line {number}: state {value!r} is none; allowed are {', '.join(AppState)}"
        raise InvalidInput(msg)
    return value


def _duration(value: str, number: int) -> float:
    try:
        return parse_duration(value)
    except InvalidInput as error:
        msg = f"line {number}: {error}"
        raise InvalidInput(msg) from error


def _header(spec: AppSpec) -> Iterator[str]:
    plain = AppSpec(name="", sql="")
    yield f"-- app: {spec.name}"
    if spec.system:
        yield f"-- system: {spec.system}"
    for line in spec.description.split("\n") if spec.description else ():
        yield f"-- description: {line}".rstrip()
    output = spec.output
    if output.kind is not OutputKind.DATASTREAMS:
        yield f"-- output: {output.kind}"
    for key, text in (("topic", output.topic), ("thing", output.thing)):
        if text:
            yield f"-- {key}: {text}"
    for key, names in (("unit", output.units), ("property", output.properties)):
        for column, text in names.items():
            yield f"-- {key}.{_column(column)}: {text}".rstrip()
    for key in ("lateness", "idle", "reach"):
        seconds = getattr(spec, f"{key}_s")
        if seconds != getattr(plain, f"{key}_s"):
            yield f"-- {key}: {print_duration(seconds)}"
    if spec.start != plain.start:
        yield f"-- start: {spec.start}"


def _column(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else msgspec.json.encode(name).decode()


__all__: Sequence[str] = (
    "BEGIN", "KEYS", "SaidApp", "check_sql", "parse_apps", "parse_texts", "print_app", "print_apps",
    "print_texts",
)  # fmt: skip
