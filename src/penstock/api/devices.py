"""Devices: who was seen, who waits, and who may come in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from penstock.api import answers
from penstock.api.context import Context, Ctx
from penstock.api.describing import gives
from penstock.api.json_answer import Json
from penstock.core.catalog import DeviceStatus

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
    status: Annotated[
        DeviceStatus | None, Query(description="Only those that stand like this.")
    ] = None,
) -> Response:
    """Return devices by name: those that send, those that wait, those refused."""
    found = await ctx.blocking(ctx.catalog.devices, status)
    return Json(answers.Devices(found))


@router.post(
    "/devices/{name:path}/approve",
    status_code=204,
    summary="Approve a device",
    responses={204: {"description": "It may send."}},
)
async def approve_device(ctx: Ctx, name: Name) -> Response:
    """Let a device in; its waiting dead letters can then be replayed."""
    return await _decide(ctx, name, DeviceStatus.ENROLLED)


@router.post(
    "/devices/{name:path}/refuse",
    status_code=204,
    summary="Refuse a device",
    responses={204: {"description": "Its messages go to the dead letters."}},
)
async def refuse_device(ctx: Ctx, name: Name) -> Response:
    """Keep a device out, now and later."""
    return await _decide(ctx, name, DeviceStatus.REFUSED)


async def _decide(ctx: Context, name: str, status: DeviceStatus) -> Response:
    await ctx.blocking(ctx.catalog.decide, name, status)
    return Response(status_code=204)
