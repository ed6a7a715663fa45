"""The SensorThings API of a hub: the catalog's side of it."""

from __future__ import annotations

from collections.abc import Callable

from penstock.catalog.entities.sql_entities import SqlEntities
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.clock import Clock
from penstock.sensorthings.settings import ThingsSettings
from penstock.sensorthings.things import Things


def make_things(
    catalog: SqlCatalog,
    clock: Clock,
    settings: ThingsSettings,
    forget_series: Callable[[float], bool] = lambda _: True,
    changed: Callable[[str, int | str, str], None] = lambda _type, _id, _what: None,
) -> Things:
    """Return what the SensorThings API works with.

    Args:
        catalog: Where entities are kept.
        clock: Tells the time.
        settings: Of section [sensorthings].
        forget_series: Makes ingest ask the catalog anew.
        changed: Is told of every change.
    """
    entities = SqlEntities(catalog.database, clock)
    return Things(
        reader=entities,
        writer=entities,
        features=entities,
        moved=entities,
        settings=settings,
        forget_series=forget_series,
        changed=changed,
    )
