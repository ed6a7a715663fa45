"""Devices: who was seen, who waits, who may come in, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec import UNSET

from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.fleet import answers
from penstock.api.fleet.finding import (
    DeviceName,
    SystemId,
    find_device,
    find_fixture,
    name_in,
    newest,
    scope_of,
    system_for,
    thing_of,
)
from penstock.api.json_answer import Json, read_json
from penstock.api.paging import next_page
from penstock.api.who import By, Who, remember
from penstock.core.access import Action
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.devices import Device, DeviceFacts
from penstock.core.errors import Conflict, InvalidInput
from penstock.core.people import Actor, Event

router = APIRouter(tags=["devices"], default_response_class=Response)

EXAMPLE: dict[str, Any] = {
    "name": "AAD-1123",
    "system": 1,
    "status": "enrolled",
    "first_seen_us": 1_574_729_660_000_000,
    "thing_id": 7,
    "type": "accelerometer",
    "topic": "sensor.AAD-1123",
    "sample_frequency": 100.0,
    "last_seen_us": 1_574_729_890_000_000,
    "online": True,
    "online_since_us": 1_574_729_659_000_000,
    "reason": "connect",
    "client": "AAD-1123",
    "address": "192.0.2.7",
    "keep_alive_s": 60,
    "target": {"id": 1, "name": "Pump 3"},
    "location": [13.04, 47.8],
    "located_us": 1_574_729_660_000_000,
}


@router.get(
    "/devices",
    summary="List devices",
    responses=gives("Devices by name.", answers.Devices, example={"items": [EXAMPLE]}),
)
async def list_devices(
    request: Request,
    ctx: Ctx,
    who: Who,
    *,
    status: Annotated[
        DeviceStatus | None, Query(description="Only those that stand like this.")
    ] = None,
    type_: Annotated[
        str | None, Query(alias="type", description="Only those of this device type.")
    ] = None,
    online: Annotated[
        bool | None, Query(description="Only those that are connected, or are not.")
    ] = None,
    heard: Annotated[
        bool | None,
        Query(
            description="Only those that have sent or registered, wait or were refused; `false`: "
            "only the others, Things that apps, imports and people made."
        ),
    ] = None,
    search: Annotated[str, Query(description="Only names that hold this.", max_length=200)] = "",
    target: Annotated[
        int | None, Query(ge=1, le=MAX_ID, description="Only those fixed to this target.")
    ] = None,
    after: Annotated[
        str | None, Query(description="Continue behind this, as `next` says.", max_length=600)
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 1000,
) -> Response:
    """Return devices by name: those that send, those that wait, those refused."""
    scope = scope_of(ctx, who)
    found = await ctx.blocking(
        ctx.fleet.records.devices, scope, status=status, type_=type_, heard=heard
    )
    wanted = [
        one
        for one in found
        if (online is None or bool(one.online) is online)
        and search.lower() in one.name.lower()
        and (target is None or (one.target is not None and one.target.id == target))
        and (after is None or _place(one) > _read_place(after))
    ]
    shown = wanted[:limit]
    more = _text(shown[-1]) if len(wanted) > limit else None
    seen = ctx.fleet.last_seen()
    items = [newest(one, seen) for one in shown]
    return Json(answers.Devices(items, more), headers=next_page(request, more))


def _place(device: Device) -> tuple[str, int]:
    return device.name, device.system


def _text(device: Device) -> str:
    return f"{device.system}:{device.name}"


def _read_place(after: str) -> tuple[str, int]:
    system, _, name = after.partition(":")
    return name, int(system) if system.isascii() and system.isdecimal() else 0


@router.post(
    "/devices",
    status_code=201,
    summary="Register a device",
    responses={
        **gives("It is registered now.", Device, status=201, example=EXAMPLE),
        **gives("It was registered before.", Device, example=EXAMPLE),
    },
    openapi_extra=takes(
        answers.NewDevice,
        {"name": "boiler-7", "type": "boiler", "topic": "plant/boiler-7"},
        "The device; `type` says which commands it has, `topic` below which topic it talks.",
    ),
)
async def register_device(request: Request, ctx: Ctx, by: By) -> Response:
    """Register a device before it sends, or say more about one; again is harmless."""
    new = await read_json(request, answers.NewDevice)
    system = system_for(ctx, by.who, new.system)
    facts = DeviceFacts(
        name=name_in(ctx, system, new.name),
        system=system,
        type=new.type,
        topic=_topic(ctx, new.topic, system),
        sample_frequency=new.sample_frequency,
        description=new.description,
        properties=new.properties,
    )
    device, is_new = await register(ctx, by, facts)
    return Json(device, status_code=201 if is_new else 200)


async def register(ctx: Context, by: Actor, facts: DeviceFacts) -> tuple[Device, bool]:
    """Register a device for someone who may, and tell whether it is new.

    Raises:
        NotFound: There is no such device type.
        Conflict: The device was refused, or is being deleted.
    """
    if facts.type:
        await ctx.blocking(ctx.fleet.commands.type_of, facts.type)
    records = ctx.fleet.records
    before = await ctx.blocking(records.devices, scope_of(ctx, by.who), name=facts.name)
    known = [one for one in before if one.system == facts.system]
    now_us = ctx.clock.now_us()
    found = await ctx.blocking(records.register, [facts], Policy.AUTOMATIC, now_us)
    if not found:
        msg = (
            f"device {facts.name!r} was deleted with its data a moment ago, and messages of it are "
            "still on the way; try again in some seconds"
        )
        raise Conflict(msg)
    device = found[0]
    if device.status is not DeviceStatus.ENROLLED:
        msg = f"device {facts.name!r} is {device.status}; approve it first"
        raise Conflict(msg)
    if not known:
        await note(ctx, by, "add", device)
    return device, not known


async def note(
    ctx: Context, by: Actor, action: str, device: Device, after: Mapping[str, object] | None = None
) -> None:
    """Write what was done to a device into the audit trail."""
    event = Event(
        action=action,
        kind="device",
        object_id=device.thing_id or 0,
        name=device.name,
        system=device.system,
        after=after,
    )
    await remember(ctx, by, event)


@router.post(
    "/devices/{name:path}/approve",
    status_code=204,
    summary="Approve a device",
    responses={204: {"description": "It may send."}},
)
async def approve_device(ctx: Ctx, by: By, name: DeviceName, system: SystemId = None) -> Response:
    """Let a device in; its waiting dead letters can then be replayed."""
    return await _decide(ctx, by, name, system, DeviceStatus.ENROLLED)


@router.post(
    "/devices/{name:path}/refuse",
    status_code=204,
    summary="Refuse a device",
    responses={204: {"description": "Its messages go to the dead letters."}},
)
async def refuse_device(ctx: Ctx, by: By, name: DeviceName, system: SystemId = None) -> Response:
    """Keep a device out, now and later."""
    return await _decide(ctx, by, name, system, DeviceStatus.REFUSED)


async def _decide(
    ctx: Context, by: Actor, name: str, system: int | None, status: DeviceStatus
) -> Response:
    device = await find_device(ctx, by.who, Action.MANAGE, name, system)
    await ctx.blocking(ctx.fleet.records.decide, device.system, device.name, status)
    await ctx.blocking(ctx.fleet.forget)
    await note(ctx, by, "decide", device, {"status": status})
    return Response(status_code=204)


@router.get(
    "/devices/{name:path}/targets",
    summary="What was a device fixed to?",
    responses=gives(
        "Targets of the device, newest first.",
        answers.Assignments,
        example={
            "items": [
                {
                    "device": "AAD-1123",
                    "thing_id": 7,
                    "target": {"id": 1, "name": "Pump 3"},
                    "from_us": 1_574_729_660_000_000,
                    "until_us": None,
                }
            ]
        },
    ),
)
async def list_device_targets(
    ctx: Ctx, who: Who, name: DeviceName, system: SystemId = None
) -> Response:
    """Return what a device is and was fixed to."""
    device = await find_device(ctx, who, Action.READ, name, system)
    found = await ctx.blocking(ctx.fleet.targets.assignments, thing_id=thing_of(device))
    return Json(answers.Assignments(found))


# The routes below match names with slashes; they come last (see `routers`).
rest = APIRouter(tags=["devices"], default_response_class=Response)


@rest.get(
    "/devices/{name:path}",
    summary="Show a device",
    responses=gives("The device.", Device, example=EXAMPLE),
)
async def get_device(ctx: Ctx, who: Who, name: DeviceName, system: SystemId = None) -> Response:
    """Return a device: how it stands, whether it is connected, when it was last seen, where."""
    return Json(await find_device(ctx, who, Action.VIEW, name, system))


@rest.patch(
    "/devices/{name:path}",
    summary="Change a device",
    responses=gives("The device as it is now.", Device, example=EXAMPLE),
    openapi_extra=takes(
        answers.DeviceChange,
        {"type": "accelerometer", "target_id": 1},
        "What shall be different; `target_id` null fixes it to nothing.",
    ),
)
async def change_device(
    request: Request, ctx: Ctx, by: By, name: DeviceName, system: SystemId = None
) -> Response:
    """Set type, topic, sample frequency, description, properties or target of a device."""
    who = by.who
    device = await find_device(ctx, who, Action.MANAGE, name, system)
    thing_id = thing_of(device)
    change = await read_json(request, answers.DeviceChange)
    said = msgspec.to_builtins(change)
    if change.target_id is not UNSET and change.target_id is not None:
        target = await find_fixture(ctx, who, change.target_id, device.system)
        said["target"] = target.name
    given = {
        field: value
        for field in ("type", "topic", "sample_frequency", "description", "properties")
        if (value := getattr(change, field)) is not UNSET
    }
    if "topic" in given:
        given["topic"] = _topic(ctx, given["topic"], device.system)
    if given:
        facts = msgspec.structs.replace(
            DeviceFacts(name=device.name, system=device.system), **given
        )
        await register(ctx, by, facts)
    if given.get("topic", device.topic) != device.topic:
        await ctx.blocking(ctx.fleet.forget)
    if change.target_id is not UNSET:
        now_us = ctx.clock.now_us()
        await ctx.blocking(ctx.fleet.targets.assign, thing_id, change.target_id, now_us)
    await note(ctx, by, "change", device, said)
    return Json(await find_device(ctx, who, Action.VIEW, name, device.system))


@rest.delete(
    "/devices/{name:path}",
    status_code=204,
    summary="Delete a device",
    responses={204: {"description": "It is gone; if it sends again, it is enrolled like new."}},
)
async def delete_device(
    ctx: Ctx,
    by: By,
    name: DeviceName,
    *,
    system: SystemId = None,
    with_data: Annotated[
        bool,
        Query(description="Delete its Thing, observations, logs and commands too; else they stay."),
    ] = False,
) -> Response:
    """Delete a device; what it measured stays unless `with_data`."""
    device = await find_device(ctx, by.who, Action.MANAGE, name, system, may_be_short=False)
    await remove(ctx, by, device, with_data=with_data)
    return Response(status_code=204)


async def remove(ctx: Context, by: Actor, device: Device, *, with_data: bool) -> None:
    """Delete a device for someone who may."""
    await ctx.blocking(ctx.fleet.remove, device.system, device.name, with_data=with_data)
    await note(ctx, by, "remove", device, {"with_data": with_data})


def _topic(ctx: Context, topic: str, system: int) -> str:
    if len(topic) > 500 or topic.startswith("$") or any(c in topic for c in "+#\0"):
        msg = f"topic {topic[:80]!r} is not one; at most 500 characters, no '+', '#' or '$' first"
        raise InvalidInput(msg)
    topic = topic.strip("/")
    if topic and ctx.access.system_of(topic) != system:
        msg = f"topic {topic[:80]!r} is not one of system {system}, to which the device belongs"
        raise InvalidInput(msg)
    return topic
