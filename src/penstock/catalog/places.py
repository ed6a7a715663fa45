"""Where Things are and were: Locations and HistoricalLocations."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from penstock.catalog.admission import KnownThing, chunks
from penstock.catalog.models import (
    HistoricalLocation,
    Location,
    historical_location_location,
    thing_location,
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Thing was at a position at a time."""

    thing: KnownThing
    position: tuple[float, ...]
    time_us: int


def wrong_position(position: Sequence[float]) -> str | None:
    """Say what is wrong with a position, or None."""
    if len(position) not in (2, 3) or not all(math.isfinite(part) for part in position):
        return f"location {tuple(position)!r} is not longitude, latitude and perhaps height"
    if not (-180 <= position[0] <= 180 and -90 <= position[1] <= 90):
        return (
            f"location {tuple(position)!r} is out of range; longitude is -180 to 180 degrees and "
            "latitude -90 to 90, in this order"
        )
    return None


def record(connection: Connection, sightings: Sequence[Sighting]) -> list[KnownThing]:
    """Keep what is new in sightings and return the Things that are elsewhere now.

    A sighting at the place where the Thing is already says nothing new. An older one than the
    newest known is history only. Two of one Thing at one time: the later one counts.
    """
    fresh: dict[tuple[int, int], Sighting] = {}
    moved: dict[int, KnownThing] = {}
    for sighting in sightings:
        thing = sighting.thing
        position = list(sighting.position)
        if thing.located_us is None or sighting.time_us >= thing.located_us:
            if position == thing.position:
                continue
            thing.position, thing.located_us = position, sighting.time_us
            moved[thing.id] = thing
        fresh[(thing.id, sighting.time_us)] = sighting
    fresh = _unknown(connection, fresh)
    if fresh:
        _insert(connection, list(fresh.values()), moved)
    return list(moved.values())


def _unknown(
    connection: Connection, sightings: dict[tuple[int, int], Sighting]
) -> dict[tuple[int, int], Sighting]:
    """Leave out what is held already; forget what is held differently for the same time."""
    replaced: list[int] = []
    left = dict(sightings)
    query = (
        select(
            HistoricalLocation.id,
            HistoricalLocation.thing_id,
            HistoricalLocation.time_us,
            Location.location,
        )
        .join(
            historical_location_location,
            historical_location_location.c.historical_location_id == HistoricalLocation.id,
        )
        .join(Location, Location.id == historical_location_location.c.location_id)
    )
    for chunk in chunks(sightings.values()):
        rows = connection.execute(
            query.where(
                HistoricalLocation.thing_id.in_({s.thing.id for s in chunk}),
                HistoricalLocation.time_us.in_({s.time_us for s in chunk}),
            )
        )
        for id_, thing_id, time_us, location in rows:
            sighting = left.get((thing_id, time_us))
            if sighting is None:
                continue
            if location.get("coordinates") == list(sighting.position):
                del left[(thing_id, time_us)]
            else:
                replaced.append(id_)
    for ids in chunks(replaced):
        connection.execute(delete(HistoricalLocation).where(HistoricalLocation.id.in_(ids)))
    return left


def _insert(
    connection: Connection, sightings: list[Sighting], moved: dict[int, KnownThing]
) -> None:
    places: dict[tuple[str, tuple[float, ...]], list[int]] = defaultdict(list)
    # Without an order asked for, many rows go in at a time. Equal places may change places.
    created = connection.execute(
        insert(Location).returning(Location.id, Location.name, Location.location),
        [
            {
                "name": s.thing.name,
                "description": f"Where {s.thing.name} was",
                "properties": {},
                "home_id": s.thing.system,
                "location": {"type": "Point", "coordinates": list(s.position)},
            }
            for s in sightings
        ],
    )
    for id_, name, location in created:
        places[(name, tuple(location["coordinates"]))].append(id_)
    arrivals = connection.execute(
        insert(HistoricalLocation).returning(
            HistoricalLocation.id, HistoricalLocation.thing_id, HistoricalLocation.time_us
        ),
        [{"thing_id": s.thing.id, "time_us": s.time_us} for s in sightings],
    )
    visits = {(thing_id, time_us): id_ for id_, thing_id, time_us in arrivals}
    pairs = [
        (s, places[(s.thing.name, s.position)].pop(), visits[(s.thing.id, s.time_us)])
        for s in sightings
    ]
    connection.execute(
        insert(historical_location_location),
        [{"historical_location_id": visit, "location_id": place} for _, place, visit in pairs],
    )
    current = {
        s.thing.id: place
        for s, place, _ in pairs
        if s.thing.id in moved and s.time_us == s.thing.located_us
    }
    for ids in chunks(current):
        connection.execute(delete(thing_location).where(thing_location.c.thing_id.in_(ids)))
    if current:
        connection.execute(
            insert(thing_location),
            [{"thing_id": thing, "location_id": place} for thing, place in current.items()],
        )
