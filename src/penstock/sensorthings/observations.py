"""Observations of the store: found, counted, paged; whoever asks sees what is in their scope."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Identity
from penstock.core.errors import NotFound
from penstock.core.expression import Expression
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.series import ObservationType
from penstock.core.store import CanSkip, CanTellExtents
from penstock.sensorthings.choosing import Choosing, common
from penstock.sensorthings.observation_ids import id_of
from penstock.sensorthings.observation_pages import Along, Found, Paging, natural_order
from penstock.sensorthings.observation_rows import believed, own_id, place_of
from penstock.sensorthings.paging import Pages
from penstock.sensorthings.result_bounds import bounds_of
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import Sources
from penstock.sensorthings.walking import LARGEST_PIECE, Choice, first_rows

#: Observations of several datastreams are read at once while they have no more rows than this.
MAX_TOGETHER = 500_000
#: Datastreams that are counted one by one.
MAX_COUNTED = 16

_MANY = 2**62


class Observations(Choosing):
    """Reads observations for somebody.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
    """

    def __init__(self, sources: Sources, scope: Scope) -> None:
        super().__init__(sources, scope)
        self._pages = Pages(sources, self)

    def page(self, choice: Choice, paging: Paging) -> Found:
        """Return a page of what is chosen.

        Raises:
            InvalidInput: The token is not one of ours.
            NotSupported: More would have to be looked at than is allowed.
        """
        return self._pages.page(choice, paging)

    def count(self, choice: Choice) -> int:
        """Return how many are chosen; from maintained state where that tells."""
        within = choice.within
        if choice.is_whole and within.datastreams is None:
            return int(self._sources.summaries.count())
        ids, counts, first, last = self.spans(choice)
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
            if len(ids) <= MAX_COUNTED and isinstance(self._store, CanSkip):
                return total + sum(self._count_one(choice, one) for one in ids.tolist())
        walk = self.walk(choice, (ids, counts, first, last))
        return total + sum(int(table.num_rows) for table in walk.pieces(LARGEST_PIECE))

    def _count_one(self, choice: Choice, datastream: int) -> int:
        """Count rows in a range of time: as far as that costs little without reading them."""
        assert isinstance(self._store, CanSkip)
        only = _only(choice, datastream)
        bound_us, found = self._store.skip(only.within, _MANY)
        if bound_us is not None:
            rest = msgspec.structs.replace(only.within, start_us=bound_us)
            only = msgspec.structs.replace(only, within=rest)
        pieces = self.walk(only).pieces(LARGEST_PIECE)
        return found + sum(int(table.num_rows) for table in pieces)

    def all(self, choice: Choice, limit: int) -> pa.Table:
        """Return everything chosen, by (datastream, time, feature), at most so many."""
        return first_rows(self.walk(choice).pieces(min(limit, LARGEST_PIECE)), 0, limit)

    def datastreams(self, choice: Choice) -> set[int]:
        """Return the datastreams that have any of what is chosen."""
        if choice.is_whole:
            return set(self.spans(choice)[0].tolist())
        found = self._surely_holding(choice)
        spans = self.spans(choice)
        open_ = ~np.isin(spans[0], np.array(sorted(found), np.int64))
        left = (spans[0][open_], spans[1][open_], spans[2][open_], spans[3][open_])
        for table in self.walk(choice, left).pieces(LARGEST_PIECE):
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
        for table in self.walk(choice).pieces(LARGEST_PIECE):
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
        wanted = common(frozenset({identity.datastream}), datastreams, self.readable)
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
        ids, counts, _, _ = self.spans(choice)
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
        ids, counts, _, _ = self.spans(choice)
        return Along(
            table,
            dict.fromkeys(table["datastream"].to_pylist(), 1),
            dict.fromkeys(ids[counts > 1].tolist(), "$skip=1"),
        )

    def _together(self, choice: Choice, descending: bool, paging: Paging) -> Along:
        pieces = self.walk(choice).pieces(LARGEST_PIECE, descending=descending)
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
        ids, counts, _, _ = self.spans(choice)
        if choice.is_whole:
            found.update(zip(ids.tolist(), counts.tolist(), strict=True))
            return found
        for table in self.walk(choice).pieces(LARGEST_PIECE):
            held, number = np.unique(table["datastream"].to_numpy(), return_counts=True)
            for datastream, count in zip(held.tolist(), number.tolist(), strict=True):
                found[datastream] += count
        return found


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
