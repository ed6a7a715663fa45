"""Stream apps: made, changed, started, stopped, deleted, and what happened to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.apps.answers import AppList, AppLog, DerivedStreams
from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.who import By
from penstock.core.apps import AppInfo, AppSpec

router = APIRouter(tags=["apps"], default_response_class=Response)

AppId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the app.", examples=[1])]

SPEC: dict[str, Any] = {
    "name": "minute-means",
    "sql": "SELECT window_start, window_end, name, AVG(result) AS mean\n"
    "FROM TUMBLE('factory.*', time, INTERVAL '1' MINUTE)\n"
    "GROUP BY window_start, window_end, name",
    "description": "Means of a minute",
}
_APP: dict[str, Any] = {
    "id": 1,
    "spec": {
        "name": "minute-means",
        "sql": "SELECT ...",
        "system": "default",
        "output": {
            "kind": "datastreams", "topic": "", "thing": "", "units": {}, "properties": {},
        },
        "lateness_s": 2.0,
        "idle_s": 30.0,
        "reach_s": 3600.0,
        "start": "now",
        "description": "",
    },
    "version": 1,
    "state": "stopped",
    "run": None,
    "meaning": None,
    "by": "anyone",
    "changed_us": 1_574_729_660_000_000,
    "datastreams": 0,
}  # fmt: skip


@router.get(
    "/apps",
    summary="List stream apps",
    responses=gives("Apps by name.", AppList, example={"items": [_APP]}),
)
async def list_apps(
    ctx: Ctx,
    by: By,
    search: Annotated[str, Query(description="Words that occur in name, text or SQL.")] = "",
    system: Annotated[int | None, Query(description="Only those of the system.")] = None,
) -> Response:
    """Return the apps of systems that who asks may read, and how they fare."""
    return Json(AppList(await ctx.blocking(ctx.apps.list, by, search, system)))


@router.post(
    "/apps",
    status_code=201,
    summary="Make a stream app",
    responses=gives("It is made, and stopped.", AppInfo, status=201, example=_APP),
    openapi_extra=takes(AppSpec, SPEC, "The app. Its query is checked before it is kept."),
)
async def post_app(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make an app; who asks must manage its system."""
    spec = await read_json(request, AppSpec)
    return await once(request, ctx, by, lambda: ctx.blocking(ctx.apps.add, by, spec))


@router.get("/apps/{app_id}", summary="One app", responses=gives("The app.", AppInfo, example=_APP))
async def get_app(ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Return one app and how it fares."""
    return Json(await ctx.blocking(ctx.apps.get, by, app_id))


@router.put(
    "/apps/{app_id}",
    summary="Replace what was said of an app",
    responses=gives("As it is now.", AppInfo, example=_APP),
    openapi_extra=takes(AppSpec, SPEC, "The app; its name and its system stay."),
)
async def put_app(
    request: Request,
    ctx: Ctx,
    by: By,
    app_id: AppId,
    version: Annotated[
        int | None, Query(ge=1, description="Only if it is at this version still; else 409.")
    ] = None,
) -> Response:
    """Change an app; when it is started it goes on with the new query from where it stands."""
    spec = await read_json(request, AppSpec)
    return Json(await ctx.blocking(ctx.apps.change, by, app_id, spec, version))


@router.delete(
    "/apps/{app_id}",
    status_code=204,
    summary="Delete an app",
    responses={204: {"description": "It is gone."}},
)
async def delete_app(
    ctx: Ctx,
    by: By,
    app_id: AppId,
    *,
    with_data: Annotated[
        bool, Query(description="Delete the Datastreams that it derived, too.")
    ] = False,
) -> Response:
    """Delete an app, its versions and its log."""
    await ctx.blocking(ctx.apps.remove, by, app_id, with_data=with_data)
    return Response(status_code=204)


@router.post(
    "/apps/{app_id}/start",
    summary="Start an app",
    responses=gives("As it is now.", AppInfo, example=_APP),
)
async def start_app(ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Run an app from where it stood, or from its `start`; also after a restart."""
    return Json(await ctx.blocking(ctx.apps.start, by, app_id))


@router.post(
    "/apps/{app_id}/stop",
    summary="Stop an app",
    responses=gives("As it is now.", AppInfo, example=_APP),
)
async def stop_app(ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Stop an app after the slice at hand; what it derived stays."""
    return Json(await ctx.blocking(ctx.apps.stop, by, app_id))


@router.get(
    "/apps/{app_id}/versions",
    summary="Versions of an app",
    responses=gives("Newest first.", AppList, example={"items": [_APP]}),
)
async def list_app_versions(ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Return what was said of an app over time, and by whom."""
    return Json(AppList(await ctx.blocking(ctx.apps.versions, by, app_id)))


@router.get(
    "/apps/{app_id}/log",
    summary="What happened to an app",
    responses=gives(
        "Newest first.",
        AppLog,
        example={
            "items": [
                {"time_us": 1_574_729_660_000_000, "level": "info", "message": "started by sue"}
            ]
        },
    ),
)
async def get_app_log(
    ctx: Ctx,
    by: By,
    app_id: AppId,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many lines.")] = 100,
) -> Response:
    """Return lines of an app's log: changes, starts, failures."""
    return Json(AppLog(await ctx.blocking(ctx.apps.log, by, app_id, limit)))


@router.get(
    "/apps/{app_id}/datastreams",
    summary="What an app derives",
    responses=gives("Ids, ascending.", DerivedStreams, example={"datastreams": [7, 8]}),
)
async def get_app_datastreams(ctx: Ctx, by: By, app_id: AppId) -> Response:
    """Return the Datastreams that an app derives."""
    return Json(DerivedStreams(await ctx.blocking(ctx.apps.datastreams, by, app_id)))
