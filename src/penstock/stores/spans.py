"""How many rows datastreams have, and from when to when; in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.store import SUMMARIES
from penstock.stores.selecting import Int64s, int64s, sort_by


@dataclass(frozen=True, slots=True)
class Spans:
    """Rows of datastreams: how many, first and last time."""

    datastream: Int64s
    count: Int64s
    first_us: Int64s
    last_us: Int64s

    def among(self, datastreams: Int64s | None) -> Spans:
        """Return those of some datastreams, or all."""
        return self if datastreams is None else self.take(np.isin(self.datastream, datastreams))

    def take(self, chosen: Int64s | npt.NDArray[np.bool_]) -> Spans:
        """Return those given by index or mask."""
        return Spans(
            self.datastream[chosen],
            self.count[chosen],
            self.first_us[chosen],
            self.last_us[chosen],
        )

    def table(self) -> pa.Table:
        """Return `SUMMARIES`."""
        stamp = SUMMARIES.field("first_time").type
        first, last = (pa.array(times).view(stamp) for times in (self.first_us, self.last_us))
        columns = [pa.array(self.datastream), pa.array(self.count), first, last]
        return pa.Table.from_arrays(columns, schema=SUMMARIES)


def spans_of(rows: pa.Table) -> Spans:
    """Return what rows in `core.observation.SCHEMA` amount to."""
    time = int64s(rows["time"])
    each = Spans(int64s(rows["datastream"]), np.ones(len(time), np.int64), time, time)
    return together([each])


def together(parts: Sequence[Spans]) -> Spans:
    """Return what parts without common rows amount to, by datastream."""
    columns = (
        np.concatenate(column)
        for column in zip(
            *((p.datastream, p.count, p.first_us, p.last_us) for p in parts), strict=True
        )
    )
    found = Spans(*columns)
    if not len(found.datastream):
        return found
    found = found.take(sort_by(found.datastream))
    ids = found.datastream
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    return Spans(
        ids[starts],
        np.add.reduceat(found.count, starts),
        np.minimum.reduceat(found.first_us, starts),
        np.maximum.reduceat(found.last_us, starts),
    )
