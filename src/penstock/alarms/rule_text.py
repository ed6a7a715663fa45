"""Rules as text: a header of `-- key: value` lines, then the SQL; for files and for people."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from penstock.core.alarm_rules import RuleSpec, Severity
from penstock.core.errors import InvalidInput

_LINE = re.compile(r"--\s*([A-Za-z][A-Za-z \-]*?)\s*:\s*(.*?)\s*$")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
#: Keys of the header, in the order in which they are written: the field, and what it holds.
_KEYS = {
    "alarm": ("name", "text"),
    "system": ("system", "text"),
    "description": ("description", "text"),
    "severity": ("severity", "text"),
    "raise": ("raise_", "text"),
    "clear": ("clear", "text"),
    "absent": ("absent_s", "length"),
    "expect": ("expect", "list"),
    "hold": ("hold_s", "length"),
    "off-delay": ("off_delay_s", "length"),
    "suppressed-by": ("suppressed_by", "list"),
    "suppressed-on": ("suppressed_on", "list"),
    "message": ("message", "text"),
    "notify": ("notify", "list"),
    "latched": ("latched", "truth"),
    "flapping": ("flapping", "number"),
    "lateness": ("lateness_s", "length"),
    "idle": ("idle_s", "length"),
    "reach": ("reach_s", "length"),
}
_DEFAULTS = RuleSpec(name="")


def parse_rules(text: str) -> list[RuleSpec]:
    """Return the rules of a text; each begins with `-- alarm: name`.

    Raises:
        InvalidInput: It cannot be read; the line is in it.
    """
    blocks: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.match(line.strip())
        if found and found[1].lower() == "alarm":
            blocks.append((number, []))
        if blocks:
            blocks[-1][1].append(line)
        elif line.strip() and not line.strip().startswith("--"):
            msg = f"line {number}: a rule begins with `-- alarm: NAME`"
            raise InvalidInput(msg)
    if not blocks:
        msg = "there is no rule in this text; one begins with `-- alarm: NAME`"
        raise InvalidInput(msg)
    return [_parse(number, lines) for number, lines in blocks]


def parse_rule(text: str) -> RuleSpec:
    """Return the one rule of a text.

    Raises:
        InvalidInput: It cannot be read, or holds several.
    """
    found = parse_rules(text)
    if len(found) != 1:
        msg = f"this text holds {len(found)} rules where one is wanted"
        raise InvalidInput(msg)
    return found[0]


def print_rule(spec: RuleSpec) -> str:
    """Return a rule as text; `parse_rule` reads the same from it."""
    lines = []
    for key, (field, kind) in _KEYS.items():
        value = getattr(spec, field)
        is_default = not value if kind == "list" else value == getattr(_DEFAULTS, field)
        if is_default and field not in ("name", "severity"):
            continue
        # What SQL may have in several lines has one here.
        lines.append(f"-- {key}: {_print(value, kind)}")
    return "\n".join([*lines, spec.sql.strip(), ""] if spec.sql.strip() else [*lines, ""])


def print_rules(specs: Sequence[RuleSpec]) -> str:
    """Return rules as one text."""
    return "\n".join(print_rule(spec) for spec in specs)


def parse_length(text: str) -> float:
    """Return seconds of `10 s`, `5 min`, `1.5 h`.

    Raises:
        InvalidInput: It is none of these.
    """
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        msg = f"{text[:40]!r} is not a length of time; write a number and ms, s, min, h or d"
        raise InvalidInput(msg)
    return float(found[1]) * _UNITS_S[found[2]]


def _parse(first: int, lines: Sequence[str]) -> RuleSpec:
    values: dict[str, object] = {}
    last = 0
    for index, line in enumerate(lines):
        found = _LINE.match(line.strip())
        if not found:
            if line.strip() and not line.strip().startswith("--"):
                break
            last = index + 1
            continue
        key = found[1].lower().replace(" ", "-")
        if key not in _KEYS:
            msg = f"line {first + index}: {key!r} is not known; allowed are {', '.join(_KEYS)}"
            raise InvalidInput(msg)
        field, kind = _KEYS[key]
        try:
            values[field] = _read(found[2], kind)
        except (InvalidInput, ValueError) as error:
            msg = f"line {first + index}: {key}: {error}"
            raise InvalidInput(msg) from error
        last = index + 1
    sql = "\n".join(lines[last:]).strip().rstrip(";").rstrip()
    names = {"raise_": "raise"}
    try:
        return msgspec.convert(
            {"sql": sql, **{names.get(name, name): value for name, value in values.items()}},
            RuleSpec,
        )
    except msgspec.ValidationError as error:
        msg = f"line {first}: {error}; severity is one of {', '.join(Severity)}"
        raise InvalidInput(msg) from error


def _read(text: str, kind: str) -> object:
    if kind == "length":
        return parse_length(text)
    if kind == "list":
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind == "truth":
        if text.lower() not in ("yes", "no", "true", "false"):
            msg = f"{text[:40]!r} is neither yes nor no"
            raise InvalidInput(msg)
        return text.lower() in ("yes", "true")
    return int(text) if kind == "number" else text


def _print(value: object, kind: str) -> str:
    if kind == "length" and isinstance(value, float | int):
        for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
            if value >= size and value % size == 0:
                return f"{value / size:g} {unit}"
        return f"{value:.12g} s" if value < 1e12 else f"{value!r} s"
    if kind == "list" and isinstance(value, list | tuple):
        return ", ".join(value)
    if kind == "truth":
        return "yes" if value else "no"
    return " ".join(str(value).split())
