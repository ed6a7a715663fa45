"""Arrays of samples of an accelerometer.

`[{"SerialNumber":"AAD-1123","Timestamp":"2024-10-15T08:00:00.123456789Z","Value":0.25}, ...]`:
one message holds thousands of samples, usually of one sensor.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain
from typing import cast

import msgspec
import numpy as np

from penstock.codecs.columns import name_problem, nothing, without
from penstock.codecs.joined import JoinedJson
from penstock.codecs.settings import CodecSettings
from penstock.codecs.time_columns import read_times
from penstock.codecs.timestamps import time_zone
from penstock.core.codec import Failure, Messages, Readings
from penstock.core.series import Series


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
        decoded = self._json.decode(messages.payloads)
        samples = list(chain.from_iterable(decoded.values))
        if not samples:
            return nothing(decoded.failures)
        numbers = np.arange(len(messages)) if decoded.messages is None else decoded.messages
        message = np.repeat(np.asarray(numbers, np.int32), list(map(len, decoded.values)))
        serials = [sample.serial_number for sample in samples]
        keys = list(dict.fromkeys(serials))
        if len(keys) == 1:
            series = np.zeros(len(samples), np.int32)
        else:
            index = {serial: at for at, serial in enumerate(keys)}
            series = np.array([index[serial] for serial in serials], np.int32)
        times, unread = read_times(
            [sample.timestamp for sample in samples], messages.arrived_us[message], self._zone
        )
        readings = Readings(
            keys=keys,
            series=series,
            time_us=times,
            number=np.array([sample.value for sample in samples], np.float64),
            message=message,
            failures=decoded.failures,
        )
        failures = [Failure(int(message[row]), reason) for row, reason in unread]
        for at, serial in enumerate(keys):
            if problem := name_problem("SerialNumber", serial):
                wrong = np.unique(message[series == at]).tolist()
                failures += [Failure(number, problem) for number in wrong]
        return without(readings, failures)

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        serial = cast("str", key)
        return Series(
            thing=serial,
            name="acceleration",
            observed_property="Acceleration",
            thing_properties={"serial_number": serial},
        )
