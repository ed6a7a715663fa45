"""Any table of Arrow as JSON: columns in order, values that JSON has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa

from penstock.api.apps.answers import AnswerColumn
from penstock.api.columns import iso_times


def columns_of(schema: pa.Schema) -> list[AnswerColumn]:
    """Return names and types."""
    return [AnswerColumn(field.name, str(field.type)) for field in schema]


def values_of(table: pa.Table, *, iso: bool = False) -> list[list[Any]]:
    """Return the values of each column: times in microseconds UTC, or as ISO 8601 text."""
    return [_values(column, iso=iso) for column in table.columns]


def rows_of(table: pa.Table, *, iso: bool = False) -> Iterator[bytes]:
    """Give each row as a JSON object in a line; of columns with one name the last counts."""
    names = table.schema.names
    for row in zip(*values_of(table, iso=iso), strict=True):
        yield encode(dict(zip(names, row, strict=True))) + b"\n"


def encode(document: object) -> bytes:
    """Return a document as JSON; what JSON does not have becomes text."""
    return msgspec.json.encode(document, enc_hook=_text)


def flat(table: pa.Table) -> pa.Table:
    """Return a table that CSV can hold: nested values as JSON, others as text."""
    for at, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            values = table.column(at).to_pylist()
            made = [None if one is None else encode(one).decode() for one in values]
            table = table.set_column(at, field.name, pa.array(made, pa.string()))
        elif pa.types.is_decimal(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.string()))
    return table


def _values(column: pa.ChunkedArray, *, iso: bool) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = iso_times(column) if iso else column.cast(pa.timestamp("us")).cast(pa.int64())
    return list(column.to_pylist())


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID):
        return str(value)
    return str(value)


__all__: Sequence[str] = ("columns_of", "encode", "flat", "rows_of", "values_of")
