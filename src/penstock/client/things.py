"""What the platform knows of a Datastream, as a client shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.core.organisation import DEFAULT_SYSTEM, DEFAULT_SYSTEM_NAME
from penstock.core.series import ObservationType, Unit


class Latest(msgspec.Struct, frozen=True):
    """The newest observation of a Datastream; `time_us` is in microseconds UTC."""

    time_us: int
    number: float | None
    text: str | None


class Datastream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of results of one Thing.

    Attributes:
        id: What observations refer to.
        name: Unique: `<thing>.<name>`.
        thing: Name of its Thing.
        observed_property: What is measured.
        observation_type: Kind of result: Measurement, Count, Truth, Category or Complex.
        unit: Unit of measurement: name, symbol, definition.
        sensor: Name of the procedure or model.
        location: Where the Thing is: longitude and latitude in degrees, height in metres.
        properties: Facts about it.
        thing_properties: Facts about the Thing.
        latest: The newest observation, where that was asked for.
        count: How many observations there are, where that was asked for.
        first_us: Time of the first one, microseconds UTC.
        last_us: Time of the last one, microseconds UTC.
        system: Id of the system that it belongs to.
        key: Its key in the document that it was registered with.
    """

    id: int
    name: str
    thing: str = ""
    observed_property: str = ""
    observation_type: ObservationType = ObservationType.MEASUREMENT
    unit: Unit = Unit()
    sensor: str = ""
    location: tuple[float, ...] | None = None
    properties: Mapping[str, Any] = {}
    thing_properties: Mapping[str, Any] = {}
    latest: Latest | None = None
    count: int | None = None
    first_us: int | None = None
    last_us: int | None = None
    system: int = DEFAULT_SYSTEM
    key: str = ""

    def owner(self) -> str:
        """Return the name of the system that it belongs to."""
        if self.system == DEFAULT_SYSTEM:
            return DEFAULT_SYSTEM_NAME
        return ".".join(self.name.split(".")[:4])


class Page(msgspec.Struct, frozen=True):
    """A page of Datastreams."""

    items: list[Datastream]
    total: int
    next: int | None


class Registered(msgspec.Struct, frozen=True):
    """What registration answers."""

    system: str
    items: list[Datastream]


class Connection(msgspec.Struct, frozen=True):
    """Where the MQTT door is, by scheme, and whose system we are."""

    system: str
    mqtt: Mapping[str, tuple[str, int]]
