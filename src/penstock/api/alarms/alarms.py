"""Alarms: listed, acknowledged, shelved, followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.alarms.answers import AlarmComment, AlarmHistory, AlarmList, AlarmShelving
from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.streaming import EventStream
from penstock.api.times import parse_time
from penstock.api.who import By, standing
from penstock.core.alarm_rules import AlarmMode, Severity
from penstock.core.alarms import OPEN, Act, Alarm, AlarmQuery, AlarmState, AlarmWatch
from penstock.core.people import Actor

router = APIRouter(tags=["alarms"], default_response_class=Response)

AlarmId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the alarm.", examples=[1])]
#: How often it is looked whether who watches still may, in seconds.
LOOK_EVERY_S = 0.5

ALARM: dict[str, Any] = {
    "id": 1,
    "rule_id": 1,
    "rule": "too-hot",
    "system_id": 1,
    "key": "[7]",
    "subject": "Boiler 3",
    "severity": "high",
    "message": "Boiler 3 is at 81.5 °C",
    "values": {"thing": "Boiler 3", "result": 81.5, "unit": "°C"},
    "state": "unacknowledged",
    "mode": "normal",
    "shelved_until_us": None,
    "start_us": 1_574_729_660_000_000,
    "raised_us": 1_574_729_670_000_000,
    "cleared_us": None,
    "occurrences": 1,
    "activations": 1,
    "flapping": False,
    "acknowledged_us": None,
    "acknowledged_by": "",
    "updated_us": 1_574_729_670_100_000,
}
_HISTORY: dict[str, Any] = {
    "alarm": ALARM,
    "events": [
        {
            "time_us": 1_574_729_670_100_000,
            "act": "raise",
            "state": "unacknowledged",
            "by": "",
            "comment": "",
        }
    ],
    "activations": [],
}
_EVENTS = """\
event: alarm
data: {"act":"raise","alarm":{"id":1,"rule":"too-hot","state":"unacknowledged"}}
"""


@router.get(
    "/alarms",
    summary="List alarms",
    responses=gives("Alarms, newest first.", AlarmList, example={"items": [ALARM], "next": None}),
)
async def list_alarms(
    ctx: Ctx,
    by: By,
    *,
    state: Annotated[list[AlarmState] | None, Query(description="In these states only.")] = None,
    mode: Annotated[
        list[AlarmMode] | None, Query(description="Told of in these ways only: normal, ...")
    ] = None,
    all_: Annotated[
        bool, Query(alias="all", description="Those too that are normal again.")
    ] = False,
    severity: Annotated[Severity, Query(description="At least this severity.")] = Severity.LOW,
    rule: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Of this rule only.")] = None,
    system: Annotated[
        int | None, Query(ge=1, le=MAX_ID, description="Of this system only.")
    ] = None,
    search: Annotated[
        str, Query(max_length=200, description="Text in subject, message or rule.")
    ] = "",
    from_: Annotated[
        str | None, Query(alias="from", description="Active at or after this time.")
    ] = None,
    to: Annotated[str | None, Query(description="Active before this time.")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_ID, description="Continue behind this, as `next` says.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> Response:
    """Return the alarms that want attention, or all of them."""
    now_us = ctx.clock.now_us()
    query = AlarmQuery(
        states=frozenset(state) if state else frozenset() if all_ else OPEN,
        modes=frozenset(mode or ()),
        severity=severity,
        rule=rule,
        system=system,
        search=search,
        start_us=None if from_ is None else parse_time(from_, now_us),
        end_us=None if to is None else parse_time(to, now_us),
        before=before,
        limit=limit + 1,
    )
    found = await ctx.blocking(ctx.alarms.list, by, query)
    shown = found[:limit]
    return Json(AlarmList(shown, shown[-1].id if len(found) > limit else None))


@router.get(
    "/alarms/stream",
    summary="Follow alarms as server-sent events",
    responses=gives(
        "An `alarm` for every change, from now on; read `/alarms` first.",
        media="text/event-stream",
        example=_EVENTS,
    ),
)
async def stream_alarms(request: Request, ctx: Ctx, by: By) -> Response:
    """Hand over what happens to alarms that who asks may see."""
    watch = ctx.alarms.watch(by)
    may = standing(request, ctx, by.who)
    return EventStream(_events(ctx, watch, may), ctx.streams.take(ctx.access, by.who))


@router.get(
    "/alarms/{alarm_id}",
    summary="Show an alarm",
    responses=gives("The alarm and its history.", AlarmHistory, example=_HISTORY),
)
async def get_alarm(ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Return an alarm, what happened to it, and when it was active."""
    alarm, events, spans = await ctx.blocking(ctx.alarms.get, by, alarm_id)
    return Json(AlarmHistory(alarm=alarm, events=events, activations=spans))


@router.post(
    "/alarms/{alarm_id}/acknowledge",
    summary="Acknowledge an alarm",
    responses=gives("As it is now.", Alarm, example={**ALARM, "state": "acknowledged"}),
    openapi_extra=takes(AlarmComment, {"comment": "I look at it."}, "What is to be said."),
)
async def acknowledge_alarm(request: Request, ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Say that an alarm was seen."""
    return await _act(request, ctx, by, alarm_id, Act.ACKNOWLEDGE)


@router.post(
    "/alarms/{alarm_id}/reset",
    summary="Reset a latched alarm",
    responses=gives("As it is now.", Alarm, example={**ALARM, "state": "normal"}),
    openapi_extra=takes(AlarmComment, {"comment": "Mended."}, "What is to be said."),
)
async def reset_alarm(request: Request, ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Let a latched alarm that returned and is acknowledged be normal again."""
    return await _act(request, ctx, by, alarm_id, Act.RESET)


@router.post(
    "/alarms/{alarm_id}/comments",
    summary="Comment on an alarm",
    responses=gives("As it is now.", Alarm, example=ALARM),
    openapi_extra=takes(AlarmComment, {"comment": "The fan is blocked."}, "The comment."),
)
async def comment_alarm(request: Request, ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Write into the history of an alarm."""
    return await _act(request, ctx, by, alarm_id, Act.COMMENT)


@router.post(
    "/alarms/{alarm_id}/shelve",
    summary="Shelve an alarm",
    responses=gives("As it is now.", Alarm, example={**ALARM, "mode": "shelved"}),
    openapi_extra=takes(
        AlarmShelving, {"for_s": 3600, "reason": "The sensor is replaced."}, "How long, and why."
    ),
)
async def shelve_alarm(request: Request, ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Tell nobody of this rule and subject for some time."""
    wanted = await read_json(request, AlarmShelving)
    until_us = ctx.clock.now_us() + round(min(wanted.for_s, 1e12) * 1e6)
    found = await ctx.blocking(ctx.alarms.shelve, by, alarm_id, until_us, wanted.reason)
    return Json(found)


@router.post(
    "/alarms/{alarm_id}/unshelve",
    summary="Take an alarm off its shelf",
    responses=gives("As it is now.", Alarm, example=ALARM),
)
async def unshelve_alarm(ctx: Ctx, by: By, alarm_id: AlarmId) -> Response:
    """Tell people of it again."""
    return Json(await ctx.blocking(ctx.alarms.unshelve, by, alarm_id))


async def _act(request: Request, ctx: Context, by: Actor, alarm_id: int, act: Act) -> Response:
    has_body = bool(await request.body())
    said = await read_json(request, AlarmComment) if has_body else AlarmComment()
    return Json(await ctx.blocking(ctx.alarms.act, by, alarm_id, act, said.comment))


async def _events(
    ctx: Context, watch: AlarmWatch, may: Callable[[], bool]
) -> AsyncGenerator[bytes, None]:
    waiting = asyncio.ensure_future(watch.next())
    closing = asyncio.ensure_future(ctx.closing.wait())
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    try:
        yield b"retry: 1000\n\n"
        while may():
            await asyncio.wait(
                (waiting, closing), timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            if closing.done():
                break
            if waiting.done():
                heard_s = loop.time()
                for act, alarm in waiting.result():
                    data = msgspec.json.encode({"act": act, "alarm": alarm})
                    yield b"event: alarm\ndata: %s\n\n" % data
                waiting = asyncio.ensure_future(watch.next())
            elif loop.time() - heard_s >= ctx.settings.heartbeat_s:
                heard_s = loop.time()
                yield b": still here\n\n"
    finally:
        waiting.cancel()
        closing.cancel()
        watch.close()
