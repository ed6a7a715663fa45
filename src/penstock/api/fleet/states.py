"""Desired and reported state of devices."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from penstock.api.context import Ctx
from penstock.api.describing import gives, takes
from penstock.api.errors import Refused
from penstock.api.fleet import answers
from penstock.api.fleet.devices import note
from penstock.api.fleet.finding import DeviceName, SystemId, find_device, thing_of
from penstock.api.json_answer import Json, read_json
from penstock.api.who import By, Who
from penstock.core.access import Action
from penstock.core.devices import State
from penstock.core.errors import Conflict, InvalidInput

router = APIRouter(tags=["devices"], default_response_class=Response)

_EXAMPLE: dict[str, Any] = {
    "desired": {"interval_s": 10, "leds": {"status": "on"}},
    "desired_version": 3,
    "desired_us": 1_574_729_660_000_000,
    "reported": {"interval_s": 10, "firmware": "1.4.2"},
    "reported_version": 8,
    "reported_us": 1_574_729_662_000_000,
    "delta": {"leds": {"status": "on"}},
}


@router.get(
    "/devices/{name:path}/state",
    summary="Show the state of a device",
    responses=gives(
        "What it is wanted to be, and what it says that it is; `ETag` is the desired version.",
        answers.StateAnswer,
        example=_EXAMPLE,
    ),
)
async def get_state(ctx: Ctx, who: Who, name: DeviceName, system: SystemId = None) -> Response:
    """Return desired and reported state, and what of the desired one is not reported."""
    device = await find_device(ctx, who, Action.READ, name, system)
    return _answer(await ctx.blocking(ctx.fleet.states.state, thing_of(device)))


@router.put(
    "/devices/{name:path}/state/desired",
    summary="Set the desired state of a device",
    responses={
        **gives("The state as it is now.", answers.StateAnswer, example=_EXAMPLE),
        412: {"description": "Somebody changed it since the version in `If-Match`."},
    },
    openapi_extra=takes(None, '{"interval_s": 10}', "Any JSON object, in the place of the old."),
)
async def put_desired(
    request: Request,
    ctx: Ctx,
    by: By,
    name: DeviceName,
    *,
    system: SystemId = None,
    if_match: Annotated[
        str | None,
        Header(description="Version that this replaces, as `ETag` said; else whatever is held."),
    ] = None,
) -> Response:
    """Set what a device is wanted to be, and tell it, now or when it comes back."""
    device = await find_device(ctx, by.who, Action.COMMAND, name, system)
    desired = await read_json(request, dict[str, Any])
    version = _version(if_match)
    try:
        state = await ctx.blocking(ctx.fleet.states.desire, thing_of(device), desired, version)
    except Conflict as error:
        raise Refused(HTTPStatus.PRECONDITION_FAILED, "changed", str(error)) from error
    await note(ctx, by, "desire", device, {"version": state.desired_version, **desired})
    return _answer(state)


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        msg = f"If-Match {if_match[:40]!r} is no version; give what `ETag` said"
        raise InvalidInput(msg)
    return int(text)


def _answer(state: State) -> Response:
    body = answers.StateAnswer(
        desired=state.desired,
        desired_version=state.desired_version,
        desired_us=state.desired_us,
        reported=state.reported,
        reported_version=state.reported_version,
        reported_us=state.reported_us,
        delta=state.delta,
    )
    return Json(body, headers={"ETag": f'"{state.desired_version}"'})
