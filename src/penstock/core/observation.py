"""An observation, in columns: the schema that every store, codec and page agrees on."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

#: One row is one result. An observation is identified by (datastream, time, feature): a row with
#: an identity already held replaces it, so sending twice is harmless. `feature` is 0 unless the
#: payload names what was observed apart from the datastream's own thing (a passing traveller).
#:
#: - `datastream`: id in the catalog.
#: - `time`: phenomenon time, microseconds UTC; the start of it when `end_time` is set.
#: - `number`: numeric result; 1 and 0 for true and false; null when the result is text.
#: - `text`: text, category or JSON result; the datastream's observation type says which.
#: - `feature`: see above.
#: - `end_time`: end of the phenomenon time when it is an interval.
#: - `result_time`: when the result was made, if that is known and differs.
#: - `parameters`: further named values as a JSON object.
SCHEMA = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("number", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("feature", pa.int64(), nullable=False),
        pa.field("end_time", pa.timestamp("us", tz="UTC")),
        pa.field("result_time", pa.timestamp("us", tz="UTC")),
        pa.field("parameters", pa.string()),
    ]
)

#: Phenomenon times that can be kept: years 1 to 9999, microseconds UTC. The upper bound is
#: exclusive.
MIN_TIME_US = -62_135_596_800_000_000
MAX_TIME_US = 253_402_300_800_000_000


def observations(
    datastream: pa.Array | Sequence[int],
    time: pa.Array | Sequence[int],
    number: pa.Array | Sequence[float | None] | None = None,
    **columns: pa.Array | Sequence[object],
) -> pa.RecordBatch:
    """Build a batch in `SCHEMA` from the columns given; the others become null (`feature` 0).

    Sequences, numpy arrays and Arrow arrays are taken; `time` may be integers in microseconds.
    """
    given: dict[str, object] = {"datastream": datastream, "time": time, "number": number}
    given.update(columns)
    rows = len(datastream)
    arrays = []
    for field in SCHEMA:
        value = given.pop(field.name, None)
        if value is None:
            fill = 0 if field.name == "feature" else None
            arrays.append(pa.array([fill] * rows, field.type) if rows < 64 else _fill(rows, field))
        elif isinstance(value, (pa.Array, pa.ChunkedArray)):
            arrays.append(value if value.type == field.type else value.cast(field.type))
        else:
            arrays.append(pa.array(value, field.type))
    if given:
        msg = f"unknown column {min(given)!r}; columns are {', '.join(SCHEMA.names)}"
        raise TypeError(msg)
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _fill(rows: int, field: pa.Field) -> pa.Array:
    if field.name == "feature":
        return pa.repeat(pa.scalar(0, field.type), rows)
    return pa.nulls(rows, field.type)
