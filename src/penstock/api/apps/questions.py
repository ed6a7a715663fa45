"""Questions in SQL about what is stored: read only, bounded, of what who asks may read."""

from __future__ import annotations

import time

import pyarrow as pa
from fastapi import APIRouter, Request, Response

from penstock.api.apps.answers import Answer, Question
from penstock.api.apps.computing import NDJSON
from penstock.api.apps.tables import columns_of, encode, flat, rows_of, values_of
from penstock.api.context import Ctx
from penstock.api.describing import gives, takes
from penstock.api.downloads import FORMATS, download_table
from penstock.api.json_answer import Json, read_json
from penstock.api.who import Who

router = APIRouter(tags=["apps"], default_response_class=Response)


@router.post(
    "/sql",
    summary="Ask in SQL",
    responses=gives(
        "The answer: columns in order, and the values of each.",
        Answer,
        example={
            "columns": [{"name": "n", "type": "int64"}],
            "values": [[42]],
            "rows": 1,
            "took_s": 0.01,
        },
        ndjson=NDJSON,
        csv=FORMATS["csv"].media,
        arrow=FORMATS["arrow"].media,
    ),
    openapi_extra=takes(Question, {"sql": "SELECT COUNT(*) AS n FROM observations"}, "One SELECT."),
)
async def ask(request: Request, ctx: Ctx, who: Who) -> Response:
    """Answer one SELECT about observations, things, datastreams, units and locations.

    422 says that it takes more time, memory or rows than allowed.
    """
    asked = await read_json(request, Question)
    settings = ctx.settings
    rows = min(asked.max_rows or settings.max_sql_rows, settings.max_sql_rows)
    seconds = min(asked.timeout_s or settings.max_sql_s, settings.max_sql_s)
    scope = ctx.scope(who)
    begun = time.monotonic()
    table: pa.Table = await ctx.computing(
        ctx.adhoc.ask, asked.sql, scope, max_rows=rows, timeout_s=seconds
    )
    took_s = round(time.monotonic() - begun, 4)
    iso = asked.times == "iso"
    if asked.format == "csv":
        return await download_table(ctx, await ctx.blocking(flat, table), "csv", "answer")
    if asked.format == "arrow":
        return await download_table(ctx, table, "arrow", "answer")
    if asked.format == "ndjson":
        lines = await ctx.blocking(lambda: b"".join(rows_of(table, iso=iso)))
        return Response(lines, media_type=NDJSON)

    def answer() -> bytes:
        return encode(
            Answer(
                columns=columns_of(table.schema),
                values=values_of(table, iso=iso),
                rows=table.num_rows,
                took_s=took_s,
            )
        )

    return Json(await ctx.blocking(answer))
