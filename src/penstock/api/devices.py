"""Devices: who was seen, who waits, and who may come in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from penstock.api import answers
from penstock.api.context import Context, Ctx
from penstock.api.describing import gives
from penstock.api.json_answer import Json
from penstock.api.who import By, Who, remember
from penstock.core.access import Action, Resource
from penstock.core.catalog import DeviceStatus
from penstock.core.people import Actor, Event

router = APIRouter(tags=["devices"], default_response_class=Response)

Name = Annotated[str, Path(description="Name of the device.", examples=["UPB.RPi_1"])]

_EXAMPLE = {
    "name": "UPB.RPi_1",
    "status": "pending",
    "first_seen_us": 1_574_729_660_000_000,
    "thing_id": None,
}


@router.get(
    "/devices",
    summary="List devices",
    responses=gives("Devices by name.", answers.Devices, example={"items": [_EXAMPLE]}),
)
async def list_devices(
    ctx: Ctx,
    who: Who,
    status: Annotated[
        DeviceStatus | None, Query(description="Only those that stand like this.")
    ] = None,
) -> Response:
    """Return devices by name: those that send, those that wait, those refused."""
    ctx.access.require(who, Action.READ, Resource("platform"))
    found = await ctx.blocking(ctx.catalog.devices, status)
    return Json(answers.Devices(found))


@router.post(
    "/devices/{name:path}/approve",
    status_code=204,
    summary="Approve a device",
    responses={204: {"description": "It may send."}},
)
async def approve_device(ctx: Ctx, by: By, name: Name) -> Response:
    """Let a device in; its waiting dead letters can then be replayed."""
    return await _decide(ctx, by, name, DeviceStatus.ENROLLED)


@router.post(
    "/devices/{name:path}/refuse",
    status_code=204,
    summary="Refuse a device",
    responses={204: {"description": "Its messages go to the dead letters."}},
)
async def refuse_device(ctx: Ctx, by: By, name: Name) -> Response:
    """Keep a device out, now and later."""
    return await _decide(ctx, by, name, DeviceStatus.REFUSED)


async def _decide(ctx: Context, by: Actor, name: str, status: DeviceStatus) -> Response:
    ctx.access.require(by.who, Action.MANAGE, Resource("platform"))
    await ctx.blocking(ctx.catalog.decide, name, status)
    after = {"status": status}
    await remember(ctx, by, Event(action="decide", kind="device", name=name, after=after))
    return Response(status_code=204)
