"""Notification targets, and the record of what they were told."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.alarms.answers import DeliveryList, NotificationTargetList
from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.who import By
from penstock.core.notifications import Delivery, TargetInfo, TargetSpec
from penstock.core.people import Actor

router = APIRouter(tags=["alarms"], default_response_class=Response)

TargetId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the target.", examples=[1])]
Before = Annotated[
    int | None, Query(ge=1, le=MAX_ID, description="Continue behind this, as `next` says.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]

_SPEC: dict[str, Any] = {
    "name": "on-call",
    "kind": "webhook",
    "address": "https://example.com/alarms",
    "secret": "a long random text",
    "severity": "high",
}

_TARGET: dict[str, Any] = {
    "id": 1,
    "spec": {
        **_SPEC, "secret": "", "system": "default", "rules": [], "enabled": True,
        "events": ["raise", "return", "withdraw"],
    },
    "system_id": 1,
    "has_secret": True,
    "by": "sue.smith@example.com",
    "changed_us": 1_574_729_660_000_000,
}  # fmt: skip
_DELIVERY: dict[str, Any] = {
    "id": 1,
    "key": "5f2b1c0e9d3a4b6c8e7f0a1b2c3d4e5f",
    "target_id": 1,
    "alarm_id": None,
    "event": "test",
    "body": "{}",
    "state": "sent",
    "attempts": 1,
    "created_us": 1_574_729_660_000_000,
    "due_us": 1_574_729_660_000_000,
    "done_us": 1_574_729_660_050_000,
    "outcome": "200 OK",
}


@router.get(
    "/notification-targets",
    summary="List notification targets",
    responses=gives("Targets by name.", NotificationTargetList, example={"items": []}),
)
async def list_notification_targets(ctx: Ctx, by: By) -> Response:
    """Return the targets of systems that who asks manages."""
    found = await ctx.blocking(ctx.alarms.notifications.targets, by)
    return Json(NotificationTargetList(found))


@router.post(
    "/notification-targets",
    status_code=201,
    summary="Make a notification target",
    responses=gives("It is made.", TargetInfo, status=201, example=_TARGET),
    openapi_extra=takes(TargetSpec, _SPEC, "Who is told, how, and of what."),
)
async def post_notification_target(request: Request, ctx: Ctx, by: By) -> Response:
    """Make a target; who asks must manage its system."""
    spec = await read_json(request, TargetSpec)
    return Json(await ctx.blocking(ctx.alarms.notifications.add, by, spec), status_code=201)


@router.get(
    "/notification-targets/{target_id}",
    summary="Show a notification target",
    responses=gives("The target.", TargetInfo, example=_TARGET),
)
async def get_notification_target(ctx: Ctx, by: By, target_id: TargetId) -> Response:
    """Return a target, without its secret."""
    return Json(await ctx.blocking(ctx.alarms.notifications.target, by, target_id))


@router.put(
    "/notification-targets/{target_id}",
    summary="Change a notification target",
    responses=gives("As it is now.", TargetInfo, example=_TARGET),
    openapi_extra=takes(TargetSpec, _SPEC, "The target; an empty secret leaves what there is."),
)
async def put_notification_target(
    request: Request, ctx: Ctx, by: By, target_id: TargetId
) -> Response:
    """Replace what was said of a target."""
    spec = await read_json(request, TargetSpec)
    return Json(await ctx.blocking(ctx.alarms.notifications.change, by, target_id, spec))


@router.delete(
    "/notification-targets/{target_id}",
    status_code=204,
    summary="Delete a notification target",
    responses={204: {"description": "It is gone, with what waits for it."}},
)
async def delete_notification_target(ctx: Ctx, by: By, target_id: TargetId) -> Response:
    """Delete a target and the record of what it was told."""
    await ctx.blocking(ctx.alarms.notifications.remove, by, target_id)
    return Response(status_code=204)


@router.post(
    "/notification-targets/{target_id}/test",
    summary="Send a test",
    responses=gives("What became of it.", Delivery, example=_DELIVERY),
)
async def try_notification_target(ctx: Ctx, by: By, target_id: TargetId) -> Response:
    """Send a target a test, once, and say what the other side answered."""
    return Json(await ctx.blocking(ctx.alarms.notifications.test, by, target_id))


@router.get(
    "/notification-targets/{target_id}/deliveries",
    summary="What a target was told",
    responses=gives(
        "Notifications, newest first.", DeliveryList, example={"items": [], "next": None}
    ),
)
async def list_target_deliveries(
    ctx: Ctx, by: By, target_id: TargetId, before: Before = None, limit: Limit = 100
) -> Response:
    """Return what was sent to a target and what waits for it."""
    return await _list(ctx, by, target_id, before, limit)


@router.get(
    "/notifications",
    summary="What was told",
    responses=gives(
        "Notifications, newest first.", DeliveryList, example={"items": [], "next": None}
    ),
)
async def list_notifications(
    ctx: Ctx, by: By, before: Before = None, limit: Limit = 100
) -> Response:
    """Return what was sent and what waits, of all targets."""
    return await _list(ctx, by, None, before, limit)


async def _list(
    ctx: Context, by: Actor, target: int | None, before: int | None, limit: int
) -> Response:
    found = await ctx.blocking(ctx.alarms.notifications.deliveries, by, target, before, limit + 1)
    shown = found[:limit]
    return Json(DeliveryList(shown, shown[-1].id if len(found) > limit else None))
