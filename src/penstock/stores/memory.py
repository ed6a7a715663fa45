"""A store in memory: a dictionary, no tricks. For tests, and the oracle for the lake."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from penstock.core.errors import NotConnected
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.store import BUCKETS, EXTENTS, SUMMARIES, Marks, Skipped, Summary
from penstock.stores.checking import check_batch, check_width

#: (time, datastream, feature): sorts as `Selection` orders.
_Identity = tuple[int, int, int]
#: number, text, end_time, result_time, parameters
_Values = tuple[Any, ...]


class MemoryStore:
    """Keeps observations in a dictionary until it is closed."""

    def __init__(self) -> None:
        self._rows: dict[_Identity, _Values] = {}
        self._lock = threading.RLock()
        self._given: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        self._closed = False

    def append(self, batch: pa.RecordBatch, marks: Marks | None = None) -> int:
        """Keep a batch; a row already held is replaced."""
        self._check_open()
        check_batch(batch)
        with self._lock:
            self._rows.update(_rows_of(batch))
            self._given.update(marks or {})
        return int(batch.num_rows)

    def flush(self) -> Marks:
        """Take over the marks given; there is nothing else to make durable."""
        with self._lock:
            self._marks = dict(self._given)
            return self._marks

    @property
    def marks(self) -> Marks:
        """The marks given before the last flush."""
        return self._marks

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in order."""
        self._check_open()
        with self._lock:
            found = sorted(self._chosen(selection), reverse=selection.descending)
            if selection.after is not None:
                after = (selection.after.time_us, selection.after.datastream)
                start = (*after, selection.after.feature)
                found = [i for i in found if (i < start if selection.descending else i > start)]
            return self._table(found[: selection.limit])

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen and return how many."""
        with self._lock:
            return self._remove(list(self._chosen(selection)))

    def delete_rows(self, rows: pa.Table) -> int:
        """Remove the rows with the identities of these and return how many."""
        names = ("time", "datastream", "feature")
        columns = (rows[name].cast(pa.int64()).to_pylist() for name in names)
        wanted = set(zip(*columns, strict=True))
        with self._lock:
            return self._remove([identity for identity in self._rows if identity in wanted])

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self.flush()
            self._closed = True
            self._rows = {}

    def skip(self, selection: Selection, rows: int) -> Skipped:
        """Skip at most so many of the first rows of a selection of one datastream."""
        with self._lock:
            times = sorted(identity[0] for identity in self._chosen(selection))
        if selection.descending:
            times.reverse()
        if rows < 1 or not times:
            return Skipped(None, 0)
        if rows >= len(times):
            return Skipped(times[-1] + (not selection.descending), len(times))
        # Rows of the time at which it ends are all left.
        skipped = times.index(times[rows])
        bound_us = times[rows] + (1 if selection.descending else 0)
        return Skipped(bound_us, skipped) if skipped else Skipped(None, 0)

    def count(self) -> int:
        """Return the number of observations held."""
        return len(self._rows)

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream; None when it holds nothing."""
        with self._lock:
            times = [i[0] for i in self._rows if i[1] == datastream]
        return Summary(len(times), min(times), max(times)) if times else None

    def summaries(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `SUMMARIES` of datastreams."""
        rows = [
            (d, len(held), min(times), max(times))
            for d, held in self._by_datastream(datastreams).items()
            for times in ([time for time, _ in held],)
        ]
        return _table_of(rows, SUMMARIES)

    def extents(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `EXTENTS` of datastreams."""
        rows = []
        for d, held in self._by_datastream(datastreams).items():
            ends = [time if v[2] is None else max(time, v[2]) for time, v in held]
            made = [v[3] for _, v in held if v[3] is not None]
            numbers = [v[0] for _, v in held if v[0] is not None and not math.isnan(v[0])]
            rows.append((d, max(ends), *_ends(made), *_ends(numbers)))
        return _table_of(rows, EXTENTS)

    def _by_datastream(
        self, datastreams: Sequence[int] | None
    ) -> dict[int, list[tuple[int, _Values]]]:
        found: dict[int, list[tuple[int, _Values]]] = {}
        with self._lock:
            chosen = None if datastreams is None else tuple(datastreams)
            for identity in self._chosen(Selection(datastreams=chosen)):
                found.setdefault(identity[1], []).append((identity[0], self._rows[identity]))
        return dict(sorted(found.items()))

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of each datastream, ordered by datastream."""
        chosen = None if datastreams is None else tuple(datastreams)
        newest: dict[int, _Identity] = {}
        with self._lock:
            for identity in sorted(self._chosen(Selection(datastreams=chosen))):
                newest[identity[1]] = identity
            return self._table([newest[d] for d in sorted(newest)])

    def buckets(self, selection: Selection, width_us: int) -> pa.Table:
        """Return `BUCKETS` of `width_us`, aligned to the epoch."""
        check_width(width_us)
        found: dict[tuple[int, int], list[float]] = {}
        with self._lock:
            for identity in sorted(self._chosen(selection)):
                number = self._rows[identity][0]
                if number is not None and not math.isnan(number):
                    time, datastream, _ = identity
                    start = time // width_us * width_us
                    found.setdefault((datastream, start), []).append(number)
        rows = [
            (*key, len(n), min(n), max(n), sum(n) / len(n), n[0], n[-1])
            for key, n in sorted(found.items())
        ]
        return _table_of(rows, BUCKETS)

    def expire(self, retention_us: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows older than their datastream's retention and return how many."""

        def is_old(identity: _Identity) -> bool:
            age = retention_us.get(identity[1], default_us)
            return age is not None and identity[0] < now_us - age

        with self._lock:
            return self._remove([i for i in self._rows if is_old(i)])

    def _chosen(self, selection: Selection) -> Iterator[_Identity]:
        wanted = None if selection.datastreams is None else set(selection.datastreams)
        features = None if selection.features is None else set(selection.features)
        start, end = selection.start_us, selection.end_us
        for identity in self._rows:
            time, datastream, feature = identity
            if (
                (wanted is None or datastream in wanted)
                and (features is None or feature in features)
                and (start is None or time >= start)
                and (end is None or time < end)
            ):
                yield identity

    def _remove(self, identities: list[_Identity]) -> int:
        for identity in identities:
            del self._rows[identity]
        return len(identities)

    def _table(self, identities: Sequence[_Identity]) -> pa.Table:
        rows = [
            (d, t, v[0], v[1], f, v[2], v[3], v[4])
            for t, d, f in identities
            for v in (self._rows[t, d, f],)
        ]
        return _table_of(rows, SCHEMA)

    def _check_open(self) -> None:
        if self._closed:
            msg = "the store is closed; open it again"
            raise NotConnected(msg)


def _table_of(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _ends(values: Sequence[Any]) -> tuple[Any, Any]:
    return (min(values), max(values)) if values else (None, None)


def _rows_of(batch: pa.RecordBatch) -> dict[_Identity, _Values]:
    columns = [
        (c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist()
        for c in batch.columns
    ]
    datastream, time, number, text, feature, end, result, parameters = columns
    identities = zip(time, datastream, feature, strict=True)
    values = zip(number, text, end, result, parameters, strict=True)
    return dict(zip(identities, values, strict=True))
