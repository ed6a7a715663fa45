"""The store as a dictionary: what the contract suite compares every store with."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.core.store import Summary


class Row(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One observation; equal when every value is, bit by bit."""

    datastream: int
    time_us: int
    feature: int = 0
    number: float | None = None
    text: str | None = None
    end_time_us: int | None = None
    result_time_us: int | None = None
    parameters: str | None = None

    @property
    def identity(self) -> tuple[int, int, int]:
        """Time, datastream, feature: sorts as `Selection` orders."""
        return self.time_us, self.datastream, self.feature

    def __eq__(self, other: object) -> bool:
        """Compare everything; NaN equals NaN and -0.0 differs from 0.0."""
        return isinstance(other, Row) and self._bits() == other._bits()

    def __hash__(self) -> int:
        """Rows with one identity hash alike."""
        return hash(self.identity)

    def _bits(self) -> tuple[object, ...]:
        number = None if self.number is None else struct.pack("<d", self.number)
        rest = (self.text, self.end_time_us, self.result_time_us, self.parameters)
        return (*self.identity, number, *rest)


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    """Return rows as a batch in `SCHEMA`."""
    return observations(
        [row.datastream for row in rows],
        [row.time_us for row in rows],
        [row.number for row in rows],
        text=[row.text for row in rows],
        feature=[row.feature for row in rows],
        end_time=[row.end_time_us for row in rows],
        result_time=[row.result_time_us for row in rows],
        parameters=[row.parameters for row in rows],
    )


def rows_of(table: pa.Table) -> list[Row]:
    """Return a table in `SCHEMA` as rows."""
    columns = [
        (c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist()
        for c in table.columns
    ]
    return [
        Row(
            datastream=d,
            time_us=t,
            number=n,
            text=x,
            feature=f,
            end_time_us=e,
            result_time_us=r,
            parameters=p,
        )
        for d, t, n, x, f, e, r, p in zip(*columns, strict=True)
    ]


class StoreModel:
    """A dictionary from identity to row."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int, int], Row] = {}

    def append(self, rows: Sequence[Row]) -> None:
        """Keep rows; later ones replace earlier ones."""
        self.rows.update({row.identity: row for row in rows})

    def scan(self, selection: Selection) -> list[Row]:
        """Return the rows chosen, in order."""
        rows = sorted(self._chosen(selection), key=lambda row: row.identity)
        if selection.descending:
            rows.reverse()
        if selection.after is not None:
            after = selection.after
            start = (after.time_us, after.datastream, after.feature)
            rows = [
                row
                for row in rows
                if (row.identity < start if selection.descending else row.identity > start)
            ]
        return rows if selection.limit is None else rows[: selection.limit]

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen and return how many."""
        chosen = self._chosen(selection)
        for row in chosen:
            del self.rows[row.identity]
        return len(chosen)

    def delete_rows(self, rows: Sequence[Row]) -> int:
        """Remove the rows with the identities of these and return how many."""
        held = {row.identity for row in rows} & self.rows.keys()
        for identity in held:
            del self.rows[identity]
        return len(held)

    def expire(self, ages: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows that are too old and return how many."""
        old = [
            row
            for row in self.rows.values()
            if (age := ages.get(row.datastream, default_us)) is not None
            and row.time_us < now_us - age
        ]
        for row in old:
            del self.rows[row.identity]
        return len(old)

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream."""
        times = [row.time_us for row in self.rows.values() if row.datastream == datastream]
        return Summary(len(times), min(times), max(times)) if times else None

    def latest(self) -> list[Row]:
        """Return the newest row of each datastream."""
        newest = {row.datastream: row for row in self.scan(Selection())}
        return [newest[datastream] for datastream in sorted(newest)]

    def datastreams(self) -> list[int]:
        """Return the datastreams that have rows, ascending."""
        return sorted({row.datastream for row in self.rows.values()})

    def extents(self) -> list[dict[str, object]]:
        """Return what `CanTellExtents.extents` promises."""
        return [self._extents_of(datastream) for datastream in self.datastreams()]

    def _extents_of(self, datastream: int) -> dict[str, object]:
        rows = [row for row in self.rows.values() if row.datastream == datastream]
        ends = [max(r.time_us, r.time_us if r.end_time_us is None else r.end_time_us) for r in rows]
        made = [row.result_time_us for row in rows if row.result_time_us is not None]
        numbers = [r.number for r in rows if r.number is not None and not math.isnan(r.number)]
        return {
            "datastream": datastream,
            "end_time": max(ends),
            "first_result_time": min(made, default=None),
            "last_result_time": max(made, default=None),
            "min": min(numbers, default=None),
            "max": max(numbers, default=None),
        }

    def _chosen(self, selection: Selection) -> list[Row]:
        wanted, start, end = selection.datastreams, selection.start_us, selection.end_us
        return [
            row
            for row in self.rows.values()
            if (wanted is None or row.datastream in wanted)
            and (selection.features is None or row.feature in selection.features)
            and (start is None or row.time_us >= start)
            and (end is None or row.time_us < end)
        ]


def buckets_of(rows: Sequence[Row], width_us: int) -> list[dict[str, object]]:
    """Return rows aggregated as `CanDownsample.buckets` promises, one by one."""
    found: dict[tuple[int, int], list[float]] = {}
    for row in sorted(rows, key=lambda row: row.identity):
        if row.number is not None and not math.isnan(row.number):
            start = row.time_us // width_us * width_us
            found.setdefault((row.datastream, start), []).append(row.number)
    return [
        {
            "datastream": datastream,
            "time": start,
            "count": len(numbers),
            "min": min(numbers),
            "max": max(numbers),
            "mean": sum(numbers) / len(numbers),
            "first": numbers[0],
            "last": numbers[-1],
        }
        for (datastream, start), numbers in sorted(found.items())
    ]
