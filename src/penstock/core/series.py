"""What a message says about where its results belong, in the words of SensorThings 1.1.

OGC SensorThings API Part 1: Sensing, version 1.1 (18-088), section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from penstock.core.organisation import DEFAULT_SYSTEM


class ObservationType(StrEnum):
    """Kinds of result (18-088 table 11), by the last word of their definition."""

    MEASUREMENT = "Measurement"
    COUNT = "Count"
    TRUTH = "Truth"
    CATEGORY = "Category"
    COMPLEX = "Complex"

    @property
    def uri(self) -> str:
        """The definition, an OGC O&M URI."""
        suffix = "" if self is ObservationType.MEASUREMENT else "Observation"
        return f"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_{self}{suffix}"


class Unit(msgspec.Struct, frozen=True):
    """A unit of measurement; all empty when it is not known."""

    name: str = ""
    symbol: str = ""
    definition: str = ""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of results as a message describes it; enough to enrol a Datastream.

    Attributes:
        thing: Unique name of the Thing that it belongs to, 1 to 255 characters.
        name: Name of the Datastream within the Thing, 1 to 255 characters.
        datastream_id: Set when the message names an existing Datastream by id; `thing` and
            `name` are then empty.
        observed_property: What is measured; the name of the Datastream when not known.
        observation_type: Kind of result.
        unit: Unit of measurement.
        sensor: Name of the procedure or model; empty when not known.
        location: Longitude and latitude in degrees (WGS 84), and height in metres if known.
        located_us: When the Thing was there, microseconds UTC; None means on arrival.
        thing_properties: Further facts about the Thing (site, region, device type).
        properties: Further facts about the Datastream.
        system: The system that it belongs to; a Thing or Datastream of another one is not given.
    """

    thing: str = ""
    name: str = ""
    datastream_id: int | None = None
    observed_property: str = ""
    observation_type: ObservationType = ObservationType.MEASUREMENT
    unit: Unit = Unit()
    sensor: str = ""
    location: tuple[float, ...] | None = None
    located_us: int | None = None
    thing_properties: Mapping[str, object] = {}
    properties: Mapping[str, object] = {}
    system: int = DEFAULT_SYSTEM
