"""Where devices were: their HistoricalLocations, thinned for reading and for keeping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, or_, select, text

from penstock.catalog.admission import chunks
from penstock.catalog.database import Database
from penstock.catalog.devices.records import remove_lonely_places
from penstock.catalog.models import (
    HistoricalLocation,
    Location,
    historical_location_location,
)
from penstock.core.devices import Place

#: Places removed in one transaction, so that enrolment never waits long.
STEP = 2_000


class SqlTracks:
    """Keeps where devices were. See `core.devices.TrackRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def track(
        self, thing_id: int, from_us: int | None, until_us: int | None, limit: int
    ) -> Sequence[Place]:
        """Return places by time, evenly thinned to `limit`; first and last are among them."""
        wanted = [HistoricalLocation.thing_id == thing_id]
        if from_us is not None:
            wanted.append(HistoricalLocation.time_us >= from_us)
        if until_us is not None:
            wanted.append(HistoricalLocation.time_us < until_us)
        with self._database.read() as connection:
            count = connection.execute(
                select(func.count()).select_from(HistoricalLocation).where(*wanted)
            ).scalar_one()
            if not count:
                return []
            numbered = (
                select(
                    HistoricalLocation.id,
                    HistoricalLocation.time_us,
                    (func.row_number().over(order_by=HistoricalLocation.time_us) - 1).label("at"),
                )
                .where(*wanted)
                .subquery()
            )
            query = select(numbered.c.time_us, Location.location).select_from(numbered)
            rows = connection.execute(
                _with_places(query, numbered.c.id)
                .where(_is_kept(numbered.c.at, count, max(2, limit)))
                .order_by(numbered.c.time_us)
            ).all()
        return [
            Place(time_us=time_us, position=tuple(location["coordinates"]))
            for time_us, location in rows
            if location.get("type") == "Point"
        ]

    def thin(self, *, before_us: int, every_us: int, until_us: int) -> int:
        """Keep one place of each device per `every_us` before `before_us`."""
        removed = 0
        while True:
            with self._database.write(durable=False) as connection:
                ids = list(
                    connection.execute(
                        text(_SUPERFLUOUS),
                        {"before": before_us, "every": every_us, "oldest": until_us, "step": STEP},
                    ).scalars()
                )
                _remove(connection, ids)
            removed += len(ids)
            if len(ids) < STEP:
                return removed


#: Places that are too old, or not the first of their interval; never the newest of a Thing.
_SUPERFLUOUS = """
SELECT id FROM (
    SELECT h.id, h.time_us,
        row_number() OVER (
            PARTITION BY h.thing_id, h.time_us / :every ORDER BY h.time_us
        ) AS place
    FROM historical_location AS h JOIN thing AS t ON t.id = h.thing_id
    WHERE h.time_us < :before AND h.time_us < t.located_us
) WHERE place > 1 OR time_us < :oldest LIMIT :step
"""


def _is_kept(at: Any, count: int, limit: int) -> Any:
    """Every n-th, and the last."""
    step = -(-max(1, count - 1) // (limit - 1))
    return or_(at % step == 0, at == count - 1)


def _with_places(query: Select[Any], id_: Any) -> Select[Any]:
    return query.join(
        historical_location_location,
        historical_location_location.c.historical_location_id == id_,
    ).join(Location, Location.id == historical_location_location.c.location_id)


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    links = historical_location_location.c
    for chunk in chunks(ids):
        query = select(links.location_id).where(links.historical_location_id.in_(chunk))
        places = list(connection.execute(query).scalars())
        connection.execute(delete(HistoricalLocation).where(HistoricalLocation.id.in_(chunk)))
        remove_lonely_places(connection, places)
