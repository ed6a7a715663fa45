"""Requests that may come twice: the same idempotency key gives the same answer.

A request with an `Idempotency-Key` is done once for whoever asks; when it comes again within a
day, with the same body, the answer is the one given before. A secret is not kept for that: it is
remembered for a few minutes, and only in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Header, Request, Response

from penstock.api.context import Context
from penstock.api.errors import Refused
from penstock.api.json_answer import Json
from penstock.core.errors import Conflict, InvalidInput
from penstock.core.people import Actor

#: Longest idempotency key, in characters.
MAX_KEY = 200

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=MAX_KEY,
        description="Makes it harmless to send the request again: with the same key and body it is "
        "done once, and answered alike, for a day.",
        examples=["6f1c2a34-5d0e-4a8e-9a53-0f6e3c1f7a10"],
    ),
]


async def once(
    request: Request,
    ctx: Context,
    by: Actor,
    do: Callable[[], Awaitable[Any]],
    *,
    status: int = 201,
    secret: bool = False,
) -> Response:
    """Return the answer of `do`, which is called unless the request was answered before.

    Args:
        request: With an `Idempotency-Key`, or without.
        ctx: The platform's parts.
        by: Who asks: keys of different people have nothing to do with each other.
        do: Does it, and returns what to answer.
        status: Of the answer.
        secret: Whether the answer holds a secret, which must not be kept.

    Raises:
        Refused: The key was used for another request.
        Conflict: The first request is still being worked on, or its secret is gone.
    """
    key = request.headers.get("idempotency-key")
    if key is None or ctx.identities is None:
        return Json(await do(), status_code=status)
    if not 1 <= len(key) <= MAX_KEY:
        msg = f"an Idempotency-Key of {len(key)} characters is not allowed; 1 to {MAX_KEY} are"
        raise InvalidInput(msg)
    repeats = ctx.identities.repeats
    place = f"{by.who.kind}\n{by.who.id}\n{request.method}\n{request.url.path}\n{key}"
    digest = hashlib.sha256(place.encode()).hexdigest()
    content = hashlib.sha256(await request.body()).hexdigest()
    before = await ctx.blocking(repeats.claim, digest, content)
    if before is not None:
        if before.request_digest != content:
            msg = f"the Idempotency-Key {key!r} was used with another body; choose another key"
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "key-reused", msg)
        if before.status == 0:
            msg = (
                f"a request with the Idempotency-Key {key!r} is being worked on, or was cut off; "
                "look whether it was done, and choose another key if not"
            )
            raise Conflict(msg)
        body = ctx.secrets.get(digest) if secret else before.body.encode()
        if body is None:
            msg = "this was done before, and its secret was shown once; renew the key for another"
            raise Conflict(msg)
        return Json(body, status_code=before.status, headers={"Idempotency-Replayed": "true"})
    try:
        answer = msgspec.json.encode(await do())
    except BaseException:
        await ctx.blocking(repeats.release, digest)
        raise
    if secret:
        ctx.secrets.keep(digest, answer)
    await ctx.blocking(repeats.settle, digest, status, "" if secret else answer.decode())
    return Json(answer, status_code=status)
