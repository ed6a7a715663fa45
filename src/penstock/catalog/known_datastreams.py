"""Datastreams as the catalog holds them: read, completed by what a series knows, changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, select, update

from penstock.catalog.admission import KnownThing
from penstock.catalog.models import Datastream, ObservedProperty, Sensor
from penstock.core.series import Series, Unit


@dataclass(slots=True)
class KnownDatastream:
    """A Datastream as the database holds it, or will; changed here first. Id 0 is a new one."""

    id: int
    thing: KnownThing
    name: str
    observed_property: str
    sensor: str
    observation_type: str
    unit: Unit
    properties: dict[str, object]
    full_name: str = ""
    is_changed: bool = False

    @classmethod
    def from_row(cls, row: Any, thing: KnownThing) -> KnownDatastream:
        """Return the Datastream of a row that `datastreams` gives."""
        return cls(
            id=row.id,
            thing=thing,
            name=row.name,
            full_name=row.full_name,
            observed_property=row.observed_property,
            sensor=row.sensor,
            observation_type=row.observation_type,
            unit=Unit(row.unit_name, row.unit_symbol, row.unit_definition),
            properties=row.properties,
        )

    def learn(self, series: Series) -> None:
        """Take what the series knows better."""
        unit = better_unit(self.unit, series.unit)
        observed_property = series.observed_property or self.observed_property
        sensor = series.sensor or self.sensor
        if (unit, observed_property, sensor) != (self.unit, self.observed_property, self.sensor):
            self.unit, self.observed_property, self.sensor = unit, observed_property, sensor
            self.is_changed = True
        if adds(self.properties, series.properties):
            self.properties = {**self.properties, **series.properties}
            self.is_changed = True
        if adds(self.thing.properties, series.thing_properties):
            self.thing.properties = {**self.thing.properties, **series.thing_properties}
            self.thing.is_changed = True


def better_unit(held: Unit, given: Unit) -> Unit:
    """Return `held` completed by `given`, or `given` alone where the two contradict each other."""
    if given in (held, Unit()):
        return held
    ours, theirs = msgspec.structs.astuple(held), msgspec.structs.astuple(given)
    if any(a and b and a != b for a, b in zip(ours, theirs, strict=True)):
        return given
    return Unit(*(b or a for a, b in zip(ours, theirs, strict=True)))


def adds(held: Mapping[str, object], given: Mapping[str, object]) -> bool:
    """Tell whether `given` holds anything that `held` does not hold like that."""
    return any(key not in held or held[key] != value for key, value in given.items())


def new_datastream(thing: KnownThing, name: str, series: Series) -> KnownDatastream:
    """Return the Datastream that a series describes, not yet in the database."""
    return KnownDatastream(
        id=0,
        thing=thing,
        name=name,
        observed_property=series.observed_property or name,
        sensor=series.sensor,
        observation_type=series.observation_type,
        unit=series.unit,
        properties={},
    )


def datastreams() -> Select[Any]:
    """Return what gives rows for `KnownDatastream.from_row`."""
    return (
        select(
            Datastream.id,
            Datastream.thing_id,
            Datastream.name,
            Datastream.full_name,
            Datastream.observation_type,
            Datastream.unit_name,
            Datastream.unit_symbol,
            Datastream.unit_definition,
            Datastream.properties,
            Sensor.name.label("sensor"),
            ObservedProperty.name.label("observed_property"),
        )
        .join(Sensor, Datastream.sensor_id == Sensor.id)
        .join(ObservedProperty, Datastream.observed_property_id == ObservedProperty.id)
    )


def update_datastream() -> Any:
    """Return what changes the Datastream with the id `at`."""
    return (
        update(Datastream)
        .where(Datastream.id == bindparam("at"))
        .values(
            sensor_id=bindparam("new_sensor_id"),
            observed_property_id=bindparam("new_observed_property_id"),
            unit_name=bindparam("new_unit_name"),
            unit_symbol=bindparam("new_unit_symbol"),
            unit_definition=bindparam("new_unit_definition"),
            properties=bindparam("new_properties"),
        )
    )
