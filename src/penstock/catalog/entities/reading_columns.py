"""Rows of a statement as columns of JSON.

Column by column, as texts and objects of each row by itself cost several times as much; so does a
database that is to write JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from penstock.catalog.entities.reading_statements import Statement


class Parts(TypedDict):
    """What `core.entities.Columns` are made from."""

    ids: Sequence[int]
    values: dict[str, Sequence[Any]]
    kinds: Sequence[str]


def columns_of(statement: Statement, rows: Sequence[tuple[Any, ...]]) -> Parts:
    """Return rows as columns."""
    if not rows:
        return Parts(ids=[], values={}, kinds=[])
    columns = dict(zip(statement.columns, zip(*rows, strict=True), strict=False))
    for name in statement.texts:
        columns[name] = tuple(_quoted(columns[name]))
    ids, kinds = columns.pop("@iot.id"), columns.pop("@kind", ())
    return Parts(ids=ids, values=dict(columns), kinds=kinds)


def sort_of(statement: Statement, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values that a row is sorted by; the last is its id, or its place."""
    first = len(statement.columns)
    last = first + statement.keys
    return row[first:last] if statement.has_places else (*row[first:last], row[0])


def _quoted(column: Sequence[str | None]) -> list[str | None]:
    """Return texts as JSON, and null as it is.

    One call for all of them: a line for each, as a JSON string has no line break in it.
    """
    has_null = None in column
    texts = ["" if text is None else text for text in column] if has_null else column
    lines = msgspec.json.Encoder().encode_lines(texts).decode()
    quoted: list[str | None] = [*lines[:-1].split("\n")]
    if has_null:
        return [None if text is None else one for text, one in zip(column, quoted, strict=True)]
    return quoted
