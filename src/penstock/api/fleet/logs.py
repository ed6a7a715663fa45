"""Logs of devices: searched, and followed live."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from penstock.api.context import Context, Ctx
from penstock.api.describing import gives
from penstock.api.fleet import answers
from penstock.api.fleet.finding import DeviceName, SystemId, find_device, full_names, scope_of
from penstock.api.json_answer import Json
from penstock.api.live_stream import GAP, HEARTBEAT, LOOK_EVERY_S, RETRY
from penstock.api.paging import next_page
from penstock.api.streaming import EventStream
from penstock.api.times import parse_time
from penstock.api.who import Who, standing
from penstock.core.access import Action, Principal
from penstock.core.device_logs import Level, LogQuery
from penstock.core.errors import InvalidInput

router = APIRouter(tags=["devices"], default_response_class=Response)

#: Words that a search may have.
MAX_WORDS = 20

_LINE: dict[str, Any] = {
    "id": 4711,
    "device": "AAD-1123",
    "system": 1,
    "time_us": 1_574_729_660_000_000,
    "level": "WARNING",
    "message": "unknown command: dance",
}
_PAGE = {"items": [_LINE], "next": None}
_STREAM = f"""\
retry: 1000

event: lines
id: 4711
data: [{msgspec.json.encode(_LINE).decode()}]
"""
_CURSOR = re.compile(r"(-?\d{1,18})_(\d{1,18})")


Levels = Annotated[list[Level] | None, Query(description="Only lines of this level; repeatable.")]
Text = Annotated[str, Query(description="Words that must each occur in the text.", max_length=1000)]
From = Annotated[
    str | None, Query(alias="from", description="First time wanted.", examples=["now-1h"])
]
To = Annotated[str | None, Query(description="First time not wanted any more.")]
Before = Annotated[
    str | None, Query(description="Continue behind this, as `next` says.", max_length=60)
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
Names = Annotated[
    list[str] | None, Query(description="Only of this device; repeatable.", max_length=200)
]


@router.get(
    "/devices/{name:path}/logs",
    summary="Search the log of a device",
    responses=gives("Lines, newest first.", answers.LogLines, example=_PAGE),
)
async def search_device_log(
    request: Request,
    ctx: Ctx,
    who: Who,
    name: DeviceName,
    *,
    system: SystemId = None,
    level: Levels = None,
    text: Text = "",
    from_: From = None,
    to: To = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Return what a device logged, by level, text and time."""
    device = await find_device(ctx, who, Action.READ, name, system)
    query = _query(ctx, level, text, from_, to, before, limit)
    query = msgspec.structs.replace(
        query, systems=frozenset(), things=frozenset({(device.system, device.name)})
    )
    return await _search(ctx, request, query)


@router.get(
    "/device-logs",
    summary="Search the logs of all devices",
    responses=gives("Lines, newest first.", answers.LogLines, example=_PAGE),
)
async def search_logs(
    request: Request,
    ctx: Ctx,
    who: Who,
    *,
    device: Names = None,
    level: Levels = None,
    text: Text = "",
    from_: From = None,
    to: To = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Return what devices logged, by device, level, text and time."""
    query = _query(ctx, level, text, from_, to, before, limit)
    query = msgspec.structs.replace(query, devices=await full_names(ctx, who, device or ()))
    query = await _scoped(ctx, who, query)
    return await _search(ctx, request, query)


@router.get(
    "/device-logs/stream",
    summary="Follow the logs of devices as server-sent events",
    responses=gives(
        "Events `lines`, each an array of new lines; `gap` says that lines were skipped because "
        "the client was too slow.",
        media="text/event-stream",
        example=_STREAM,
    ),
)
async def stream_logs(
    request: Request,
    ctx: Ctx,
    who: Who,
    *,
    device: Names = None,
    level: Levels = None,
    text: Text = "",
) -> Response:
    """Hand over lines as they are kept."""
    scope_of(ctx, who)
    query = _query(ctx, level, text, None, None, None, 1)
    query = msgspec.structs.replace(query, devices=await full_names(ctx, who, device or ()))
    events = _follow(ctx, who, query, standing(request, ctx, who))
    return EventStream(events, ctx.streams.take(ctx.access, who))


async def _follow(
    ctx: Context, who: Principal, query: LogQuery, may_stay: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    following = ctx.fleet.logs.follow(query)
    closing = asyncio.ensure_future(ctx.closing.wait())
    waiting = asyncio.ensure_future(following.next())
    heard_s = asyncio.get_running_loop().time()
    try:
        yield RETRY
        while not closing.done():
            await asyncio.wait(
                (waiting, closing),
                timeout=min(ctx.settings.heartbeat_s, LOOK_EVERY_S),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if closing.done() or not may_stay():
                return
            if not waiting.done():
                now_s = asyncio.get_running_loop().time()
                if now_s - heard_s >= ctx.settings.heartbeat_s:
                    heard_s = now_s
                    yield HEARTBEAT
                continue
            lines, is_skipped = waiting.result()
            # What someone may read can change while they follow.
            allowed = await _scoped(ctx, who, query)
            lines = [line for line in lines if allowed.takes(line)]
            if is_skipped:
                yield GAP
            if lines:
                data = msgspec.json.encode(lines)
                yield b"event: lines\nid: %d\ndata: %s\n\n" % (lines[-1].id, data)
            waiting = asyncio.ensure_future(following.next())
    finally:
        closing.cancel()
        waiting.cancel()
        following.close()


async def _scoped(ctx: Context, who: Principal, query: LogQuery) -> LogQuery:
    """Return a query for nothing but what someone may read."""
    scope = scope_of(ctx, who)
    if scope.everything:
        return query
    things = frozenset[tuple[int, str]]()
    if scope.things:
        shared = await ctx.blocking(ctx.fleet.records.devices, scope, things=sorted(scope.things))
        things = frozenset((one.system, one.name) for one in shared)
    return msgspec.structs.replace(query, systems=scope.systems, things=things)


def _query(
    ctx: Context,
    level: list[Level] | None,
    text: str,
    from_: str | None,
    to: str | None,
    before: str | None,
    limit: int,
) -> LogQuery:
    words = text.split()
    if len(words) > MAX_WORDS:
        msg = f"text has {len(words)} words; up to {MAX_WORDS} are allowed"
        raise InvalidInput(msg)
    now_us = ctx.clock.now_us()
    return LogQuery(
        levels=frozenset(level or ()),
        words=words,
        from_us=None if from_ is None else parse_time(from_, now_us),
        until_us=None if to is None else parse_time(to, now_us),
        before=None if before is None else _read_cursor(before),
        limit=limit,
    )


def _read_cursor(before: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(before)
    if match is None:
        msg = f"before={before[:60]!r} is no place to continue at; follow `next` of an answer"
        raise InvalidInput(msg)
    return int(match[1]), int(match[2])


async def _search(ctx: Context, request: Request, query: LogQuery) -> Response:
    page = await ctx.blocking(ctx.fleet.logs.search, query)
    more = None if page.next is None else f"{page.next[0]}_{page.next[1]}"
    searched_to_us = page.next[0] if page.is_cut and page.next is not None else None
    headers = {k: v.replace("after=", "before=") for k, v in next_page(request, more).items()}
    return Json(answers.LogLines(page.lines, more, searched_to_us), headers=headers)
