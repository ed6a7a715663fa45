"""The OpenAPI document of the service, made from the types of entities."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from penstock.core.entity_types import TYPES, EntityType

_OPTIONS = {
    "filter": (
        "A condition, such as `name eq 'a' and Datastreams/Observations/result gt 5`.",
        "string",
    ),
    "orderby": ("Sort keys, such as `name asc,id desc`.", "string"),
    "select": ("Properties to be shown, parted by commas.", "string"),
    "expand": ("Links to be shown in place, such as `Datastreams($top=1)`.", "string"),
    "top": ("Entities on a page.", "integer"),
    "skip": ("Entities to be left out first.", "integer"),
    "count": ("Whether `@iot.count` tells how many there are.", "boolean"),
    "resultFormat": ("JSON, dataArray, CSV or GeoJSON.", "string"),
}
_OF_SETS = tuple(_OPTIONS)
_OF_ONES = ("select", "expand")
_OBJECTS = frozenset(
    {
        "properties",
        "location",
        "feature",
        "observedArea",
        "unitOfMeasurement",
        "parameters",
        "taskingParameters",
    }
)
_ARRAYS = frozenset({"multiObservationDataTypes", "unitOfMeasurements"})
_ANY = frozenset({"result", "resultQuality", "metadata"})


@lru_cache(maxsize=16)
def describe(root: str) -> bytes:
    """Return the OpenAPI document for an address of the service, as JSON."""
    return msgspec.json.encode(
        {
            "openapi": "3.0.3",
            "info": {
                "title": "OGC SensorThings API",
                "version": root.rpartition("/v")[2],
                "description": "Part 1: Sensing (OGC 18-088) and Part 2: Tasking (OGC 17-079r1).",
            },
            "servers": [{"url": root}],
            "paths": _paths(),
            "components": {
                "parameters": {name: _parameter(name) for name in _OPTIONS},
                "schemas": {
                    **{name: _schema(kind) for name, kind in TYPES.items()},
                    **{kind.set_name: _set(kind) for kind in TYPES.values()},
                },
            },
        }
    )


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {"/": {"get": _operation("The sets, and what the service does.", None)}}
    for kind in TYPES.values():
        name, id_ = kind.set_name, _id(kind)
        paths[f"/{name}"] = {
            "get": _operation(f"A page of {name}.", name, _OF_SETS),
            "post": _writing(f"Make one of {name}.", kind.name, 201),
        }
        paths[f"/{name}({{id}})"] = {
            "parameters": [id_],
            "get": _operation(f"One {kind.name}.", kind.name, _OF_ONES),
            "patch": _writing("Change what the body gives.", kind.name, 200),
            "put": _writing("Set all properties.", kind.name, 200),
            "delete": _operation("Remove it and what cannot be without it.", None),
        }
        for link in kind.links:
            target = TYPES[link.target].set_name if link.many else link.target
            options = _OF_SETS if link.many else _OF_ONES
            paths[f"/{name}({{id}})/{link.name}"] = {
                "parameters": [id_],
                "get": _operation(f"{link.name} of one {kind.name}.", target, options),
            }
    return paths


def _operation(summary: str, schema: str | None, options: tuple[str, ...] = ()) -> dict[str, Any]:
    ok: dict[str, Any] = {"description": "All is well."}
    if schema is not None:
        ok["content"] = {"application/json": {"schema": _ref("schemas", schema)}}
    return {
        "summary": summary,
        "parameters": [_ref("parameters", name) for name in options],
        "responses": {"200": ok, "default": {"description": "What is wrong, and what to do."}},
    }


def _writing(summary: str, schema: str, status: int) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": _ref("schemas", schema)}}, "required": True}
    return {
        "summary": summary,
        "requestBody": body,
        "responses": {
            str(status): {"description": "It is done, durably."},
            "default": {"description": "What is wrong, and what to do."},
        },
    }


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _parameter(name: str) -> dict[str, Any]:
    description, type_ = _OPTIONS[name]
    return {
        "name": f"${name}",
        "in": "query",
        "description": description,
        "schema": {"type": type_},
    }


def _id(kind: EntityType) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    if kind.name == "Observation":
        schema = {"oneOf": [{"type": "integer"}, {"type": "string"}]}
    return {"name": "id", "in": "path", "required": True, "schema": schema}


def _schema(kind: EntityType) -> dict[str, Any]:
    properties: dict[str, Any] = {"@iot.id": _id(kind)["schema"], "@iot.selfLink": _text()}
    for name in kind.properties:
        properties[name] = _property(name)
    for link in kind.links:
        properties[f"{link.name}@iot.navigationLink"] = _text()
    return {"type": "object", "properties": properties}


def _property(name: str) -> dict[str, Any]:
    if name in _OBJECTS:
        return {"type": "object"}
    if name in _ARRAYS:
        return {"type": "array", "items": {}}
    return {} if name in _ANY else _text()


def _text() -> dict[str, Any]:
    return {"type": "string"}


def _set(kind: EntityType) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "@iot.count": {"type": "integer"},
            "@iot.nextLink": _text(),
            "value": {"type": "array", "items": _ref("schemas", kind.name)},
        },
    }
