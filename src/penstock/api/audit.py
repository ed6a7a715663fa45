"""Who changed what; and a search through all that one may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives
from penstock.api.json_answer import Json
from penstock.api.people_answers import Audit, Hit, Hits
from penstock.api.who import By
from penstock.core.people import Actor

router = APIRouter(tags=["people"], default_response_class=Response)

#: Most hits of one kind.
MAX_HITS = 50


@router.get(
    "/audit",
    summary="The audit trail",
    responses=gives(
        "Who changed what, newest first.",
        Audit,
        example={
            "items": [
                {
                    "id": 12,
                    "at_us": 1_574_729_660_000_000,
                    "by": "sue.smith@example.com",
                    "address": "127.0.0.1",
                    "action": "change",
                    "kind": "client",
                    "object_id": 5,
                    "name": "car_1",
                    "company": 2,
                    "system": 3,
                    "before": {"may_write": True},
                    "after": {"may_write": False},
                }
            ],
            "next": None,
        },
    ),
)
async def list_audit(
    ctx: Ctx,
    by: By,
    kind: Annotated[
        str | None, Query(description="Only of this kind of object.", examples=["client"])
    ] = None,
    object_id: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only of the object with this id.")
    ] = None,
    before: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="Only ids below this one.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> Response:
    """Return what happened to what one manages, and what one did oneself."""
    found = await ctx.blocking(
        ctx.people.trail.list, by, kind=kind, object_id=object_id, before=before, limit=limit
    )
    more = found[-1].id if len(found) == limit else None
    return Json(Audit(found, more))


@router.get(
    "/search",
    summary="Search everything",
    responses=gives(
        "What was found, kind by kind.",
        Hits,
        example={
            "items": [
                {
                    "kind": "system",
                    "id": 3,
                    "name": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
                    "description": "The first car",
                }
            ]
        },
    ),
)
async def search_everything(
    ctx: Ctx,
    by: By,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=1000,
            description="Words that must each occur in name or description.",
            examples=["car"],
        ),
    ],
) -> Response:
    """Return companies, systems, clients, users and datastreams that one may see."""
    return Json(Hits(await ctx.blocking(_search, ctx, by, q)))


def _search(ctx: Context, by: Actor, words: str) -> list[Hit]:
    people = ctx.people
    scope = ctx.scope(by.who)
    found = [
        *(
            Hit(kind="company", id=c.id, name=c.name, description=c.description)
            for c in people.companies.list(by, words)[:MAX_HITS]
        ),
        *(
            Hit(kind="system", id=s.id, name=s.name, description=s.description)
            for s in people.systems.list(by, words)[:MAX_HITS]
        ),
        *(
            Hit(kind="client", id=c.id, name=f"{c.system}/{c.name}", description=c.description)
            for c in people.clients.list(by, words)[:MAX_HITS]
        ),
        *(
            Hit(kind="user", id=u.id, name=u.name, description=u.display_name)
            for u in people.users.list(by, words)[:MAX_HITS]
        ),
    ]
    found.extend(
        Hit(kind="datastream", id=d.id, name=d.name, description=d.observed_property)
        for d in ctx.catalog.datastreams(words, limit=MAX_HITS, scope=scope)
    )
    return found
