"""The answer of a rule's query in columns: times, signals, keys and values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.alarms.machine import Signal
from penstock.core.queries import END, ROW, SERIES, TIME

#: Columns by which a query says what it finds; see `core.alarm_rules.RuleSpec`.
RAISED, CLEARED = "raised", "cleared"
_HIDDEN = frozenset({TIME, END, SERIES, ROW, RAISED, CLEARED})
#: Columns that say best what an alarm is about, in this order.
_SUBJECT = ("name", "thing", "sensor", "property", "datastream", "system")


class Shape(msgspec.Struct, frozen=True):
    """What is known of a query's columns.

    Attributes:
        keys: Columns that tell the alarms of the rule apart, beside the datastream of a
            row-by-row query.
        has_raised: Whether it has the column `raised`; without, every row is a moment at which
            the condition was met.
        has_cleared: Whether it has the column `cleared`.
    """

    keys: Sequence[str] = ()
    has_raised: bool = True
    has_cleared: bool = False


class Rows:
    """An answer, with its parts made when they are asked for.

    Args:
        table: As a `core.queries.Sink` gets it.
        shape: Of the query.
    """

    def __init__(self, table: pa.Table, shape: Shape) -> None:
        self.table = table
        self._shape = shape
        self.times = times_of(table.column(TIME))
        self.signals = self._signals()

    def _signals(self) -> Any:
        count = self.table.num_rows
        if not self._shape.has_raised:
            return np.full(count, Signal.RAISED, np.int8)
        raised, is_known = _truth(self.table.column(RAISED))
        if self._shape.has_cleared:
            cleared, _ = _truth(self.table.column(CLEARED))
        else:
            cleared = ~raised & is_known
        signals = np.full(count, Signal.BETWEEN, np.int8)
        signals[cleared] = Signal.CLEAR
        signals[raised] = Signal.RAISED
        return signals

    def codes(self) -> tuple[Any, Any]:
        """Return numbers of the keys that occur, and for each row the index of its key there."""
        codes = np.asarray(_integers(self.table.column(SERIES)))
        if not self._shape.keys:
            return _unique(codes)
        _, codes = _unique(codes)
        for name in self._shape.keys:
            column = self.table.column(name).combine_chunks().dictionary_encode("encode")
            parts = np.asarray(column.indices.cast(pa.int64()))
            _, codes = _unique(codes * (len(column.dictionary) + 1) + parts)
        return _unique(codes)

    def key(self, row: int) -> str:
        """Return the key of a row, as it is kept."""
        parts: list[Any] = [_integers(self.table.column(SERIES).slice(row, 1))[0].item()]
        parts += [plain(self.table.column(name)[row].as_py()) for name in self._shape.keys]
        return msgspec.json.encode(parts).decode()

    def values(self, row: int) -> Mapping[str, Any]:
        """Return the columns of a row by name."""
        return {
            name: plain(self.table.column(name)[row].as_py())
            for name in self.table.column_names
            if name not in _HIDDEN
        }


def series_key(series: int) -> str:
    """Return the key of a datastream in a row-by-row query."""
    return f"[{series}]"


def subject_of(key: str, values: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return what an alarm is about, for people."""
    named = [str(values[name]) for name in keys if values.get(name) is not None]
    if named:
        return ", ".join(named)[:255]
    for name in _SUBJECT:
        if values.get(name) not in (None, ""):
            return str(values[name])[:255]
    return f"datastream {key.strip('[]')}"[:255]


def times_of(column: pa.ChunkedArray | pa.Array) -> Any:
    """Return times as microseconds UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return _integers(column)


def plain(value: Any) -> Any:
    """Return a value as JSON has it; times in ISO 8601."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): plain(one) for name, one in value.items()}
    return str(value)


def _integers(column: Any) -> Any:
    return np.asarray(pc.fill_null(column.cast(pa.int64()), fill_value=0).to_numpy())


def _truth(column: Any) -> tuple[Any, Any]:
    """Return where a column is true, and where it is known."""
    if not pa.types.is_boolean(column.type):
        column = pc.not_equal(column, 0)
    is_true = np.asarray(pc.fill_null(column, fill_value=False).to_numpy())
    return is_true, np.asarray(pc.is_valid(column).to_numpy())


def _unique(codes: Any) -> tuple[Any, Any]:
    uniques, inverse = np.unique(codes, return_inverse=True)
    return uniques, inverse
