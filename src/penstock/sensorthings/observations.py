"""Observations of the store: found, counted, paged; whoever asks sees what is in their scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Identity
from penstock.core.errors import NotFound, NotSupported
from penstock.core.expression import Apply, Expression, Literal, Order, Property
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.series import ObservationType
from penstock.core.store import CanTellExtents
from penstock.sensorthings.columns import Facts, mask, narrow, sort
from penstock.sensorthings.linked import linked_values
from penstock.sensorthings.observation_ids import id_of
from penstock.sensorthings.observation_pages import (
    Along,
    Found,
    Paging,
    cursor_of,
    natural_order,
    token_of,
)
from penstock.sensorthings.observation_rows import Kind, believed, own_id, place_of, shown_ids
from penstock.sensorthings.result_bounds import bounds_of
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import ID, Sources, among
from penstock.sensorthings.walking import (
    FIRST_PIECE,
    LARGEST_PIECE,
    Choice,
    Int64s,
    Walk,
    cursor_at,
    first_rows,
    holders,
)

#: Sorting keeps so many rows at most.
MAX_SORTED = 1_000_000
#: Observations of several datastreams are read at once while they have no more rows than this.
MAX_TOGETHER = 500_000


#: Ids, counts, first and last times of datastreams, ascending.
Spans = tuple[Int64s, Int64s, Int64s, Int64s]


class Observations:
    """Reads observations for somebody.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
    """

    def __init__(self, sources: Sources, scope: Scope) -> None:
        self._sources = sources
        self._store = sources.store
        self._scope = scope
        self._now_us = sources.clock.now_us()

    @cached_property
    def _readable(self) -> frozenset[int] | None:
        if self._scope.everything:
            return None
        return frozenset(self._sources.readable(self._scope, None))

    def choose(
        self, where: Expression | None = None, datastreams: frozenset[int] | None = None
    ) -> Choice:
        """Return what a condition means; it goes no further than to ids of Datastreams."""
        narrowed = narrow(where, self._now_us)
        wanted = _common(datastreams, _possible(narrowed.datastreams), self._readable)
        features = _possible(narrowed.features)
        if features is not None:
            wanted = _common(wanted, frozenset(self._holding(features)))
        return Choice(
            within=Selection(
                datastreams=None if wanted is None else tuple(sorted(wanted)),
                features=None if features is None else tuple(sorted(features)),
                start_us=narrowed.start_us,
                end_us=narrowed.end_us,
            ),
            rest=narrowed.rest,
        )

    def of_feature(self, feature: int) -> Expression:
        """Return the condition that observations are of a FeatureOfInterest."""
        return among(("FeatureOfInterest", ID), [feature])

    def _holding(self, features: frozenset[int]) -> set[int]:
        """Return the datastreams that can have observations of some features."""
        named = sorted(features - {0})
        found = holders(self._store, named)
        for feature in named:
            found.update(self._sources.features.datastreams_at(feature))
        return found

    # -- pages

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
        spans = self._spans(choice)
        if choice.is_whole and after is None:
            if name != ID and descending and paging.top == 1 and not skip:
                return self._newest(choice, int(spans[1].sum()))
            if name == ID and skip:
                spans, skip = _skipped(spans, skip, descending=descending)
            if len(spans[0]) == 1 and (left := int(spans[1][0]) - skip) < skip:
                return self._from_behind(choice, spans, left, paging, descending=descending)
        walk = self._walk(choice, spans)
        piece = min(limit + skip, LARGEST_PIECE)
        piece = piece if choice.rest is None else max(piece, FIRST_PIECE)
        step = walk.pieces if name == ID else walk.by_time
        table = first_rows(step(piece, after, descending=descending), skip, limit)
        if table.num_rows < limit:
            return Found(table)
        return _page(table, paging)

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
        pieces = self._walk(choice, spans).pieces(piece, descending=not descending)
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
        for table in self._walk(choice).pieces(LARGEST_PIECE):
            best = pa.concat_tables([best, table])
            order = sort(paging.order, best, self._facts(best, _mentions_feature(paging.order)))
            best = best.take(pa.array(order[:keep]))
        page = best.slice(paging.skip, paging.top)
        is_more = best.num_rows == keep
        return Found(page, f"$skip={paging.skip + paging.top}" if is_more else "")

    def count(self, choice: Choice) -> int:
        """Return how many are chosen; from maintained state where that tells."""
        within = choice.within
        if choice.is_whole and within.datastreams is None:
            return int(self._sources.summaries.count())
        ids, counts, first, last = self._spans(choice)
        if choice.is_whole:
            return int(counts.sum())
        total = 0
        if choice.rest is None and within.features is None:
            inside = np.ones(len(ids), np.bool_)
            if within.start_us is not None:
                inside &= first >= within.start_us
            if within.end_us is not None:
                inside &= last < within.end_us
            total = int(counts[inside].sum())
            rest = ~inside
            ids, counts, first, last = ids[rest], counts[rest], first[rest], last[rest]
        walk = self._walk(choice, (ids, counts, first, last))
        return total + sum(int(table.num_rows) for table in walk.pieces(LARGEST_PIECE))

    def all(self, choice: Choice, limit: int) -> pa.Table:
        """Return everything chosen, by (datastream, time, feature), at most so many."""
        return first_rows(self._walk(choice).pieces(min(limit, LARGEST_PIECE)), 0, limit)

    def datastreams(self, choice: Choice) -> set[int]:
        """Return the datastreams that have any of what is chosen."""
        if choice.is_whole:
            return set(self._spans(choice)[0].tolist())
        found = self._surely_holding(choice)
        spans = self._spans(choice)
        open_ = ~np.isin(spans[0], np.array(sorted(found), np.int64))
        left = (spans[0][open_], spans[1][open_], spans[2][open_], spans[3][open_])
        for table in self._walk(choice, left).pieces(LARGEST_PIECE):
            found.update(table["datastream"].unique().to_pylist())
        return found

    def _surely_holding(self, choice: Choice) -> set[int]:
        """Return datastreams of which the least or the greatest number fits."""
        bounds, within = bounds_of(choice.rest), choice.within
        is_bounded = not (within.start_us is None and within.end_us is None)
        if bounds is None or not bounds.is_all or is_bounded or within.features is not None:
            return set()
        if not isinstance(self._store, CanTellExtents):
            return set()
        extents = self._store.extents(within.datastreams)
        held = extents["datastream"].filter(pa.array(bounds.surely_fit(extents))).to_pylist()
        kinds = self._sources.kinds(held, self._scope)
        # The numbers of a Truth Datastream stand for true and false.
        return {one for one in held if one in kinds and kinds[one].type != ObservationType.TRUTH}

    def features(self, choice: Choice) -> set[int]:
        """Return the FeaturesOfInterest that have any of what is chosen."""
        found: set[int] = set()
        own: set[int] = set()
        for table in self._walk(choice).pieces(LARGEST_PIECE):
            feature = table["feature"].to_numpy()
            found.update(np.unique(feature).tolist())
            own.update(np.unique(table["datastream"].to_numpy()[feature == 0]).tolist())
        found.discard(0)
        found.update(self._sources.features.known_features(sorted(own)).values())
        return found

    # -- one

    def one(self, id_: int | str, datastreams: frozenset[int] | None = None) -> pa.Table:
        """Return the row with an id.

        Raises:
            NotFound: There is none that may be seen, among these datastreams.
        """
        identity = place_of(id_, self._sources.moved)
        wanted = _common(frozenset({identity.datastream}), datastreams, self._readable)
        table = SCHEMA.empty_table() if not wanted else self._store.scan(_exactly(identity))
        if table.num_rows:
            table = believed(table, self._sources.moved)
            shown = own_id(table["parameters"][0].as_py()) or id_of(identity)
            if shown == id_:
                return table
        msg = f"there is no Observation with id {id_!r}"
        raise NotFound(msg)

    # -- of many datastreams

    def along(self, datastreams: Sequence[int], where: Expression | None, paging: Paging) -> Along:
        """Return a page for each of some datastreams, in as few reads as possible."""
        choice = self.choose(where, frozenset(datastreams))
        key = natural_order(paging.order)
        is_plain = choice.is_whole and not paging.skip and paging.token is None
        if is_plain and key == ("phenomenonTime", True) and paging.top == 1:
            return self._latest(choice)
        ids, counts, _, _ = self._spans(choice)
        small = int(counts.sum()) <= MAX_TOGETHER
        if key is not None and small and len(ids) > 1 and paging.top:
            return self._together(choice, key[1], paging)
        pages: dict[int, Found] = {}
        total = 0
        for one in ids.tolist():
            pages[one] = self.page(_only(choice, one), paging)
            total += pages[one].table.num_rows
            check_count(total)
        tables = [SCHEMA.empty_table(), *(page.table for page in pages.values())]
        return Along(
            pa.concat_tables(tables),
            {one: page.table.num_rows for one, page in pages.items()},
            {one: page.next for one, page in pages.items() if page.next},
        )

    def _latest(self, choice: Choice) -> Along:
        table = self._sources.summaries.latest(choice.within.datastreams)
        ids, counts, _, _ = self._spans(choice)
        return Along(
            table,
            dict.fromkeys(table["datastream"].to_pylist(), 1),
            dict.fromkeys(ids[counts > 1].tolist(), "$skip=1"),
        )

    def _together(self, choice: Choice, descending: bool, paging: Paging) -> Along:
        pieces = self._walk(choice).pieces(LARGEST_PIECE, descending=descending)
        table = pa.concat_tables([SCHEMA.empty_table(), *pieces])
        datastream = table["datastream"].to_numpy()
        starts = np.flatnonzero(np.append(True, datastream[1:] != datastream[:-1]))
        starts = starts[: len(datastream)]
        counts = np.diff(np.append(starts, len(datastream)))
        upto = paging.skip + paging.top
        rank = np.arange(len(datastream)) - np.repeat(starts, counts)
        shown = (rank >= paging.skip) & (rank < upto)
        sizes = np.clip(counts - paging.skip, 0, paging.top)
        ids = datastream[starts]
        return Along(
            table.filter(pa.array(shown)),
            dict(zip(ids.tolist(), sizes.tolist(), strict=True)),
            dict.fromkeys(ids[counts > upto].tolist(), f"$skip={upto}"),
        )

    def counts(self, datastreams: Sequence[int], where: Expression | None) -> Mapping[int, int]:
        """Return for each of some datastreams how many observations there are."""
        choice = self.choose(where, frozenset(datastreams))
        found = dict.fromkeys(datastreams, 0)
        ids, counts, _, _ = self._spans(choice)
        if choice.is_whole:
            found.update(zip(ids.tolist(), counts.tolist(), strict=True))
            return found
        for table in self._walk(choice).pieces(LARGEST_PIECE):
            held, number = np.unique(table["datastream"].to_numpy(), return_counts=True)
            for datastream, count in zip(held.tolist(), number.tolist(), strict=True):
                found[datastream] += count
        return found

    def kinds(self, table: pa.Table) -> Mapping[int, Kind]:
        """Return the kinds of the datastreams of some rows."""
        return self._sources.kinds(table["datastream"].unique().to_pylist(), self._scope)

    # -- how

    def _facts(self, table: pa.Table, with_features: bool) -> Facts:
        datastreams = table["datastream"].unique().to_pylist()
        own = self._sources.features.known_features(datastreams) if with_features else {}
        kinds = self._sources.kinds(datastreams, self._scope)
        linked = partial(linked_values, self._sources, self._scope)
        ids = partial(shown_ids, moved=self._sources.moved)
        return Facts(kinds, own, self._now_us, linked, ids)

    def _walk(self, choice: Choice, spans: Spans | None = None) -> Walk:
        rest = choice.rest
        test = None
        if rest is not None:
            with_features = _mentions_feature(rest)

            def test(table: pa.Table) -> npt.NDArray[np.bool_]:
                return mask(rest, table, self._facts(table, with_features))

        ids, counts, _, _ = self._spans(choice) if spans is None else spans
        return Walk(self._store, choice, test, ids, counts, self._sources.max_scan_rows)

    def _spans(self, choice: Choice) -> Spans:
        """Return ids, counts, first and last times of the datastreams that can hold any."""
        within = choice.within
        table = self._sources.summaries.summaries(within.datastreams)
        ids, counts = table["datastream"].to_numpy(), table["count"].to_numpy()
        first, last = (
            table[name].cast(pa.int64()).to_numpy() for name in ("first_time", "last_time")
        )
        may = np.ones(len(ids), np.bool_)
        if within.start_us is not None:
            may &= last >= within.start_us
        if within.end_us is not None:
            may &= first < within.end_us
        bounds = bounds_of(choice.rest)
        if bounds is not None and len(ids) > 1 and isinstance(self._store, CanTellExtents):
            extents = self._store.extents(within.datastreams)
            reach = extents.filter(pa.array(bounds.may_fit(extents)))
            may &= np.isin(ids, reach["datastream"].to_numpy())
        if may.all():
            return ids, counts, first, last
        return ids[may], counts[may], first[may], last[may]


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


def _exactly(identity: Identity) -> Selection:
    return Selection(
        datastreams=(identity.datastream,),
        features=(identity.feature,),
        start_us=identity.time_us,
        end_us=identity.time_us + 1,
    )


def _only(choice: Choice, datastream: int) -> Choice:
    within = msgspec.structs.replace(choice.within, datastreams=(datastream,))
    return msgspec.structs.replace(choice, within=within)


def _possible(ids: frozenset[int] | None) -> frozenset[int] | None:
    """Return the ids that anything can have."""
    return None if ids is None else frozenset(one for one in ids if -(2**63) <= one < 2**63)


def _common(*sets: frozenset[int] | None) -> frozenset[int] | None:
    """Return what is in all sets; None is everything."""
    given = [one for one in sets if one is not None]
    return frozenset.intersection(*given) if given else None


def _mentions_feature(tree: Expression | Sequence[Order]) -> bool:
    if isinstance(tree, (Literal, Property)):
        return isinstance(tree, Property) and tree.path[0] == "FeatureOfInterest"
    if isinstance(tree, Apply):
        return any(_mentions_feature(one) for one in tree.arguments)
    if isinstance(tree, Sequence):
        return any(_mentions_feature(one.by) for one in tree)
    return False
