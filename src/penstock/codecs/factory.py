"""Readings of factory sensors: a time, metadata of site, device and sensor, and a measurement.

Three shapes: `{"ts":1729000000000,"metadata":{"siteId":101,"deviceId":1001,"sensorId":10011,
"unit":"°C"},"measurement":21.5}`, the same with `ts_human` and `location` in the metadata, and with
`deviceType` as well. `ts` is an epoch in milliseconds, or a text where the site keeps its records
as texts. `ts_human` says the same once more and is not kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec
import numpy as np

from penstock.codecs.columns import all_messages, nothing, without
from penstock.codecs.factory_layout import read_layout
from penstock.codecs.joined import BAD_JSON, JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.codecs.units import measures, unit
from penstock.core.codec import Failure, Int64s, Messages, Readings
from penstock.core.series import Series

#: Smaller batches are parsed as quickly as they are looked at.
_WORTH_A_LOOK = 64


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
        self._metadata = msgspec.json.Decoder(Metadata)
        self._json = JoinedJson(
            Reading,
            'a JSON object {"ts": epoch or text, "metadata": {"siteId", "deviceId", "sensorId", '
            '"unit"}, "measurement": number}',
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        if len(messages) >= _WORTH_A_LOOK:
            readings = self._by_layout(messages)
            if readings is not None:
                return readings
        return self._by_parser(messages)

    def _by_layout(self, messages: Messages) -> Readings | None:
        rows = read_layout(messages.payloads)
        if rows is None:
            return None
        try:
            sensors = [self._metadata.decode(text) for text in rows.metadata]
        except BAD_JSON:
            return None
        regions, region = _regions(messages.fields)
        pairs = rows.codes.astype(np.int64) * len(regions) + region
        index: dict[FactoryKey, int] = {}
        found = np.flatnonzero(np.bincount(pairs))
        # The same metadata may be written in two ways.
        codes = np.zeros(len(sensors) * len(regions), np.int32)
        codes[found] = [
            index.setdefault(FactoryKey(sensors[sensor], regions[at]), len(index))
            for sensor, at in (divmod(pair, len(regions)) for pair in found.tolist())
        ]
        return Readings(
            keys=list(index),
            series=codes[pairs],
            time_us=rows.time_us,
            number=rows.value,
            message=np.arange(len(messages), dtype=np.int32),
        )

    def _by_parser(self, messages: Messages) -> Readings:
        decoded = self._json.decode(messages.payloads)
        read = decoded.values
        if not read:
            return nothing(decoded.failures)
        message = all_messages(len(read), decoded.messages)
        regions, region = _regions(messages.fields)
        index: dict[Hashable, int] = {}
        add = index.setdefault
        if len(regions) == 1:
            series = [add(reading.metadata, len(index)) for reading in read]
            keys = [FactoryKey(cast("Metadata", key), regions[0]) for key in index]
        else:
            pairs = zip(read, region[message].tolist(), strict=True)
            series = [add((reading.metadata, at), len(index)) for reading, at in pairs]
            known = cast("dict[tuple[Metadata, int], int]", index)
            keys = [FactoryKey(metadata, regions[at]) for metadata, at in known]
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


def _regions(fields: Sequence[Mapping[str, str]]) -> tuple[list[str], Int64s]:
    """Return the regions that the topics name, and which one each message has."""
    seen = list(map(id, fields))
    shared = dict(zip(seen, fields, strict=True))
    known = {one: captured.get("region", "") for one, captured in shared.items()}
    regions = list(dict.fromkeys(known.values()))
    if len(regions) == 1:
        return regions, np.zeros(len(seen), np.int64)
    code = {one: regions.index(region) for one, region in known.items()}
    return regions, np.array(list(map(code.__getitem__, seen)), np.int64)
