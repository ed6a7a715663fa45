"""Answers as people get them: the columns of the query behind its times, always of one type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from penstock.core.queries import END, TIME, ColumnKind, Meaning

_UTC = pa.timestamp("us", tz="UTC")
_TYPES = {
    ColumnKind.NUMBER: pa.float64(), ColumnKind.TRUTH: pa.bool_(), ColumnKind.TEXT: pa.string(),
    ColumnKind.JSON: pa.string(), ColumnKind.TIME: _UTC,
}  # fmt: skip


def answers(parts: Iterable[pa.Table], meaning: Meaning) -> Iterator[pa.Table]:
    """Give the parts of an answer; one without rows if there is none."""
    schema = schema_of(meaning)
    is_empty = True
    for part in parts:
        is_empty = False
        yield part.select(schema.names).cast(schema, safe=False).sort_by(TIME)
    if is_empty:
        yield schema.empty_table()


def schema_of(meaning: Meaning) -> pa.Schema:
    """Return what columns the parts have."""
    columns = [(column.name, _TYPES[column.kind]) for column in meaning.columns]
    return pa.schema([(TIME, _UTC), (END, _UTC), *columns])
