"""Where Things come to: Locations, HistoricalLocations and the Thing's own position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, delete, func, insert, select, update

from penstock.catalog.models import (
    HistoricalLocation,
    Location,
    Thing,
    historical_location_location,
    thing_location,
)


def come_to(connection: Connection, thing: int, locations: Sequence[int], now_us: int) -> None:
    """Let a Thing be at these Locations from now on, and remember when it came."""
    settle(connection, thing, locations, now_us)
    if locations:
        visit = connection.execute(
            insert(HistoricalLocation).values(thing_id=thing, time_us=now_us)
        ).inserted_primary_key
        assert visit is not None
        connect(connection, visit[0], locations)


def connect(connection: Connection, visit: int, locations: Iterable[int]) -> None:
    """Say at which Locations a HistoricalLocation was."""
    rows = [
        {"historical_location_id": visit, "location_id": place}
        for place in dict.fromkeys(locations)
    ]
    if rows:
        connection.execute(insert(historical_location_location), rows)


def settle(connection: Connection, thing: int, locations: Sequence[int], at_us: int) -> None:
    """Make these the Locations of a Thing, without history."""
    connection.execute(delete(thing_location).where(thing_location.c.thing_id == thing))
    rows = [{"thing_id": thing, "location_id": place} for place in dict.fromkeys(locations)]
    if rows:
        connection.execute(insert(thing_location), rows)
    connection.execute(
        update(Thing)
        .where(Thing.id == thing)
        .values(position=_position(connection, locations), located_us=at_us if locations else None)
    )


def follow_history(connection: Connection, visit: int) -> None:
    """Move the Thing of a HistoricalLocation there when it is the newest of them."""
    thing, time_us = connection.execute(
        select(HistoricalLocation.thing_id, HistoricalLocation.time_us).where(
            HistoricalLocation.id == visit
        )
    ).one()
    newest = connection.execute(
        select(func.max(HistoricalLocation.time_us)).where(
            HistoricalLocation.thing_id == thing, HistoricalLocation.id != visit
        )
    ).scalar()
    if newest is None or time_us > newest:
        places = connection.execute(
            select(historical_location_location.c.location_id).where(
                historical_location_location.c.historical_location_id == visit
            )
        )
        settle(connection, thing, list(places.scalars()), time_us)


def reposition(connection: Connection, things: Iterable[int]) -> None:
    """Take the positions of Things anew from their Locations."""
    for thing in things:
        query = (
            select(thing_location.c.location_id)
            .where(thing_location.c.thing_id == thing)
            .order_by(thing_location.c.location_id)
        )
        places = list(connection.execute(query).scalars())
        values: dict[str, Any] = {"position": _position(connection, places)}
        if not places:
            values["located_us"] = None
        connection.execute(update(Thing).where(Thing.id == thing).values(**values))


def point_of(geometry: object) -> list[float] | None:
    """Return the coordinates of a GeoJSON point, or of a feature that is one."""
    if not isinstance(geometry, Mapping):
        return None
    if geometry.get("type") == "Feature":
        return point_of(geometry.get("geometry"))
    found = geometry.get("coordinates")
    if geometry.get("type") != "Point" or not isinstance(found, list) or len(found) not in (2, 3):
        return None
    if not all(type(part) in (int, float) for part in found):
        return None
    return [float(part) for part in cast("list[float]", found)]


def _position(connection: Connection, locations: Sequence[int]) -> list[float] | None:
    for place in locations:
        held = connection.execute(select(Location.location).where(Location.id == place)).scalar()
        point = point_of(held)
        if point is not None:
            return point
    return None
