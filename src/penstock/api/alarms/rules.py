"""Alarm rules: made, changed, tried on the past, as text."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from penstock.alarms.rule_text import parse_rule, parse_rules, print_rules
from penstock.alarms.suppression import in_order
from penstock.api.alarms.answers import AlarmRange, AlarmRuleList, AlarmRuleMode
from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.times import parse_time
from penstock.api.who import By
from penstock.core.alarm_episodes import AlarmBacktest
from penstock.core.alarm_rules import RuleInfo, RuleSpec
from penstock.core.errors import InvalidInput
from penstock.core.people import Actor

router = APIRouter(tags=["alarms"], default_response_class=Response)

RuleId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the rule.", examples=[1])]
BacktestId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the backtest.", examples=[1])]
#: Longest text of rules, in bytes.
MAX_TEXT = 4_000_000
TEXT = "text/plain; charset=utf-8"

SPEC: dict[str, Any] = {
    "name": "too-hot",
    "sql": "SELECT time, thing, result, unit FROM observations WHERE result > 80",
    "clear": "result < 75",
    "severity": "high",
    "hold_s": 10,
    "message": "{thing} is at {result} {unit}",
}

_FULL = {
    **SPEC, "system": "default", "raise": "", "off_delay_s": 0.0, "absent_s": 0.0, "expect": [],
    "notify": [], "latched": False, "flapping": 10, "lateness_s": 2.0, "idle_s": 30.0,
    "reach_s": 3600.0, "description": "",
}  # fmt: skip
RULE: dict[str, Any] = {
    "id": 1,
    "spec": _FULL,
    "system_id": 1,
    "enabled": True,
    "mode": "normal",
    "mode_reason": "",
    "run": None,
    "active": 0,
    "by": "sue.smith@example.com",
    "changed_us": 1_574_729_660_000_000,
    "sql": "SELECT time, thing, result, unit, (result > 80) AS raised, ...",
    "trouble": "",
}
BACKTEST: dict[str, Any] = {
    "id": 1,
    "state": "running",
    "progress": 0.25,
    "start_us": 1_574_643_260_000_000,
    "end_us": 1_574_729_660_000_000,
    "ended_us": None,
    "rows": 86_400,
    "episodes": [],
    "count": 0,
    "keys": 0,
    "active_s": 0.0,
    "longest_s": 0.0,
    "told": 0,
    "suppressed_s": 0.0,
    "message": "",
}


@router.get(
    "/alarm-rules",
    summary="List alarm rules",
    responses=gives("Rules by name.", AlarmRuleList, example={"items": []}),
)
async def list_alarm_rules(ctx: Ctx, by: By) -> Response:
    """Return the rules of systems that who asks may read, and how they fare."""
    return Json(AlarmRuleList(await ctx.blocking(ctx.alarms.rules.list, by)))


@router.post(
    "/alarm-rules",
    status_code=201,
    summary="Make an alarm rule",
    responses=gives("It is made, and watched.", RuleInfo, status=201, example=RULE),
    openapi_extra=takes(RuleSpec, SPEC, "The rule; JSON, or text with `Content-Type: text/plain`."),
)
async def post_alarm_rule(request: Request, ctx: Ctx, by: By) -> Response:
    """Make a rule; who asks must manage its system."""
    spec = await _spec(request)
    return Json(await ctx.blocking(ctx.alarms.rules.add, by, spec), status_code=201)


@router.get(
    "/alarm-rules/export",
    summary="All alarm rules as text",
    responses=gives("The rules that who asks may see.", media="text/plain"),
)
async def export_alarm_rules(ctx: Ctx, by: By) -> Response:
    """Return the rules as text, which `import` takes."""
    found = await ctx.blocking(ctx.alarms.rules.list, by)
    return Response(print_rules([one.spec for one in found]), media_type=TEXT)


@router.post(
    "/alarm-rules/import",
    summary="Make or change alarm rules by text",
    responses=gives("The rules as they are now.", AlarmRuleList, example={"items": []}),
    openapi_extra=takes(None, "", "Rules as text; one of a name that there is, is changed."),
)
async def import_alarm_rules(request: Request, ctx: Ctx, by: By) -> Response:
    """Make the rules of a text, or change those of the same name and system."""
    specs = parse_rules(await _text(request))
    return Json(AlarmRuleList(await ctx.blocking(_import, ctx, by, specs)))


@router.post(
    "/alarm-rules/check",
    status_code=204,
    summary="Check alarm rules",
    responses={204: {"description": "They can be made, or changed."}},
    openapi_extra=takes(
        RuleSpec, SPEC, "A rule; JSON, or rules as text with `Content-Type: text/plain`."
    ),
)
async def check_alarm_rules(request: Request, ctx: Ctx, by: By) -> Response:
    """Check rules without keeping them; an error tells line and column in the SQL as written."""
    specs = [await _spec(request)] if _is_json(request) else parse_rules(await _text(request))
    await ctx.computing(ctx.alarms.rules.check, by, specs)
    return Response(status_code=204)


@router.post(
    "/alarm-rules/backtests",
    status_code=202,
    summary="Try an alarm rule on the past",
    responses=gives("It has begun.", AlarmBacktest, status=202, example=BACKTEST),
    openapi_extra=takes(
        AlarmRange,
        {"from": "now-1d", "to": "now", "rule": SPEC},
        "The range, and a rule as `rule` or as `text`.",
    ),
)
async def begin_alarm_backtest(request: Request, ctx: Ctx, by: By) -> Response:
    """Begin to find out what a rule would have raised; it is not kept."""
    wanted = await read_json(request, AlarmRange)
    spec = parse_rule(wanted.text) if wanted.text else wanted.rule
    if spec is None:
        msg = "say which rule: give `rule` or `text`"
        raise InvalidInput(msg)
    return await _begin(ctx, by, spec, wanted)


@router.get(
    "/alarm-rules/backtests/{backtest_id}",
    summary="How a backtest fares",
    responses=gives("What it found so far.", AlarmBacktest, example=BACKTEST),
)
async def get_alarm_backtest(ctx: Ctx, by: By, backtest_id: BacktestId) -> Response:
    """Return a backtest that who asks began."""
    return Json(await ctx.blocking(ctx.alarms.rules.backtest, by, backtest_id))


@router.delete(
    "/alarm-rules/backtests/{backtest_id}",
    summary="Cancel a backtest",
    responses=gives(
        "It is cancelled, and what it had found; one that has ended stays as it is.",
        AlarmBacktest,
        example={**BACKTEST, "state": "cancelled", "ended_us": 1_574_729_661_000_000},
    ),
)
async def cancel_alarm_backtest(ctx: Ctx, by: By, backtest_id: BacktestId) -> Response:
    """End a backtest; it is remembered with what it had found, as those that are done are."""
    return Json(await ctx.blocking(ctx.alarms.rules.cancel_backtest, by, backtest_id))


@router.get(
    "/alarm-rules/{rule_id}",
    summary="Show an alarm rule",
    responses=gives("The rule.", RuleInfo, example=RULE, text="text/plain"),
)
async def get_alarm_rule(
    ctx: Ctx,
    by: By,
    rule_id: RuleId,
    format_: Annotated[
        str, Query(alias="format", pattern="^(json|text)$", description="json or text.")
    ] = "json",
) -> Response:
    """Return a rule, and how it fares."""
    found = await ctx.blocking(ctx.alarms.rules.get, by, rule_id)
    if format_ == "text":
        return Response(print_rules([found.spec]), media_type=TEXT)
    return Json(found)


@router.put(
    "/alarm-rules/{rule_id}",
    summary="Change an alarm rule",
    responses=gives("As it is now.", RuleInfo, example=RULE),
    openapi_extra=takes(RuleSpec, SPEC, "The rule; JSON, or text with `Content-Type: text/plain`."),
)
async def put_alarm_rule(request: Request, ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Replace what was said of a rule; when its condition changes it begins anew."""
    spec = await _spec(request)
    return Json(await ctx.blocking(ctx.alarms.rules.change, by, rule_id, spec))


@router.delete(
    "/alarm-rules/{rule_id}",
    status_code=204,
    summary="Delete an alarm rule",
    responses={204: {"description": "It is gone, with its alarms."}},
)
async def delete_alarm_rule(ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Delete a rule and all of its alarms."""
    await ctx.blocking(ctx.alarms.rules.remove, by, rule_id)
    return Response(status_code=204)


@router.post(
    "/alarm-rules/{rule_id}/enable",
    summary="Watch an alarm rule",
    responses=gives("As it is now.", RuleInfo, example=RULE),
)
async def enable_alarm_rule(ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Watch a rule from now on."""
    return Json(await ctx.blocking(ctx.alarms.rules.set_enabled, by, rule_id, enabled=True))


@router.post(
    "/alarm-rules/{rule_id}/disable",
    summary="Stop watching an alarm rule",
    responses=gives("As it is now.", RuleInfo, example=RULE),
)
async def disable_alarm_rule(ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Stop watching a rule; its active alarms are withdrawn."""
    return Json(await ctx.blocking(ctx.alarms.rules.set_enabled, by, rule_id, enabled=False))


@router.put(
    "/alarm-rules/{rule_id}/mode",
    summary="Suppress an alarm rule, or take it out of service",
    responses=gives("As it is now.", RuleInfo, example=RULE),
    openapi_extra=takes(
        AlarmRuleMode, {"mode": "suppressed", "reason": "The plant stands."}, "The mode, and why."
    ),
)
async def put_alarm_rule_mode(request: Request, ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Say whether people are told of a rule's alarms; the condition is watched on."""
    said = await read_json(request, AlarmRuleMode)
    found = await ctx.blocking(ctx.alarms.rules.set_mode, by, rule_id, said.mode, said.reason)
    return Json(found)


@router.post(
    "/alarm-rules/{rule_id}/backtest",
    status_code=202,
    summary="Try a kept alarm rule on the past",
    responses=gives("It has begun.", AlarmBacktest, status=202, example=BACKTEST),
    openapi_extra=takes(AlarmRange, {"from": "now-1d"}, "The range."),
)
async def backtest_alarm_rule(request: Request, ctx: Ctx, by: By, rule_id: RuleId) -> Response:
    """Begin to find out what a rule would have raised."""
    wanted = await read_json(request, AlarmRange)
    found = await ctx.blocking(ctx.alarms.rules.get, by, rule_id)
    return await _begin(ctx, by, found.spec, wanted)


async def _begin(ctx: Context, by: Actor, spec: RuleSpec, wanted: AlarmRange) -> Response:
    now_us = ctx.clock.now_us()
    start_us, end_us = parse_time(wanted.start, now_us), parse_time(wanted.end, now_us)
    begun = await ctx.blocking(ctx.alarms.rules.begin_backtest, by, spec, start_us, end_us)
    return Json(begun, status_code=202)


async def _spec(request: Request) -> RuleSpec:
    if _is_json(request):
        return await read_json(request, RuleSpec)
    return parse_rule(await _text(request))


def _is_json(request: Request) -> bool:
    return not request.headers.get("content-type", "").startswith("text/")


async def _text(request: Request) -> str:
    body = await request.body()
    if len(body) > MAX_TEXT:
        msg = f"the text has {len(body)} bytes; up to {MAX_TEXT} are allowed"
        raise InvalidInput(msg)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        msg = f"the text is not UTF-8: {error}"
        raise InvalidInput(msg) from error


def _import(ctx: Context, by: Actor, specs: list[RuleSpec]) -> list[RuleInfo]:
    rules = ctx.alarms.rules
    known = rules.list(by)
    wanted: list[tuple[int | None, RuleSpec]] = []
    for spec in in_order(specs):
        held = [
            one
            for one in known
            if one.spec.name == spec.name and spec.system in ("", one.spec.system)
        ]
        if len(held) > 1:
            msg = f"several systems have a rule {spec.name!r}; name one with `-- system: NAME`"
            raise InvalidInput(msg)
        system = held[0].spec.system if held else spec.system
        id_ = held[0].id if held else None
        if any((one.name, one.system) == (spec.name, system) for _, one in wanted):
            msg = f"the text has two rules {spec.name!r}"
            raise InvalidInput(msg)
        wanted.append((id_, msgspec.structs.replace(spec, system=system)))
    # Nothing of a text is kept when a part of it cannot be.
    rules.check(by, [spec for _, spec in wanted])
    return [
        rules.add(by, spec) if id_ is None else rules.change(by, id_, spec) for id_, spec in wanted
    ]
