"""Observations by time range: pages in JSON, downsampled, or as a file; and the newest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import pyarrow as pa
from fastapi import APIRouter, Header, Query, Request, Response

from penstock.api import answers
from penstock.api.columns import to_columns
from penstock.api.context import Context, Ctx
from penstock.api.datastreams import DatastreamId
from penstock.api.describing import gives
from penstock.api.downloads import FORMATS, download, download_table, file_name, pick_format
from penstock.api.downsampling import Agg, buckets, unnamed
from penstock.api.json_answer import Json
from penstock.api.paging import cursor_text, last_row, next_page
from penstock.api.selecting import Ids, Times, Want, Wanted
from penstock.api.who import Who

router = APIRouter(tags=["data"], default_response_class=Response)

#: Rows of a JSON page when the address does not say.
DEFAULT_LIMIT = 10_000

Width = Annotated[
    str | None,
    Query(
        description="Downsample to buckets of this width: 100ms, 10s, 1m, 1h, 1d.", examples=["10s"]
    ),
]
Points = Annotated[
    int | None,
    Query(
        ge=1,
        le=100_000,
        description="Downsample to about so many buckets per datastream, at most, of a width that "
        "reads well.",
    ),
]
Format = Annotated[
    Literal["json", "csv", "parquet", "arrow"] | None,
    Query(description="Form of the answer; overrides the Accept header."),
]
Accept = Annotated[str, Header(include_in_schema=False)]

_PAGE_EXAMPLE = {
    "datastream": [1, 1],
    "time": [1_574_729_660_000_000, 1_574_729_661_000_000],
    "number": [25.3, 25.4],
    "next": None,
}
_RESPONSES = gives(
    "A page of observations; or `Buckets` when `width` or `points` is given; or a file.",
    answers.Observations,
    answers.Buckets,
    example=_PAGE_EXAMPLE,
    csv=FORMATS["csv"].media,
    parquet=FORMATS["parquet"].media,
    arrow=FORMATS["arrow"].media,
)


@router.get("/observations", summary="Observations of several datastreams", responses=_RESPONSES)
async def get_observations(
    request: Request,
    ctx: Ctx,
    who: Who,
    want: Want,
    datastream: Ids = None,
    width: Width = None,
    points: Points = None,
    agg: Agg = None,
    times: Times = "us",
    format: Format = None,  # noqa: A002 - the name in the address
    accept: Accept = "",
) -> Response:
    """Return observations by time, in pages; downsampled; or all of them as a file."""
    kind = format or pick_format(accept)
    if datastream is None and (width is not None or points is not None):
        raise unnamed()
    datastream = await ctx.readable(who, datastream)
    if width is not None or points is not None:
        return await _downsampled(ctx, want, datastream, width, points, agg, times, kind)
    if kind != "json":
        selection = want.selection(datastream, want.limit)
        return await download(ctx, selection, kind, await _name(ctx, datastream))
    return await _page(request, ctx, want, datastream, iso=times == "iso")


@router.get(
    "/datastreams/{datastream_id}/observations",
    summary="Observations of one datastream",
    responses=_RESPONSES,
)
async def get_datastream_observations(
    request: Request,
    ctx: Ctx,
    who: Who,
    want: Want,
    datastream_id: DatastreamId,
    width: Width = None,
    points: Points = None,
    agg: Agg = None,
    times: Times = "us",
    format: Format = None,  # noqa: A002 - the name in the address
    accept: Accept = "",
) -> Response:
    """Return observations of one datastream; like `/observations`, but 404 when there is none."""
    await ctx.datastream(who, datastream_id)
    return await get_observations(
        request, ctx, who, want, [datastream_id], width, points, agg, times, format, accept
    )


@router.get(
    "/latest",
    summary="The newest observation of each datastream",
    responses=gives(
        "One row for each datastream that has any.",
        answers.LatestObservations,
        example={
            "datastream": [1],
            "time": [1_574_729_660_000_000],
            "number": [25.3],
            "text": [None],
        },
        csv=FORMATS["csv"].media,
        parquet=FORMATS["parquet"].media,
        arrow=FORMATS["arrow"].media,
    ),
)
async def get_latest(
    ctx: Ctx,
    who: Who,
    datastream: Ids = None,
    times: Times = "us",
    format: Format = None,  # noqa: A002 - the name in the address
    accept: Accept = "",
) -> Response:
    """Return the newest observation of the datastreams named, or of all."""
    kind = format or pick_format(accept)
    chosen = await ctx.readable(who, datastream)

    def find() -> pa.Table:
        return ctx.summarising().latest(chosen)

    if kind != "json":
        return await download_table(ctx, await ctx.blocking(find), kind, "latest")

    def encode() -> bytes:
        table = find()
        columns = to_columns(table, iso=times == "iso")
        return msgspec.json.encode({**columns, "text": table.column("text").to_pylist()})

    return Json(await ctx.blocking(encode))


async def _page(
    request: Request, ctx: Context, want: Wanted, datastreams: list[int] | None, *, iso: bool
) -> Response:
    limit = min(want.limit or DEFAULT_LIMIT, ctx.settings.max_rows_per_page)
    selection = want.selection(datastreams, limit + 1)

    def read() -> tuple[bytes, str | None]:
        table = ctx.store.scan(selection)
        more = None
        if table.num_rows > limit:
            table = table.slice(0, limit)
            more = cursor_text(last_row(table))
        return msgspec.json.encode({**to_columns(table, iso=iso), "next": more}), more

    body, more = await ctx.blocking(read)
    return Json(body, headers=next_page(request, more))


async def _downsampled(
    ctx: Context,
    want: Wanted,
    datastreams: list[int] | None,
    width: str | None,
    points: int | None,
    agg: Sequence[str] | None,
    times: str,
    kind: str,
) -> Response:
    table, width_us = await ctx.blocking(
        buckets, ctx, want.selection(datastreams, None), width, points, agg
    )
    if kind != "json":
        return await download_table(ctx, table, kind, await _name(ctx, datastreams))

    def encode() -> bytes:
        columns = to_columns(table, iso=times == "iso")
        return msgspec.json.encode({"width_us": width_us, **columns})

    return Json(await ctx.blocking(encode))


async def _name(ctx: Context, datastreams: list[int] | None) -> str:
    if datastreams is None or len(datastreams) != 1:
        return "observations"
    found = await ctx.blocking(ctx.catalog.datastreams, ids=datastreams, limit=1)
    return file_name(found[0].name) if found else "observations"
