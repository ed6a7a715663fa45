"""Observations in the order of the files: datastream by datastream, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.errors import NotSupported
from penstock.core.expression import Expression
from penstock.core.observation import SCHEMA
from penstock.core.selection import Cursor, Selection
from penstock.core.store import Store

Int64s = npt.NDArray[np.int64]
#: Tells which rows fit.
Test = Callable[[pa.Table], npt.NDArray[np.bool_]]

#: Rows that are read at once: at first, and at most.
FIRST_PIECE, LARGEST_PIECE = 8_192, 1_000_000
GROWTH = 4
#: So many datastreams are named when the others cannot hold what is looked for.
FEW = 1_000


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which observations are meant: bounds, and what is left to be looked at.

    Attributes:
        within: Bounds that the store knows.
        rest: What has to be evaluated on the rows.
    """

    within: Selection = Selection()
    rest: Expression | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all rows of its datastreams are meant."""
        within = self.within
        is_timeless = within.start_us is None and within.end_us is None
        return self.rest is None and within.features is None and is_timeless


class Walk:
    """Reads what a choice means in pieces, of as many datastreams as fit.

    Args:
        store: Where they are.
        choice: What is meant.
        test: Tells which rows fit `choice.rest`; None when there is none.
        datastreams: Those that can hold any, ascending.
        counts: How many rows each of them has.
        max_rows: How many rows may be looked at.
    """

    def __init__(
        self,
        store: Store,
        choice: Choice,
        test: Test | None,
        datastreams: Int64s,
        counts: Int64s,
        max_rows: int,
    ) -> None:
        self._store = store
        self._within = choice.within
        self._test = test
        self._datastreams = datastreams
        self._counts = counts
        self._left = max_rows
        self._max_rows = max_rows

    def pieces(
        self, piece: int, after: Cursor | None = None, *, descending: bool = False
    ) -> Iterator[pa.Table]:
        """Yield the rows by (datastream, time, feature), those behind `after`, in pieces.

        Raises:
            NotSupported: More rows than allowed would have to be looked at.
        """
        ids, counts = self._datastreams, self._counts
        if descending:
            ids, counts = ids[::-1], counts[::-1]
        if after is not None:
            is_ahead = ids <= after.datastream if descending else ids >= after.datastream
            ids, counts = ids[is_ahead], counts[is_ahead]
        at = 0
        while at < len(ids):
            if counts[at] > piece or (after is not None and ids[at] == after.datastream):
                for table in self._one(int(ids[at]), piece, after, descending=descending):
                    yield self._fitting(table)
                    piece = min(piece * GROWTH, LARGEST_PIECE)
                after = None
                at += 1
                continue
            upto = at + max(int(np.searchsorted(np.cumsum(counts[at:]), piece, "right")), 1)
            yield self._fitting(self._group(ids[at:upto], descending=descending))
            piece = min(piece * GROWTH, LARGEST_PIECE)
            at = upto

    def by_time(
        self, piece: int, after: Cursor | None = None, *, descending: bool = False
    ) -> Iterator[pa.Table]:
        """Yield the rows by (time, datastream, feature), those behind `after`, in pieces."""
        within = msgspec.structs.replace(self._within, descending=descending)
        if self._test is not None and len(self._datastreams) <= FEW:
            within = msgspec.structs.replace(within, datastreams=tuple(self._datastreams.tolist()))
        yield from map(self._fitting, self._scanned(within, piece, after))

    def nearest(
        self, keep: int, after: Cursor | None = None, *, descending: bool = False
    ) -> pa.Table:
        """Return the first `keep` rows behind `after` by (time, datastream, feature).

        Rows are read in the order of the files and the best so far are kept. Where few rows fit,
        this is many times faster than `by_time`, which asks for them in an order that no file has.

        Raises:
            NotSupported: As for `pieces`.
        """
        best = SCHEMA.empty_table()
        if after is not None:
            self._narrow(after.time_us, descending=not descending)
        for table in self.pieces(LARGEST_PIECE):
            behind = table if after is None else table.filter(_is_behind(table, after, descending))
            if not behind.num_rows:
                continue
            best = pa.concat_tables([best, behind])
            if best.num_rows > keep:
                best = best.take(_in_order(best, descending)[:keep])
                last_us = cursor_at(best, keep - 1).time_us
                self._narrow(last_us, descending=descending)
        return best.take(_in_order(best, descending))

    def _narrow(self, time_us: int, *, descending: bool) -> None:
        """Read from a time on, or up to it, from now on."""
        start_us, end_us = self._within.start_us, self._within.end_us
        if descending:
            start_us = time_us if start_us is None else max(start_us, time_us)
        else:
            end_us = time_us + 1 if end_us is None else min(end_us, time_us + 1)
        self._within = msgspec.structs.replace(self._within, start_us=start_us, end_us=end_us)

    def _one(
        self, datastream: int, piece: int, after: Cursor | None, *, descending: bool
    ) -> Iterator[pa.Table]:
        within = msgspec.structs.replace(
            self._within, datastreams=(datastream,), descending=descending
        )
        return self._scanned(within, piece, after)

    def _scanned(self, within: Selection, piece: int, after: Cursor | None) -> Iterator[pa.Table]:
        while True:
            table = self._store.scan(msgspec.structs.replace(within, after=after, limit=piece))
            if table.num_rows:
                self._spend(table.num_rows)
                yield table
            if table.num_rows < piece:
                return
            after = cursor_at(table, table.num_rows - 1)
            piece = min(piece * GROWTH, LARGEST_PIECE)

    def _group(self, ids: Int64s, *, descending: bool) -> pa.Table:
        within = msgspec.structs.replace(
            self._within, datastreams=tuple(ids.tolist()), descending=descending
        )
        table = self._store.scan(within)
        self._spend(table.num_rows)
        if len(ids) == 1:
            return table
        datastream = table["datastream"].to_numpy()
        order = np.argsort(-datastream if descending else datastream, kind="stable")
        return table.take(pa.array(order))

    def _fitting(self, table: pa.Table) -> pa.Table:
        if self._test is None or not table.num_rows:
            return table
        return table.filter(pa.array(self._test(table)))

    def _spend(self, rows: int) -> None:
        self._left -= rows
        if self._left < 0:
            msg = (
                f"more than {self._max_rows} observations would have to be looked at one by one; "
                "narrow phenomenonTime, or name fewer Datastreams"
            )
            raise NotSupported(msg)


def _in_order(table: pa.Table, descending: bool) -> pa.Array:
    """Return the places of rows by (time, datastream, feature)."""
    order = np.lexsort(_identities(table))
    return pa.array(order[::-1] if descending else order)


def _is_behind(table: pa.Table, after: Cursor, descending: bool) -> pa.Array:
    """Return which rows come after one."""
    feature, datastream, time = _identities(table)
    if descending:
        feature, datastream, time = -feature, -datastream, -time
        after = Cursor(-after.time_us, -after.datastream, -after.feature)
    is_later = (time == after.time_us) & (
        (datastream > after.datastream)
        | ((datastream == after.datastream) & (feature > after.feature))
    )
    return pa.array((time > after.time_us) | is_later)


def _identities(table: pa.Table) -> tuple[Int64s, Int64s, Int64s]:
    """Return feature, datastream and time of rows."""
    time = table["time"].cast(pa.int64()).to_numpy()
    return table["feature"].to_numpy(), table["datastream"].to_numpy(), time


def holders(store: Store, features: Sequence[int]) -> set[int]:
    """Return the datastreams that have rows of some features other than 0, however many rows."""
    within, found = Selection(features=tuple(sorted(features)), limit=LARGEST_PIECE), set[int]()
    while within.features:
        table = store.scan(within)
        found.update(table["datastream"].unique().to_pylist())
        if table.num_rows < LARGEST_PIECE:
            break
        within = msgspec.structs.replace(within, after=cursor_at(table, table.num_rows - 1))
    return found


def first_rows(pieces: Iterator[pa.Table], skip: int, limit: int) -> pa.Table:
    """Return `limit` rows behind the first `skip`, reading no further than they are."""
    found: list[pa.Table] = []
    have = 0
    for table in pieces:
        if skip >= table.num_rows:
            skip -= table.num_rows
            continue
        rows = table.slice(skip, limit - have)
        skip = 0
        found.append(rows)
        have += rows.num_rows
        if have >= limit:
            break
    return pa.concat_tables(found) if found else SCHEMA.empty_table()


def cursor_at(table: pa.Table, row: int) -> Cursor:
    """Return the identity of a row."""
    one = table.slice(row, 1)
    return Cursor(
        int(one["time"].cast(pa.int64())[0].as_py()),
        int(one["datastream"][0].as_py()),
        int(one["feature"][0].as_py()),
    )
