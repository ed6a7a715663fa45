"""Registration: whoever sends data says beforehand what it means; and where to send it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace

from penstock.api import answers
from penstock.api.context import Ctx
from penstock.api.datastreams import EXAMPLE
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.registration_document import Document, read_document
from penstock.api.who import By, Who, remember
from penstock.core.access import Access, Action, Kind, Principal, Resource
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM, System
from penstock.core.people import Event

router = APIRouter(tags=["devices"], default_response_class=Response)

SystemName = Annotated[
    str | None,
    Query(
        description="Name of the system; by default the one that the key or user acts for.",
        examples=["cz.icecars.fleet.Car1"],
    ),
]

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
async def put_registration(
    request: Request, ctx: Ctx, by: By, system: SystemName = None
) -> Response:
    """Create what is missing and update what is known, by name; all of it or nothing.

    Sending the same again changes nothing. What is not said stays as it is. The Things of another
    system than the default one are named `<system>.<name>`.
    """
    home = home_of(ctx.access, by.who, system)
    ctx.access.require(by.who, Action.WRITE, Resource("system", home.id))
    document = await read_json(request, Document)
    prefix = "" if home.id == DEFAULT_SYSTEM else home.name
    wanted, keys = read_document(document, prefix)
    wanted = replace(wanted, system=home.id)

    def register() -> tuple[list[answers.RegisteredDatastream], int]:
        before = ctx.catalog.count_datastreams()
        ids = ctx.catalog.register(wanted, ctx.clock.now_us())
        found = {info.id: info for info in ctx.catalog.datastreams(ids=ids, limit=len(ids))}
        named = [
            answers.registered_answer(key, found[id_]) for key, id_ in zip(keys, ids, strict=True)
        ]
        return named, ctx.catalog.count_datastreams() - before

    found, new = await ctx.blocking(register)
    if new:  # a device that registers at each start is no news
        made: dict[str, object] = {"datastreams": sorted({item.name for item in found})}
        event = Event(
            action="register",
            kind="system",
            object_id=home.id,
            name=home.name,
            company=home.company,
            system=home.id,
            after=made,
        )
        await remember(ctx, by, event)
    return Json(answers.Registered(home.name, found))


@router.get(
    "/connection",
    summary="Where to send messages",
    responses=gives(
        "The addresses of the MQTT door by scheme, and the system that the asker belongs to.",
        answers.Connection,
        example={"system": "default", "mqtt": {"mqtt": ["127.0.0.1", 1883]}},
    ),
)
async def get_connection(ctx: Ctx, who: Who, system: SystemName = None) -> Response:
    """Return where MQTT clients connect; `mqtt` is plain, `mqtts` with TLS, `ws`, `wss`.

    A host of `0.0.0.0` or `::` is the one that this was asked from.
    """
    home = home_of(ctx.access, who, system)
    ctx.access.require(who, Action.VIEW, Resource("system", home.id))
    doors = await ctx.probe(ctx.platform.doors)
    return Json(answers.Connection(home.name, doors))


def home_of(access: Access, who: Principal, name: str | None) -> System:
    """Return the system of this name, or the one that someone acts for when they name none.

    Raises:
        NotFound: There is none, or it is not theirs to see.
        InvalidInput: They act for several, and have to say which.
    """
    systems = {system.id: system for system in access.organisation.systems}
    if name is None:
        return systems[_own_system(access, who)]
    for system in systems.values():
        if system.name == name and access.allows(who, Action.VIEW, Resource("system", system.id)):
            return system
    msg = f"there is no system {name[:100]!r}, or it is not yours to see"
    raise NotFound(msg)


def _own_system(access: Access, who: Principal) -> int:
    organisation = access.organisation
    if who.kind is Kind.CLIENT:
        return next(client.system for client in organisation.clients if client.id == who.id)
    if who.kind is not Kind.USER:
        return DEFAULT_SYSTEM
    own = [system for system in organisation.systems if who.id in system.agents]
    if len(own) > 1:
        names = ", ".join(sorted(system.name for system in own))
        msg = f"say which system this is for, with system=NAME; yours are: {names}"
        raise InvalidInput(msg)
    return own[0].id if own else DEFAULT_SYSTEM
