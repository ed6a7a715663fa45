"""Systems and their agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.companies import MEMBER
from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import MemberName, Systems
from penstock.api.users import Search, UserId
from penstock.api.who import By
from penstock.core.people import Member, NewSystem, SystemChange, SystemInfo

router = APIRouter(tags=["people"], default_response_class=Response)

SystemId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the system.", examples=[3])]

_SYSTEM = {
    "id": 3,
    "company_id": 2,
    "company": "cz.icecars",
    "name": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
    "description": "The first car",
    "topics": [],
    "agents": [MEMBER],
    "created_us": 1_574_729_660_000_000,
    "created_by": "sue.smith@example.com",
}


@router.get(
    "/systems",
    summary="List systems",
    responses=gives("Systems by name.", Systems, example={"items": [_SYSTEM]}),
)
async def list_systems(
    ctx: Ctx,
    by: By,
    search: Search = "",
    company: Annotated[int | None, Query(description="Only those of the company.")] = None,
) -> Response:
    """Return the systems that who asks works with, runs the company of, or was granted."""
    return Json(Systems(await ctx.blocking(ctx.people.systems.list, by, search, company)))


@router.post(
    "/systems",
    status_code=201,
    summary="Make a system",
    responses=gives("The system.", SystemInfo, status=201, example=_SYSTEM),
    openapi_extra=takes(
        NewSystem,
        {"company": 2, "workcenter": "iot4cps-wp5-CarFleet", "station": "Car1"},
        "Its name is that of the company, then workcenter (up to 30) and station (up to 20 "
        "letters, digits and '-').",
    ),
)
async def post_system(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a system of a company that one runs; who makes it becomes its agent."""
    new = await read_json(request, NewSystem)
    return await once(request, ctx, by, lambda: ctx.blocking(ctx.people.systems.add, by, new))


@router.get(
    "/systems/{system_id}",
    summary="One system",
    responses=gives("The system.", SystemInfo, example=_SYSTEM),
)
async def get_system(ctx: Ctx, by: By, system_id: SystemId) -> Response:
    """Return one system; of one whose data one may only read, no more than its name."""
    return Json(await ctx.blocking(ctx.people.systems.get, by, system_id))


@router.patch(
    "/systems/{system_id}",
    summary="Change a system",
    responses=gives("The system as it is now.", SystemInfo, example=_SYSTEM),
    openapi_extra=takes(SystemChange, {"description": "The first car"}, "What to change."),
)
async def patch_system(request: Request, ctx: Ctx, by: By, system_id: SystemId) -> Response:
    """Change a system; what is not given stays. Topics are the platform administrator's."""
    change = await read_json(request, SystemChange)
    return Json(await ctx.blocking(ctx.people.systems.change, by, system_id, change))


@router.delete(
    "/systems/{system_id}",
    status_code=204,
    summary="Remove a system",
    responses={204: {"description": "Removed."}},
)
async def delete_system(
    ctx: Ctx,
    by: By,
    system_id: SystemId,
    move_things: Annotated[
        bool,
        Query(
            description="Move its Things and their data to the default system; only for the "
            "platform's administrator."
        ),
    ] = False,
) -> Response:
    """Remove a system without clients and Things, as its only agent."""
    await ctx.blocking(ctx.people.systems.remove, by, system_id, move_things=move_things)
    return Response(status_code=204)


@router.post(
    "/systems/{system_id}/agents",
    status_code=201,
    summary="Add an agent of a system",
    responses=gives("The agent.", Member, status=201, example=MEMBER),
    openapi_extra=takes(MemberName, {"user": "peter.novak@example.com"}, "The user's name."),
)
async def post_agent(request: Request, ctx: Ctx, by: By, system_id: SystemId) -> Response:
    """Make a user an agent of a system."""
    wanted = await read_json(request, MemberName)
    add = ctx.people.systems.agents.add
    return Json(await ctx.blocking(add, by, system_id, wanted.user), status_code=201)


@router.delete(
    "/systems/{system_id}/agents/{user_id}",
    status_code=204,
    summary="Remove an agent of a system",
    responses={204: {"description": "Removed."}},
)
async def delete_agent(ctx: Ctx, by: By, system_id: SystemId, user_id: UserId) -> Response:
    """Take the role from a user; one cannot take it from oneself."""
    await ctx.blocking(ctx.people.systems.agents.remove, by, system_id, user_id)
    return Response(status_code=204)
