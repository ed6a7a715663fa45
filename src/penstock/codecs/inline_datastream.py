"""Datastreams described in place, within an observation (18-088 section 10.2.1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from penstock.codecs.columns import name_problem
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType, Series, Unit

_EXPECTED = (
    'a Datastream is {"@iot.id": number} or described in place with "name" and '
    '"Thing": {"name": text}'
)


class Named(msgspec.Struct, frozen=True):
    """A Sensor or ObservedProperty; only its name matters here."""

    name: str = ""


class InlineLocation(msgspec.Struct, frozen=True):
    """A Location; GeoJSON points are understood."""

    location: dict[str, Any] = {}


class InlineThing(msgspec.Struct, frozen=True):
    """The Thing of a Datastream."""

    name: str
    properties: dict[str, Any] = {}
    locations: list[InlineLocation] = msgspec.field(name="Locations", default_factory=list)


class InlineUnit(msgspec.Struct, frozen=True):
    """A unit; each part may be null."""

    name: str | None = None
    symbol: str | None = None
    definition: str | None = None


class Description(msgspec.Struct, frozen=True):
    """What is understood of a Datastream described in place."""

    name: str
    thing: InlineThing = msgspec.field(name="Thing")
    observation_type: str = msgspec.field(name="observationType", default="")
    unit: InlineUnit = msgspec.field(name="unitOfMeasurement", default=InlineUnit())
    observed_property: Named = msgspec.field(name="ObservedProperty", default=Named())
    sensor: Named = msgspec.field(name="Sensor", default=Named())
    properties: dict[str, Any] = {}


def read_description(datastream: Mapping[str, object]) -> Description:
    """Return what is understood of an inline Datastream.

    Raises:
        CannotDecode: A name is missing or too long, or a member has another type.
    """
    try:
        description = msgspec.convert(datastream, Description)
    except (msgspec.ValidationError, RecursionError) as problem:
        raise CannotDecode(f"wrong Datastream: {problem}; {_EXPECTED}") from None
    problem_found = name_problem("the Thing's name", description.thing.name) or name_problem(
        "the Datastream's name", description.name
    )
    if problem_found:
        raise CannotDecode(problem_found)
    return description


def observation_type(name: str, kind: ObservationType) -> ObservationType:
    """Return the type that a definition or a short name means; `kind` when it says nothing.

    Raises:
        CannotDecode: The type is unknown, or a result of this kind cannot be of that type.
    """
    short = name.rpartition("/")[2].removeprefix("OM_").removesuffix("Observation")
    if not name:
        return kind
    if not short:
        return ObservationType.COMPLEX
    try:
        stated = ObservationType(short)
    except ValueError:
        allowed = ", ".join(ObservationType)
        raise CannotDecode(
            f"observationType {name[:60]!r} is not known; allowed are {allowed}"
        ) from None
    numeric = {ObservationType.MEASUREMENT, ObservationType.COUNT, ObservationType.TRUTH}
    if stated in numeric and kind not in numeric:
        raise CannotDecode(f"result is {kind.lower()}, but the Datastream says {stated.lower()}")
    return stated


def series_of(description: Description, kind: ObservationType) -> Series:
    """Return the series that a description means."""
    thing, unit = description.thing, description.unit
    name = description.name.removeprefix(f"{thing.name}.") or description.name
    return Series(
        thing=thing.name,
        name=name,
        observed_property=description.observed_property.name,
        observation_type=kind,
        unit=Unit(unit.name or "", unit.symbol or "", unit.definition or ""),
        sensor=description.sensor.name,
        location=next(filter(None, map(_point, thing.locations)), None),
        thing_properties=thing.properties,
        properties=description.properties,
    )


def _point(location: InlineLocation) -> tuple[float, ...] | None:
    geometry = location.location
    if geometry.get("type") == "Feature":
        geometry = geometry.get("geometry") or {}
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    try:
        point = msgspec.convert(geometry.get("coordinates"), list[float])
    except msgspec.ValidationError:
        return None
    return tuple(point[:3]) if len(point) >= 2 else None
