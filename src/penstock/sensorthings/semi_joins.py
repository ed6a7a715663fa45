"""Conditions that cross between catalog and store: the part beyond becomes a set of ids.

From an entity, the largest parts of a condition that speak of nothing but the Observations along
one path, or of the times that a Datastream has from them, are answered by the store. From an
Observation, the largest parts that speak of nothing but its Datastream or its FeatureOfInterest are
answered by the catalog. Each becomes `path/@iot.id in (ids)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Query
from penstock.core.errors import NotSupported
from penstock.core.expression import Any, Apply, Expression, Literal, Property
from penstock.core.observation import SCHEMA
from penstock.core.store import CanTellExtents
from penstock.sensorthings.columns import Facts, holds_for_nothing, mask
from penstock.sensorthings.crossings import (
    CONNECTIVES,
    DERIVED,
    STREAMS,
    Path,
    Variables,
    crossing_of,
    crossings_of,
    grouped,
    has_any,
    joined,
    mixed_sides,
    renamed,
    sides_of,
    type_at,
    ways_to_many,
    ways_to_observations,
    without,
)
from penstock.sensorthings.normal_forms import (
    MAX_ALTERNATIVES,
    is_shared,
    positive,
    spread,
)
from penstock.sensorthings.observations import Observations
from penstock.sensorthings.other_side import seen_from
from penstock.sensorthings.sources import ID, Sources, among
from penstock.sensorthings.times import isos


class SemiJoins:
    """Answers what is beyond the border, for somebody.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
        observations: Reads observations in that scope.
    """

    def __init__(self, sources: Sources, scope: Scope, observations: Observations) -> None:
        self._sources = sources
        self._scope = scope
        self._observations = observations
        self._alternatives_left = MAX_ALTERNATIVES

    def of_catalog(self, where: Expression | None, type_: str) -> Expression | None:
        """Return a condition over entities of a type without what goes to observations.

        Raises:
            NotSupported: One comparison speaks of both sides.
        """
        return None if where is None else self._from_catalog(positive(where), type_, {})

    def of_observations(self, where: Expression | None) -> Expression | None:
        """Return a condition over Observations without what goes to the catalog.

        Raises:
            NotSupported: One comparison speaks of both sides.
        """
        return None if where is None else self._from_store(positive(where))

    def _spread(
        self, tree: Apply, parts: Sequence[Expression], shared: Callable[[Expression], set[Path]]
    ) -> Expression | None:
        """Return alternatives in place of an `and` whose parts speak of the same of many."""
        if tree.function != "and" or not is_shared(parts, shared):
            return None
        found = spread(parts, self._alternatives_left)
        if isinstance(found, Apply) and found.function == "or":
            self._alternatives_left -= len(found.arguments)
            return found
        return None

    # -- from the catalog

    def _from_catalog(self, tree: Expression, type_: str, variables: Variables) -> Expression:
        crossings = crossings_of(tree, type_, variables)
        if crossings == {None}:
            return tree
        if len(crossings) == 1 and not isinstance(tree, (Property, Any)):
            (crossing,) = crossings
            assert crossing is not None
            return self._answered(tree, crossing, type_, variables)
        if isinstance(tree, Any):
            return self._any_from_catalog(tree, type_, variables)
        if isinstance(tree, Apply) and tree.function in CONNECTIVES:
            parts = grouped(tree, lambda one: crossings_of(one, type_, variables))
            wider = self._spread(
                tree, parts, lambda one: ways_to_observations(one, type_, variables)
            )
            if wider is not None:
                return self._from_catalog(wider, type_, variables)
            return joined(tree, [self._from_catalog(one, type_, variables) for one in parts])
        if (
            isinstance(tree, Apply)
            and tree.function == "not"
            and isinstance(tree.arguments[0], Any)
        ):
            return joined(tree, [self._from_catalog(tree.arguments[0], type_, variables)])
        return self._seen_from_observations(tree, type_, variables)

    def _seen_from_observations(
        self, tree: Expression, type_: str, variables: Variables
    ) -> Expression:
        """Answer a comparison of Observations with what they belong to, from their side."""
        crossings = crossings_of(tree, type_, variables) - {None}
        if len(crossings) != 1 or has_any(tree):
            raise mixed_sides(tree)
        (crossing,) = crossings
        assert crossing is not None
        is_derived = crossing[-1] in DERIVED
        condition = None if is_derived else seen_from(tree, crossing, type_, variables)
        if condition is None:
            raise mixed_sides(tree)
        return self._answered_by_store(condition, crossing, type_, variables)

    def _any_from_catalog(self, tree: Any, type_: str, variables: Variables) -> Expression:
        crossing = crossing_of(tree.path, type_, variables)
        target = type_at(tree.path, type_, variables)
        if crossing is None:
            inner = {**variables, tree.variable: target}
            inside = self._from_catalog(positive(tree.condition), type_, inner)
            return msgspec.structs.replace(tree, condition=inside)
        condition = seen_from(tree.condition, crossing, type_, variables, tree.variable)
        if crossing != tree.path or condition is None:
            raise mixed_sides(tree)
        return self._answered_by_store(condition, crossing, type_, variables, is_any=True)

    def _answered(
        self, tree: Expression, crossing: Path, type_: str, variables: Variables
    ) -> Expression:
        if crossing[-1] in DERIVED:
            owner = type_at(crossing[:-1], type_, variables)
            condition = without(tree, crossing[:-1])
            path = (*crossing[:-1], ID)
            found = among(path, self._by_times(condition, crossing[-1], owner))
            if not holds_for_nothing(condition):
                return found
            return Apply("or", (found, Apply("eq", (Property(path), Literal(None)))))
        return self._answered_by_store(without(tree, crossing), crossing, type_, variables)

    def _answered_by_store(
        self,
        condition: Expression,
        crossing: Path,
        type_: str,
        variables: Variables,
        *,
        is_any: bool = False,
    ) -> Expression:
        owner = type_at(crossing[:-1], type_, variables)
        path = (*crossing[:-1], ID)
        found = among(path, self._holders(owner, self.of_observations(condition)))
        if is_any or not holds_for_nothing(condition):
            return found
        # Where there is no Observation, its properties are null, and that is what is asked for.
        is_null = Apply("eq", (Property(path), Literal(None)))
        has_none = Apply("not", (among(path, self._holders(owner, None)),))
        return Apply("or", (found, has_none, is_null))

    def _holders(self, owner: str, where: Expression | None) -> frozenset[int]:
        """Return what has Observations for which a condition holds."""
        choice = self._observations.choose(where)
        if owner in STREAMS:
            return frozenset(self._observations.datastreams(choice))
        return frozenset(self._observations.features(choice))

    def _by_times(self, condition: Expression, name: str, owner: str) -> frozenset[int]:
        """Return the datastreams whose derived times fit, seen as rows with those times."""
        times = derived_times(self._sources, None)
        table = times.as_rows(name)
        asked = renamed(condition, name, "phenomenonTime")
        found = mask(asked, table, Facts({}, {}, self._sources.clock.now_us()))
        ids = frozenset(times.datastream[found].tolist())
        if holds_for_nothing(condition):
            # Datastreams without such a time are not among the rows; null is all there is to them.
            known = frozenset(times.datastream[times.is_known(name)].tolist())
            query = Query(type=owner, scope=self._scope)
            ids |= frozenset(self._sources.reader.ids(query)) - known
        return ids

    # -- from the store

    def _from_store(self, tree: Expression) -> Expression:
        sides = sides_of(tree)
        if sides == {""}:
            return tree
        if len(sides) == 1:
            (link,) = sides
            return self._answered_by_catalog(tree, link)
        if isinstance(tree, Apply) and tree.function in CONNECTIVES:
            parts = grouped(tree, sides_of)
            wider = self._spread(tree, parts, ways_to_many)
            if wider is not None:
                return self._from_store(wider)
            return joined(tree, [self._from_store(one) for one in parts])
        if not ways_to_many(tree) and not has_any(tree):
            return tree  # each row has one value on every side
        raise mixed_sides(tree)

    def _answered_by_catalog(self, tree: Expression, link: str) -> Expression:
        condition = without(tree, (link,))
        query = Query(type=link, scope=self._scope, where=self.of_catalog(condition, link))
        found = among((link, ID), frozenset(self._sources.reader.ids(query)))
        if not holds_for_nothing(condition):
            return found
        return Apply("or", (found, Apply("eq", (Property((link, ID)), Literal(None)))))


class DerivedTimes:
    """From when to when the observations of datastreams reach."""

    def __init__(self, summaries: pa.Table, extents: pa.Table) -> None:
        self.datastream = summaries["datastream"].to_numpy()
        at = np.searchsorted(extents["datastream"].to_numpy(), self.datastream)
        taken = extents.take(pa.array(at))
        self._columns = {
            "phenomenonTime": (summaries["first_time"], taken["end_time"]),
            "resultTime": (taken["first_result_time"], taken["last_result_time"]),
        }

    def is_known(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which of them have such a time."""
        return self._columns[name][0].is_valid().to_numpy()  # type: ignore[no-any-return]

    def of(self, name: str) -> list[tuple[int, int] | None]:
        """Return start and end of each, microseconds UTC."""
        start, end = (column.cast(pa.int64()).to_pylist() for column in self._columns[name])
        return [
            None if first is None else (first, last) for first, last in zip(start, end, strict=True)
        ]

    def texts(self, name: str) -> list[str | None]:
        """Return each as JSON; None where there is none."""
        start, end = (
            isos(column.cast(pa.int64()).fill_null(0).to_numpy()) for column in self._columns[name]
        )
        texts: list[str | None] = [
            f'"{one}/{other}"' for one, other in zip(start, end, strict=True)
        ]
        for at in np.flatnonzero(~self.is_known(name)).tolist():
            texts[at] = None
        return texts

    def as_rows(self, name: str) -> pa.Table:
        """Return those that have such a time as observations at that time."""
        known = self.is_known(name)
        self.datastream = self.datastream[known]
        self._columns = {
            one: (start.filter(pa.array(known)), end.filter(pa.array(known)))
            for one, (start, end) in self._columns.items()
        }
        start, end = self._columns[name]
        columns = {
            "datastream": pa.array(self.datastream),
            "time": start,
            "feature": pa.array(np.zeros(len(self.datastream), np.int64)),
            "end_time": end,
        }
        rows = len(self.datastream)
        return pa.table(
            [columns.get(field.name, pa.nulls(rows, field.type)) for field in SCHEMA], schema=SCHEMA
        )


def derived_times(sources: Sources, datastreams: Sequence[int] | None) -> DerivedTimes:
    """Return the times of datastreams, or of all.

    Raises:
        NotSupported: The store does not keep them.
    """
    if not isinstance(sources.store, CanTellExtents):
        msg = "this store does not tell how far the times of a Datastream reach"
        raise NotSupported(msg)
    extents = sources.store.extents(datastreams)
    summaries = sources.summaries.summaries(datastreams)
    held = np.isin(summaries["datastream"].to_numpy(), extents["datastream"].to_numpy())
    return DerivedTimes(summaries.filter(pa.array(held)), extents)
