"""Arrow IPC streams: many rows in one payload, for bulk import and HTTP.

Columns, in any order; texts may be dictionary-encoded:

- `thing` and `name` (texts), or `datastream` (integer: the id of an existing Datastream);
- `time`: timestamp of any unit (without a zone: in the zone of the settings), or integer
  microseconds; null or left out means arrival;
- `number` (any number or truth), or `text`, or both with one of them null in each row;
- optionally `unit`, `observed_property`, `observation_type`, `sensor` (texts), `longitude` and
  `latitude` (degrees), `feature` (integer), `end_time`, `result_time` (as `time`) and `parameters`
  (text, a JSON object).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from penstock.codecs.arrow_table import ArrowKey, Rows, read_rows
from penstock.codecs.columns import nothing
from penstock.codecs.settings import CodecSettings
from penstock.codecs.timestamps import time_zone
from penstock.codecs.units import measures, unit
from penstock.core.codec import Failure, Messages, Readings
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType, Series


class ArrowCodec:
    """Reads Arrow IPC streams, all columns at once."""

    name = "arrow"

    def __init__(self, settings: CodecSettings) -> None:
        self._zone = time_zone(settings.time_zone)

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        parts: list[tuple[int, Rows]] = []
        failures: list[Failure] = []
        for number, payload in enumerate(messages.payloads):
            try:
                part = read_rows(payload, int(messages.arrived_us[number]), self._zone)
            except CannotDecode as problem:
                failures.append(Failure(number, str(problem)))
                continue
            if len(part.codes):
                parts.append((number, part))
        return _together(parts, failures)

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        known = cast("ArrowKey", key)
        if known.datastream is not None:
            return Series(datastream_id=known.datastream)
        place = (known.longitude, known.latitude)
        symbol = known.unit or ""
        return Series(
            thing=known.thing or "",
            name=known.name or "",
            observed_property=known.observed_property or measures(symbol),
            observation_type=ObservationType(known.observation_type or "Measurement"),
            unit=unit(symbol),
            sensor=known.sensor or "",
            location=None if None in place else cast("tuple[float, float]", place),
        )


def _together(parts: Sequence[tuple[int, Rows]], failures: Sequence[Failure]) -> Readings:
    if not parts:
        return nothing(failures)
    index: dict[ArrowKey, int] = {}
    series = []
    for _, rows in parts:
        codes = [index.setdefault(key, len(index)) for key in rows.keys]
        series.append(np.array(codes, np.int32)[rows.codes])
    counts = [len(rows.codes) for _, rows in parts]
    return Readings(
        keys=list(index),
        series=np.concatenate(series),
        time_us=np.concatenate([rows.time_us for _, rows in parts]),
        number=np.concatenate([rows.number for _, rows in parts]),
        message=np.repeat(np.array([number for number, _ in parts], np.int32), counts),
        text=_optional([rows.text for _, rows in parts], counts, pa.string()),
        feature=np.concatenate([rows.feature for _, rows in parts]),
        end_time_us=_optional([rows.end_time_us for _, rows in parts], counts, pa.int64()),
        result_time_us=_optional([rows.result_time_us for _, rows in parts], counts, pa.int64()),
        parameters=_optional([rows.parameters for _, rows in parts], counts, pa.string()),
        failures=failures,
    )


def _optional(
    columns: Sequence[pa.Array | None], counts: Sequence[int], kind: pa.DataType
) -> pa.Array | None:
    if all(column is None for column in columns):
        return None
    return pa.concat_arrays(
        [
            pa.nulls(count, kind) if column is None else column
            for column, count in zip(columns, counts, strict=True)
        ]
    )
