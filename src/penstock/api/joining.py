"""Registration of people: they make themselves users, or wait for an administrator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.people_answers import Joined, RegistrationList
from penstock.api.sessions import USER
from penstock.api.who import By, address_of
from penstock.core.errors import TooManyRequests
from penstock.core.people import NewRegistration, UserInfo
from penstock.core.shares import network

router = APIRouter(tags=["people"], default_response_class=Response)

RegistrationId = Annotated[
    int, Path(ge=1, le=MAX_ID, description="Id of the registration.", examples=[3])
]
_WAITING = {
    "id": 3,
    "name": "sue.smith@example.com",
    "display_name": "Sue Smith",
    "note": "I look after the cars of icecars.",
    "address": "192.0.2.7",
    "at_us": 1_574_729_660_000_000,
}


@router.post(
    "/register",
    status_code=202,
    summary="Register oneself",
    responses={
        **gives("A user, who may sign in now.", Joined, status=201, example={"status": "user"}),
        **gives(
            "An administrator looks at it; the same answer comes when the name is taken.",
            Joined,
            status=202,
            example={"status": "waiting"},
        ),
    },
    openapi_extra=takes(
        NewRegistration,
        {
            "name": "sue.smith@example.com",
            "password": "correct horse battery",
            "display_name": "Sue Smith",
            "note": "I look after the cars of icecars.",
        },
        "Name, password, and a note for the administrator.",
    ),
)
async def post_registration(request: Request, ctx: Ctx) -> Response:
    """Make oneself a user, as `registration` in [accounts] allows; limited per network address.

    Who is new belongs to no company: they make one, or are added by those who run one.
    """
    new = await read_json(request, NewRegistration)
    address = address_of(request)
    _count(ctx, address)
    user = await ctx.hashing(ctx.people.registrations.register, new, address)
    joined = Joined("waiting" if user is None else "user")
    return Json(joined, status_code=202 if user is None else 201)


def _count(ctx: Context, address: str) -> None:
    wait_s = max(
        ctx.registering.wait_s(network(address)),
        ctx.registering_at_all.wait_s("all"),
    )
    if wait_s > 0:
        msg = (
            "too many registrations came from there, or at all, of late; try again in "
            f"{wait_s:.0f} seconds"
        )
        raise TooManyRequests(msg, retry_after_s=wait_s)
    ctx.registering.take(network(address))
    ctx.registering_at_all.take("all")


@router.get(
    "/registrations",
    summary="List registrations that wait",
    responses=gives(
        "Who wants to become a user, oldest first.", RegistrationList, example={"items": [_WAITING]}
    ),
)
async def list_registrations(ctx: Ctx, by: By) -> Response:
    """Return who waits for approval; for administrators of the platform."""
    return Json(RegistrationList(await ctx.blocking(ctx.people.registrations.list, by)))


@router.post(
    "/registrations/{registration_id}/approve",
    status_code=201,
    summary="Approve a registration",
    responses=gives("The user, who may sign in now.", UserInfo, status=201, example=USER),
)
async def approve_registration(ctx: Ctx, by: By, registration_id: RegistrationId) -> Response:
    """Make a user of somebody who waits, with the password that they chose."""
    approve = ctx.people.registrations.approve
    return Json(await ctx.blocking(approve, by, registration_id), status_code=201)


@router.delete(
    "/registrations/{registration_id}",
    status_code=204,
    summary="Refuse a registration",
    responses={204: {"description": "Forgotten."}},
)
async def refuse_registration(ctx: Ctx, by: By, registration_id: RegistrationId) -> Response:
    """Forget somebody who waits; they are not told."""
    await ctx.blocking(ctx.people.registrations.refuse, by, registration_id)
    return Response(status_code=204)
