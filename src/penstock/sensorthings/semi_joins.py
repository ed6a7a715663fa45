"""Conditions that cross between catalog and store: the part beyond becomes a set of ids.

From an entity, the largest parts of a condition that speak of nothing but the Observations along
one path, or of the times that a Datastream has from them, are answered by the store. From an
Observation, the largest parts that speak of nothing but its Datastream or its FeatureOfInterest are
answered by the catalog. Each becomes `path/@iot.id in (ids)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import TYPES, Query
from penstock.core.errors import NotSupported
from penstock.core.expression import Any, Apply, Expression, Literal, Property
from penstock.core.observation import SCHEMA
from penstock.core.store import CanTellExtents
from penstock.sensorthings.columns import Facts, holds_for_nothing, mask
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

Path = tuple[str, ...]
_STREAMS = ("Datastream", "MultiDatastream")
_DERIVED = ("phenomenonTime", "resultTime")
#: Types of the variables around, by name.
_Variables = Mapping[str, str]
_CONNECTIVES = ("and", "or")


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

    def _from_catalog(self, tree: Expression, type_: str, variables: _Variables) -> Expression:
        crossings = _crossings(tree, type_, variables)
        if crossings == {None}:
            return tree
        if len(crossings) == 1 and not isinstance(tree, (Property, Any)):
            (crossing,) = crossings
            assert crossing is not None
            return self._answered(tree, crossing, type_, variables)
        if isinstance(tree, Any):
            return self._any_from_catalog(tree, type_, variables)
        if isinstance(tree, Apply) and tree.function in _CONNECTIVES:
            parts = _grouped(tree, lambda one: _crossings(one, type_, variables))
            wider = self._spread(tree, parts, lambda one: _shared(one, type_, variables))
            if wider is not None:
                return self._from_catalog(wider, type_, variables)
            return _joined(tree, [self._from_catalog(one, type_, variables) for one in parts])
        if (
            isinstance(tree, Apply)
            and tree.function == "not"
            and isinstance(tree.arguments[0], Any)
        ):
            return _joined(tree, [self._from_catalog(tree.arguments[0], type_, variables)])
        return self._seen_from_observations(tree, type_, variables)

    def _seen_from_observations(
        self, tree: Expression, type_: str, variables: _Variables
    ) -> Expression:
        """Answer a comparison of Observations with what they belong to, from their side."""
        crossings = _crossings(tree, type_, variables) - {None}
        if len(crossings) != 1 or _has_any(tree):
            raise _mixed(tree)
        (crossing,) = crossings
        assert crossing is not None
        is_derived = crossing[-1] in _DERIVED
        condition = None if is_derived else seen_from(tree, crossing, type_, variables)
        if condition is None:
            raise _mixed(tree)
        return self._answered_by_store(condition, crossing, type_, variables)

    def _any_from_catalog(self, tree: Any, type_: str, variables: _Variables) -> Expression:
        crossing = _crossing(tree.path, type_, variables)
        target = _type_at(tree.path, type_, variables)
        if crossing is None:
            inner = {**variables, tree.variable: target}
            inside = self._from_catalog(positive(tree.condition), type_, inner)
            return msgspec.structs.replace(tree, condition=inside)
        condition = seen_from(tree.condition, crossing, type_, variables, tree.variable)
        if crossing != tree.path or condition is None:
            raise _mixed(tree)
        return self._answered_by_store(condition, crossing, type_, variables, is_any=True)

    def _answered(
        self, tree: Expression, crossing: Path, type_: str, variables: _Variables
    ) -> Expression:
        if crossing[-1] in _DERIVED:
            owner = _type_at(crossing[:-1], type_, variables)
            condition = _without(tree, crossing[:-1])
            path = (*crossing[:-1], ID)
            found = among(path, self._by_times(condition, crossing[-1], owner))
            if not holds_for_nothing(condition):
                return found
            return Apply("or", (found, Apply("eq", (Property(path), Literal(None)))))
        return self._answered_by_store(_without(tree, crossing), crossing, type_, variables)

    def _answered_by_store(
        self,
        condition: Expression,
        crossing: Path,
        type_: str,
        variables: _Variables,
        *,
        is_any: bool = False,
    ) -> Expression:
        owner = _type_at(crossing[:-1], type_, variables)
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
        if owner in _STREAMS:
            return frozenset(self._observations.datastreams(choice))
        return frozenset(self._observations.features(choice))

    def _by_times(self, condition: Expression, name: str, owner: str) -> frozenset[int]:
        """Return the datastreams whose derived times fit, seen as rows with those times."""
        times = derived_times(self._sources, None)
        table = times.as_rows(name)
        asked = _renamed(condition, name, "phenomenonTime")
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
        sides = _sides(tree)
        if sides == {""}:
            return tree
        if len(sides) == 1 and _links_of_ids(tree) <= sides:
            (link,) = sides
            return self._answered_by_catalog(tree, link)
        if isinstance(tree, Apply) and tree.function in _CONNECTIVES:
            parts = _grouped(tree, _sides)
            wider = self._spread(tree, parts, _many)
            if wider is not None:
                return self._from_store(wider)
            return _joined(tree, [self._from_store(one) for one in parts])
        if not _many(tree) and not _has_any(tree):
            return tree  # each row has one value on every side
        raise _mixed(tree)

    def _answered_by_catalog(self, tree: Expression, link: str) -> Expression:
        condition = _without(tree, (link,))
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
        """Return each as it is written; None where there is none."""
        start, end = (
            isos(column.cast(pa.int64()).fill_null(0).to_numpy()) for column in self._columns[name]
        )
        texts: list[str | None] = [f"{one}/{other}" for one, other in zip(start, end, strict=True)]
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


# -- looking at trees


def _crossings(tree: Expression, type_: str, variables: _Variables) -> set[Path | None]:
    """Return where the paths of a tree cross to the store; None stands for those that do not."""
    if isinstance(tree, Property):
        return {_crossing(tree.path, type_, variables)}
    if isinstance(tree, Apply):
        found = [_crossings(one, type_, variables) for one in tree.arguments]
        # Literals belong to every side.
        return set().union(*found) or {None}
    if isinstance(tree, Any):
        crossing = _crossing(tree.path, type_, variables)
        if crossing is not None:
            # It is answered by itself: its items are its own.
            return {crossing, None}
        inner = {**variables, tree.variable: _type_at(tree.path, type_, variables)}
        return _crossings(tree.condition, type_, inner) | {None}
    return set()


def _shared(tree: Expression, type_: str, variables: _Variables) -> set[Path]:
    """Return the ways to Observations that a condition has in common with others."""
    crossings = (_crossing(path, type_, variables) for path in _paths(tree, outside_any=True))
    return {one for one in crossings if one is not None and one[-1] not in _DERIVED}


def _crossing(path: Path, type_: str, variables: _Variables) -> Path | None:
    """Return the part of a path up to Observations, or up to a derived time; None without one."""
    at = 0
    if path and path[0] in variables:
        type_, at = variables[path[0]], 1
    while at < len(path):
        name = path[at]
        if type_ in _STREAMS and name in _DERIVED:
            return path[: at + 1]
        link = TYPES[type_].link(name)
        if link is None:
            return None
        if link.target == "Observation":
            return path[: at + 1]
        type_, at = link.target, at + 1
    return None


def _type_at(path: Path, type_: str, variables: _Variables) -> str:
    for at, name in enumerate(path):
        if not at and name in variables:
            type_ = variables[name]
            continue
        link = TYPES[type_].link(name)
        if link is not None:
            type_ = link.target
    return type_


_LINKS = (*_STREAMS, "FeatureOfInterest")


def _sides(tree: Expression) -> set[str]:
    """Return the links through which the paths of a condition on Observations lead; "" is here.

    Rows know the ids of what they are linked to, so these are here too.
    """
    paths = [path for path in _paths(tree) if path[0] not in _LINKS or path[1:] != (ID,)]
    return {path[0] if path[0] in _LINKS else "" for path in paths} or {""}


def _links_of_ids(tree: Expression) -> set[str]:
    return {path[0] for path in _paths(tree) if path[0] in _LINKS and path[1:] == (ID,)}


def _paths(
    tree: Expression, variables: frozenset[str] = frozenset(), *, outside_any: bool = False
) -> Iterator[Path]:
    """Yield the paths of a condition that do not begin with one of its own variables."""
    if isinstance(tree, Property):
        if tree.path[0] not in variables:
            yield tree.path
    elif isinstance(tree, Apply):
        for one in tree.arguments:
            yield from _paths(one, variables, outside_any=outside_any)
    elif isinstance(tree, Any) and not outside_any:
        if tree.path[0] not in variables:
            yield tree.path
        yield from _paths(tree.condition, variables | {tree.variable})


def _many(tree: Expression) -> set[Path]:
    """Return the navigation to many that a condition on Observations makes."""
    found = set()
    for path in _paths(tree, outside_any=True):
        type_ = "Observation"
        for at, name in enumerate(path):
            link = TYPES[type_].link(name)
            if link is None:
                break
            if link.many:
                found.add(path[: at + 1])
            type_ = link.target
    return found


def _grouped(
    tree: Apply, side: Callable[[Expression], set[Path | None]] | Callable[[Expression], set[str]]
) -> list[Expression]:
    """Bring the parts of an `and` or `or` together that are of one side."""
    groups: dict[frozenset[object], list[Expression]] = {}
    for one in tree.arguments:
        groups.setdefault(frozenset(side(one)), []).append(one)
    found: list[Expression] = []
    for sides, parts in groups.items():
        if len(sides) == 1 and len(parts) > 1:
            found.append(Apply(tree.function, tuple(parts), tree.at))
        else:
            found.extend(parts)
    return found


def _joined(tree: Apply, parts: list[Expression]) -> Expression:
    if len(parts) == 1 and tree.function in _CONNECTIVES:
        return parts[0]
    return Apply(tree.function, tuple(parts), tree.at)


def _without(tree: Expression, prefix: Path, variables: frozenset[str] = frozenset()) -> Expression:
    """Return a tree whose paths begin behind a prefix, but for those of its own variables.

    Raises:
        NotSupported: One has another prefix.
    """
    if isinstance(tree, Apply):
        parts = tuple(_without(one, prefix, variables) for one in tree.arguments)
        return Apply(tree.function, parts, tree.at)
    if isinstance(tree, Property):
        return Property(_behind(tree, prefix, variables), tree.at)
    if isinstance(tree, Any):
        condition = _without(tree.condition, prefix, variables | {tree.variable})
        path = _behind(tree, prefix, variables)
        return msgspec.structs.replace(tree, path=path, condition=condition)
    return tree


def _behind(tree: Property | Any, prefix: Path, variables: frozenset[str]) -> Path:
    if tree.path[0] in variables:
        return tree.path
    if tree.path[: len(prefix)] != prefix:
        raise _mixed(tree)
    return tree.path[len(prefix) :]


def _has_any(tree: Expression) -> bool:
    if isinstance(tree, Apply):
        return any(map(_has_any, tree.arguments))
    return isinstance(tree, Any)


def _renamed(tree: Expression, name: str, new: str) -> Expression:
    if isinstance(tree, Property):
        return Property((new, *tree.path[1:]), tree.at) if tree.path[0] == name else tree
    if isinstance(tree, Apply):
        parts = tuple(_renamed(one, name, new) for one in tree.arguments)
        return Apply(tree.function, parts, tree.at)
    return tree


def _mixed(tree: Expression) -> NotSupported:
    at = getattr(tree, "at", 0)
    return NotSupported(
        f"$filter, position {at}: one comparison that speaks of Observations and of other entities "
        "at once cannot be answered; compare each with a literal, joined by `and`"
    )
