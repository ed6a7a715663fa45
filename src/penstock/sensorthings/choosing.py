"""Which observations are meant by what somebody asks, and where they are to be looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.expression import Apply, Expression, Literal, Order, Property
from penstock.core.selection import Selection
from penstock.core.store import CanTellExtents
from penstock.sensorthings.columns import Facts, mask, narrow
from penstock.sensorthings.linked import linked_values
from penstock.sensorthings.observation_rows import Kind, shown_ids
from penstock.sensorthings.result_bounds import bounds_of
from penstock.sensorthings.sources import ID, Sources, among
from penstock.sensorthings.walking import Choice, Int64s, Walk, holders

#: Ids, counts, first and last times of datastreams, ascending.
Spans = tuple[Int64s, Int64s, Int64s, Int64s]


class Choosing:
    """Finds out what somebody may mean.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
    """

    def __init__(self, sources: Sources, scope: Scope) -> None:
        self._sources = sources
        self._store = sources.store
        self._scope = scope
        self._now_us = sources.clock.now_us()
        self._known: dict[int, Kind] = {}

    @cached_property
    def readable(self) -> frozenset[int] | None:
        """The datastreams that may be read; None is all."""
        if self._scope.everything:
            return None
        return frozenset(self._sources.readable(self._scope, None))

    def choose(
        self, where: Expression | None = None, datastreams: frozenset[int] | None = None
    ) -> Choice:
        """Return what a condition means; it goes no further than to ids of Datastreams."""
        narrowed = narrow(where, self._now_us)
        wanted = common(datastreams, _possible(narrowed.datastreams), self.readable)
        features = _possible(narrowed.features)
        if features is not None:
            wanted = common(wanted, frozenset(self._holding(features)))
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

    def kinds(self, table: pa.Table) -> Mapping[int, Kind]:
        """Return the kinds of the datastreams of some rows."""
        return self._kinds(table["datastream"].unique().to_pylist())

    def remember(self, datastream: int, kind: Kind) -> None:
        """Take note of the kind of a datastream that was seen on the way."""
        self._known[datastream] = kind

    def _kinds(self, datastreams: Sequence[int]) -> Mapping[int, Kind]:
        missing = [one for one in datastreams if one not in self._known]
        if missing:
            self._known.update(self._sources.kinds(missing, self._scope))
        return {one: self._known[one] for one in datastreams if one in self._known}

    def facts(self, table: pa.Table, *, with_features: bool) -> Facts:
        """Return what conditions and orders over some rows need to know."""
        datastreams = table["datastream"].unique().to_pylist()
        own = self._sources.features.known_features(datastreams) if with_features else {}
        kinds = self._kinds(datastreams)
        linked = partial(linked_values, self._sources, self._scope)
        ids = partial(shown_ids, moved=self._sources.moved)
        return Facts(kinds, own, self._now_us, linked, ids)

    def walk(self, choice: Choice, spans: Spans | None = None) -> Walk:
        """Return what reads a choice, piece by piece."""
        rest = choice.rest
        test = None
        if rest is not None:
            with_features = mentions_feature(rest)

            def test(table: pa.Table) -> npt.NDArray[np.bool_]:
                return mask(rest, table, self.facts(table, with_features=with_features))

        ids, counts, _, _ = self.spans(choice) if spans is None else spans
        return Walk(self._store, choice, test, ids, counts, self._sources.max_scan_rows)

    def spans(self, choice: Choice) -> Spans:
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


def _possible(ids: frozenset[int] | None) -> frozenset[int] | None:
    """Return the ids that anything can have."""
    return None if ids is None else frozenset(one for one in ids if -(2**63) <= one < 2**63)


def common(*sets: frozenset[int] | None) -> frozenset[int] | None:
    """Return what is in all sets; None is everything."""
    given = [one for one in sets if one is not None]
    return frozenset.intersection(*given) if given else None


def mentions_feature(tree: Expression | Sequence[Order]) -> bool:
    """Tell whether a condition or an order looks at the FeatureOfInterest."""
    if isinstance(tree, (Literal, Property)):
        return isinstance(tree, Property) and tree.path[0] == "FeatureOfInterest"
    if isinstance(tree, Apply):
        return any(mentions_feature(one) for one in tree.arguments)
    if isinstance(tree, Sequence):
        return any(mentions_feature(one.by) for one in tree)
    return False
