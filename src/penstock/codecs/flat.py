"""Flat objects of metrics: `{"BAT":99,"TMP":25.3,"timestamp":"2019-11-26T03:54:20+03:00"}`.

The topic is `<location>/<station>`. Every number is one result, true and false count as 1 and 0,
texts and everything else are ignored. Without a timestamp the time of arrival counts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import msgspec
import numpy as np

from penstock.codecs.columns import name_problem, nothing, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.core.codec import Failure, Floats, Int32s, Int64s, Messages, Readings
from penstock.core.series import ObservationType, Series

#: The member that holds the time; never a metric.
TIMESTAMP = "timestamp"
#: Integers up to here are exact as floats.
_EXACT = 2.0**53
_Value = float | bool | str | None | list[msgspec.Raw] | dict[str, msgspec.Raw]


class FlatKey(NamedTuple):
    """A metric of a station; `truth` when it came as true or false."""

    location: str
    station: str
    metric: str
    truth: bool


class _Station(NamedTuple):
    location: str
    station: str


class _Alike(NamedTuple):
    """Messages with the same members of the same types: their numbers in the batch and values."""

    numbers: list[int]
    values: list[tuple[_Value, ...]]


class _Block(NamedTuple):
    """The rows of messages that are alike, message by message."""

    series: Int32s
    time_us: Int64s
    number: Floats
    message: Int32s


class FlatCodec:
    """Reads flat objects; the Thing is `<location>/<station>`, each metric a Datastream."""

    name = "flat"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json: JoinedJson[dict[str, _Value]] = JoinedJson(
            dict[str, _Value], 'a flat JSON object such as {"BAT": 99, "TMP": 25.3}'
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        numbers = decoded.messages if decoded.messages is not None else range(len(messages))
        groups: dict[tuple[object, ...], _Alike] = {}
        for number, metrics in zip(numbers, decoded.values, strict=True):
            values = tuple(metrics.values())
            shape = (*metrics, *map(type, values))
            alike = groups.get(shape)
            if alike is None:
                alike = groups[shape] = _Alike([], [])
            alike.numbers.append(number)
            alike.values.append(values)
        index: dict[FlatKey, int] = {}
        failures: list[Failure] = []
        blocks = [
            self._block(messages, shape, alike, index, failures) for shape, alike in groups.items()
        ]
        return without(_together(blocks, list(index), decoded.failures), failures)

    def _block(
        self,
        messages: Messages,
        shape: tuple[object, ...],
        alike: _Alike,
        index: dict[FlatKey, int],
        failures: list[Failure],
    ) -> _Block:
        width = len(shape) // 2
        names = cast("tuple[str, ...]", shape[:width])
        chosen = [
            at
            for at in range(width)
            if shape[width + at] in {float, bool} and names[at] != TIMESTAMP
        ]
        message = np.array(alike.numbers, np.int32)
        columns = list(zip(*alike.values, strict=True))
        times = self._times(messages, names, columns, message, failures)
        number = np.empty((len(message), len(chosen)))
        for at, column in enumerate(chosen):
            number[:, at] = columns[column]
        topics: dict[str, int] = {}
        codes = [topics.setdefault(messages.topics[at], len(topics)) for at in alike.numbers]
        first = np.unique(codes, return_index=True)[1]
        metrics = tuple((names[at], shape[width + at] is bool) for at in chosen)
        ids = np.empty((len(topics), len(chosen)), np.int32)
        for code, at in enumerate(first.tolist()):
            station = _station(messages, alike.numbers[at])
            keys, problem = _keys(station, metrics)
            ids[code] = [index.setdefault(key, len(index)) for key in keys]
            if problem:
                affected = [one for one, of in zip(alike.numbers, codes, strict=True) if of == code]
                failures += [Failure(one, problem) for one in affected]
        return _Block(
            series=ids[codes].reshape(-1),
            time_us=np.repeat(times, len(chosen)),
            number=number.reshape(-1),
            message=np.repeat(message, len(chosen)),
        )

    def _times(
        self,
        messages: Messages,
        names: Sequence[str],
        columns: Sequence[Sequence[_Value]],
        message: Int32s,
        failures: list[Failure],
    ) -> Int64s:
        arrived = messages.arrived_us[message]
        if TIMESTAMP not in names:
            return arrived
        stamps: Sequence[object] = columns[names.index(TIMESTAMP)]
        if isinstance(stamps[0], float):
            stamps = [
                stamp if cast("float", stamp) < _EXACT else _exact(messages.payloads[number])
                for stamp, number in zip(stamps, message.tolist(), strict=True)
            ]
        times, unread = read_times(stamps, arrived, self._zone)
        failures += [Failure(int(message[row]), reason) for row, reason in unread]
        return times

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        location, station, metric, truth = cast("FlatKey", key)
        facts = {"location": location, "station": station}
        return Series(
            thing=f"{location}/{station}" if location else station,
            name=metric,
            observation_type=ObservationType.TRUTH if truth else ObservationType.MEASUREMENT,
            thing_properties={name: value for name, value in facts.items() if value},
        )


def _exact(payload: bytes) -> object:
    """Return a timestamp of more than 53 bits as the integer it is."""
    return msgspec.json.decode(payload, type=dict[str, object])[TIMESTAMP]


def _station(messages: Messages, number: int) -> _Station:
    fields = messages.fields[number]
    if station := fields.get("station"):
        return _Station(fields.get("location", ""), station)
    location, _, station = messages.topics[number].rpartition("/")
    return _Station(location, station)


@lru_cache(maxsize=65_536)
def _keys(
    station: _Station, metrics: tuple[tuple[str, bool], ...]
) -> tuple[tuple[FlatKey, ...], str | None]:
    """Return the keys of a station's metrics, and why they cannot be kept."""
    keys = tuple(FlatKey(*station, *metric) for metric in metrics)
    # The slash between the two is part of the name.
    problem = name_problem("the station's name", "/".join(station)) if metrics else None
    for name, _ in metrics:
        problem = problem or name_problem("a metric's name", name)
    return keys, problem


def _together(
    blocks: Sequence[_Block], keys: Sequence[FlatKey], failures: Sequence[Failure]
) -> Readings:
    """Return the rows of all blocks in the order of their messages."""
    if not keys:
        return nothing(failures)
    columns = [np.concatenate(column) for column in zip(*blocks, strict=True)]
    if len(blocks) > 1:
        order = np.argsort(columns[3], kind="stable")
        columns = [column[order] for column in columns]
    series, time_us, number, message = columns
    return Readings(
        keys=keys, series=series, time_us=time_us, number=number, message=message, failures=failures
    )
