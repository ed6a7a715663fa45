"""Users: list, make, change, remove; passwords, and where they are signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import Ended, Password, SessionList, Users
from penstock.api.sessions import SESSION, USER
from penstock.api.who import By
from penstock.core.people import NewUser, UserChange, UserInfo

router = APIRouter(tags=["people"], default_response_class=Response)

UserId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the user.", examples=[2])]
Search = Annotated[
    str,
    Query(max_length=1000, description="Words that must each occur.", examples=["sue"]),
]


@router.get(
    "/users",
    summary="List users",
    responses=gives("Users by name.", Users, example={"items": [USER]}),
)
async def list_users(ctx: Ctx, by: By, search: Search = "") -> Response:
    """Return the users that who asks may see: themselves, or all for an administrator."""
    return Json(Users(await ctx.blocking(ctx.people.users.list, by, search)))


@router.post(
    "/users",
    status_code=201,
    summary="Make a user",
    responses=gives("The user.", UserInfo, status=201, example=USER),
    openapi_extra=takes(
        NewUser,
        {
            "name": "sue.smith@example.com",
            "password": "correct horse battery",
            "display_name": "Sue Smith",
        },
        "The user. Passwords have 10 to 1000 characters.",
    ),
)
async def post_user(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a user. The first becomes the platform's administrator, and accounts are on."""
    new = await read_json(request, NewUser)
    return await once(request, ctx, by, lambda: ctx.hashing(ctx.people.users.add, by, new))


@router.get(
    "/users/{user_id}",
    summary="One user",
    responses=gives("The user.", UserInfo, example=USER),
)
async def get_user(ctx: Ctx, by: By, user_id: UserId) -> Response:
    """Return one user."""
    return Json(await ctx.blocking(ctx.people.users.get, by, user_id))


@router.patch(
    "/users/{user_id}",
    summary="Change a user",
    responses=gives("The user as they are now.", UserInfo, example=USER),
    openapi_extra=takes(UserChange, {"display_name": "Susan Smith"}, "What to change."),
)
async def patch_user(request: Request, ctx: Ctx, by: By, user_id: UserId) -> Response:
    """Change a user; what is not given stays. Only administrators make and disable each other."""
    change = await read_json(request, UserChange)
    return Json(await ctx.blocking(ctx.people.users.change, by, user_id, change))


@router.delete(
    "/users/{user_id}",
    status_code=204,
    summary="Remove a user",
    responses={204: {"description": "Removed."}},
)
async def delete_user(ctx: Ctx, by: By, user_id: UserId) -> Response:
    """Remove a user who is nobody's only administrator or agent."""
    await ctx.blocking(ctx.people.users.remove, by, user_id)
    return Response(status_code=204)


@router.put(
    "/users/{user_id}/password",
    status_code=204,
    summary="Set a password",
    responses={204: {"description": "It is set, and the user signed out everywhere."}},
    openapi_extra=takes(
        Password,
        {"new": "correct horse battery", "old": "another long password"},
        "The new password, and the old one when it is one's own.",
    ),
)
async def put_password(request: Request, ctx: Ctx, by: By, user_id: UserId) -> Response:
    """Set a password; one's own needs the old one. All sessions of the user end."""
    wanted = await read_json(request, Password)
    change = ctx.people.users.set_password
    await ctx.hashing(change, by, user_id, wanted.new, wanted.old)
    return Response(status_code=204)


@router.get(
    "/users/{user_id}/sessions",
    summary="Where a user is signed in",
    responses=gives("Sessions, those used last first.", SessionList, example={"items": [SESSION]}),
)
async def list_sessions(ctx: Ctx, by: By, user_id: UserId) -> Response:
    """Return where a user is signed in."""
    return Json(SessionList(await ctx.blocking(ctx.people.sessions.list, by, user_id)))


@router.delete(
    "/users/{user_id}/sessions",
    summary="Sign a user out everywhere",
    responses=gives("How many sessions were ended.", Ended, example={"ended": 2}),
)
async def delete_sessions(ctx: Ctx, by: By, user_id: UserId) -> Response:
    """End all sessions of a user."""
    return Json(Ended(await ctx.blocking(ctx.people.sessions.end_all, by, user_id)))
