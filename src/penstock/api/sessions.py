"""Signing in and out, and who one is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from penstock.api.context import Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.people_answers import Place, SignedIn, SignIn, WhoAmI
from penstock.api.who import COOKIE, Who, address_of, token_of
from penstock.core.access import PLATFORM, Action, Kind, Resource
from penstock.core.errors import Conflict
from penstock.core.people import Actor

router = APIRouter(tags=["people"], default_response_class=Response)

USER = {
    "id": 2,
    "name": "sue.smith@example.com",
    "display_name": "Sue Smith",
    "administrator": False,
    "disabled": False,
    "created_us": 1_574_729_660_000_000,
    "created_by": "root",
}
SESSION = {
    "id": 7,
    "user": 2,
    "created_us": 1_574_729_660_000_000,
    "used_us": 1_574_729_660_000_000,
    "expires_us": 1_575_334_460_000_000,
    "address": "127.0.0.1",
    "agent": "curl/8.5.0",
}


@router.post(
    "/session",
    status_code=201,
    summary="Sign in",
    responses=gives(
        "Signed in; show the token as `Authorization: Bearer <token>`.",
        SignedIn,
        status=201,
        example={"token": "pns_...", "session": SESSION, "user": USER},
    ),
    openapi_extra=takes(
        SignIn,
        {"name": "sue.smith@example.com", "password": "correct horse battery"},
        "Name and password.",
    ),
)
async def post_session(request: Request, ctx: Ctx) -> Response:
    """Begin a session. Wrong guesses are limited, per name and per address."""
    wanted = await read_json(request, SignIn)
    people = ctx.people
    if not ctx.access.organisation.accounts:
        msg = "there are no accounts here: whoever reaches this platform may do everything"
        raise Conflict(msg)
    address = address_of(request)
    user = await ctx.signing_in.check(ctx.access, wanted.name, wanted.password, address)
    agent = request.headers.get("user-agent", "")
    issued = await ctx.blocking(people.sessions.begin, user.id, address, agent)
    info = await ctx.blocking(people.users.get, Actor(PLATFORM), user.id)
    token = None if wanted.cookie else issued.token
    answer = Json(SignedIn(token=token, session=issued.session, user=info), status_code=201)
    answer.headers["Cache-Control"] = "no-store"
    if wanted.cookie:
        lasts_us = issued.session.expires_us - issued.session.created_us
        answer.set_cookie(
            COOKIE,
            issued.token,
            max_age=lasts_us // 1_000_000,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return answer


@router.get(
    "/session",
    summary="Who am I?",
    responses=gives(
        "Who asks, and what they work with.",
        WhoAmI,
        example={
            "accounts": True,
            "kind": "user",
            "id": 2,
            "name": "sue.smith@example.com",
            "administrator": False,
            "registration": "closed",
            "companies": [{"id": 2, "name": "cz.icecars"}],
            "systems": [{"id": 3, "name": "cz.icecars.iot4cps-wp5-CarFleet.Car1"}],
        },
    ),
)
async def get_session(ctx: Ctx, who: Who) -> Response:
    """Return who asks: also to those who have not signed in."""
    access = ctx.access
    organisation = access.organisation
    is_known = who.kind is not Kind.ANYONE
    companies = [
        Place(id=company.id, name=company.name)
        for company in organisation.companies
        if is_known and access.allows(who, Action.MANAGE, Resource("company", company.id))
    ]
    systems = [
        Place(id=system.id, name=system.name)
        for system in organisation.systems
        if is_known
        and (
            access.allows(who, Action.MANAGE, Resource("system", system.id))
            or access.allows(who, Action.WRITE, Resource("system", system.id))
        )
    ]
    return Json(
        WhoAmI(
            accounts=organisation.accounts,
            kind=who.kind.value,
            id=who.id,
            name=access.name(who),
            administrator=access.allows(who, Action.MANAGE, Resource("platform")),
            registration="closed" if ctx.identities is None else ctx.people.registrations.mode,
            companies=companies,
            systems=systems,
        )
    )


@router.delete(
    "/session",
    status_code=204,
    summary="Sign out",
    responses={204: {"description": "Signed out."}},
)
async def delete_session(
    request: Request,
    ctx: Ctx,
    who: Who,
    everywhere: Annotated[
        bool, Query(description="End all sessions of who asks, not only this one.")
    ] = False,
) -> Response:
    """End the session that the request shows. Harmless when it is over."""
    people = ctx.people
    if everywhere and who.kind is Kind.USER:
        by = Actor(who, address_of(request))
        await ctx.blocking(people.sessions.end_all, by, who.id)
    elif token := token_of(request):
        await ctx.blocking(people.sessions.end, token)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
