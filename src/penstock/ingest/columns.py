"""Readings and datastream ids become one batch of observations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.codec import Int64s, Readings
from penstock.core.observation import SCHEMA
from penstock.ingest.decoding import Part, rows_of

_TIME = SCHEMA.field("time").type
EMPTY = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in SCHEMA], schema=SCHEMA)


def observations_of(parts: Sequence[Part], datastreams: Sequence[Int64s]) -> pa.RecordBatch:
    """Return the rows of all parts in the order of their messages.

    Args:
        parts: What the codecs read.
        datastreams: For each part the id of each of its rows; rows with 0 are left out.
    """
    batches = []
    messages = []
    for part, ids in zip(parts, datastreams, strict=True):
        readings, message, kept = part.readings, part.message, ids
        if len(ids) and int(ids.min()) == 0:
            rows = np.flatnonzero(ids)
            readings, message, kept = rows_of(readings, rows), message[rows], ids[rows]
        if len(kept):
            batches.append(_batch(readings, kept))
            messages.append(message)
    if not batches:
        return EMPTY
    if len(batches) == 1 and _is_sorted(messages[0]):
        return batches[0]
    order = np.argsort(np.concatenate(messages), kind="stable")
    return pa.concat_batches(batches).take(pa.array(order))


def _is_sorted(values: Int64s) -> bool:
    return bool((values[1:] >= values[:-1]).all())


def _batch(readings: Readings, ids: Int64s) -> pa.RecordBatch:
    rows = len(ids)
    number, text = pa.array(readings.number), pa.nulls(rows, pa.string())
    if readings.text is not None:
        text = readings.text.cast(pa.string())
        number = pc.if_else(pc.is_valid(text), pa.scalar(None, pa.float64()), number)
    feature = np.zeros(rows, np.int64) if readings.feature is None else readings.feature
    columns = [
        pa.array(ids),
        pa.array(readings.time_us).view(_TIME),
        number,
        text,
        pa.array(feature),
        _times(readings.end_time_us, rows),
        _times(readings.result_time_us, rows),
        pa.nulls(rows, pa.string())
        if readings.parameters is None
        else readings.parameters.cast(pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _times(values: pa.Array | None, rows: int) -> pa.Array:
    return pa.nulls(rows, _TIME) if values is None else values.cast(pa.int64()).view(_TIME)
