"""The entity types of SensorThings 1.1: their properties and links.

OGC SensorThings API Part 1: Sensing 1.1 (18-088) section 8, Part 2: Tasking (17-079r1) section 8.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

#: JSON as it comes and goes.
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Link(msgspec.Struct, frozen=True):
    """A navigation property.

    Attributes:
        name: As it stands in paths: `Datastreams`, `Thing`.
        target: Name of the entity type it leads to.
        many: Whether it leads to any number of entities.
        required: An entity cannot be without it.
        inverse: The navigation property that leads back.
    """

    name: str
    target: str
    many: bool
    required: bool = False
    inverse: str = ""


class EntityType(msgspec.Struct, frozen=True):
    """A kind of entity.

    Attributes:
        name: `Thing`.
        set_name: `Things`.
        properties: In the order in which they are shown; without id and links.
        required: Those that an entity cannot be without when it is made.
        links: In the order in which they are shown.
        times: Properties that are times, or intervals of time.
        json: Properties whose members can be asked for.
        derived: Properties that nobody can set.
    """

    name: str
    set_name: str
    properties: tuple[str, ...]
    required: tuple[str, ...]
    links: tuple[Link, ...]
    times: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()

    def link(self, name: str) -> Link | None:
        """Return a navigation property by name, or None."""
        return next((link for link in self.links if link.name == name), None)


_NAMED = ("name", "description")
_PROPERTIES = frozenset({"properties"})

_ALL = (
    EntityType(
        "Thing",
        "Things",
        (*_NAMED, "properties"),
        _NAMED,
        (
            Link("Locations", "Location", many=True, inverse="Things"),
            Link("HistoricalLocations", "HistoricalLocation", many=True, inverse="Thing"),
            Link("Datastreams", "Datastream", many=True, inverse="Thing"),
            Link("MultiDatastreams", "MultiDatastream", many=True, inverse="Thing"),
            Link("TaskingCapabilities", "TaskingCapability", many=True, inverse="Thing"),
        ),
        json=_PROPERTIES,
    ),
    EntityType(
        "Location",
        "Locations",
        (*_NAMED, "encodingType", "location", "properties"),
        (*_NAMED, "encodingType", "location"),
        (
            Link("Things", "Thing", many=True, inverse="Locations"),
            Link("HistoricalLocations", "HistoricalLocation", many=True, inverse="Locations"),
        ),
        json=frozenset({"location", "properties"}),
    ),
    EntityType(
        "HistoricalLocation",
        "HistoricalLocations",
        ("time",),
        ("time",),
        (
            Link("Thing", "Thing", many=False, required=True, inverse="HistoricalLocations"),
            Link("Locations", "Location", many=True, required=True, inverse="HistoricalLocations"),
        ),
        times=frozenset({"time"}),
    ),
    EntityType(
        "Datastream",
        "Datastreams",
        (
            *_NAMED,
            "observationType",
            "unitOfMeasurement",
            "observedArea",
            "phenomenonTime",
            "resultTime",
            "properties",
        ),
        (*_NAMED, "observationType", "unitOfMeasurement"),
        (
            Link("Thing", "Thing", many=False, required=True, inverse="Datastreams"),
            Link("Sensor", "Sensor", many=False, required=True, inverse="Datastreams"),
            Link(
                "ObservedProperty",
                "ObservedProperty",
                many=False,
                required=True,
                inverse="Datastreams",
            ),
            Link("Observations", "Observation", many=True, inverse="Datastream"),
        ),
        times=frozenset({"phenomenonTime", "resultTime"}),
        json=frozenset({"unitOfMeasurement", "observedArea", "properties"}),
        derived=frozenset({"phenomenonTime", "resultTime"}),
    ),
    EntityType(
        "MultiDatastream",
        "MultiDatastreams",
        (
            *_NAMED,
            "observationType",
            "multiObservationDataTypes",
            "unitOfMeasurements",
            "observedArea",
            "phenomenonTime",
            "resultTime",
            "properties",
        ),
        (*_NAMED, "multiObservationDataTypes", "unitOfMeasurements"),
        (
            Link("Thing", "Thing", many=False, required=True, inverse="MultiDatastreams"),
            Link("Sensor", "Sensor", many=False, required=True, inverse="MultiDatastreams"),
            Link(
                "ObservedProperties",
                "ObservedProperty",
                many=True,
                required=True,
                inverse="MultiDatastreams",
            ),
            Link("Observations", "Observation", many=True, inverse="MultiDatastream"),
        ),
        times=frozenset({"phenomenonTime", "resultTime"}),
        json=frozenset(
            {"multiObservationDataTypes", "unitOfMeasurements", "observedArea", "properties"}
        ),
        derived=frozenset({"phenomenonTime", "resultTime"}),
    ),
    EntityType(
        "Sensor",
        "Sensors",
        (*_NAMED, "encodingType", "metadata", "properties"),
        (*_NAMED, "encodingType", "metadata"),
        (
            Link("Datastreams", "Datastream", many=True, inverse="Sensor"),
            Link("MultiDatastreams", "MultiDatastream", many=True, inverse="Sensor"),
        ),
        json=_PROPERTIES,
    ),
    EntityType(
        "ObservedProperty",
        "ObservedProperties",
        ("name", "definition", "description", "properties"),
        ("name", "definition", "description"),
        (
            Link("Datastreams", "Datastream", many=True, inverse="ObservedProperty"),
            Link("MultiDatastreams", "MultiDatastream", many=True, inverse="ObservedProperties"),
        ),
        json=_PROPERTIES,
    ),
    EntityType(
        "Observation",
        "Observations",
        (
            "phenomenonTime",
            "resultTime",
            "result",
            "resultQuality",
            "validTime",
            "parameters",
        ),
        ("result",),
        (
            Link("Datastream", "Datastream", many=False, inverse="Observations"),
            Link("MultiDatastream", "MultiDatastream", many=False, inverse="Observations"),
            Link("FeatureOfInterest", "FeatureOfInterest", many=False, inverse="Observations"),
        ),
        times=frozenset({"phenomenonTime", "resultTime", "validTime"}),
        json=frozenset({"result", "resultQuality", "parameters"}),
    ),
    EntityType(
        "FeatureOfInterest",
        "FeaturesOfInterest",
        (*_NAMED, "encodingType", "feature", "properties"),
        (*_NAMED, "encodingType", "feature"),
        (Link("Observations", "Observation", many=True, inverse="FeatureOfInterest"),),
        json=frozenset({"feature", "properties"}),
    ),
    EntityType(
        "Actuator",
        "Actuators",
        (*_NAMED, "encodingType", "metadata", "properties"),
        (*_NAMED, "encodingType", "metadata"),
        (Link("TaskingCapabilities", "TaskingCapability", many=True, inverse="Actuator"),),
        json=_PROPERTIES,
    ),
    EntityType(
        "TaskingCapability",
        "TaskingCapabilities",
        (*_NAMED, "taskingParameters", "properties"),
        (*_NAMED, "taskingParameters"),
        (
            Link("Thing", "Thing", many=False, required=True, inverse="TaskingCapabilities"),
            Link("Actuator", "Actuator", many=False, required=True, inverse="TaskingCapabilities"),
            Link("Tasks", "Task", many=True, inverse="TaskingCapability"),
        ),
        json=frozenset({"taskingParameters", "properties"}),
    ),
    EntityType(
        "Task",
        "Tasks",
        ("creationTime", "taskingParameters"),
        ("taskingParameters",),
        (
            Link(
                "TaskingCapability",
                "TaskingCapability",
                many=False,
                required=True,
                inverse="Tasks",
            ),
        ),
        times=frozenset({"creationTime"}),
        json=frozenset({"taskingParameters"}),
        derived=frozenset({"creationTime"}),
    ),
)

#: Every type by its name, and by the name of its set.
TYPES: Mapping[str, EntityType] = {kind.name: kind for kind in _ALL}
SETS: Mapping[str, EntityType] = {kind.set_name: kind for kind in _ALL}
