"""SensorThings observations (OGC 18-088 section 8.2.6) and the records of panta rhei.

`{"phenomenonTime":"2024-05-01T12:00:00Z","Datastream":{"@iot.id":7},"result":21.5}`. The
Datastream is named by its id, by the topic (`v1.1/Datastreams(7)/Observations`, captured as
`datastream`), or described in place with its Thing (section 10.2.1.1, deep insert). The phenomenon
time may be an interval `start/end` or an epoch; without one the time of arrival counts. Members
that the standard does not know become parameters; `resultQuality` and `validTime` are kept among
these under names that are reserved for them. A record with the members `latitude` and `longitude`
(degrees) also says where its Thing was.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, cast

import msgspec
import numpy as np

from penstock.codecs.features import feature_of
from penstock.codecs.inline_datastream import (
    Description,
    observation_type,
    read_description,
    series_of,
)
from penstock.codecs.joined import JoinedJson
from penstock.codecs.rows import Row, json_text, read_each, result_of
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_us, time_zone
from penstock.core.codec import Messages, Readings
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType, Series

#: Members of an Observation that are not parameters.
_KNOWN = {
    "phenomenonTime",
    "resultTime",
    "result",
    "Datastream",
    "FeatureOfInterest",
    "parameters",
    "resultQuality",
    "validTime",
    "id",
}
#: Names of parameters that begin so mean something else.
_RESERVED = "@iot."
_KEPT_APART = ("resultQuality", "validTime")
_MAX_ID = 2**63 - 1


class ThingsKey(NamedTuple):
    """A Datastream by its id, or as JSON of its `Description` with the kind of its results."""

    datastream_id: int | None
    description: str = ""
    kind: ObservationType = ObservationType.MEASUREMENT


class SensorThingsCodec:
    """Reads one observation per message."""

    name = "sensorthings"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json = JoinedJson(
            dict[str, object],
            'a JSON object {"Datastream": {"@iot.id": number}, "phenomenonTime": time, '
            '"result": value}',
        )
        self._decoder = msgspec.json.Decoder(Description)

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        numbers = decoded.messages if decoded.messages is not None else range(len(messages))
        found = dict(zip(numbers, decoded.values, strict=True))

        starts = self._starts(messages, found)

        def read(number: int) -> list[Row]:
            return [self._row(found[number], messages.fields[number], starts[number])]

        readings = read_each(numbers, read, decoded.failures)
        described = _described(found)
        return replace(readings, described=described) if described else readings

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        datastream_id, description, kind = cast("ThingsKey", key)
        if datastream_id is not None:
            return Series(datastream_id=datastream_id)
        return series_of(self._decoder.decode(description), kind)

    def _starts(
        self, messages: Messages, found: Mapping[int, Mapping[str, object]]
    ) -> dict[int, int | str]:
        """Return when each phenomenon started, or why that cannot be read."""
        stamps = [_start(record.get("phenomenonTime")) for record in found.values()]
        arrived = messages.arrived_us[np.array(list(found), np.int32)]
        times, unread = read_times(stamps, arrived, self._zone)
        starts: dict[int, int | str] = dict(zip(found, times.tolist(), strict=True))
        numbers = list(found)
        return starts | {numbers[row]: reason for row, reason in unread}

    def _row(
        self, record: Mapping[str, object], fields: Mapping[str, str], start: int | str
    ) -> Row:
        result = result_of(record.get("result"))
        if isinstance(start, str):
            raise CannotDecode(start)
        feature, more = _feature(record.get("FeatureOfInterest"), fields.get("feature"))
        return Row(
            key=self._key(record.get("Datastream"), fields.get("datastream"), result.kind),
            time_us=start,
            number=result.number,
            text=result.text,
            feature=feature,
            end_time_us=self._end(record.get("phenomenonTime"), start),
            result_time_us=self._result_time(record, start),
            parameters=_parameters(record, more),
            place=_place(record),
        )

    def _end(self, phenomenon_time: object, start: int) -> int | None:
        if not isinstance(phenomenon_time, str) or "/" not in phenomenon_time:
            return None
        end = time_us(phenomenon_time.partition("/")[2], self._zone)
        if end < start:
            raise CannotDecode(f"phenomenonTime {phenomenon_time[:80]!r} ends before it starts")
        return end

    def _result_time(self, record: Mapping[str, object], start: int) -> int | None:
        made = record.get("resultTime")
        if made is None or made == record.get("phenomenonTime"):
            return None
        time = time_us(made, self._zone)
        return None if time == start else time

    def _key(self, datastream: object, captured: str | None, kind: ObservationType) -> ThingsKey:
        named = None if captured is None else _topic_id(captured)
        if isinstance(datastream, Mapping) and "@iot.id" not in datastream and named is None:
            description = read_description(datastream)
            stated = observation_type(description.observation_type, kind)
            return ThingsKey(None, json_text(description, ordered=True), stated)
        if datastream is None and named is None:
            raise CannotDecode(
                "no Datastream; Observations are made by MQTT, everything else by HTTP: say "
                '"Datastream": {"@iot.id": number}'
            )
        if isinstance(datastream, Mapping) and "@iot.id" in datastream:
            given = datastream["@iot.id"]
            if type(given) is not int or not 0 < given <= _MAX_ID:
                raise CannotDecode(f"@iot.id {str(given)[:40]!r} is not a positive whole number")
            if named is not None and named != given:
                raise CannotDecode(f"the topic says Datastream {named}, the payload {given}")
            named = given
        elif datastream is not None and not isinstance(datastream, Mapping):
            raise CannotDecode('Datastream is not an object such as {"@iot.id": number}')
        return ThingsKey(named)


def _start(phenomenon_time: object) -> object:
    if isinstance(phenomenon_time, str) and "/" in phenomenon_time:
        return phenomenon_time.partition("/")[0]
    return phenomenon_time


def _place(record: Mapping[str, object]) -> tuple[float, float] | None:
    """Return longitude and latitude; None where a record has none that can be on Earth."""
    latitude, longitude = record.get("latitude"), record.get("longitude")
    for value, most in ((latitude, 90), (longitude, 180)):
        if type(value) not in (int, float) or not -most <= cast("float", value) <= most:
            return None
    return float(cast("float", longitude)), float(cast("float", latitude))


def _topic_id(captured: str, what: str = "Datastream") -> int:
    if captured.isascii() and captured.isdigit() and 0 < len(captured) < 20:
        number = int(captured)
        if 0 < number <= _MAX_ID:
            return number
    raise CannotDecode(f"{what} {captured[:40]!r} in the topic is not a positive whole number")


def _feature(value: object, captured: str | None) -> tuple[int, dict[str, object]]:
    """Return the feature, and the parameter that keeps one described in place."""
    if captured is not None:
        named = _topic_id(captured, "FeatureOfInterest")
        if value not in (None, {"@iot.id": named}):
            raise CannotDecode(f"the topic says FeatureOfInterest {named}, the payload another one")
        return named, {}
    if value is None:
        return 0, {}
    if isinstance(value, Mapping):
        given = value.get("@iot.id")
        if type(given) is int and 0 < given <= _MAX_ID:
            return given, {}
        name = value.get("name")
        if given is None and isinstance(name, str) and name:
            return feature_of(name), {"FeatureOfInterest": value}
    raise CannotDecode('FeatureOfInterest is neither {"@iot.id": number} nor has a "name"')


def _described(records: Mapping[int, Mapping[str, object]]) -> dict[int, str]:
    """Return the features described in place, by number of the message."""
    found: dict[int, str] = {}
    for number, record in records.items():
        value = record.get("FeatureOfInterest")
        if isinstance(value, Mapping) and "@iot.id" not in value:
            name = value.get("name")
            if isinstance(name, str) and name and "feature" in value:
                with suppress(CannotDecode):  # It is a failure of its message already.
                    found[number] = json_text(value, ordered=True)
    return found


def _parameters(record: Mapping[str, object], more: Mapping[str, object]) -> str | None:
    given = record.get("parameters")
    found: dict[str, object] = {}
    if isinstance(given, Mapping):
        stated = cast("Mapping[str, object]", given)
        found.update((k, v) for k, v in stated.items() if not k.startswith(_RESERVED))
    elif given is not None:
        found["parameters"] = given
    found |= {
        name: value for name, value in record.items() if name not in _KNOWN and "@iot." not in name
    }
    found.update(more)
    for name in _KEPT_APART:
        if record.get(name) is not None:
            found[_RESERVED + name] = record[name]
    return json_text(found) if found else None
