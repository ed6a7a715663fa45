"""The ASGI application, put together."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry

from penstock.api import (
    audit,
    clients,
    companies,
    datastreams,
    describing,
    errors,
    grants,
    joining,
    keys,
    messages,
    observations,
    operation,
    registration,
    sensorthings,
    sessions,
    streaming,
    systems,
    users,
    web,
)
from penstock.api.alarms.routers import ROUTERS as ALARMS
from penstock.api.apps.routers import ROUTERS as APPS
from penstock.api.context import Context
from penstock.api.fleet.routers import ROUTERS
from penstock.api.guard import Guard, is_loopback
from penstock.api.meters import Meters
from penstock.api.settings import ApiSettings
from penstock.core.alarms import Alarms
from penstock.core.apps import Apps
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import ConfigError
from penstock.core.fleet import Fleet
from penstock.core.identity import Identities
from penstock.core.live import Live
from penstock.core.passwords import Passwords
from penstock.core.platform import Platform
from penstock.core.queries import Adhoc
from penstock.core.store import Store
from penstock.sensorthings.things import Things

#: Where the versioned part begins.
PREFIX = "/api/v1"


def create_app(
    *,
    store: Store,
    catalog: Catalog,
    live: Live,
    platform: Platform,
    registry: CollectorRegistry,
    settings: ApiSettings | None = None,
    clock: Clock | None = None,
    identities: Identities | None = None,
    passwords: Passwords | None = None,
    fleet: Fleet | None = None,
    things: Things | None = None,
    apps: Apps | None = None,
    adhoc: Adhoc | None = None,
    alarms: Alarms | None = None,
) -> FastAPI:
    """Return the API over the parts of a platform; touches none of them yet.

    The parts stay open when the application ends. `app.state.context.closing.set()` ends all live
    streams, so that a server can stop without waiting for them.

    Args:
        store: Observations.
        catalog: Datastreams and devices.
        live: New observations.
        platform: Health, messages in, replay.
        registry: Shown at `/metrics`, together with `platform.stats()`; to be used for one
            application only.
        settings: Bounds, and whom to answer; defaults when not given.
        clock: Tells what `now` is; the machine's when not given.
        identities: Who may do what; without, everybody may do everything.
        passwords: Checks passwords; one of its own when not given.
        fleet: Devices and commands to them; without, the API says that it has none.
        things: The SensorThings API; without, the API says that it has none.
        apps: Stream apps; without, the API says that it has none.
        adhoc: Answers questions in SQL; without, the API says that it answers none.
        alarms: Alarms; without, the API says that it has none.

    Raises:
        ConfigError: `settings` would open the API to everybody, since there are no accounts.
    """
    settings = settings or ApiSettings()
    is_open = identities is None or not identities.organisation().accounts
    if is_open and not is_loopback(settings.host):
        msg = (
            f"[api] host = {settings.host!r} would let everybody who reaches it read and change "
            "everything; make a user first, with `penstock users add NAME --administrator "
            "--data-dir DIR`, or listen on 127.0.0.1"
        )
        raise ConfigError(msg)
    app = FastAPI(
        title=describing.TITLE,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    app.state.registry = registry
    context = app.state.context = Context(
        store=store,
        catalog=catalog,
        live=live,
        platform=platform,
        settings=settings,
        clock=clock or SystemClock(),
        identities=identities,
        passwords=passwords,
        fleet=fleet,
        apps=apps,
        adhoc=adhoc,
        alarms=alarms,
    )
    registry.register(operation.PlatformCollector(platform))
    app.state.things = None if things is None else sensorthings.SensorThings(things, context)
    errors.install(app)
    app.include_router(sensorthings.router)
    app.include_router(operation.router)
    for router in _versioned():
        app.include_router(router, prefix=PREFIX)
    app.openapi = lambda: describing.describe(app)  # type: ignore[method-assign]
    web.install(app)
    meters = Meters(registry, lambda: len(context.streams))
    app.add_middleware(Guard, settings=settings, meters=meters)
    return app


def _versioned() -> list[APIRouter]:
    return [
        datastreams.router,
        streaming.router,
        observations.router,
        messages.router,
        *ROUTERS,
        *APPS,
        *ALARMS,
        registration.router,
        operation.health,
        sessions.router,
        users.router,
        joining.router,
        companies.router,
        systems.router,
        clients.router,
        keys.router,
        grants.router,
        audit.router,
    ]


def _operation_id(route: APIRoute) -> str:
    return route.name


__all__: list[Any] = ["PREFIX", "create_app"]
