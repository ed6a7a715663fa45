"""Flat objects of metrics: `{"BAT":99,"TMP":25.3,"timestamp":"2019-11-26T03:54:20+03:00"}`.

The topic is `<location>/<station>`. Every number is one result, true and false count as 1 and 0,
texts and everything else are ignored. Without a timestamp the time of arrival counts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from operator import itemgetter
from typing import NamedTuple, cast

import numpy as np

from penstock.codecs.columns import floats, name_problem, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.core.codec import Failure, Messages, Readings
from penstock.core.series import ObservationType, Series

#: The member that holds the time; never a metric.
TIMESTAMP = "timestamp"


class FlatKey(NamedTuple):
    """A metric of a station; `truth` when it came as true or false."""

    location: str
    station: str
    metric: str
    truth: bool


class _Layout(NamedTuple):
    """What to do with every message that has these members in this order."""

    pick: Callable[[list[object]], tuple[float, ...]]
    series: tuple[int, ...]
    timestamp: int | None
    problem: str | None


class FlatCodec:
    """Reads flat objects; the Thing is `<location>/<station>`, each metric a Datastream."""

    name = "flat"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json = JoinedJson(
            dict[str, object], 'a flat JSON object such as {"BAT": 99, "TMP": 25.3}'
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        chosen = decoded.messages if decoded.messages is not None else range(len(messages))
        topics, fields = messages.topics, messages.fields
        layouts: dict[Hashable, _Layout] = {}
        index: dict[FlatKey, int] = {}
        numbers: list[float] = []
        series: list[int] = []
        lengths: list[int] = []
        stamps: list[object] = []
        refused: list[Failure] = []
        for number, metrics in zip(chosen, decoded.values, strict=True):
            values = list(metrics.values())
            shape = (topics[number], *metrics, *map(type, values))
            layout = layouts.get(shape)
            if layout is None:
                layout = layouts[shape] = _layout(topics[number], fields[number], metrics, index)
            pick, rows, timestamp, problem = layout
            if problem is not None:
                refused.append(Failure(number, problem))
            numbers += pick(values)
            series += rows
            lengths.append(len(rows))
            stamps.append(None if timestamp is None else values[timestamp])
        message = np.array(chosen, np.int32)
        times, unread = read_times(stamps, messages.arrived_us[message], self._zone)
        failures = [*refused, *(Failure(int(message[row]), reason) for row, reason in unread)]
        message = np.repeat(message, lengths)
        result, large = floats(numbers)
        failures += [Failure(int(message[row]), "a number is too large") for row in large]
        readings = Readings(
            keys=list(index),
            series=np.array(series, np.int32),
            time_us=np.repeat(times, lengths),
            number=result,
            message=message,
            failures=decoded.failures,
        )
        return without(readings, failures)

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


def _layout(
    topic: str, fields: Mapping[str, str], metrics: Mapping[str, object], index: dict[FlatKey, int]
) -> _Layout:
    location, station = fields.get("location", ""), fields.get("station", "")
    if not station:
        location, _, station = topic.rpartition("/")
    members = list(metrics)
    chosen = [
        at
        for at, (name, value) in enumerate(metrics.items())
        if isinstance(value, (int, float)) and name != TIMESTAMP
    ]
    problem = name_problem("the station's name", f"{location}/{station}")
    for at in chosen:
        problem = problem or name_problem("a metric's name", members[at])
    if problem:
        return _Layout(_pick([]), (), None, problem)
    rows = tuple(
        index.setdefault(
            FlatKey(location, station, members[at], isinstance(metrics[members[at]], bool)),
            len(index),
        )
        for at in chosen
    )
    timestamp = members.index(TIMESTAMP) if TIMESTAMP in metrics else None
    return _Layout(_pick(chosen), rows, timestamp, None)


def _pick(chosen: list[int]) -> Callable[[list[object]], tuple[float, ...]]:
    if not chosen:
        return lambda _: ()
    if len(chosen) == 1:
        return itemgetter(slice(chosen[0], chosen[0] + 1))
    return itemgetter(*chosen)
