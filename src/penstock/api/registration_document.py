"""The registration document: Things, Sensors and Datastreams as a person writes them in a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from penstock.core.errors import InvalidInput
from penstock.core.registration import (
    DatastreamFacts,
    PropertyFacts,
    Registration,
    SensorFacts,
    ThingFacts,
)
from penstock.core.series import ObservationType, Series, Unit


class LocationPart(msgspec.Struct, frozen=True):
    """A Location; GeoJSON points are understood."""

    location: dict[str, Any] = {}


class ThingPart(msgspec.Struct, frozen=True):
    """A Thing; its name is its key when it has none of its own."""

    name: str = ""
    description: str = ""
    properties: dict[str, Any] | None = None
    locations: list[LocationPart] = msgspec.field(name="Locations", default_factory=list)


class SensorPart(msgspec.Struct, frozen=True):
    """A Sensor."""

    name: str = ""
    description: str = ""
    encoding_type: str = msgspec.field(name="encodingType", default="")
    metadata: Any = ""


class PropertyPart(msgspec.Struct, frozen=True):
    """An ObservedProperty."""

    name: str = ""
    description: str = ""
    definition: str = ""


class UnitPart(msgspec.Struct, frozen=True):
    """A unit; each part may be null."""

    name: str | None = None
    symbol: str | None = None
    definition: str | None = None


class DatastreamPart(msgspec.Struct, frozen=True):
    """A Datastream; Thing, Sensor and ObservedProperty are described here, or named."""

    thing: str | ThingPart = msgspec.field(name="Thing")
    name: str = ""
    description: str = ""
    observation_type: str = msgspec.field(name="observationType", default="")
    unit: UnitPart | None = msgspec.field(name="unitOfMeasurement", default=None)
    observed_property: str | PropertyPart = msgspec.field(name="ObservedProperty", default="")
    sensor: str | SensorPart = msgspec.field(name="Sensor", default="")
    properties: dict[str, Any] | None = None


class Document(msgspec.Struct, frozen=True):
    """What is registered: each section by key, or as a list."""

    things: dict[str, ThingPart] | list[ThingPart] = msgspec.field(
        name="Things", default_factory=dict
    )
    sensors: dict[str, SensorPart] | list[SensorPart] = msgspec.field(
        name="Sensors", default_factory=dict
    )
    observed_properties: dict[str, PropertyPart] | list[PropertyPart] = msgspec.field(
        name="ObservedProperties", default_factory=dict
    )
    datastreams: dict[str, DatastreamPart] | list[DatastreamPart] = msgspec.field(
        name="Datastreams", default_factory=dict
    )


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Part = TypeVar("Part", bound=_Named)


class _Section(dict[str, Part]):
    """Parts of one kind by their name, and the names by key."""

    def __init__(self, kind: str, parts: Mapping[str, Part] | Sequence[Part]) -> None:
        super().__init__()
        self._kind = kind
        self._names: dict[str, str] = {}
        pairs = parts.items() if isinstance(parts, Mapping) else [("", part) for part in parts]
        for key, part in pairs:
            self._names[key or part.name] = self.add(part, key)

    def add(self, part: Part, key: str = "") -> str:
        """Take a part in and return its name."""
        name = part.name or key
        if not name:
            raise InvalidInput(f"a {self._kind} has no name; give it one, or a key")
        if name in self and self[name] != part:
            raise InvalidInput(f"{self._kind} {name!r} is described twice, and differently")
        self[name] = part
        return name

    def resolve(self, given: str | Part) -> str:
        """Return the name that a Datastream's reference means."""
        if not isinstance(given, str):
            return self.add(given)
        if given in self._names:
            return self._names[given]
        if given in self or not given:
            return given
        known = ", ".join(sorted(self._names)) or "none"
        raise InvalidInput(
            f"{self._kind} {given!r} is not described in the document; described are: {known}"
        )


def read_document(document: Document, system: str = "") -> tuple[Registration, list[str]]:
    """Return what a document means, and the key of each Datastream.

    Args:
        document: The document.
        system: Name of the system whose Things these are; "" is the default system. The Things of
            another are named `<system>.<name>`.

    Raises:
        InvalidInput: A name is missing, or refers to nothing.
    """
    things = _Section("Thing", document.things)
    sensors = _Section("Sensor", document.sensors)
    quantities = _Section("ObservedProperty", document.observed_properties)
    keys: list[str] = []
    datastreams: list[DatastreamFacts] = []
    for key, part in _pairs(document.datastreams):
        name = part.name or key
        if not name:
            raise InvalidInput("a Datastream has no name; give it one, or a key")
        thing = things.resolve(part.thing)
        if not thing:
            raise InvalidInput(f'Datastream {name!r} has no Thing; say "Thing": name')
        series = Series(
            thing=thing_name(thing, system),
            name=_short(name, thing, system),
            observed_property=_loose(quantities, part.observed_property),
            observation_type=observation_type(part.observation_type),
            unit=_unit(part.unit),
            sensor=sensors.resolve(part.sensor),
            properties=part.properties or {},
        )
        keys.append(key or name)
        datastreams.append(DatastreamFacts(series=series, description=part.description))
    wanted = Registration(
        things=[_thing(name, part, system) for name, part in things.items()],
        sensors=[_sensor(name, part) for name, part in sensors.items()],
        observed_properties=[
            PropertyFacts(name=name, description=part.description, definition=part.definition)
            for name, part in quantities.items()
        ],
        datastreams=datastreams,
    )
    return wanted, keys


def thing_name(name: str, system: str) -> str:
    """Return the name of a Thing of a system; "" is the default system."""
    return name if not system or name.startswith(f"{system}.") else f"{system}.{name}"


def observation_type(name: str) -> ObservationType:
    """Return the type that a definition or a short name means; none is a measurement.

    Raises:
        InvalidInput: The type is unknown.
    """
    if not name:
        return ObservationType.MEASUREMENT
    short = name.rpartition("/")[2].removeprefix("OM_").removesuffix("Observation")
    try:
        return ObservationType(short) if short else ObservationType.COMPLEX
    except ValueError:
        allowed = ", ".join(ObservationType)
        raise InvalidInput(
            f"observationType {name[:80]!r} is not known; allowed are {allowed}, and their "
            f"definitions such as {ObservationType.MEASUREMENT.uri}"
        ) from None


def _pairs(
    parts: Mapping[str, DatastreamPart] | Sequence[DatastreamPart],
) -> list[tuple[str, DatastreamPart]]:
    if isinstance(parts, Mapping):
        return list(parts.items())
    return [("", part) for part in parts]


def _short(name: str, thing: str, system: str) -> str:
    """Return the name within the Thing: full names are understood too."""
    short = name.removeprefix(f"{thing_name(thing, system)}.")
    return (short if short != name else name.removeprefix(f"{thing}.")) or name


def _loose(quantities: _Section[PropertyPart], given: str | PropertyPart) -> str:
    """Return the name of an ObservedProperty; one that is only named need not be described."""
    if isinstance(given, str) and given and given not in quantities:
        return given
    return quantities.resolve(given)


def _unit(part: UnitPart | None) -> Unit:
    if part is None:
        return Unit()
    return Unit(part.name or "", part.symbol or "", part.definition or "")


def _thing(name: str, part: ThingPart, system: str) -> ThingFacts:
    return ThingFacts(
        name=thing_name(name, system),
        description=part.description,
        properties=part.properties or {},
        location=next(filter(None, map(_point, part.locations)), None),
    )


def _sensor(name: str, part: SensorPart) -> SensorFacts:
    metadata = part.metadata if isinstance(part.metadata, str) else json.dumps(part.metadata)
    return SensorFacts(
        name=name,
        description=part.description,
        encoding_type=part.encoding_type,
        metadata=metadata,
    )


def _point(part: LocationPart) -> tuple[float, ...] | None:
    geometry = part.location
    if geometry.get("type") == "Feature":
        geometry = geometry.get("geometry") or {}
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    try:
        return tuple(msgspec.convert(geometry.get("coordinates"), list[float]))
    except msgspec.ValidationError:
        raise InvalidInput(
            f"coordinates {geometry.get('coordinates')!r} are not [longitude, latitude]"
        ) from None
