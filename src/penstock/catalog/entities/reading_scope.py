"""What somebody may read, as conditions on rows of each entity type.

Things and Datastreams are in a scope by themselves. What belongs to a Thing follows it; what
belongs to no system is seen by those who see something linked to it, and while nothing is by the
system that it was made for.
A Datastream that is shared by itself shows its Thing and where that is, not where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, and_, bindparam, literal_column, or_, select

from penstock.catalog.dialects.words import Among
from penstock.catalog.entities.reading_tables import SOURCES, Sql, TableRow
from penstock.catalog.models import (
    DatastreamFeature,
    historical_location_location,
    thing_location,
)
from penstock.core.access import Scope

_FEATURES = DatastreamFeature.__table__
_PARTS = ("systems", "things", "datastreams")


def is_given(column: Sql, name: str) -> Sql:
    """Tell whether an id is in the JSON array that is a parameter."""
    return Among(column, bindparam(name))


class Visibility:
    """Conditions for one shape of scope: which of its parts are there.

    Args:
        parts: Names of the parts of the scope that are not empty; None for everything.
    """

    def __init__(self, parts: tuple[str, ...] | None) -> None:
        self.parts = parts

    @classmethod
    def of(cls, scope: Scope, values: dict[str, object]) -> Visibility:
        """Return the shape of a scope, and put what is in it into the parameters."""
        if scope.everything:
            return cls(None)
        parts = tuple(part for part in _PARTS if getattr(scope, part))
        for part in parts:
            values[part] = id_array(getattr(scope, part))
        return cls(parts)

    def visible(self, type_: str, row: TableRow) -> Sql | None:
        """Return the condition for rows of a type; None where there is none."""
        if self.parts is None:
            return None
        condition: Sql = getattr(self, f"_{_FAMILY.get(type_, type_)}")(row)
        return condition

    def _among(self, column: Sql, part: str) -> list[Sql]:
        return [is_given(column, part)] if part in (self.parts or ()) else []

    def _is_home(self, row: TableRow) -> Sql:
        """Tell whether a row that belongs to no system was made for one in scope."""
        return _any(self._among(row.c.home_id, "systems"))

    def _of_thing(self, row: TableRow) -> Sql:
        """Tell whether a row's Thing is in scope with all that belongs to it."""
        thing = SOURCES["Thing"].table.alias()
        wanted = [
            *self._among(thing.c.system_id, "systems"),
            *self._among(thing.c.id, "things"),
        ]
        if not wanted:
            return _any([])
        whole: Sql = row.c.thing_id.in_(select(thing.c.id).where(_any(wanted)))
        return whole

    def _things(self) -> Select[Any]:
        """Return the ids of Things that can be seen."""
        thing = SOURCES["Thing"].table.alias()
        return select(thing.c.id).where(self._thing(thing))

    def _thing(self, row: TableRow) -> Sql:
        stream = SOURCES["Datastream"].table.alias()
        shared = self._among(stream.c.id, "datastreams")
        return _any(
            [
                *self._among(row.c.system_id, "systems"),
                *self._among(row.c.id, "things"),
                *(row.c.id.in_(select(stream.c.thing_id).where(one)) for one in shared),
            ]
        )

    def _stream(self, row: TableRow) -> Sql:
        return _any([*self._among(row.c.id, "datastreams"), self._of_thing(row)])

    def _task(self, row: TableRow) -> Sql:
        if not {"systems", "things"} & set(self.parts or ()):
            return _any([])
        capability = SOURCES["TaskingCapability"].table.alias()
        seen = select(capability.c.id).where(self._of_thing(capability))
        is_of_seen: Sql = row.c.tasking_capability_id.in_(seen)
        return is_of_seen

    def _location(self, row: TableRow) -> Sql:
        here, way = thing_location.alias(), historical_location_location.alias()
        visit = SOURCES["HistoricalLocation"].table.alias()
        is_here = here.c.location_id == row.c.id
        was_here = way.c.location_id == row.c.id
        return or_(
            # The sum keeps SQLite from trying each of the Things for each Location.
            _exists((here,), is_here, (here.c.thing_id + 0).in_(self._things())),
            _exists(
                (way, visit),
                was_here,
                way.c.historical_location_id == visit.c.id,
                self._of_thing(visit),
            ),
            and_(self._is_home(row), ~_exists((here,), is_here), ~_exists((way,), was_here)),
        )

    def _sensor(self, row: TableRow) -> Sql:
        stream = SOURCES["Datastream"].table.alias()
        mine = stream.c.sensor_id == row.c.id
        return or_(
            _exists((stream,), mine, self._stream(stream)),
            and_(self._is_home(row), ~_exists((stream,), mine)),
        )

    def _observed_property(self, row: TableRow) -> Sql:
        stream = SOURCES["Datastream"].table.alias()
        between = SOURCES["MultiDatastream"].paths["ObservedProperties"].between
        assert between is not None
        part = between[0].alias()
        mine = stream.c.observed_property_id == row.c.id
        is_part = part.c.observed_property_id == row.c.id
        return or_(
            _exists((stream,), mine, self._stream(stream)),
            _exists(
                (part, stream), is_part, part.c.datastream_id == stream.c.id, self._stream(stream)
            ),
            and_(self._is_home(row), ~_exists((stream,), mine), ~_exists((part,), is_part)),
        )

    def _feature(self, row: TableRow) -> Sql:
        location = SOURCES["Location"].table.alias()
        stream, other = (SOURCES["Datastream"].table.alias() for _ in range(2))
        pair = _FEATURES.alias()
        is_place = location.c.feature_id == row.c.id
        is_own = stream.c.feature_id == row.c.id
        is_seen_by = pair.c.feature_id == row.c.id
        return or_(
            _exists((stream,), is_own, self._stream(stream)),
            _exists(
                (pair, other), is_seen_by, pair.c.datastream_id == other.c.id, self._stream(other)
            ),
            _exists((location,), is_place, self._location(location)),
            and_(
                self._is_home(row),
                ~_exists((stream,), is_own),
                ~_exists((pair,), is_seen_by),
                ~_exists((location,), is_place),
            ),
        )

    def _actuator(self, row: TableRow) -> Sql:
        capability = SOURCES["TaskingCapability"].table.alias()
        mine = capability.c.actuator_id == row.c.id
        return or_(
            _exists((capability,), mine, self._of_thing(capability)),
            and_(self._is_home(row), ~_exists((capability,), mine)),
        )


_FAMILY: Mapping[str, str] = {
    "Thing": "thing",
    "Location": "location",
    "HistoricalLocation": "of_thing",
    "Datastream": "stream",
    "MultiDatastream": "stream",
    "Sensor": "sensor",
    "ObservedProperty": "observed_property",
    "FeatureOfInterest": "feature",
    "Actuator": "actuator",
    "TaskingCapability": "of_thing",
    "Task": "task",
}


def id_array(ids: Any) -> str:
    """Return ids as a JSON array: however many they are, it is one parameter."""
    return "[" + ",".join(map(str, sorted(ids))) + "]"


def _any(conditions: list[Sql]) -> Sql:
    return or_(*conditions) if conditions else literal_column("0") == literal_column("1")


def _exists(rows: tuple[TableRow, ...], *conditions: Sql) -> Sql:
    """Tell whether there are such rows; every other table is one of the statement around."""
    return select(literal_column("1")).where(*conditions).correlate_except(*rows).exists()
