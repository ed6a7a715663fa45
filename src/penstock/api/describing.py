"""OpenAPI: the schemas come from the types in `answers`, the rest from the endpoints."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from penstock import __version__
from penstock.api import answers, people_answers
from penstock.api.alarms import answers as alarms
from penstock.api.apps import answers as apps
from penstock.api.errors import ErrorAnswer
from penstock.api.fleet import answers as fleet
from penstock.api.registration_document import Document
from penstock.core import people
from penstock.core.platform import Health, Replayed

TITLE = "Penstock"
DESCRIPTION = """\
Sensor streams in, on disk before they are acknowledged, live and past on one chart.

Times in addresses are ISO 8601 (UTC when no offset is given), epoch numbers in s, ms, us or ns,
`now` or `now-10m`. Times in answers are integer microseconds UTC unless `times=iso` is asked for.
Every answer with status 400 or more has the body `{"error": {"code", "message", "hint"?}}`.
"""

TAGS = [
    {"name": "data", "description": "Datastreams and their observations."},
    {"name": "messages", "description": "Messages in, dead letters, replay."},
    {"name": "devices", "description": "Devices: enrolment, commands, state, logs, targets."},
    {"name": "sensors", "description": "Vibration sensors, by routes that their programs know."},
    {"name": "apps", "description": "Stream apps: SQL that runs live and on history; questions."},
    {"name": "alarms", "description": "Alarms, their rules, and who is told."},
    {"name": "people", "description": "Users, companies, systems, clients, keys, grants."},
    {"name": "operation", "description": "Health, readiness, metrics."},
]

_TYPES = (
    answers.Datastream,
    answers.Datastreams,
    answers.Observations,
    answers.LatestObservations,
    answers.Buckets,
    answers.HealthSummary,
    answers.Published,
    answers.Ingested,
    answers.ArrivedAnswer,
    answers.DeadLetters,
    answers.Discarded,
    answers.Registered,
    answers.Connection,
    Document,
    answers.Retention,
    answers.ReplayRange,
    *(
        kind
        for room in (people_answers, people)
        for kind in vars(room).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not people.Actor
    ),
    ErrorAnswer,
    Health,
    Replayed,
    *fleet.TYPES,
    *apps.TYPES,
    *alarms.TYPES,
)
_REF = "#/components/schemas/{name}"
#: One server-sent event. An OpenAPI document before 3.2 describes each event of a stream.
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_TEXT = {"type": "string"}


def gives(
    description: str,
    *kinds: Any,
    status: int = 200,
    media: str = "application/json",
    example: Any = None,
    **others: str | tuple[str, type],
) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of an endpoint: what it answers when all is well.

    Args:
        description: One sentence.
        kinds: Types that the JSON body can have; `list[T]` is a list of them.
        status: The status.
        media: Media type when there are no `kinds`.
        example: An answer.
        others: Further media types of the same answer, under names that nobody reads; with the
            type that the body has, if it is JSON.
    """
    refs = [_ref(kind) for kind in kinds]
    text = _EVENT if media == "text/event-stream" else _TEXT
    schema: dict[str, Any] = {"anyOf": refs} if len(refs) > 1 else (refs or [text])[0]
    content: dict[str, Any] = {media: {"schema": schema}}
    if example is not None:
        content[media]["example"] = example
    for other in others.values():
        if isinstance(other, tuple):
            content[other[0]] = {"schema": _ref(other[1])}
        else:
            content[other] = {"schema": {"type": "string", "format": "binary"}}
    return {status: {"description": description, "content": content}}


def _ref(kind: Any) -> dict[str, Any]:
    if get_origin(kind) is list:
        return {"type": "array", "items": _ref(get_args(kind)[0])}
    return {"$ref": _REF.format(name=kind.__name__)}


def takes(kind: type | None, example: Any, description: str) -> dict[str, Any]:
    """Return the `openapi_extra` of an endpoint that reads its body itself."""
    media = "application/json" if kind else "application/octet-stream"
    schema: dict[str, Any] = (
        {"$ref": _REF.format(name=kind.__name__)}
        if kind
        else {"type": "string", "format": "binary"}
    )
    content = {media: {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def _any_value(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(kind)


def _plain(schema: Any) -> Any:
    """Return a schema with tuples as lists of a fixed length, which every tool understands."""
    if isinstance(schema, (list, tuple)):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _plain(part) for name, part in schema.items()}
    if "prefixItems" in parts and parts.get("type") == "array":
        parts["items"] = {"anyOf": parts.pop("prefixItems")}
    return parts


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=TITLE,
        version=__version__,
        description=DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
    )
    _, schemas = msgspec.json.schema_components(_TYPES, schema_hook=_any_value, ref_template=_REF)
    document["components"] = {"schemas": _plain(schemas)}
    problem = {
        "description": "Something went wrong; the status says whose turn it is.",
        "content": {"application/json": {"schema": {"$ref": _REF.format(name="ErrorAnswer")}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
    app.openapi_schema = document
    return document
