"""Arrays of samples of an accelerometer.

`[{"SerialNumber":"AAD-1123","Timestamp":"2024-10-15T08:00:00.123456789Z","Value":0.25}, ...]`:
one message holds thousands of samples, usually of one sensor.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import cast

import msgspec
import numpy as np

from penstock.codecs.columns import name_problem, nothing, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.measurement_layout import Samples, read_layout
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.core.codec import Failure, Int32s, Messages, Readings
from penstock.core.series import Series

#: Shorter payloads are parsed as quickly as they are looked at, in bytes.
_WORTH_A_LOOK = 2_000


class Sample(msgspec.Struct, gc=False, rename="pascal"):
    """One element of the array; further members are ignored."""

    serial_number: str
    timestamp: str
    value: float


class MeasurementsCodec:
    """Reads arrays of samples; the Thing is the serial number, the Datastream `acceleration`."""

    name = "measurements"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)
        self._json = JoinedJson(
            list[Sample],
            'a JSON array of {"SerialNumber": text, "Timestamp": RFC 3339 text, "Value": number}',
        )

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        parts: list[Readings] = []
        rest: list[int] = []
        for number, payload in enumerate(messages.payloads):
            samples = read_layout(payload) if len(payload) >= _WORTH_A_LOOK else None
            if samples is None:
                rest.append(number)
            else:
                parts.append(_alike(samples, number))
        if rest:
            parts.append(self._parse(messages, np.array(rest, np.int32)))
        return parts[0] if len(parts) == 1 else _together(parts)

    def _parse(self, messages: Messages, chosen: Int32s) -> Readings:
        decoded = self._json.decode([messages.payloads[number] for number in chosen.tolist()])
        failures = [Failure(int(chosen[fail.message]), fail.reason) for fail in decoded.failures]
        samples = list(chain.from_iterable(decoded.values))
        if not samples:
            return nothing(failures)
        read = chosen if decoded.messages is None else chosen[decoded.messages]
        message = np.repeat(read, list(map(len, decoded.values)))
        serials = [sample.serial_number for sample in samples]
        index = {serial: at for at, serial in enumerate(dict.fromkeys(serials))}
        series = np.array([index[serial] for serial in serials], np.int32)
        times, unread = read_times(
            [sample.timestamp for sample in samples], messages.arrived_us[message], self._zone
        )
        readings = Readings(
            keys=list(index),
            series=series,
            time_us=times,
            number=np.array([sample.value for sample in samples], np.float64),
            message=message,
            failures=failures,
        )
        wrong = [Failure(int(message[row]), reason) for row, reason in unread]
        for serial, at in index.items():
            if problem := name_problem("SerialNumber", serial):
                affected = np.unique(message[series == at]).tolist()
                wrong += [Failure(number, problem) for number in affected]
        return without(readings, wrong)

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        serial = cast("str", key)
        return Series(
            thing=serial,
            name="acceleration",
            observed_property="Acceleration",
            thing_properties={"serial_number": serial},
        )


def _alike(samples: Samples, number: int) -> Readings:
    rows = len(samples.value)
    return Readings(
        keys=[samples.serial],
        series=np.zeros(rows, np.int32),
        time_us=samples.time_us,
        number=samples.value,
        message=np.full(rows, number, np.int32),
    )


def _together(parts: Sequence[Readings]) -> Readings:
    """Return parts in the order of their messages; only the last may hold several messages."""
    if not parts:
        return nothing()
    index: dict[Hashable, int] = {}
    series = [
        np.array([index.setdefault(key, len(index)) for key in part.keys], np.int32)[part.series]
        for part in parts
    ]
    message = np.concatenate([part.message for part in parts])
    order = slice(None) if (np.diff(message) >= 0).all() else np.argsort(message, kind="stable")
    return Readings(
        keys=list(index),
        series=np.concatenate(series)[order],
        time_us=np.concatenate([part.time_us for part in parts])[order],
        number=np.concatenate([part.number for part in parts])[order],
        message=message[order],
        failures=parts[-1].failures,
    )
