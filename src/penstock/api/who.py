"""Who asks: the principal of a request.

A session's cookie, or `Authorization: Bearer` with a key or a session's token, or `Basic` with a
name and password (or a key in place of the password), for tools that know nothing else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from penstock.api.context import Context, Ctx
from penstock.core.access import ANYONE, Action, Kind, Principal, Resource
from penstock.core.errors import Unauthenticated
from penstock.core.people import Actor, Event

#: Name of the session's cookie.
COOKIE = "penstock_session"


async def identify(request: Request, ctx: Context) -> Principal:
    """Return who asks; `ANYONE` when nothing was shown or there are no accounts.

    Raises:
        Unauthenticated: What was shown is not valid (any more).
        TooManyRequests: Too many wrong passwords came from there.
    """
    if not ctx.access.organisation.accounts:
        return ANYONE
    header = request.headers.get("authorization", "")
    if not header:
        # A browser shows its cookie with everything, also when the session is over.
        return _holder(ctx, request.cookies.get(COOKIE, "")) or ANYONE
    scheme, _, value = header.partition(" ")
    secret = value.strip()
    if scheme.lower() == "basic":
        name, secret = _name_and_password(secret)
        who = _holder(ctx, secret)
        if who is None:
            user = await ctx.signing_in.check(ctx.access, name, secret, address_of(request))
            who = Principal(Kind.USER, user.id)
        return who
    who = _holder(ctx, secret) if scheme.lower() == "bearer" else None
    if who is None:
        msg = "the key or session shown is not valid (any more); sign in, or renew the key"
        raise Unauthenticated(msg)
    return who


def standing(request: Request, ctx: Context, who: Principal) -> Callable[[], bool]:
    """Return what tells whether `identify` would still say the same of a request; cheap."""
    header = request.headers.get("authorization", "")
    secret = token_of(request)
    if header.lower().startswith("basic"):
        name, secret = _name_and_password(header.partition(" ")[2].strip())
        user = ctx.access.user(name)
        if user is not None and _holder(ctx, secret) is None:
            kept = user.password_hash
            return lambda: (
                ctx.access.is_welcome(who)
                and (now := ctx.access.user(name)) is not None
                and now.password_hash == kept
            )
    if secret and who != ANYONE:
        return lambda: _holder(ctx, secret) == who
    return lambda: ctx.access.is_welcome(who)


def token_of(request: Request) -> str:
    """Return the session's token that a request shows, if any."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    return request.cookies.get(COOKIE, "")


def address_of(request: Request) -> str:
    """Return the network address that a request comes from."""
    return request.client.host if request.client is not None else ""


def _holder(ctx: Context, secret: str) -> Principal | None:
    if not secret or ctx.identities is None:
        return None
    access = ctx.access
    who = access.holder(secret)
    if who is not None:
        ctx.identities.keys.note_use(secret)
        return who
    session = ctx.identities.sessions.holder(secret)
    if session is None:
        return None
    who = Principal(Kind.USER, session.user)
    return who if access.is_welcome(who) else None


def _name_and_password(text: str) -> tuple[str, str]:
    try:
        name, separator, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        name, separator, password = "", "", ""
    if not separator:
        msg = (
            "the Authorization header holds no name and password; Basic wants base64(name:password)"
        )
        raise Unauthenticated(msg)
    return name, password


async def _who(request: Request, ctx: Ctx) -> Principal:
    if not ctx.access.organisation.accounts:
        return ANYONE
    try:
        who = await identify(request, ctx)
    except Unauthenticated:
        ctx.rates.count_unknown(address_of(request))
        raise
    if who == ANYONE:
        ctx.rates.count_unknown(address_of(request))
    else:
        ctx.rates.count(who)
    return who


#: A parameter of this type receives who asks.
Who = Annotated[Principal, Depends(_who)]


async def _by(request: Request, ctx: Ctx, who: Who) -> Actor:
    ctx.access.require(who, Action.VIEW, Resource("platform"))
    return Actor(who, address_of(request))


#: A parameter of this type receives who asks and from where, as the identity contracts take it;
#: they must have said who they are.
By = Annotated[Actor, Depends(_by)]


async def remember(ctx: Context, by: Actor, event: Event) -> None:
    """Write what was done into the audit trail, where there is one."""
    if ctx.identities is not None:
        await ctx.blocking(ctx.identities.trail.write, by, event)
