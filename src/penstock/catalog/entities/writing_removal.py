"""Removing entities, and what cannot be without them (18-088 table 25)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select, update

from penstock.catalog.admission import chunks
from penstock.catalog.device_models import Actuator, DoomedDatastream, TaskingCapability, TaskRow
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.entities.writing_places import reposition
from penstock.catalog.models import (
    Datastream,
    DatastreamObservedProperty,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    MovedObservation,
    ObservedProperty,
    Sensor,
    Thing,
    historical_location_location,
    thing_location,
)
from penstock.core.entities import NOWHERE, Removed


def remove(connection: Connection, type_: str, id_: int) -> Removed:
    """Remove an entity that exists."""
    return _REMOVERS[type_](connection, id_)


def _ids(connection: Connection, column: Any, condition: ColumnElement[bool]) -> list[Any]:
    return list(connection.execute(select(column).where(condition)).scalars())


def _thing(connection: Connection, id_: int) -> Removed:
    gone = _datastreams(connection, _ids(connection, Datastream.id, Datastream.thing_id == id_))
    connection.execute(delete(Thing).where(Thing.id == id_))
    return gone


def _datastreams(connection: Connection, ids: Iterable[int]) -> Removed:
    """Remove Datastreams; their observations are doomed, also when the process ends now."""
    doomed = frozenset(ids)
    moved: set[str] = set()
    for chunk in chunks(doomed):
        connection.execute(
            upsert(DoomedDatastream).on_conflict_do_nothing(), [{"id": at} for at in chunk]
        )
        moved |= _lose(connection, MovedObservation.datastream_id.in_(chunk))
        connection.execute(delete(Datastream).where(Datastream.id.in_(chunk)))
    return Removed(datastreams=doomed, moved=frozenset(moved))


def _lose(connection: Connection, where: ColumnElement[bool]) -> set[str]:
    """Remember observations that go with where they had moved to as being nowhere.

    Where another one is at the identity they left, their ids stay taken: it keeps its own.
    """
    ids = _ids(connection, MovedObservation.id, where)
    connection.execute(update(MovedObservation).where(where).values(feature=NOWHERE))
    return set(ids)


def _sensor(connection: Connection, id_: int) -> Removed:
    gone = _datastreams(connection, _ids(connection, Datastream.id, Datastream.sensor_id == id_))
    connection.execute(delete(Sensor).where(Sensor.id == id_))
    return gone


def _observed_property(connection: Connection, id_: int) -> Removed:
    parts = DatastreamObservedProperty
    of_several = _ids(connection, parts.datastream_id, parts.observed_property_id == id_)
    alone = _ids(connection, Datastream.id, Datastream.observed_property_id == id_)
    gone = _datastreams(connection, {*of_several, *alone})
    connection.execute(delete(ObservedProperty).where(ObservedProperty.id == id_))
    return gone


def _feature(connection: Connection, id_: int) -> Removed:
    own = _ids(connection, Datastream.id, Datastream.feature_id == id_)
    moved = MovedObservation.feature == id_
    if own:
        is_own = MovedObservation.datastream_id.in_(own) & (MovedObservation.feature == 0)
        moved |= is_own
    lost = _lose(connection, moved)
    connection.execute(delete(FeatureOfInterest).where(FeatureOfInterest.id == id_))
    return Removed(features=frozenset({id_}), own=frozenset(own), moved=frozenset(lost))


def _location(connection: Connection, id_: int) -> Removed:
    """Remove a Location and the HistoricalLocations that know no other place."""
    visits, things = historical_location_location.c, thing_location.c
    was = _ids(connection, visits.historical_location_id, visits.location_id == id_)
    here = _ids(connection, things.thing_id, things.location_id == id_)
    connection.execute(delete(Location).where(Location.id == id_))
    for chunk in chunks(was):
        others = select(visits.location_id).where(
            visits.historical_location_id == HistoricalLocation.id
        )
        connection.execute(
            delete(HistoricalLocation).where(HistoricalLocation.id.in_(chunk), ~others.exists())
        )
    reposition(connection, here)
    return Removed()


def _actuator(connection: Connection, id_: int) -> Removed:
    connection.execute(delete(TaskingCapability).where(TaskingCapability.actuator_id == id_))
    connection.execute(delete(Actuator).where(Actuator.id == id_))
    return Removed()


def _alone(model: Any) -> Callable[[Connection, int], Removed]:
    def remover(connection: Connection, id_: int) -> Removed:
        connection.execute(delete(model).where(model.id == id_))
        return Removed()

    return remover


_REMOVERS: Mapping[str, Callable[[Connection, int], Removed]] = {
    "Thing": _thing,
    "Datastream": lambda connection, id_: _datastreams(connection, [id_]),
    "MultiDatastream": lambda connection, id_: _datastreams(connection, [id_]),
    "Sensor": _sensor,
    "ObservedProperty": _observed_property,
    "FeatureOfInterest": _feature,
    "Location": _location,
    "HistoricalLocation": _alone(HistoricalLocation),
    "Actuator": _actuator,
    "TaskingCapability": _alone(TaskingCapability),
    "Task": _alone(TaskRow),
}
