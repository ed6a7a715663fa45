"""What the endpoints of devices take and answer, as types: the source of the schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from penstock.core.commands import DeviceType, Task, Value
from penstock.core.device_logs import LogLine
from penstock.core.devices import Assignment, Device, Target

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class Devices(msgspec.Struct, frozen=True):
    """Devices by name; `next` continues as `after`."""

    items: Sequence[Device]
    next: str | None = None


class NewDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device to be registered; what is left out stays unknown, or as it is."""

    name: Name
    type: str = ""
    topic: str = ""
    sample_frequency: Annotated[float, Meta(gt=0)] | None = None
    description: str = ""
    properties: Mapping[str, Any] = {}
    system: int | None = None


class DeviceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a device; what is left out stays."""

    type: str | UnsetType = UNSET
    topic: str | UnsetType = UNSET
    sample_frequency: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    properties: Mapping[str, Any] | UnsetType = UNSET
    target_id: int | UnsetType | None = UNSET


class NewCommand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command for one device."""

    command: Name
    parameters: Mapping[str, Value] = {}
    time_to_live_s: Annotated[float, Meta(gt=0)] | None = None


class NewCommands(NewCommand, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command for several devices: those named, or `all` (of a `type`)."""

    devices: Annotated[Sequence[Name], Meta(max_length=100_000)] = ()
    all: bool = False
    type: str = ""


class Tasks(msgspec.Struct, frozen=True):
    """Tasks; `next` continues as `before`."""

    items: Sequence[Task]
    next: int | None = None


class DeviceTypes(msgspec.Struct, frozen=True):
    """Device types by name."""

    items: Sequence[DeviceType]


class StateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Desired and reported state; `delta` is what is desired and not reported like that."""

    desired: Mapping[str, Any]
    desired_version: int
    desired_us: int | None
    reported: Mapping[str, Any]
    reported_version: int
    reported_us: int | None
    delta: Mapping[str, Any]


class LogLines(msgspec.Struct, frozen=True):
    """Lines of logs, newest first; `next` continues as `before`.

    `searched_to_us` is set when the search looked at as many lines as one request may: it is the
    time down to which it looked, and `next` goes on from there.
    """

    items: Sequence[LogLine]
    next: str | None = None
    searched_to_us: int | None = None


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was, by time; `position` is longitude, latitude and perhaps height."""

    name: str
    time_us: Sequence[int]
    position: Sequence[tuple[float, ...]]


class TrackPoint(msgspec.Struct, frozen=True, tag_field="type", tag="Point"):
    """GeoJSON (RFC 7946) of something that was in one place."""

    coordinates: Sequence[float]


class TrackLine(msgspec.Struct, frozen=True, tag_field="type", tag="LineString"):
    """GeoJSON of something that was in several."""

    coordinates: Sequence[Sequence[float]]


class TrackProperties(msgspec.Struct, frozen=True):
    """Whose track it is, and when it was at each of the coordinates."""

    name: str
    time_us: Sequence[int]


class TrackFeature(msgspec.Struct, frozen=True, tag_field="type", tag="Feature"):
    """A track as GeoJSON; without geometry where there is none."""

    properties: TrackProperties
    geometry: TrackPoint | TrackLine | None


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """A vibration sensor: id, serial number and sample frequency, and how it stands."""

    id: int
    serial_number: str
    sample_frequency: float
    online: bool | None = None
    last_seen_us: int | None = None
    target_id: int | None = None
    target: str = ""


class NewSensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A vibration sensor to be registered."""

    serial_number: Name
    sample_frequency: Annotated[float, Meta(gt=0)] | None = None
    description: str = ""
    target_id: int | None = None
    system: int | None = None


class Frequency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sample frequency, Hz."""

    new_sample_frequency: float


class Fixing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a device is fixed to; null fixes it to nothing."""

    target_id: int | None


class Targets(msgspec.Struct, frozen=True):
    """Targets by id."""

    items: Sequence[Target]


class NewTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target to be created: `name`, or `Name` and perhaps `ID`."""

    name: str = ""
    plain_name: str = msgspec.field(default="", name="Name")
    plain_id: Annotated[int, Meta(ge=0, le=2**63 - 1)] = msgspec.field(default=0, name="ID")
    description: str = ""
    properties: Mapping[str, Any] = {}
    location: tuple[float, ...] | None = None
    system: int | None = None


class NewPlaces(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a target was."""

    places: Annotated[Sequence[NewPlace], Meta(min_length=1, max_length=10_000)]


class NewPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A position; without a time it is now."""

    position: tuple[float, ...]
    time_us: int | None = None


class Assignments(msgspec.Struct, frozen=True):
    """Who was fixed to what, newest first."""

    items: Sequence[Assignment]


#: Types whose schemas are in the OpenAPI document.
TYPES: tuple[type, ...] = (
    Assignments,
    Device,
    DeviceChange,
    DeviceType,
    DeviceTypes,
    Devices,
    Fixing,
    Frequency,
    LogLines,
    NewCommand,
    NewCommands,
    NewDevice,
    NewPlaces,
    NewSensor,
    NewTarget,
    Sensor,
    StateAnswer,
    Target,
    Targets,
    Task,
    Tasks,
    Track,
    TrackFeature,
)
