"""Pages of Observations in any order, however deep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from penstock.core.errors import NotSupported
from penstock.core.observation import SCHEMA
from penstock.core.selection import Cursor
from penstock.core.store import CanSkip
from penstock.sensorthings.choosing import Choosing, Spans, mentions_feature
from penstock.sensorthings.columns import sort
from penstock.sensorthings.observation_pages import (
    Found,
    Paging,
    cursor_of,
    natural_order,
    token_of,
)
from penstock.sensorthings.sources import ID, Sources
from penstock.sensorthings.walking import (
    FIRST_PIECE,
    LARGEST_PIECE,
    Choice,
    cursor_at,
    first_rows,
)

#: Sorting keeps so many rows at most.
MAX_SORTED = 1_000_000
#: Fewer rows than this are read as quickly as they are counted.
FAR = 10_000
#: So many pieces of the nearest rows are looked at before all of them are.
NEAR_PIECES = 2
_LARGEST = 2**63 - 1


class Pages:
    """Reads pages for somebody.

    Args:
        sources: The two sides.
        choosing: Finds what is meant.
    """

    def __init__(self, sources: Sources, choosing: Choosing) -> None:
        self._sources = sources
        self._choosing = choosing

    def page(self, choice: Choice, paging: Paging) -> Found:
        """Return a page of what is chosen.

        Raises:
            InvalidInput: The token is not one of ours.
            NotSupported: More would have to be looked at than is allowed.
        """
        if paging.top < 1:
            return Found(SCHEMA.empty_table())
        key = natural_order(paging.order)
        if key is None:
            return self._sorted_page(choice, paging)
        name, descending = key
        after = None if paging.token is None else cursor_of(paging.token)
        limit, skip = paging.top + 1, paging.skip
        spans = self._choosing.spans(choice)
        if choice.is_whole and after is None:
            if name != ID and descending and paging.top == 1 and not skip:
                return self._newest(choice, int(spans[1].sum()))
            if name == ID and skip:
                spans, skip = _skipped(spans, skip, descending=descending)
        if skip and after is None:
            is_one = len(spans[0]) == 1
            left = int(spans[1][0]) - skip if is_one and choice.is_whole else None
            # Of one datastream, both orders are the same.
            if skip > FAR and (is_one or (choice.is_whole and name == ID)):
                after, skip = self._far(choice, spans, skip, descending=descending)
            if left is not None and left < skip:
                return self._from_behind(choice, spans, left, paging, descending=descending)
        walk = self._choosing.walk(choice, spans)
        piece = min(limit + skip, LARGEST_PIECE)
        piece = piece if choice.rest is None else max(piece, FIRST_PIECE)
        step = walk.pieces if name == ID else walk.by_time
        pieces = step(piece, after, descending=descending)
        # Of one datastream, rows are in order of time however they are read.
        is_scattered = name != ID and choice.rest is not None and len(spans[0]) != 1
        if is_scattered and skip + limit <= MAX_SORTED:
            table = self._near(choice, spans, pieces, skip + limit, after, descending=descending)
            table = table.slice(skip, limit)
        else:
            table = first_rows(pieces, skip, limit)
        if table.num_rows < limit:
            return Found(table)
        return _page(table, paging)

    def _near(
        self,
        choice: Choice,
        spans: Spans,
        pieces: Iterator[pa.Table],
        keep: int,
        after: Cursor | None,
        *,
        descending: bool,
    ) -> pa.Table:
        """Return the first rows by time: a few pieces, else the best of all, else piece by piece.

        Raises:
            NotSupported: More would have to be looked at than is allowed, in both orders.
        """
        near = _nearby(pieces, keep)
        if near is not None:
            return near
        try:
            walk = self._choosing.walk(choice, spans)
            return walk.nearest(keep, after, descending=descending)
        except NotSupported:
            # The rows that fit may still be few enough into the order of time.
            walk = self._choosing.walk(choice, spans)
            piece = max(min(keep, LARGEST_PIECE), FIRST_PIECE)
            return first_rows(walk.by_time(piece, after, descending=descending), 0, keep)

    def _far(
        self, choice: Choice, spans: Spans, skip: int, *, descending: bool
    ) -> tuple[Cursor | None, int]:
        """Skip rows of the first datastream by counting; return where, and what is left to skip."""
        store, within = self._sources.store, choice.within
        is_plain = choice.rest is None and within.features is None
        if not is_plain or not isinstance(store, CanSkip) or not len(spans[0]):
            return None, skip
        one = int(spans[0][-1 if descending else 0])
        wanted = replace(within, datastreams=(one,), descending=descending)
        bound_us, skipped = store.skip(wanted, skip)
        if bound_us is None:
            return None, skip
        edge = Cursor(bound_us, one, -1) if descending else Cursor(bound_us - 1, one, _LARGEST)
        return edge, skip - skipped

    def _newest(self, choice: Choice, count: int) -> Found:
        """Return the newest row of all that is chosen, which is known without looking."""
        latest = self._sources.summaries.latest(choice.within.datastreams)
        times = latest["time"].cast(pa.int64()).to_numpy()
        # Rows are in order of their datastream, and of one time the last one comes first.
        at = len(times) - 1 - int(times[::-1].argmax()) if len(times) else 0
        row = latest.slice(at, 1)
        return _page(row, Paging(top=1)) if count > 1 else Found(row)

    def _from_behind(
        self, choice: Choice, spans: Spans, left: int, paging: Paging, *, descending: bool
    ) -> Found:
        """Return a page of one datastream that is nearer to its end than to its beginning."""
        if left < 1:
            return Found(SCHEMA.empty_table())
        piece = min(left, LARGEST_PIECE)
        pieces = self._choosing.walk(choice, spans).pieces(piece, descending=not descending)
        table = first_rows(pieces, 0, left)
        last = table.num_rows
        page = table.take(pa.array(np.arange(last - 1, max(last - 1 - paging.top, -1), -1)))
        return Found(page) if last <= paging.top else _page(page, paging)

    def _sorted_page(self, choice: Choice, paging: Paging) -> Found:
        """Return a page by any sort keys: the best so far are kept, piece by piece."""
        keep = paging.skip + paging.top + 1
        if keep > MAX_SORTED:
            msg = f"$skip with $orderby reaches to {MAX_SORTED} observations, not to {keep}"
            raise NotSupported(msg)
        best = SCHEMA.empty_table()
        for table in self._choosing.walk(choice).pieces(LARGEST_PIECE):
            best = pa.concat_tables([best, table])
            with_features = mentions_feature(paging.order)
            facts = self._choosing.facts(best, with_features=with_features)
            order = sort(paging.order, best, facts)
            best = best.take(pa.array(order[:keep]))
        page = best.slice(paging.skip, paging.top)
        is_more = best.num_rows == keep
        return Found(page, f"$skip={paging.skip + paging.top}" if is_more else "")


def _nearby(pieces: Iterator[pa.Table], keep: int) -> pa.Table | None:
    """Return the first rows of a few pieces; None where there may be more behind them."""
    found = [SCHEMA.empty_table()]
    for at, table in enumerate(pieces):
        if at == NEAR_PIECES:
            return None
        found.append(table)
        if sum(one.num_rows for one in found) >= keep:
            break
    return pa.concat_tables(found)


def _page(table: pa.Table, paging: Paging) -> Found:
    """Return the first rows of a table, and what leads behind them."""
    token = token_of(cursor_at(table, paging.top - 1))
    return Found(table.slice(0, paging.top), f"$skiptoken={token}")


def _skipped(spans: Spans, skip: int, *, descending: bool) -> tuple[Spans, int]:
    """Leave out whole datastreams that are skipped; return the others, and what is left."""
    ids, counts, first, last = spans
    before = np.cumsum(counts[::-1] if descending else counts)
    gone = int(np.searchsorted(before, skip, "right"))
    left = skip - (int(before[gone - 1]) if gone else 0)
    keep = slice(0, len(ids) - gone) if descending else slice(gone, None)
    return (ids[keep], counts[keep], first[keep], last[keep]), left
