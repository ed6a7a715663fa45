"""Device types: the ones that come with Penstock, and what a declared one must be like."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from string import Formatter

from penstock.core.commands import CommandType, DeviceType, Parameter, Value
from penstock.core.errors import InvalidInput

#: Highest sample frequency that can be asked for, Hz: two samples never share a microsecond.
MAX_SAMPLE_FREQUENCY_HZ = 1_000_000.0

#: Vibration sensors as they talk: dots in topics, three commands.
ACCELEROMETER = DeviceType(
    name="accelerometer",
    description="Samples acceleration and sends an array of values every second.",
    commands=(
        CommandType(name="sleep", description="Stop sampling and sending."),
        CommandType(name="awake", description="Sample and send again."),
        CommandType(
            name="change_sample_frequency",
            description="Sample at another frequency.",
            parameters=(
                Parameter(
                    name="sampleFrequency",
                    label="Sample frequency",
                    unit="Hz",
                    above=0.0,
                    maximum=MAX_SAMPLE_FREQUENCY_HZ,
                ),
            ),
        ),
    ),
    topic="sensor.{name}",
    command_topic="{topic}.commands.{command}",
    answer_topic="{topic}.tasks",
    state_topic="{topic}.state.desired",
    builtin=True,
)

#: What a device of no known type is taken for: it has a state and no commands.
GENERIC = DeviceType(name="", description="A device of which nothing more is known.", builtin=True)

BUILTIN: Mapping[str, DeviceType] = {ACCELEROMETER.name: ACCELEROMETER}

_TYPE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_COMMAND_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: What templates of topics must hold one of, and what else they may.
_PLACES = {
    "topic": ({"name"}, {"name"}),
    "command_topic": ({"topic", "name"}, {"topic", "name", "command"}),
    "answer_topic": ({"topic", "name"}, {"topic", "name"}),
    "state_topic": ({"topic", "name"}, {"topic", "name"}),
}


def check_type(type_: DeviceType) -> DeviceType:
    """Return a device type if it does not contradict itself.

    Raises:
        InvalidInput: It does; the message says where.
    """
    if _TYPE_NAME.fullmatch(type_.name) is None:
        msg = (
            f"device type name {type_.name[:80]!r} is not allowed; 1 to 64 letters, digits, '_', "
            "'-' and '.' are"
        )
        raise InvalidInput(msg)
    for what in _PLACES:
        _check_template(what, getattr(type_, what))
    if len(type_.commands) > 1 and "{command}" not in type_.command_topic:
        msg = f"command_topic {type_.command_topic!r} must hold {{command}}: there are several"
        raise InvalidInput(msg)
    _check_distinct("command", [command.name for command in type_.commands])
    for command in type_.commands:
        _check_command(command)
    return type_


def _check_template(what: str, template: str) -> None:
    try:
        places = {
            f"{name}{spec}{conversion or ''}"
            for _, name, spec, conversion in Formatter().parse(template)
            if name is not None
        }
    except ValueError as error:
        msg = f"{what} {template[:100]!r} cannot be read: {error}"
        raise InvalidInput(msg) from error
    needed, allowed = _PLACES[what]
    if not places <= allowed or not places & needed:
        one_of = " or ".join(f"{{{one}}}" for one in sorted(needed))
        known = ", ".join(f"{{{one}}}" for one in sorted(allowed))
        msg = f"{what} {template[:100]!r} must hold {one_of}, and nothing but {known}"
        raise InvalidInput(msg)
    if len(template) > 500 or template.startswith("$") or any(c in template for c in "+#\0"):
        msg = (
            f"{what} {template[:100]!r} is not a topic; it has at most 500 characters, none of "
            "'+', '#' and NUL, and does not begin with '$'"
        )
        raise InvalidInput(msg)


def _check_distinct(what: str, names: list[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        msg = f"{what} {min(twice)!r} occurs more than once"
        raise InvalidInput(msg)


def _check_command(command: CommandType) -> None:
    if _COMMAND_NAME.fullmatch(command.name) is None:
        msg = (
            f"command name {command.name[:80]!r} is not allowed; 1 to 64 letters, digits, '_' and "
            "'-' are"
        )
        raise InvalidInput(msg)
    if command.time_to_live_s is not None and not 0 < command.time_to_live_s < math.inf:
        msg = f"command {command.name!r}: time_to_live_s must be a positive number of seconds"
        raise InvalidInput(msg)
    _check_distinct("parameter", [parameter.name for parameter in command.parameters])
    for parameter in command.parameters:
        _check_parameter(command, parameter)


def _check_parameter(command: CommandType, parameter: Parameter) -> None:
    where = f"command {command.name!r}, parameter {parameter.name[:80]!r}"
    if not 1 <= len(parameter.name) <= 64:
        msg = f"{where}: the name must have 1 to 64 characters"
        raise InvalidInput(msg)
    low, high = parameter.minimum, parameter.maximum
    if low is not None and high is not None and low > high:
        msg = f"{where}: minimum {low} is above maximum {high}"
        raise InvalidInput(msg)
    for value in parameter.values:
        problem = _wrong_kind(parameter, value)
        if problem:
            msg = f"{where}: value {value!r} {problem}"
            raise InvalidInput(msg)


def check_parameters(command: CommandType, given: Mapping[str, Value]) -> dict[str, Value]:
    """Return the parameters of a command if they are as it wants them.

    Raises:
        InvalidInput: One is unknown, missing or not allowed; the message says what is.
    """
    known = {parameter.name: parameter for parameter in command.parameters}
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        allowed = ", ".join(sorted(known)) or "none"
        msg = f"command {command.name!r} has no parameter {unknown[0][:80]!r}; allowed: {allowed}"
        raise InvalidInput(msg)
    checked: dict[str, Value] = {}
    for name, parameter in known.items():
        if name in given:
            checked[name] = _checked(command, parameter, given[name])
        elif parameter.required:
            msg = f"command {command.name!r} needs parameter {name!r} ({_allowed(parameter)})"
            raise InvalidInput(msg)
    return checked


def _checked(command: CommandType, parameter: Parameter, value: Value) -> Value:
    problem = _wrong_kind(parameter, value) or _wrong_value(parameter, value)
    if problem:
        msg = (
            f"command {command.name!r}, parameter {parameter.name!r}: {repr(value)[:80]} "
            f"{problem}; allowed is {_allowed(parameter)}"
        )
        raise InvalidInput(msg)
    return float(value) if parameter.kind == "number" else value


def _wrong_kind(parameter: Parameter, value: Value) -> str:
    fits = {
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
        "text": isinstance(value, str),
    }[parameter.kind]
    if not fits:
        return f"is no {parameter.kind}"
    if isinstance(value, (int, float)) and not -1e308 <= value <= 1e308:
        return "is no finite number"
    return ""


def _wrong_value(parameter: Parameter, value: Value) -> str:
    if parameter.values and value not in parameter.values:
        return "is not one of the values"
    if isinstance(value, str):
        return "is too long" if len(value) > parameter.max_length else ""
    if parameter.minimum is not None and value < parameter.minimum:
        return "is too small"
    if parameter.above is not None and value <= parameter.above:
        return "is too small"
    if parameter.maximum is not None and value > parameter.maximum:
        return "is too large"
    return ""


def _allowed(parameter: Parameter) -> str:
    if parameter.values:
        return "one of " + ", ".join(repr(value) for value in parameter.values)
    if parameter.kind == "text":
        return f"text of up to {parameter.max_length} characters"
    parts = [f"a {parameter.kind}"]
    if parameter.minimum is not None:
        parts.append(f"from {parameter.minimum:g}")
    if parameter.above is not None:
        parts.append(f"above {parameter.above:g}")
    if parameter.maximum is not None:
        parts.append(f"up to {parameter.maximum:g}")
    if parameter.unit:
        parts.append(parameter.unit)
    return " ".join(parts)
