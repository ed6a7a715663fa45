"""The plan of the factories: sites, devices and sensors, as the seed file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from penstock.core.errors import ConfigError

#: "HH:MM" as minutes after midnight.
Minutes = int
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=10)]
TimeOfDay = Annotated[str, msgspec.Meta(pattern=r"^([01]?\d|2[0-3]):[0-5]\d$")]


class Sensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measured quantity and how it behaves."""

    sensor_id: int = msgspec.field(name="sensorId")
    sensor_type: str = msgspec.field(name="sensorType")
    unit: str
    min_range: float
    max_range: float
    mean: float
    sd: Annotated[float, msgspec.Meta(ge=0)]
    deviation_weight: Weight = 5.0


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine; it is unstable once a day, between `sfd_start_time` and `sfd_end_time`."""

    device_id: int = msgspec.field(name="deviceId")
    device_type: str = msgspec.field(name="deviceType")
    stability_factor: Percent = msgspec.field(name="stabilityFactor")
    sfd_start_time: TimeOfDay
    sfd_end_time: TimeOfDay
    sensors: Sequence[Sensor]


class Place(msgspec.Struct, frozen=True):
    """Where a site is, in degrees."""

    latitude: float
    longitude: float


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A factory: one program, one MQTT client, one topic."""

    site_id: int = msgspec.field(name="siteId")
    name: str
    region: Literal["north", "south", "east", "west", "central"]
    data_persistence: Literal[0, 1]
    location: Place
    time_zone: str
    historic_data_start_datetime: str
    operational_start_time: TimeOfDay | None = None
    operational_end_time: TimeOfDay | None = None
    reccap: int
    flush_size: int
    sleeptime: Annotated[int, msgspec.Meta(gt=0)]
    devices: Sequence[Device]

    @property
    def zone(self) -> timezone:
        """The offset of local time, `+2:00`."""
        sign = -1 if self.time_zone.startswith("-") else 1
        hours, _, minutes = self.time_zone.lstrip("+-").partition(":")
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes or 0)))

    @property
    def historic_start_us(self) -> int:
        """When history begins, microseconds UTC."""
        local = datetime.fromisoformat(self.historic_data_start_datetime)
        return round(local.replace(tzinfo=self.zone).timestamp()) * 1_000_000


def minutes(time_of_day: str) -> Minutes:
    """Return minutes after midnight of `HH:MM`."""
    hours, _, rest = time_of_day.partition(":")
    return int(hours) * 60 + int(rest)


def is_within(at_s: float, start: str, end: str) -> bool:
    """Tell whether a second of the day is from `start` on and before `end`; may wrap midnight."""
    first, last = minutes(start) * 60, minutes(end) * 60
    if first <= last:
        return first <= at_s < last
    return at_s >= first or at_s < last


def load_plan(path: Path | None = None) -> Sequence[Site]:
    """Read a plan of factories; without a path the one that comes with Penstock.

    Raises:
        ConfigError: The file cannot be read or does not hold a plan.
    """
    try:
        source = path or resources.files("penstock.simulators") / "data" / "factory.json"
        return msgspec.json.decode(source.read_bytes(), type=list[Site])
    except (OSError, msgspec.MsgspecError) as error:
        msg = (
            f"plan of factories {path} cannot be read: {error}; "
            "see penstock/simulators/data/factory.json for one that works"
        )
        raise ConfigError(msg) from error
