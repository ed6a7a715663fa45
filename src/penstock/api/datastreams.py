"""Datastreams: list, search, one of them, and how long it keeps its observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api import answers
from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.paging import MAX_DATASTREAMS, next_page
from penstock.api.who import By, Who, remember
from penstock.core.access import Action, Resource
from penstock.core.catalog import DatastreamInfo
from penstock.core.people import Event

router = APIRouter(tags=["data"], default_response_class=Response)

Include = Annotated[
    list[Literal["latest", "count"]] | None,
    Query(
        description="What to add to each: `latest` the newest value, `count` how many "
        "observations there are and their first and last time. May be repeated.",
        examples=[["latest"]],
    ),
]
DatastreamId = Annotated[int, Path(description="Id of the datastream.", examples=[1])]

EXAMPLE = {
    "id": 1,
    "name": "UPB.RPi_1.TMP",
    "thing": "UPB.RPi_1",
    "thing_id": 1,
    "observed_property": "TMP",
    "observation_type": "Measurement",
    "unit": {"name": "degree Celsius", "symbol": "°C", "definition": ""},
    "sensor": "",
    "location": [26.05, 44.43],
    "properties": {},
    "thing_properties": {"location": "UPB"},
    "retention_s": None,
    "system": 1,
}


@router.get(
    "/datastreams",
    summary="List and search datastreams",
    responses=gives(
        "A page of datastreams.",
        answers.Datastreams,
        example={"items": [EXAMPLE], "total": 1, "next": None},
    ),
)
async def list_datastreams(
    request: Request,
    ctx: Ctx,
    who: Who,
    search: Annotated[
        str,
        Query(
            max_length=1000,
            description="Words that must each occur in name, observed property, unit or a "
            "property, upper and lower case alike.",
            examples=["temperature north"],
        ),
    ] = "",
    thing: Annotated[str | None, Query(description="Only those of the Thing of this name.")] = None,
    id: Annotated[  # noqa: A002 - the name in the address
        list[int] | None,
        Query(
            max_length=MAX_DATASTREAMS, description="Only these; may be repeated.", examples=[[1]]
        ),
    ] = None,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="Only ids above this one.")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 100,
    include: Include = None,
) -> Response:
    """Return datastreams by ascending id, with the total that the search finds."""
    scope = ctx.scope(who)

    def find() -> tuple[Sequence[DatastreamInfo], int]:
        page = ctx.catalog.datastreams(
            search, thing=thing, ids=id, after=after, limit=limit + 1, scope=scope
        )
        if after == 0 and len(page) <= limit:
            return page, len(page)
        if thing is None and id is None:
            return page, ctx.catalog.count_datastreams(search, scope)
        found = ctx.catalog.datastreams(search, thing=thing, ids=id, limit=MAX_ID, scope=scope)
        return page, len(found)

    page, total = await ctx.blocking(find)
    shown = page[:limit]
    found = await ctx.blocking(_with_values, ctx, shown, include or ())
    more = shown[-1].id if len(page) > limit else None
    return Json(answers.Datastreams(found, total, more), headers=next_page(request, more))


def _with_values(
    ctx: Context, page: Sequence[DatastreamInfo], include: Sequence[str]
) -> list[answers.Datastream]:
    latest: dict[int, answers.LatestValue] = {}
    if "latest" in include and page:
        table = ctx.summarising().latest([info.id for info in page])
        times = table.column("time").cast("int64").to_pylist()
        rows = zip(*(table.column(n).to_pylist() for n in ("number", "text")), strict=True)
        ids = table.column("datastream").to_pylist()
        for id_, time, (number, text) in zip(ids, times, rows, strict=True):
            latest[id_] = answers.LatestValue(time, number, text)
    found = []
    for info in page:
        more: dict[str, Any] = {}
        if "latest" in include:
            more["latest"] = latest.get(info.id)
        if "count" in include:
            summary = ctx.summarising().summary(info.id)
            more["count"] = summary.count if summary else 0
            more["first_us"] = summary.first_us if summary else None
            more["last_us"] = summary.last_us if summary else None
        found.append(answers.datastream_answer(info, **more))
    return found


@router.get(
    "/datastreams/{datastream_id}",
    summary="One datastream",
    responses=gives(
        "The datastream, with its newest value, its count and its extent.",
        answers.Datastream,
        example={
            **EXAMPLE,
            "latest": {"time_us": 1_574_729_660_000_000, "number": 25.3, "text": None},
            "count": 1,
            "first_us": 1_574_729_660_000_000,
            "last_us": 1_574_729_660_000_000,
        },
    ),
)
async def get_datastream(ctx: Ctx, who: Who, datastream_id: DatastreamId) -> Response:
    """Return one datastream with its newest value, count of observations and their extent."""
    info = await ctx.datastream(who, datastream_id)
    (found,) = await ctx.blocking(_with_values, ctx, [info], ("latest", "count"))
    return Json(found)


@router.put(
    "/datastreams/{datastream_id}/retention",
    summary="Set how long observations are kept",
    responses=gives("It is set.", answers.Retention, example={"retention_s": 604800.0}),
    openapi_extra=takes(
        answers.Retention, {"retention_s": 604800.0}, "Seconds, or null for the store's default."
    ),
)
async def put_retention(
    request: Request, ctx: Ctx, by: By, datastream_id: DatastreamId
) -> Response:
    """Set how long the observations of one datastream are kept."""
    wanted = await read_json(request, answers.Retention)
    info = await ctx.datastream(by.who, datastream_id)
    what = Resource("datastream", info.id, info.system, info.thing_id)
    ctx.access.require(by.who, Action.MANAGE, what)
    await ctx.blocking(ctx.catalog.set_retention, datastream_id, wanted.retention_s)
    await remember(
        ctx,
        by,
        Event(
            action="set-retention",
            kind="datastream",
            object_id=info.id,
            name=info.name,
            system=info.system,
            before={"retention_s": info.retention_s},
            after={"retention_s": wanted.retention_s},
        ),
    )
    return Json(wanted)
