"""From `core.observation.SCHEMA` to the columns of a lake file, and back.

docs/formats/lake.md specifies the columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.stores.lake import decimals
from penstock.stores.selecting import int64s, nulls

_UTC_US = pa.timestamp("us", tz="UTC")
_DOUBLE = pa.float64()
_UTC_MS = pa.timestamp("ms", tz="UTC")
_DELTA = ("datastream", "time", "digits", "feature", "end_time", "result_time")
_ENCODINGS = dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED") | {"number": "BYTE_STREAM_SPLIT"}
_DICTIONARIES = ["scale", "text", "parameters"]
#: Columns that are read when only numbers are wanted.
NUMBER_COLUMNS = ("datastream", "time", "digits", "scale", "number", "feature")


def file_schema(*, in_ms: bool) -> pa.Schema:
    """Return the columns of a file; times in milliseconds where no row needs more."""
    time = _UTC_MS if in_ms else _UTC_US
    return pa.schema(
        [
            pa.field("datastream", pa.int64(), nullable=False),
            pa.field("time", time, nullable=False),
            pa.field("digits", pa.int64()),
            pa.field("scale", pa.int8(), nullable=False),
            pa.field("number", pa.float64()),
            pa.field("text", pa.string()),
            pa.field("feature", pa.int64(), nullable=False),
            pa.field("end_time", _UTC_US),
            pa.field("result_time", _UTC_US),
            pa.field("parameters", pa.string()),
        ]
    )


def is_whole_ms(table: pa.Table) -> bool:
    """Return whether no time needs more than milliseconds."""
    time = int64s(table["time"])
    # Multiplying back is much faster than a remainder.
    return not len(time) or (time[0] % 1000 == 0 and bool((time // 1000 * 1000 == time).all()))


def to_file(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows in `SCHEMA`, sorted by datastream, as the columns of a file."""
    datastream = int64s(table["datastream"])
    starts = np.flatnonzero(np.append(True, datastream[1:] != datastream[:-1])[: len(datastream)])
    column = table["number"].combine_chunks()
    number = column.to_numpy(zero_copy_only=False)
    is_held = np.ones(len(number), np.bool_)
    if column.null_count:
        is_held = column.is_valid().to_numpy(zero_copy_only=False)
    digits, scale, is_decimal = decimals.split(number, is_held, starts)
    changed = {
        "time": table["time"].cast(schema.field("time").type),
        "digits": pa.array(digits, mask=~is_decimal),
        "scale": pa.array(scale),
        "number": pa.array(number, mask=~(is_held & ~is_decimal)),
    }
    columns = [
        changed.get(f.name, table[f.name] if f.name in table.column_names else None) for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_file(stored: pa.Table) -> pa.Table:
    """Return what `to_file` made as rows in `SCHEMA`; columns left out become null."""
    rows = stored.num_rows
    columns: list[pa.Array | pa.ChunkedArray] = []
    for field in SCHEMA:
        if field.name == "number":
            columns.append(numbers_of(stored))
        elif field.name not in stored.column_names:
            columns.append(nulls(rows, field.type))
        else:
            column = stored[field.name]
            columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def numbers_of(stored: pa.Table) -> pa.Array:
    """Return the numbers of rows of a file, null where there is none."""
    rows, names = stored.num_rows, stored.column_names
    # Columns without any value are not read.
    number = stored["number"].combine_chunks() if "number" in names else pa.nulls(rows, _DOUBLE)
    if "digits" not in names or stored["digits"].null_count == rows:
        return number
    digits = stored["digits"].combine_chunks()
    scale = stored["scale"].to_numpy()
    if not digits.null_count:
        return pa.array(decimals.join(digits.to_numpy(), scale))
    is_decimal = digits.is_valid().to_numpy(zero_copy_only=False)
    joined = decimals.join(digits.fill_null(0).to_numpy(), scale)
    if number.null_count == len(number):
        return pa.array(joined, mask=~is_decimal)
    is_number = number.is_valid().to_numpy(zero_copy_only=False)
    plain = number.to_numpy(zero_copy_only=False)
    return pa.array(np.where(is_decimal, joined, plain), mask=~(is_decimal | is_number))


def writer_options(compression_level: int) -> dict[str, Any]:
    """Return how a file is written as Parquet."""
    return {
        "compression": "zstd",
        "compression_level": compression_level,
        "use_dictionary": _DICTIONARIES,
        # Nothing else is searched by them, and they take as long to make as the rest.
        "write_statistics": ["datastream", "time", "feature"],
        "column_encoding": _ENCODINGS,
        "store_schema": False,
    }
