"""Targets, and the tracks of targets and devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from penstock.api.context import Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.fleet import answers
from penstock.api.fleet.finding import (
    DeviceName,
    SystemId,
    TargetId,
    find_device,
    find_target,
    scope_of,
    system_for,
    thing_of,
)
from penstock.api.json_answer import Json, read_json
from penstock.api.times import parse_time
from penstock.api.who import By, Who, remember
from penstock.core.access import Action
from penstock.core.devices import Place, Target
from penstock.core.errors import InvalidInput
from penstock.core.people import Actor, Event

router = APIRouter(tags=["devices"], default_response_class=Response)

GEOJSON = "application/geo+json"

_TARGET: dict[str, Any] = {
    "id": 1,
    "name": "Pump 3",
    "system": 1,
    "description": "",
    "properties": {},
    "location": [13.04, 47.8],
    "located_us": 1_574_729_660_000_000,
    "devices": ["AAD-1123"],
}
_TRACK: dict[str, Any] = {
    "name": "Car1",
    "time_us": [1_574_729_660_000_000, 1_574_729_661_000_000],
    "position": [[13.04, 47.8], [13.05, 47.8]],
}
_GIVES_TRACK = gives(
    "Places by time.",
    answers.Track,
    example=_TRACK,
    geojson=(GEOJSON, answers.TrackFeature),
)
From = Annotated[
    str | None, Query(alias="from", description="First time wanted.", examples=["now-1h"])
]
To = Annotated[str | None, Query(description="First time not wanted any more.")]
Limit = Annotated[
    int, Query(ge=2, le=100_000, description="At most so many places, evenly thinned.")
]
Format = Annotated[
    Literal["json", "geojson"],
    Query(description="Columns, or GeoJSON; `Accept: application/geo+json` asks for it too."),
]
Accept = Annotated[str, Header(description="Media type wanted.")]


@router.get(
    "/targets",
    summary="List targets",
    responses=gives("Targets by id.", answers.Targets, example={"items": [_TARGET]}),
)
async def list_targets(ctx: Ctx, who: Who) -> Response:
    """Return what devices are fixed to."""
    scope = scope_of(ctx, who)
    systems = None if scope.everything else scope.systems
    return Json(answers.Targets(await ctx.blocking(ctx.fleet.targets.targets, systems)))


@router.post(
    "/targets",
    status_code=201,
    summary="Create a target",
    responses=gives("It is created.", Target, status=201, example=_TARGET),
    openapi_extra=takes(
        answers.NewTarget,
        {"name": "Pump 3", "location": [13.04, 47.8]},
        "The target; `Name` and `ID` are understood too.",
    ),
)
async def create_target(request: Request, ctx: Ctx, by: By) -> Response:
    """Create a target; its name must be free in its system."""
    new = await read_json(request, answers.NewTarget)
    if bool(new.name) == bool(new.plain_name):
        msg = "a target needs a `name` (or a `Name`, not both)"
        raise InvalidInput(msg)
    target = Target(
        id=new.plain_id,
        name=new.name or new.plain_name,
        system=system_for(ctx, by.who, new.system),
        description=new.description,
        properties=new.properties,
        location=new.location,
        located_us=ctx.clock.now_us(),
    )
    made = await ctx.blocking(ctx.fleet.targets.create, target)
    await _note(ctx, by, "add", made)
    return Json(made, status_code=201, headers={"Location": f"{request.url.path}/{made.id}"})


@router.get(
    "/targets/{target_id}",
    summary="Show a target",
    responses=gives("The target.", Target, example=_TARGET),
)
async def get_target(ctx: Ctx, who: Who, target_id: TargetId) -> Response:
    """Return a target: where it is, and which devices are fixed to it."""
    return Json(await find_target(ctx, who, Action.VIEW, target_id))


@router.delete(
    "/targets/{target_id}",
    status_code=204,
    summary="Delete a target",
    responses={204: {"description": "It is gone; its devices are fixed to nothing."}},
)
async def delete_target(ctx: Ctx, by: By, target_id: TargetId) -> Response:
    """Delete a target and where it was."""
    target = await find_target(ctx, by.who, Action.MANAGE, target_id)
    await ctx.blocking(ctx.fleet.targets.delete, target_id)
    await _note(ctx, by, "remove", target)
    return Response(status_code=204)


@router.post(
    "/targets/{target_id}/locations",
    status_code=204,
    summary="Say where a target is or was",
    responses={204: {"description": "It is kept."}},
    openapi_extra=takes(
        answers.NewPlaces,
        {"places": [{"position": [13.04, 47.8]}]},
        "Positions: longitude, latitude, perhaps height; without `time_us` it is now.",
    ),
)
async def move_target(request: Request, ctx: Ctx, who: Who, target_id: TargetId) -> Response:
    """Keep where a target is, or was at some times."""
    await find_target(ctx, who, Action.MANAGE, target_id)
    new = await read_json(request, answers.NewPlaces)
    now_us = ctx.clock.now_us()
    places = [
        Place(time_us=now_us if one.time_us is None else one.time_us, position=one.position)
        for one in new.places
    ]
    await ctx.blocking(ctx.fleet.targets.move, target_id, places)
    return Response(status_code=204)


@router.get(
    "/targets/{target_id}/track",
    summary="Show where a target was",
    responses=_GIVES_TRACK,
)
async def get_target_track(
    ctx: Ctx,
    who: Who,
    target_id: TargetId,
    *,
    from_: From = None,
    to: To = None,
    limit: Limit = 1000,
    format_: Annotated[
        Literal["json", "geojson"], Query(alias="format", description="Columns, or GeoJSON.")
    ] = "json",
    accept: Accept = "",
) -> Response:
    """Return the newest places of a target in a range of time."""
    target = await find_target(ctx, who, Action.READ, target_id)
    start_us, end_us = _range(ctx, from_, to)
    places = await ctx.blocking(ctx.fleet.targets.places, target_id, start_us, end_us, limit)
    return _track(target.name, places, is_geojson=format_ == "geojson" or GEOJSON in accept)


@router.get(
    "/targets/{target_id}/devices",
    summary="What was fixed to a target?",
    responses=gives(
        "Devices of the target, newest first.", answers.Assignments, example={"items": []}
    ),
)
async def list_target_devices(ctx: Ctx, who: Who, target_id: TargetId) -> Response:
    """Return which devices are and were fixed to a target."""
    await find_target(ctx, who, Action.READ, target_id)
    found = await ctx.blocking(ctx.fleet.targets.assignments, target=target_id)
    return Json(answers.Assignments(found))


@router.get(
    "/devices/{name:path}/track",
    summary="Show where a device was",
    responses=_GIVES_TRACK,
)
async def get_device_track(
    ctx: Ctx,
    who: Who,
    name: DeviceName,
    *,
    system: SystemId = None,
    from_: From = None,
    to: To = None,
    limit: Limit = 1000,
    format_: Annotated[
        Literal["json", "geojson"], Query(alias="format", description="Columns, or GeoJSON.")
    ] = "json",
    accept: Accept = "",
) -> Response:
    """Return where a device was in a range of time, evenly thinned to `limit` places."""
    device = await find_device(ctx, who, Action.READ, name, system)
    start_us, end_us = _range(ctx, from_, to)
    places = await ctx.blocking(ctx.fleet.tracks.track, thing_of(device), start_us, end_us, limit)
    return _track(device.name, places, is_geojson=format_ == "geojson" or GEOJSON in accept)


async def _note(ctx: Context, by: Actor, action: str, target: Target) -> None:
    event = Event(
        action=action,
        kind="target",
        object_id=target.id,
        name=target.name,
        system=target.system,
    )
    await remember(ctx, by, event)


def _range(ctx: Context, from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    now_us = ctx.clock.now_us()
    return (
        None if from_ is None else parse_time(from_, now_us),
        None if to is None else parse_time(to, now_us),
    )


def _track(name: str, places: Sequence[Place], *, is_geojson: bool) -> Response:
    times = [place.time_us for place in places]
    positions = [place.position for place in places]
    if not is_geojson:
        return Json(answers.Track(name=name, time_us=times, position=positions))
    shape: answers.TrackPoint | answers.TrackLine | None = None
    if len(positions) == 1:
        shape = answers.TrackPoint(positions[0])
    elif positions:
        shape = answers.TrackLine(positions)
    about = answers.TrackProperties(name=name, time_us=times)
    return Json(answers.TrackFeature(about, shape), media_type=GEOJSON)
