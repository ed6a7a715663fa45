"""How far the values of datastreams reach: ends, result times, least and greatest number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.store import EXTENTS
from penstock.stores.selecting import LATEST, NEVER, Int64s, int64s, sort_by

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Extents:
    """Extents by datastream, ascending.

    Where there is no such value the first time is after every other, the last one `NEVER`, the
    least number is above the greatest.

    Attributes:
        datastream: Ids.
        end_us: Greatest phenomenon times.
        first_us: Least result times.
        last_us: Greatest result times.
        low: Least numbers.
        high: Greatest numbers.
        is_known: False where rows were replaced or removed, and the others are to be found anew.
    """

    datastream: Int64s
    end_us: Int64s
    first_us: Int64s
    last_us: Int64s
    low: Floats
    high: Floats
    is_known: Bools

    @classmethod
    def unknown(cls, datastream: Int64s) -> Extents:
        """Return what is known of datastreams before looking."""
        count = len(datastream)
        return cls(
            datastream,
            np.full(count, NEVER),
            np.full(count, LATEST),
            np.full(count, NEVER),
            np.full(count, np.inf),
            np.full(count, -np.inf),
            np.zeros(count, np.bool_),
        )

    @classmethod
    def of(cls, rows: pa.Table) -> Extents:
        """Return the extents of rows in `SCHEMA`."""
        count = rows.num_rows
        # Arrow's memory cannot be written to, and `remember` writes.
        datastream, end = np.array(int64s(rows["datastream"])), np.array(int64s(rows["time"]))
        if rows["end_time"].null_count < count:
            end = np.maximum(end, _filled(rows["end_time"], NEVER))
        first = last = np.full(count, LATEST)
        if rows["result_time"].null_count < count:
            first = _filled(rows["result_time"], LATEST)
            last = _filled(rows["result_time"], NEVER)
        else:
            last = np.full(count, NEVER)
        number = rows["number"].to_numpy(zero_copy_only=False)
        is_none = np.isnan(number)
        low, high = np.where(is_none, np.inf, number), np.where(is_none, -np.inf, number)
        known = np.ones(count, np.bool_)
        return grouped(cls(datastream, end, first, last, low, high, known))

    def take(self, chosen: Int64s | Bools) -> Extents:
        """Return those given by index or mask."""
        return Extents(*(column[chosen] for column in self._columns()))

    def among(self, datastreams: Int64s | None) -> Extents:
        """Return those of some datastreams, or all."""
        return self if datastreams is None else self.take(np.isin(self.datastream, datastreams))

    def forgetting(self, datastreams: Int64s) -> Extents:
        """Return the same, with some to be found anew."""
        lost = np.isin(self.datastream, datastreams)
        found = self.take(~lost)
        return together([found, Extents.unknown(self.datastream[lost])])

    def replacing(self, others: Extents) -> Extents:
        """Return the same with those of `others` in place of what is held of their datastreams."""
        kept = self.take(~np.isin(self.datastream, others.datastream))
        return together([kept, others])

    def remember(self, others: Extents) -> None:
        """Fill in what was found anew."""
        at = np.searchsorted(self.datastream, others.datastream)
        for mine, found in zip(self._columns()[1:], others._columns()[1:], strict=True):
            mine[at] = found

    def table(self) -> pa.Table:
        """Return `EXTENTS`."""
        has_result, has_number = self.last_us != NEVER, self.high >= self.low
        columns = [
            pa.array(self.datastream),
            _stamps(self.end_us, None),
            _stamps(self.first_us, ~has_result),
            _stamps(self.last_us, ~has_result),
            pa.array(self.low, mask=~has_number),
            pa.array(self.high, mask=~has_number),
        ]
        return pa.Table.from_arrays(columns, schema=EXTENTS)

    @classmethod
    def from_table(cls, table: pa.Table, is_known: Bools) -> Extents:
        """Return what `table` gave."""
        low, high = (table[name].to_numpy(zero_copy_only=False) for name in ("min", "max"))
        return cls(
            int64s(table["datastream"]),
            int64s(table["end_time"]).copy(),
            _filled(table["first_result_time"], LATEST),
            _filled(table["last_result_time"], NEVER),
            np.where(np.isnan(low), np.inf, low),
            np.where(np.isnan(high), -np.inf, high),
            is_known.copy(),
        )

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        return (
            self.datastream,
            self.end_us,
            self.first_us,
            self.last_us,
            self.low,
            self.high,
            self.is_known,
        )


def together(parts: Sequence[Extents]) -> Extents:
    """Return the extents of all rows that any part speaks of."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part._columns() for part in parts), strict=True)  # noqa: SLF001
    return grouped(Extents(*(np.concatenate(column) for column in columns)))


def grouped(rows: Extents) -> Extents:
    """Return rows of the same datastreams as one each."""
    if not len(rows.datastream):
        return rows
    order = sort_by(rows.datastream)
    rows = rows.take(order)
    ids = rows.datastream
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    return Extents(
        ids[starts],
        np.maximum.reduceat(rows.end_us, starts),
        np.minimum.reduceat(rows.first_us, starts),
        np.maximum.reduceat(rows.last_us, starts),
        np.minimum.reduceat(rows.low, starts),
        np.maximum.reduceat(rows.high, starts),
        np.logical_and.reduceat(rows.is_known, starts),
    )


def _filled(column: pa.ChunkedArray, fill_us: int) -> Int64s:
    column = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.array(column.fill_null(fill_us).to_numpy())


def _stamps(times: Int64s, is_null: Bools | None) -> pa.Array:
    filled = times if is_null is None else np.where(is_null, 0, times)
    return pa.array(filled, mask=is_null).view(EXTENTS.field("end_time").type)
