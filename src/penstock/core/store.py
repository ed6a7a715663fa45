"""The store contract: observations kept by (datastream, time, feature), queried by range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import pyarrow as pa

from penstock.core.selection import Selection

#: Where a store stands in the log: partition name to the offset before which all is durable.
Marks = Mapping[str, int]

#: Columns of `CanDownsample.buckets`; `time` is the start of the bucket, `first` and `last` are
#: by phenomenon time. Only numeric results count. Buckets without rows are left out.
BUCKETS = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("min", pa.float64(), nullable=False),
        pa.field("max", pa.float64(), nullable=False),
        pa.field("mean", pa.float64(), nullable=False),
        pa.field("first", pa.float64(), nullable=False),
        pa.field("last", pa.float64(), nullable=False),
    ]
)

#: Columns of `CanSummarise.summaries`: what `Summary` says, for many datastreams.
SUMMARIES = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("first_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("last_time", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)

#: Columns of `CanTellExtents.extents`. `end_time` is the greatest phenomenon time, ends of
#: intervals included; the others are null where no row has such a value. NaN counts as none.
EXTENTS = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("end_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("first_result_time", pa.timestamp("us", tz="UTC")),
        pa.field("last_result_time", pa.timestamp("us", tz="UTC")),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a store knows of one datastream without looking: exact counts and extent."""

    count: int
    first_us: int
    last_us: int


class Store(Protocol):
    """Keeps observations. One writer thread; any number of reading threads."""

    def append(self, batch: pa.RecordBatch, marks: Marks | None = None) -> int:
        """Keep a batch in `core.observation.SCHEMA` and return how many rows it has.

        When it returns, `scan` sees the rows. They survive a crash once `marks` reaches the
        `marks` given here; until then the caller can send them again from the log. A row
        whose identity is already held replaces it (the later row of a batch wins), so sending a
        batch twice is harmless.

        Raises:
            Backpressure: Nothing was kept; the store cannot write fast enough or is out of
                space (`DiskFull`).
            NotConnected: Nothing was kept; open the store again and retry.
        """
        ...

    def flush(self) -> Marks:
        """Make everything appended durable and return `marks`.

        Raises:
            DiskFull: Nothing changed; the rows are still visible and can be flushed later.
        """
        ...

    @property
    def marks(self) -> Marks:
        """The log positions up to which everything is durable; kept with the data, atomically."""
        ...

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in `SCHEMA` and in the order that `Selection` promises."""
        ...

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen, durably, and return how many. `limit` and `after` are ignored."""
        ...

    def close(self) -> None:
        """Flush and release. Safe to call twice."""
        ...


@runtime_checkable
class CanSummarise(Protocol):
    """Answers from maintained state, without scanning."""

    def count(self) -> int:
        """Return the exact number of observations held."""
        ...

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream; None when it holds nothing."""
        ...

    def summaries(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `SUMMARIES` of datastreams, ordered by datastream.

        Datastreams without rows are left out. None means all.
        """
        ...

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of each datastream, in `SCHEMA`, ordered by datastream.

        Datastreams without rows are left out. None means all. Of several rows at the newest time
        the one with the largest feature is returned.
        """
        ...


@runtime_checkable
class CanDownsample(Protocol):
    """Answers long ranges from roll-ups."""

    def buckets(self, selection: Selection, width_us: int) -> pa.Table:
        """Return `BUCKETS` of `width_us`, aligned to the epoch, ordered by (datastream, time).

        Equals aggregating `scan(selection)`; `limit`, `after` and `descending` are ignored.

        Raises:
            InvalidInput: `width_us` is not positive.
        """
        ...


@runtime_checkable
class CanTellExtents(Protocol):
    """Tells from maintained state how far the values of a datastream reach."""

    def extents(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `EXTENTS` of datastreams, exact and ordered by datastream.

        Datastreams without rows are left out. None means all.
        """
        ...


class Skipped(NamedTuple):
    """How far rows were skipped.

    Attributes:
        bound_us: The rest has phenomenon times from here on; when the newest come first, times
            before it. None when nothing was skipped.
        rows: How many rows were skipped: exactly those beyond the bound.
    """

    bound_us: int | None
    rows: int


@runtime_checkable
class CanSkip(Protocol):
    """Counts rows instead of reading them."""

    def skip(self, selection: Selection, rows: int) -> Skipped:
        """Skip at most so many of the first rows of a selection, as many as cost little.

        The selection is of one datastream and all of its features; `limit` and `after` are ignored.
        """
        ...


@runtime_checkable
class CanDeleteRows(Protocol):
    """Removes rows by their identity, however scattered they are, in one step."""

    def delete_rows(self, rows: pa.Table) -> int:
        """Remove the rows with the identities of these, durably, and return how many.

        Only the columns `datastream`, `time` and `feature` are looked at.
        """
        ...


@runtime_checkable
class CanExpire(Protocol):
    """Forgets old rows on its own."""

    def expire(self, retention_us: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows older than their datastream's retention and return how many.

        `retention_us` maps datastream to age; `default_us` is for the others, None keeps forever.
        """
        ...
