"""Registration: whoever sends data says beforehand what it means; and where to send it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from penstock.api import answers
from penstock.api.context import Ctx
from penstock.api.datastreams import EXAMPLE
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.registration_document import Document, read_document
from penstock.core.organisation import DEFAULT_SYSTEM_NAME

router = APIRouter(tags=["devices"], default_response_class=Response)

_DOCUMENT = {
    "Things": {"car": {"name": "Car1", "description": "A red car", "properties": {"seats": 4}}},
    "Sensors": {"probe": {"name": "PT100", "description": "Platinum resistor"}},
    "Datastreams": {
        "temperature": {
            "name": "temperature",
            "observationType": "OM_Measurement",
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": ""},
            "ObservedProperty": {"name": "air temperature"},
            "Thing": "car",
            "Sensor": "probe",
        }
    },
}


@router.put(
    "/registration",
    summary="Register Things, Sensors and Datastreams by name",
    responses=gives(
        "All of it is registered, durably; the Datastreams come in the order of the document.",
        answers.Registered,
        example={"system": "default", "items": [{**EXAMPLE, "key": "temperature"}]},
    ),
    openapi_extra=takes(Document, _DOCUMENT, "Each section is an object by key, or a list."),
)
async def put_registration(request: Request, ctx: Ctx) -> Response:
    """Create what is missing and update what is known, by name; all of it or nothing.

    Sending the same again changes nothing. What is not said stays as it is.
    """
    document = await read_json(request, Document)
    wanted, keys = read_document(document)

    def register() -> list[answers.RegisteredDatastream]:
        ids = ctx.catalog.register(wanted, ctx.clock.now_us())
        found = {info.id: info for info in ctx.catalog.datastreams(ids=ids, limit=len(ids))}
        return [
            answers.registered_answer(key, found[id_]) for key, id_ in zip(keys, ids, strict=True)
        ]

    found = await ctx.blocking(register)
    return Json(answers.Registered(DEFAULT_SYSTEM_NAME, found))


@router.get(
    "/connection",
    summary="Where to send messages",
    responses=gives(
        "The addresses of the MQTT door by scheme, and the system that the asker belongs to.",
        answers.Connection,
        example={"system": "default", "mqtt": {"mqtt": ["127.0.0.1", 1883]}},
    ),
)
async def get_connection(ctx: Ctx) -> Response:
    """Return where MQTT clients connect; `mqtt` is plain, `mqtts` with TLS, `ws`, `wss`.

    A host of `0.0.0.0` or `::` is the one that this was asked from.
    """
    doors = await ctx.probe(ctx.platform.doors)
    return Json(answers.Connection(DEFAULT_SYSTEM_NAME, doors))
