"""Readings of factory sensors: a time, metadata of site, device and sensor, and a measurement.

Three shapes: `{"ts":1729000000000,"metadata":{"siteId":101,"deviceId":1001,"sensorId":10011,
"unit":"°C"},"measurement":21.5}`, the same with `ts_human` and `location` in the metadata, and with
`deviceType` as well. `ts` is an epoch in milliseconds, or a text where the site keeps its records
as texts. `ts_human` says the same once more and is not kept.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, cast

import msgspec
import numpy as np

from penstock.codecs.columns import all_messages, nothing, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.codecs.units import measures, unit
from penstock.core.codec import Failure, Messages, Readings
from penstock.core.series import Series


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where the device is, degrees."""

    latitude: float
    longitude: float


class Metadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Which sensor measured; `ts_human` and unknown members are not looked at."""

    site_id: int
    device_id: int
    sensor_id: int
    unit: str = ""
    location: Place | None = None
    device_type: str = ""


class Reading(msgspec.Struct, gc=False):
    """The payload."""

    ts: int | float | str
    metadata: Metadata
    measurement: float


class FactoryKey(NamedTuple):
    """A sensor, and the region that the topic names."""

    metadata: Metadata
    region: str


class FactoryCodec:
    """Reads nested readings; the Thing is the device of a site, the Datastream its sensor."""

    name = "factory"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json = JoinedJson(
            Reading,
            'a JSON object {"ts": epoch or text, "metadata": {"siteId", "deviceId", "sensorId", '
            '"unit"}, "measurement": number}',
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        read = decoded.values
        if not read:
            return nothing(decoded.failures)
        message = all_messages(len(read), decoded.messages)
        index: dict[Hashable, int] = {}
        add = index.setdefault
        regions = [fields.get("region", "") for fields in messages.fields]
        keys: list[FactoryKey]
        if len(set(regions)) == 1:
            series = [add(reading.metadata, len(index)) for reading in read]
            keys = [FactoryKey(cast("Metadata", key), regions[0]) for key in index]
        else:
            if decoded.messages is not None:
                regions = [regions[number] for number in decoded.messages]
            pairs = zip(read, regions, strict=True)
            series = [add((reading.metadata, region), len(index)) for reading, region in pairs]
            keys = [FactoryKey(*cast("tuple[Metadata, str]", key)) for key in index]
        times, unread = read_times(
            [reading.ts for reading in read], messages.arrived_us[message], self._zone
        )
        readings = Readings(
            keys=keys,
            series=np.array(series, np.int32),
            time_us=times,
            number=np.array([reading.measurement for reading in read], np.float64),
            message=message,
            failures=decoded.failures,
        )
        return without(readings, [Failure(int(message[row]), reason) for row, reason in unread])

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        meta, region = cast("FactoryKey", key)
        facts: dict[str, object] = {"site": meta.site_id, "device": meta.device_id}
        if region:
            facts["region"] = region
        if meta.device_type:
            facts["device_type"] = meta.device_type
        place = meta.location
        return Series(
            thing=f"site-{meta.site_id}/device-{meta.device_id}",
            name=f"sensor-{meta.sensor_id}",
            observed_property=measures(meta.unit),
            unit=unit(meta.unit),
            location=None if place is None else (place.longitude, place.latitude),
            thing_properties=facts,
            properties={"sensor": meta.sensor_id},
        )
