"""Keys of users and clients."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import IssuedKeys, Keys, NewKeys, Renewal
from penstock.api.who import By
from penstock.core.people import IssuedKey, NewKey

router = APIRouter(tags=["people"], default_response_class=Response)

KeyId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the key.", examples=[9])]

_KEY = {
    "id": 9,
    "label": "boot computer",
    "hint": "pnk_etmJ9W",
    "user": None,
    "client": 5,
    "created_us": 1_574_729_660_000_000,
    "created_by": "sue.smith@example.com",
    "expires_us": None,
    "revoked_us": None,
    "used_us": None,
}
_ISSUED = {"key": _KEY, "secret": "pnk_etmJ9W..."}
_NEW = {"client": 5, "label": "boot computer"}


@router.get(
    "/keys",
    summary="List keys",
    responses=gives("Keys, newest first; never their secrets.", Keys, example={"items": [_KEY]}),
)
async def list_keys(
    ctx: Ctx,
    by: By,
    user: Annotated[int | None, Query(description="Those of the user.")] = None,
    client: Annotated[int | None, Query(description="Those of the client.")] = None,
) -> Response:
    """Return the keys of a user or a client; without both, those of who asks."""
    return Json(Keys(await ctx.blocking(ctx.people.keys.list, by, user=user, client=client)))


@router.post(
    "/keys",
    status_code=201,
    summary="Make a key",
    responses=gives(
        "The key; its secret is shown this once.", IssuedKey, status=201, example=_ISSUED
    ),
    openapi_extra=takes(NewKey, _NEW, "For a client or a user; without both, for who asks."),
)
async def post_key(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a key, to be shown as `Authorization: Bearer <secret>`, or as password in MQTT."""
    new = await read_json(request, NewKey)

    async def add() -> IssuedKey:
        return (await ctx.blocking(ctx.people.keys.add, by, [new]))[0]

    return _private(await once(request, ctx, by, add, secret=True))


@router.post(
    "/keys/batch",
    status_code=201,
    summary="Make many keys",
    responses=gives("The keys, in order.", IssuedKeys, status=201, example={"items": [_ISSUED]}),
    openapi_extra=takes(NewKeys, {"items": [_NEW]}, "Up to 10,000 keys."),
)
async def post_keys(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make many keys at once, all or none."""
    new = await read_json(request, NewKeys)

    async def add() -> IssuedKeys:
        return IssuedKeys(await ctx.blocking(ctx.people.keys.add, by, new.items))

    return _private(await once(request, ctx, by, add, secret=True))


@router.post(
    "/keys/{key_id}/renew",
    status_code=201,
    summary="Renew a key",
    responses=gives("The new key and its secret.", IssuedKey, status=201, example=_ISSUED),
    openapi_extra=takes(Renewal, {"overlap_s": 3600.0}, "How long the old one stays valid."),
)
async def renew_key(
    request: Request,
    ctx: Ctx,
    by: By,
    key_id: KeyId,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a new key in place of one, which stays valid for a while if wanted."""
    wanted = await read_json(request, Renewal)

    async def renew() -> IssuedKey:
        return await ctx.blocking(
            ctx.people.keys.renew,
            by,
            key_id,
            overlap_s=wanted.overlap_s,
            expires_us=wanted.expires_us,
        )

    return _private(await once(request, ctx, by, renew, secret=True))


@router.delete(
    "/keys/{key_id}",
    status_code=204,
    summary="Revoke a key",
    responses={204: {"description": "It is not valid any more."}},
)
async def delete_key(ctx: Ctx, by: By, key_id: KeyId) -> Response:
    """End a key, at once."""
    await ctx.blocking(ctx.people.keys.revoke, by, key_id)
    return Response(status_code=204)


def _private(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer
