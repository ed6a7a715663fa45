"""The store itself: one writer's connection, some for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.errors import InvalidInput
from penstock.core.selection import Selection
from penstock.core.store import Marks, Summary
from penstock.stores.bucketing import finish, partials
from penstock.stores.checking import check_batch, check_width
from penstock.stores.postgres import buckets
from penstock.stores.postgres.appending import Appending
from penstock.stores.postgres.changes import EXTENT_NAMES
from penstock.stores.postgres.readers import Readers
from penstock.stores.postgres.reading import Reading
from penstock.stores.postgres.removing import Removing
from penstock.stores.postgres.writer import Writer
from penstock.stores.settings import PostgresSettings

#: First time of a `timestamptz`, 4714 BC, in microseconds since the epoch.
_FIRST_US = -210_866_803_200_000_000


class PostgresStore:
    """Keeps observations in tables of a PostgreSQL server.

    What `append` keeps is durable when it returns, and `marks` move at once. When the server goes
    away, calls raise `NotConnected` until it is there again; nothing needs to be opened anew.
    """

    def __init__(self, url: str, settings: PostgresSettings) -> None:
        self._readers = Readers(url, settings.connections)
        self._writer = Writer(url, settings)
        self._appending = Appending(self._writer)
        self._removing = Removing(self._writer)
        self._is_closed = False
        self._reading: Reading

    @classmethod
    def open(cls, url: str, settings: PostgresSettings | None = None) -> Self:
        """Connect; make the tables when they are missing.

        Args:
            url: Address, `postgresql://user:password@host:port/database`.
            settings: How it is kept.

        Raises:
            ConfigError: The server refuses, or cannot be used as it is.
            Conflict: Another process writes to the same tables.
            MissingDependency: The driver is not installed.
            NotConnected: The server is away.
        """
        store = cls(url, settings or PostgresSettings())
        try:
            with store._writer.transaction():
                store._reading = Reading(store._readers, store._writer.layout)
        except BaseException:
            store.close()
            raise
        return store

    # -- taking in

    def append(self, batch: pa.RecordBatch, marks: Marks | None = None) -> int:
        """Keep a batch, durably; a row already held is replaced."""
        check_batch(batch)
        _check_further_times(batch)
        self._appending.append(batch, marks or {})
        return int(batch.num_rows)

    def flush(self) -> Marks:
        """Return `marks`; everything is durable already."""
        return self.marks

    @property
    def marks(self) -> Marks:
        """The log positions up to which everything is durable."""
        return self._writer.marks

    def close(self) -> None:
        """Release. Safe to call twice."""
        self._is_closed = True
        self._writer.close()
        self._readers.close()

    # -- answering

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in order."""
        return self._reading.scan(selection)

    def count(self) -> int:
        """Return the exact number of observations held."""
        return self._reading.count()

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream; None when it holds nothing."""
        return self._reading.summary(datastream)

    def summaries(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `SUMMARIES` of datastreams."""
        return self._reading.summaries(datastreams)

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of each datastream, ordered by datastream."""
        return self._reading.latest(datastreams)

    def extents(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `EXTENTS` of datastreams; those that became unknown are found out and noted."""
        found, looked = self._reading.extents(datastreams)
        if looked.num_rows:
            self._remember(looked)
        return found

    def _remember(self, looked: pa.Table) -> None:
        """Note extents that were found out, unless rows have changed since."""
        sets = ", ".join(f"{ours} = c.{ours}" for ours in EXTENT_NAMES.values())
        with self._writer.transaction() as session:
            session.load("found", looked.rename_columns({**EXTENT_NAMES}))
            session.run(
                f"UPDATE {self._writer.layout.schema}.series s SET is_known = true, {sets} "
                "FROM pg_temp.found c WHERE s.datastream = c.datastream "
                "AND s.revision = c.revision AND NOT s.is_known"
            )

    def buckets(self, selection: Selection, width_us: int) -> pa.Table:
        """Return `BUCKETS` of `width_us`, aligned to the epoch."""
        check_width(width_us)
        whole = msgspec.structs.replace(selection, after=None, limit=None, descending=False)
        if width_us <= buckets.WIDEST_US:
            query = buckets.query(self._writer.layout, whole, width_us)
            try:
                return buckets.answer(self._readers.fetch(query))
            except InvalidInput:
                # The server sums squares, which become too large before the numbers do.
                pass
        return finish(partials(self.scan(whole), width_us))

    # -- removing

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen, durably, and return how many."""
        return self._removing.delete(
            msgspec.structs.replace(selection, after=None, limit=None, descending=False)
        )

    def delete_rows(self, rows: pa.Table) -> int:
        """Remove the rows with the identities of these, durably, and return how many."""
        return self._removing.delete_rows(rows)

    def expire(self, retention_us: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows older than their datastream's retention and return how many."""
        return self._removing.expire(retention_us, default_us, now_us)


def _check_further_times(batch: pa.RecordBatch) -> None:
    """Check times that are not part of an identity, of which any is allowed elsewhere."""
    for name in ("end_time", "result_time"):
        column = batch.column(name)
        if column.null_count == len(column):
            continue
        least = pc.min(column.cast(pa.int64())).as_py()
        if least < _FIRST_US:
            msg = f"batch has a {name} of {least} us; PostgreSQL keeps times from {_FIRST_US} us on"
            raise InvalidInput(msg)
