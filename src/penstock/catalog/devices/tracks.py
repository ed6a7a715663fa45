"""Where devices were: their HistoricalLocations, thinned for reading and for keeping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, text

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
STEP = 500
#: Places looked for at once.
MOST = 100_000


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
            kept = _thinned(connection, wanted, max(2, limit))
            places: dict[int, dict[str, Any]] = {}
            for chunk in chunks(kept):
                rows = connection.execute(_PLACES.where(_LINKS.historical_location_id.in_(chunk)))
                places.update((id_, location) for id_, location in rows)
        return [
            Place(time_us=time_us, position=tuple(places[id_]["coordinates"]))
            for id_, time_us in kept.items()
            if places.get(id_, {}).get("type") == "Point"
        ]

    def thin(self, *, before_us: int, every_us: int, until_us: int) -> int:
        """Keep one place of each device per `every_us` before `before_us`."""
        removed = 0
        asked = {"before": before_us, "every": every_us, "oldest": until_us, "most": MOST}
        while True:
            # Looking for them keeps nobody from writing.
            with self._database.read() as connection:
                ids = list(connection.execute(text(_SUPERFLUOUS), asked).scalars())
            for start in range(0, len(ids), STEP):
                with self._database.write(durable=False) as connection:
                    _remove(connection, ids[start : start + STEP])
            removed += len(ids)
            if len(ids) < MOST:
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
) AS numbered WHERE place > 1 OR time_us < :oldest LIMIT :most
"""


_LINKS = historical_location_location.c
_PLACES = select(_LINKS.historical_location_id, Location.location).join(
    Location, Location.id == _LINKS.location_id
)


def _thinned(connection: Connection, wanted: Sequence[Any], limit: int) -> dict[int, int]:
    """Return id and time of every n-th visit, and of the last; in the order of time."""
    visits = select(HistoricalLocation.id, HistoricalLocation.time_us).where(*wanted)
    counting = select(func.count()).select_from(HistoricalLocation).where(*wanted)
    count = connection.execute(counting).scalar_one()
    if count > limit:
        at = func.row_number().over(order_by=HistoricalLocation.time_us) - 1
        numbered = visits.add_columns(at.label("at")).subquery()
        step = -(-(count - 1) // (limit - 1))
        is_kept = or_(numbered.c.at % step == 0, numbered.c.at == count - 1)
        visits = select(numbered.c.id, numbered.c.time_us).where(is_kept)
    rows = connection.execute(visits.order_by(text("time_us"))).all()
    return {row.id: row.time_us for row in rows}


def _remove(connection: Connection, ids: Sequence[int]) -> None:
    for chunk in chunks(ids):
        query = select(_LINKS.location_id).where(_LINKS.historical_location_id.in_(chunk))
        places = list(connection.execute(query).scalars())
        connection.execute(delete(HistoricalLocation).where(HistoricalLocation.id.in_(chunk)))
        remove_lonely_places(connection, places)
