"""Queries checked and computed without being kept; apps as text; the proof of what ran live."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from penstock.api.apps.answers import Backtest, Computed, Filter, NewQuery, Range, Translated
from penstock.api.apps.apps import AppId
from penstock.api.apps.computing import NDJSON, compute, follow
from penstock.api.context import Ctx
from penstock.api.describing import gives, takes
from penstock.api.downloads import FORMATS
from penstock.api.json_answer import Json, read_json
from penstock.api.times import parse_time
from penstock.api.who import By
from penstock.core.apps import Imported, Verified
from penstock.core.errors import InvalidInput
from penstock.core.queries import Meaning

router = APIRouter(tags=["apps"], default_response_class=Response)

_SQL = "SELECT time, name, result FROM 'factory.*' WHERE result > 80"
_RANGE = {"from": "now-1h", "to": "now"}
_TEXT = "-- app: hot\n-- lateness: 2 s\n\nSELECT time, name, result FROM 'factory.*'\n"


@router.post(
    "/apps/explain",
    summary="Check a query",
    responses=gives(
        "What is known of it.",
        Meaning,
        example={
            "columns": [{"name": "result", "kind": "number", "is_key": False, "unit": None}],
            "sources": ["factory.*"],
            "is_rowwise": True,
            "back_us": 0,
            "ahead_us": 0,
            "grid_us": 1,
            "offset_us": 0,
        },
    ),
    openapi_extra=takes(NewQuery, {"sql": _SQL}, "The query."),
)
async def explain_query(request: Request, ctx: Ctx, by: By) -> Response:
    """Check a query without keeping it; an error tells line and column."""
    query = await read_json(request, NewQuery)
    return Json(await ctx.computing(ctx.apps.explain, by, query.spec()))


@router.post(
    "/apps/backtest",
    summary="Compute a query over the past",
    responses=gives(
        "Rows while they are computed. As NDJSON: a line with `columns`, lines with `values` and "
        "`progress`, and a last line with `rows` or `error`.",
        Computed,
        example={"values": [[1_574_729_660_000_000], [None], [25.3]]},
        ndjson=NDJSON,
        csv=FORMATS["csv"].media,
        arrow=FORMATS["arrow"].media,
    ),
    openapi_extra=takes(Backtest, {"sql": _SQL, **_RANGE}, "The query and the range."),
)
async def backtest_query(request: Request, ctx: Ctx, by: By) -> Response:
    """Compute a query over a range of event time and keep nothing.

    It gives what the query, running live, would have given. Close the connection to cancel it.
    """
    asked = await read_json(request, Backtest)
    now_us = ctx.clock.now_us()
    start_us, end_us = parse_time(asked.start, now_us), parse_time(asked.end, now_us)
    return await compute(
        ctx,
        lambda course: ctx.apps.backtest(by, asked.spec(), start_us, end_us, course),
        asked.format,
        "backtest",
    )


@router.post(
    "/apps/{app_id}/verify",
    summary="Compare what an app stored with a new computation",
    responses=gives(
        "How far the two agree.",
        Verified,
        example={
            "start_us": 1_574_729_660_000_000,
            "end_us": 1_574_733_260_000_000,
            "rows": 60,
            "same": 60,
            "different": 0,
            "examples": [],
        },
        ndjson=NDJSON,
    ),
    openapi_extra=takes(Range, _RANGE, "The range of event time."),
)
async def verify_app(request: Request, ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Compute a range anew and tell which values are stored otherwise.

    Compared is what the app was to answer: from when it began, or was changed, to where it is
    complete; the answer says which range that was. As NDJSON with `progress` on the way; close the
    connection to cancel it.
    """
    asked = await read_json(request, Range)
    now_us = ctx.clock.now_us()
    start_us, end_us = parse_time(asked.start, now_us), parse_time(asked.end, now_us)
    if asked.format == "ndjson":
        return await follow(
            ctx, lambda course: ctx.apps.verify(by, app_id, start_us, end_us, course)
        )
    return Json(await ctx.computing(ctx.apps.verify, by, app_id, start_us, end_us))


@router.post(
    "/apps/translate",
    summary="A filter of the digital twin stack as SQL",
    responses=gives(
        "The query.",
        Translated,
        example={"sql": 'SELECT time, thing, result FROM "fleet.Car1.*" WHERE ((result < 30))'},
    ),
    openapi_extra=takes(
        Filter, {"text": "SELECT * FROM fleet.Car1 WHERE result < 30;"}, "The filter."
    ),
)
async def translate_filter(request: Request, ctx: Ctx, by: By) -> Response:
    """Return a `SELECT` that passes on what the filter does; keeps nothing."""
    asked = await read_json(request, Filter)
    return Json(Translated(sql=await ctx.computing(ctx.apps.translate, by, asked.text)))


@router.get(
    "/apps/export",
    summary="All apps as text",
    responses=gives("Headers of `-- key: value` lines and SQL.", media="text/plain", example=_TEXT),
)
async def export_apps(ctx: Ctx, by: By) -> Response:
    """Return the apps that who asks may see, as text that `/apps/import` takes."""
    text = await ctx.blocking(ctx.apps.write_out, by)
    return Response(text, media_type="text/plain; charset=utf-8")


@router.post(
    "/apps/import",
    summary="Make and change apps from text",
    responses=gives(
        "Which were made and changed.",
        Imported,
        example={"added": ["hot"], "changed": [], "unchanged": [], "started": []},
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "Apps as `/apps/export` gives them.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _TEXT}},
        }
    },
)
async def import_apps(
    request: Request,
    ctx: Ctx,
    by: By,
    *,
    start: Annotated[
        bool, Query(description="Start those of which the text says that they are started.")
    ] = False,
) -> Response:
    """Make the apps of a text that are not there, and change those that are: all, or none."""
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        msg = "the body is no UTF-8 text"
        raise InvalidInput(msg) from error
    return Json(await ctx.computing(ctx.apps.read_in, by, text, start=start))
