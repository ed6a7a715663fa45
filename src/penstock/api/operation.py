"""Is it up, is it ready, how is it doing: for people, supervisors and Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.api import answers
from penstock.api.context import Ctx
from penstock.api.describing import gives
from penstock.api.errors import NotReady
from penstock.api.json_answer import Json
from penstock.api.who import Who
from penstock.core.access import Action, Resource
from penstock.core.platform import Health, Platform

router = APIRouter(tags=["operation"], default_response_class=Response)
health = APIRouter(tags=["operation"], default_response_class=Response)

#: Media type of Prometheus' text format.
METRICS_MEDIA = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/healthz",
    summary="Is the process up?",
    responses=gives("It is.", media="text/plain", example="OK"),
)
async def get_healthz() -> Response:
    """Answer at once, whatever the state of the parts."""
    return PlainTextResponse("OK")


@router.get(
    "/readyz",
    summary="Is it ready?",
    responses={
        **gives(
            "Messages are taken in, stored and can be queried.", media="text/plain", example="OK"
        ),
        503: {"description": "Not ready; the message says why."},
    },
)
async def get_readyz(ctx: Ctx) -> Response:
    """Answer 200 when messages are taken in, stored and can be queried, else 503 and why."""
    state = await ctx.probe(ctx.platform.health)
    if not state.ready:
        reasons = [f"{check.name}: {check.message}" for check in state.checks if not check.ok]
        raise NotReady("; ".join(reasons) or "starting")
    return PlainTextResponse("OK")


@health.get(
    "/readyz",
    summary="Is it ready?",
    responses={
        **gives(
            "Messages are taken in, stored and can be queried.", media="text/plain", example="OK"
        ),
        503: {"description": "Not ready; the message says why."},
    },
)
async def get_api_readyz(ctx: Ctx) -> Response:
    """Answer as `/readyz` does."""
    return await get_readyz(ctx)


@router.get(
    "/metrics",
    summary="Counters and gauges for Prometheus",
    responses=gives("Prometheus text format.", media="text/plain"),
)
async def get_metrics(request: Request, ctx: Ctx, who: Who) -> Response:
    """Return every counter and gauge in Prometheus' text format.

    For the platform's administrators, and agents and clients of the default system.
    """
    ctx.access.require(who, Action.READ, Resource("metrics"))
    registry: CollectorRegistry = request.app.state.registry
    return Response(await ctx.probe(generate_latest, registry), media_type=METRICS_MEDIA)


@health.get(
    "/health",
    summary="How is it doing?",
    responses=gives(
        "The state of every part, rates and totals; for who does not run the platform, "
        "`HealthSummary`.",
        Health,
        answers.HealthSummary,
        example={
            "ready": True,
            "checks": [{"name": "store", "ok": True, "message": "3 partitions"}],
            "connections": 2,
            "messages_per_s": 10.0,
            "observations_per_s": 40.0,
            "lag_messages": 0,
            "lag_s": 0.0,
            "messages_total": 1200,
            "observations_total": 4800,
            "datastreams_total": 8,
            "dead_letters": 0,
            "devices_pending": 0,
            "started_us": 1_574_729_660_000_000,
            "version": "0.1.0",
        },
    ),
)
async def get_health(ctx: Ctx, who: Who) -> Response:
    """Return the state of every part; cheap enough to be asked every second."""
    access = ctx.access
    access.require(who, Action.VIEW, Resource("platform"))
    state = await ctx.probe(ctx.platform.health)
    if access.allows(who, Action.READ, Resource("platform")):
        return Json(state)
    return Json(answers.HealthSummary(state.ready, state.started_us, state.version))


class PlatformCollector(Collector):
    """Shows `Platform.stats` to Prometheus."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def collect(self) -> Iterable[Metric]:
        """Return what `stats` holds now; counters are those that end in `_total`."""
        stats: Mapping[str, float] = self._platform.stats()
        for name, value in sorted(stats.items()):
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(name, name.removeprefix("penstock_").replace("_", " "), value=value)
