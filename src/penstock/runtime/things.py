"""The SensorThings API of a hub: the catalog's side of it, and who tells subscribers."""

from __future__ import annotations

from collections.abc import Callable

from penstock.catalog.entities.sql_entities import SqlEntities
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import Access
from penstock.core.clock import Clock
from penstock.core.live import Live
from penstock.core.store import Store
from penstock.sensorthings.mqtt_changes import Change, Tell, TellingFeatures, TellingWriter
from penstock.sensorthings.mqtt_notifying import Notifier
from penstock.sensorthings.mqtt_showing import ServiceShow
from penstock.sensorthings.service import Service
from penstock.sensorthings.settings import ThingsSettings
from penstock.sensorthings.sources import Sources
from penstock.sensorthings.things import Things


def make_things(
    catalog: SqlCatalog,
    clock: Clock,
    settings: ThingsSettings,
    forget_series: Callable[[float], bool] = lambda _: True,
    tell: Tell = lambda _: None,
    is_wanted: Callable[[str], bool] = lambda _: False,
) -> Things:
    """Return what the SensorThings API works with.

    Args:
        catalog: Where entities are kept.
        clock: Tells the time.
        settings: Of section [sensorthings].
        forget_series: Makes ingest ask the catalog anew.
        tell: Is told of what is made and changed.
        is_wanted: Tells whether anybody wants to know of a type of entity.
    """
    entities = SqlEntities(catalog.database, clock)

    def changed(type_: str, id_: int | str, what: str) -> None:
        # Tasks are made by who commands devices, and not by the writer.
        if type_ == "Task" and what == "create" and isinstance(id_, int):
            tell([Change(type_, id_)])

    return Things(
        reader=entities,
        writer=TellingWriter(entities, tell),
        features=TellingFeatures(entities, tell, lambda: is_wanted("FeatureOfInterest")),
        moved=entities,
        unfinished=entities,
        settings=settings,
        forget_series=forget_series,
        changed=changed,
    )


def make_notifier(
    things: Things,
    *,
    catalog: SqlCatalog,
    store: Store,
    live: Live,
    clock: Clock,
    access: Callable[[], Access],
    door: Callable[[], tuple[str, int] | None],
    secret: str,
    address: Callable[[], str],
) -> Notifier:
    """Return who tells subscribers by MQTT; nothing is told before `start`.

    Args:
        things: What the API works with.
        catalog: Where entities are kept.
        store: Keeps observations.
        live: Gives new ones.
        clock: Tells the time.
        access: Gives what decides, as of now.
        door: Where the door is.
        secret: Password of the platform's own connections.
        address: Where the HTTP server is, without a slash at the end, for links.
    """
    settings = things.settings
    sources = Sources(
        reader=things.reader,
        features=things.features,
        moved=things.moved,
        store=store,
        readable=catalog.readable,
        clock=clock,
        max_top=settings.max_top,
        max_scan_rows=settings.max_scan_rows,
    )
    return Notifier(
        live=live,
        reader=things.reader,
        show=ServiceShow(
            Service(sources), sources, lambda: f"{settings.public_url or address()}/v1.1"
        ),
        access=access,
        address=door,
        secret=secret,
    )
