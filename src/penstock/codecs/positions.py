"""Positions of passing travellers.

`{"sensor_id":7,"traveler_id":"0a41...","traveler_type":"bicyclist","position":[1.5,42.0],
"timestamp":"2024-05-01T12:00:00.5"}`: the Thing is `sensor-7`, the Datastream `position`, the
result the JSON array of the position. Who passes is not the Thing but the feature of interest:
several travellers may be seen by one sensor at the same time.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Annotated, cast

import msgspec
import numpy as np
import pyarrow as pa

from penstock.codecs.columns import all_messages, name_problem, nothing, without
from penstock.codecs.features import feature_of
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.core.codec import Failure, Int64s, Messages, Readings
from penstock.core.series import ObservationType, Series

#: Travellers remembered with their feature; about 200 bytes each.
_MAX_REMEMBERED = 262_144


class Traveller(msgspec.Struct, gc=False):
    """Who was seen; kept as the observation's parameters."""

    traveler_id: str
    traveler_type: str = ""


class Position(Traveller, gc=False, kw_only=True):
    """The payload."""

    sensor_id: int | str
    position: Annotated[list[float], msgspec.Meta(min_length=2, max_length=3)]
    timestamp: int | float | str | None = None


class PositionsCodec:
    """Reads position events; the feature tells travellers apart."""

    name = "positions"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json = JoinedJson(
            Position,
            'a JSON object {"sensor_id", "traveler_id": text, "traveler_type": text, '
            '"position": [x, y], "timestamp": ISO 8601}',
        )
        self._encoder = msgspec.json.Encoder()
        self._features: dict[str, int] = {}

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        events = decoded.values
        if not events:
            return nothing(decoded.failures)
        message = all_messages(len(events), decoded.messages)
        sensors = [str(event.sensor_id) for event in events]
        index = {sensor: at for at, sensor in enumerate(dict.fromkeys(sensors))}
        times, unread = read_times(
            [event.timestamp for event in events], messages.arrived_us[message], self._zone
        )
        series = np.array([index[sensor] for sensor in sensors], np.int32)
        readings = Readings(
            keys=list(index),
            series=series,
            time_us=times,
            number=np.full(len(events), np.nan),
            text=self._json_texts([event.position for event in events]),
            feature=self._feature_column([event.traveler_id for event in events]),
            parameters=self._json_texts(
                [Traveller(event.traveler_id, event.traveler_type) for event in events]
            ),
            message=message,
            failures=decoded.failures,
        )
        failures = [Failure(int(message[row]), reason) for row, reason in unread]
        for sensor, at in index.items():
            # The Thing is called "sensor-" and this.
            if problem := name_problem("sensor_id", sensor, longest=248):
                failures += [Failure(number, problem) for number in message[series == at].tolist()]
        return without(readings, failures)

    def _json_texts(self, values: Sequence[object]) -> pa.Array:
        lines = self._encoder.encode_lines(values).decode()
        return pa.array(lines.split("\n")[:-1], pa.string())

    def _feature_column(self, names: Sequence[str]) -> Int64s:
        features = self._features
        if len(features) > _MAX_REMEMBERED:
            features.clear()
        found = [features.get(name) for name in names]
        if None in found:
            for name in set(names) - features.keys():
                features[name] = feature_of(name)
            found = [features[name] for name in names]
        return np.array(found, np.int64)

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        sensor = cast("str", key)
        return Series(
            thing=f"sensor-{sensor}",
            name="position",
            observed_property="Position",
            observation_type=ObservationType.COMPLEX,
            thing_properties={"sensor_id": sensor},
        )
