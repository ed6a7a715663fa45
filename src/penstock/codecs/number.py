"""A single value: `21.5`, `true`, or an object such as `{"value":21.5,"unit":"°C"}`.

Fits any topic: the last level names the Datastream, the levels before it the Thing; a topic
of one level is the Thing, and the Datastream is `value`. An object may carry `time`, `timestamp` or
`ts` and `unit`; its value may also be a text. Without a time the time of arrival counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from typing import NamedTuple, cast

import msgspec
import numpy as np
import pyarrow as pa

from penstock.codecs.columns import name_problem, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.codecs.units import measures, unit
from penstock.core.codec import Failure, Floats, Messages, Readings
from penstock.core.series import ObservationType, Series

#: Numbers as people and firmware write them where JSON does not: +3, .5, 5., 007.
_LENIENT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_TRUTHS = {b"true": True, b"false": False}
_KINDS = {
    float: ObservationType.MEASUREMENT,
    bool: ObservationType.TRUTH,
    str: ObservationType.CATEGORY,
}
_EXPECTS = 'a number, true, false, or a JSON object {"value": number, true, false or text}'


class Single(msgspec.Struct, gc=False):
    """An object with a value; further members are ignored."""

    value: float | bool | str
    time: int | float | str | None = None
    timestamp: int | float | str | None = None
    ts: int | float | str | None = None
    unit: str = ""


class NumberKey(NamedTuple):
    """A topic, what kind of value it carries, and its unit."""

    topic: str
    kind: ObservationType
    unit: str


class NumberCodec:
    """Reads single values; usable as a fallback for any topic."""

    name = "number"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json: JoinedJson[float | bool | Single] = JoinedJson(
            float | bool | Single,  # type: ignore[arg-type]
            _EXPECTS,
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        values, chosen, failures = self._values(messages)
        index: dict[tuple[str, ObservationType, str], int] = {}
        series: list[int] = []
        results: list[float | bool | str] = []
        stamps: list[object] = []
        topics = messages.topics
        for number, value in zip(chosen, values, strict=True):
            if isinstance(value, Single):
                label, stamp, result = value.unit, _stamp(value), value.value
            else:
                label, stamp, result = "", None, value
            key = (topics[number], _KINDS[type(result)], label)
            series.append(index.setdefault(key, len(index)))
            results.append(result)
            stamps.append(stamp)
        keys = [NumberKey(*key) for key in index]
        numbers, texts = _columns(results)
        message = np.array(chosen, np.int32)
        times, unread = read_times(stamps, messages.arrived_us[message], self._zone)
        readings = Readings(
            keys=keys,
            series=np.array(series, np.int32),
            time_us=times,
            number=numbers,
            text=texts,
            message=message,
            failures=failures,
        )
        wrong = [Failure(int(message[row]), reason) for row, reason in unread]
        for at, key in enumerate(keys):
            if problem := _topic_problem(key.topic):
                wrong += [Failure(m, problem) for m in message[readings.series == at].tolist()]
        return without(readings, wrong)

    def _values(
        self, messages: Messages
    ) -> tuple[list[float | bool | Single], list[int], list[Failure]]:
        decoded = self._json.decode(messages.payloads)
        chosen = list(range(len(messages))) if decoded.messages is None else decoded.messages
        if not decoded.failures:
            return decoded.values, chosen, []
        found = dict(zip(chosen, decoded.values, strict=True))
        failures = []
        for failure in decoded.failures:
            value = _lenient(messages.payloads[failure.message])
            if value is None:
                failures.append(failure)
            else:
                found[failure.message] = value
        ordered = sorted(found)
        return [found[number] for number in ordered], ordered, failures

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        topic, kind, label = cast("NumberKey", key)
        thing, name = split_topic(topic)
        return Series(
            thing=thing,
            name=name,
            observed_property=measures(label),
            observation_type=kind,
            unit=unit(label),
        )


def _columns(results: list[float | bool | str]) -> tuple[Floats, pa.Array | None]:
    if str not in set(map(type, results)):
        return np.array(results, np.float64), None
    texts = [result if isinstance(result, str) else None for result in results]
    numbers = [math.nan if isinstance(result, str) else result for result in results]
    return np.array(numbers, np.float64), pa.array(texts, pa.string())


def split_topic(topic: str) -> tuple[str, str]:
    """Return Thing and Datastream that a topic names."""
    thing, _, name = topic.strip("/").rpartition("/")
    thing = thing.rstrip("/")
    return (thing, name) if thing else (name, "value")


def _topic_problem(topic: str) -> str | None:
    thing, name = split_topic(topic)
    return name_problem("the Thing in the topic", thing) or name_problem(
        "the last level of the topic", name
    )


def _stamp(value: Single) -> int | float | str | None:
    for stamp in (value.time, value.timestamp, value.ts):
        if stamp is not None:
            return stamp
    return None


def _lenient(payload: bytes) -> float | bool | None:
    text = payload.strip()
    if _LENIENT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return _TRUTHS.get(text.lower())
