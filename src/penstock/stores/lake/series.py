"""What the files hold of each datastream: its newest row, how many rows, since when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.core.observation import SCHEMA
from penstock.core.store import Summary
from penstock.stores.extents import Extents, together
from penstock.stores.identities import Identities, newest_of_each
from penstock.stores.selecting import NEVER, Int64s, int64s
from penstock.stores.spans import Spans

_ALL = pa.schema(
    [
        *SCHEMA,
        pa.field("count", pa.int64(), nullable=False),
        pa.field("first_time", pa.timestamp("us", tz="UTC")),
    ]
)
#: Names of the columns of `EXTENTS` here, and whether they are known; older files have none.
_EXTENTS = {
    "greatest_end_time": "end_time",
    "first_result_time": "first_result_time",
    "last_result_time": "last_result_time",
    "min": "min",
    "max": "max",
}
_KNOWN = "extents_known"


@dataclass(frozen=True, slots=True)
class SeriesState:
    """State of all datastreams that have rows in files; replaced, not changed.

    Attributes:
        newest: Newest row of each, in `SCHEMA`, ordered by datastream.
        datastream: Their ids.
        count: Their rows.
        first_us: Their first times; `NEVER` where removal made it unknown.
        extents: How far their values reach.
    """

    newest: pa.Table
    datastream: Int64s
    count: Int64s
    first_us: Int64s
    extents: Extents

    @classmethod
    def empty(cls) -> SeriesState:
        """Return the state of no rows."""
        nothing = np.zeros(0, np.int64)
        return cls(SCHEMA.empty_table(), nothing, nothing, nothing, Extents.unknown(nothing))

    @classmethod
    def read(cls, path: Path) -> SeriesState:
        """Read what `write` wrote."""
        with pq.ParquetFile(path, pre_buffer=False) as parquet:
            stored = parquet.read(use_threads=False)
        table = stored.select(_ALL.names).cast(_ALL)
        first = int64s(table["first_time"].fill_null(pa.scalar(NEVER, pa.timestamp("us", "UTC"))))
        newest = table.select(SCHEMA.names)
        datastream = int64s(table["datastream"])
        extents = _extents_in(stored, datastream)
        return cls(newest, datastream, int64s(table["count"]), first.copy(), extents)

    def write(self, sink: IO[bytes]) -> None:
        """Write all of it as Parquet; the caller syncs."""
        first = pa.array(self.first_us, mask=self.first_us == NEVER)
        table = self.newest.append_column(_ALL.field("count"), pa.array(self.count))
        field = _ALL.field("first_time")
        table = table.append_column(field, first.view(field.type))
        table = table.cast(_ALL)
        extents = self.extents.table()
        for name, column in _EXTENTS.items():
            table = table.append_column(name, extents[column])
        table = table.append_column(_KNOWN, pa.array(self.extents.is_known))
        pq.write_table(table, sink, compression="zstd", store_schema=False)

    def position(self, datastream: int) -> int | None:
        """Return the index of a datastream, or None."""
        at = int(np.searchsorted(self.datastream, datastream))
        found = at < len(self.datastream) and int(self.datastream[at]) == datastream
        return at if found else None

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream."""
        at = self.position(datastream)
        if at is None:
            return None
        last = int(int64s(self.newest["time"].slice(at, 1))[0])
        return Summary(int(self.count[at]), int(self.first_us[at]), last)

    def spans(self, datastreams: Int64s | None) -> Spans:
        """Return counts and extents of these datastreams, or of all."""
        last = int64s(self.newest["time"])
        return Spans(self.datastream, self.count, self.first_us, last).among(datastreams)

    def remember_first(self, datastream: int, first_us: int) -> None:
        """Fill in a first time that was unknown."""
        at = self.position(datastream)
        if at is not None:
            self.first_us[at] = first_us

    def newest_of(self, datastreams: Int64s | None) -> pa.Table:
        """Return the newest row of these datastreams, or of all."""
        if datastreams is None:
            return self.newest
        return self.newest.filter(pa.array(np.isin(self.datastream, datastreams)))

    def with_rows(self, rows: pa.Table, added: pa.Table) -> SeriesState:
        """Return the state after rows were put into files.

        Args:
            rows: Rows whose identities are new, and behind them those that replaced others.
            added: Those of them that are new, by identity.
        """
        replaced = np.unique(int64s(rows["datastream"].slice(added.num_rows)))
        extents = together([self.extents, Extents.of(added)])
        extents = extents.forgetting(replaced) if len(replaced) else extents
        newest = newest_of_each([self.newest, last_of_each(rows)])
        newest = last_of_each(newest)
        datastream = int64s(newest["datastream"])
        count = np.zeros(len(datastream), np.int64)
        first = np.full(len(datastream), np.iinfo(np.int64).max)
        at = np.searchsorted(datastream, self.datastream)
        count[at], first[at] = self.count, self.first_us
        keys = Identities.of(added)
        changes = keys.datastream[1:] != keys.datastream[:-1]
        starts = np.flatnonzero(np.append(True, changes)[: len(keys)])
        at = np.searchsorted(datastream, keys.datastream[starts])
        count[at] += np.diff(np.append(starts, len(keys)))
        first[at] = np.minimum(first[at], keys.time[starts])
        return SeriesState(newest, datastream, count, first, extents)


def _extents_in(stored: pa.Table, datastream: Int64s) -> Extents:
    if _KNOWN not in stored.column_names:
        return Extents.unknown(datastream.copy())
    columns = [stored["datastream"], *(stored[name] for name in _EXTENTS)]
    table = pa.table(columns, names=["datastream", *_EXTENTS.values()])
    return Extents.from_table(table, stored[_KNOWN].to_numpy())


def last_of_each(rows: pa.Table) -> pa.Table:
    """Return the last row by (time, feature) of each datastream, ordered by datastream."""
    keys = Identities.of(rows)
    order = keys.order()
    datastream = keys.datastream[order]
    is_last = np.append(datastream[1:] != datastream[:-1], True)[: len(order)]
    return rows.take(pa.array(order[is_last]))
