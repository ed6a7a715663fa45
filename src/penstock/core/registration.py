"""What someone registers on purpose: Things, Sensors, ObservedProperties and Datastreams by name.

OGC SensorThings API Part 1: Sensing, version 1.1 (18-088), section 8. An empty text says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.series import Series


class ThingFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A Thing; `location` is longitude and latitude in degrees (WGS 84), and height in metres."""

    name: str
    description: str = ""
    properties: Mapping[str, object] = {}
    location: tuple[float, ...] | None = None


class SensorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A Sensor; `metadata` is a text, or an address that leads to one."""

    name: str
    description: str = ""
    encoding_type: str = ""
    metadata: str = ""


class PropertyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An ObservedProperty; `definition` is an address that says what it means."""

    name: str
    description: str = ""
    definition: str = ""


class DatastreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A Datastream: what a message could say of it, and more."""

    series: Series
    description: str = ""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """All that is registered at once, for one system, whatever the series say."""

    system: int = DEFAULT_SYSTEM
    things: Sequence[ThingFacts] = ()
    sensors: Sequence[SensorFacts] = ()
    observed_properties: Sequence[PropertyFacts] = ()
    datastreams: Sequence[DatastreamFacts] = ()
