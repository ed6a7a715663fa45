"""Grants: what systems let each other read."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import Consent, Grants
from penstock.api.who import By
from penstock.core.people import GrantInfo, GrantState, NewGrant

router = APIRouter(tags=["people"], default_response_class=Response)

GrantId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the grant.", examples=[4])]

_GRANT = {
    "id": 4,
    "owner_id": 6,
    "owner": "is.iceland.iot4cps-wp5-WeatherService.Stations",
    "reader_id": 3,
    "reader": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
    "thing": None,
    "datastream": None,
    "state": "requested",
    "note": "Is it slippery?",
    "created_us": 1_574_729_660_000_000,
    "created_by": "sue.smith@example.com",
    "decided_us": None,
    "decided_by": "",
    "expires_us": None,
}


@router.get(
    "/grants",
    summary="List grants",
    responses=gives("Grants, newest first.", Grants, example={"items": [_GRANT]}),
)
async def list_grants(
    ctx: Ctx,
    by: By,
    system: Annotated[int | None, Query(description="Only those of the system.")] = None,
    state: Annotated[GrantState | None, Query(description="Only those that stand so.")] = None,
) -> Response:
    """Return grants by or to systems that who asks works with."""
    return Json(Grants(await ctx.blocking(ctx.people.grants.list, by, system=system, state=state)))


@router.post(
    "/grants",
    status_code=201,
    summary="Ask for a grant, or offer one",
    responses=gives("The grant.", GrantInfo, status=201, example=_GRANT),
    openapi_extra=takes(
        NewGrant,
        {
            "owner": "is.iceland.iot4cps-wp5-WeatherService.Stations",
            "reader": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
            "note": "Is it slippery?",
        },
        "Whose data for whom: systems by id or name, and one Thing or Datastream if not all.",
    ),
)
async def post_grant(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Ask, as an agent of the reader, or offer, as an agent of the owner.

    It is in force when both sides have agreed.
    """
    new = await read_json(request, NewGrant)
    return await once(request, ctx, by, lambda: ctx.blocking(ctx.people.grants.add, by, new))


@router.get(
    "/grants/{grant_id}",
    summary="One grant",
    responses=gives("The grant.", GrantInfo, example=_GRANT),
)
async def get_grant(ctx: Ctx, by: By, grant_id: GrantId) -> Response:
    """Return one grant."""
    return Json(await ctx.blocking(ctx.people.grants.get, by, grant_id))


@router.post(
    "/grants/{grant_id}/accept",
    summary="Accept a grant",
    responses=gives("The grant, in force.", GrantInfo, example={**_GRANT, "state": "in_force"}),
    openapi_extra=takes(Consent, {"expires_us": None}, "Until when; only for the owner."),
)
async def accept_grant(request: Request, ctx: Ctx, by: By, grant_id: GrantId) -> Response:
    """Consent, as an agent of the side that was asked."""
    wanted = await read_json(request, Consent) if await request.body() else Consent()
    accept = ctx.people.grants.accept
    return Json(await ctx.blocking(accept, by, grant_id, wanted.expires_us))


@router.post(
    "/grants/{grant_id}/refuse",
    summary="Refuse a grant",
    responses=gives("The grant, refused.", GrantInfo, example={**_GRANT, "state": "refused"}),
)
async def refuse_grant(ctx: Ctx, by: By, grant_id: GrantId) -> Response:
    """Say no, as an agent of the side that was asked."""
    return Json(await ctx.blocking(ctx.people.grants.refuse, by, grant_id))


@router.post(
    "/grants/{grant_id}/revoke",
    summary="Revoke a grant",
    responses=gives("The grant, revoked.", GrantInfo, example={**_GRANT, "state": "revoked"}),
)
async def revoke_grant(ctx: Ctx, by: By, grant_id: GrantId) -> Response:
    """End a grant, from either side, at once."""
    return Json(await ctx.blocking(ctx.people.grants.revoke, by, grant_id))
