"""A command's parameters as an SWE Common DataRecord, as SensorThings Tasking wants them.

OGC SensorThings API Part 2: Tasking Core (17-079r1), section 8.2.1, and SWE Common (08-094r1).
"""

from __future__ import annotations

from typing import Any

from penstock.core.commands import CommandType, Parameter

_TYPES = {"number": "Quantity", "integer": "Count", "text": "Text", "boolean": "Boolean"}


def data_record(command: CommandType) -> dict[str, Any]:
    """Return the DataRecord that describes a command's parameters."""
    return {"type": "DataRecord", "field": [_field(one) for one in command.parameters]}


def _field(parameter: Parameter) -> dict[str, Any]:
    kind = "Category" if parameter.kind == "text" and parameter.values else _TYPES[parameter.kind]
    field: dict[str, Any] = {
        "name": parameter.name,
        "type": kind,
        "label": parameter.label or parameter.name,
        "optional": not parameter.required,
    }
    if parameter.unit:
        field["uom"] = {"code": parameter.unit}
    constraint = _constraint(parameter)
    if constraint:
        field["constraint"] = {"type": _allowed(kind), **constraint}
    return field


def _allowed(kind: str) -> str:
    return "AllowedTokens" if kind in {"Category", "Text"} else "AllowedValues"


def _constraint(parameter: Parameter) -> dict[str, Any]:
    if parameter.values:
        return {"value": list(parameter.values)}
    lower = parameter.minimum if parameter.above is None else parameter.above
    maximum = parameter.maximum
    if lower is None and maximum is None:
        return {}
    ends = ["-INF" if lower is None else lower, "INF" if maximum is None else maximum]
    return {"interval": [ends]}
