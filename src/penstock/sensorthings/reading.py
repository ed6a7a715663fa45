"""Reads what a path leads to: pages of entities, single ones, and what is expanded within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import TYPES, Query, Row, Step
from penstock.core.errors import InvalidInput
from penstock.core.expression import Expression, Order, Property
from penstock.sensorthings.continuing import following, next_option, sort_values
from penstock.sensorthings.formats import data_array
from penstock.sensorthings.grammar import Expand, Options
from penstock.sensorthings.observation_pages import Found, Paging
from penstock.sensorthings.observation_rows import (
    DATASTREAM,
    FEATURE,
    Kind,
    believed,
    plain_columns,
    rows_of,
)
from penstock.sensorthings.observations import Observations
from penstock.sensorthings.places import Place
from penstock.sensorthings.semi_joins import SemiJoins, derived_times
from penstock.sensorthings.showing import COUNT, NEXT, Looks
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import ID, Sources, among, both

DEFAULT_TOP = 100
_STREAMS = ("Datastream", "MultiDatastream")
_DERIVED = ("phenomenonTime", "resultTime")


class Page(msgspec.Struct, frozen=True):
    """Entities as they are shown.

    Attributes:
        values: The entities.
        count: How many there are in all, where that was asked for.
        next: The option that leads to the next page; empty on the last.
    """

    values: list[dict[str, Any]]
    count: int | None = None
    next: str = ""


class Reading:
    """Reads for one request.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
        root: Address of the service, without a slash at the end.
    """

    def __init__(self, sources: Sources, scope: Scope, root: str) -> None:
        self._sources = sources
        self._scope = scope
        self._root = root
        self.observations = Observations(sources, scope)
        self.joins = SemiJoins(sources, scope, self.observations)

    def top(self, options: Options) -> int:
        """Return how many entities a page has."""
        top = DEFAULT_TOP if options.top is None else options.top
        return min(top, self._sources.max_top)

    # -- pages

    def page(self, place: Place, options: Options) -> Page:
        """Return a page of a set."""
        if place.type == "Observation":
            return self._observation_page(place, options)
        rows, more = self._rows(place, options)
        count = self.count(place, options) if options.count else None
        return Page(self.show(place.type, rows, options), count, more)

    def count(self, place: Place, options: Options) -> int:
        """Return how many entities are in a set."""
        if place.type == "Observation":
            where = both(place.where, self.joins.of_observations(options.where))
            return self.observations.count(self.observations.choose(where))
        return self._sources.reader.count(self._query(place, options))

    def show(
        self, type_: str, rows: Sequence[Row], options: Options, *, is_nested: bool = False
    ) -> list[dict[str, Any]]:
        """Return entities of the catalog as they are shown, with what is expanded."""
        looks = Looks(type_, options, self._root, is_nested=is_nested)
        more = self._times(rows, looks.properties) if type_ in _STREAMS else {}
        shown = looks.show(rows, {}, more)
        if options.expand:
            self._expand(type_, rows, shown, options, _kinds(rows, type_))
        return shown

    def show_observations(
        self,
        found: Found | Sequence[Row],
        options: Options,
        kinds: Mapping[int, Kind],
        *,
        is_nested: bool = False,
    ) -> list[dict[str, Any]]:
        """Return observations as they are shown, with what is expanded."""
        looks = Looks("Observation", options, self._root, is_nested=is_nested)
        if isinstance(found, Found):
            found = found._replace(table=believed(found.table, self._sources.moved))
        plain = None
        if looks.is_bare and not options.expand and isinstance(found, Found):
            plain = plain_columns(found.table, kinds)
        if plain is not None:
            return looks.show_bare(plain)
        rows = rows_of(found.table, kinds, looks.wanted) if isinstance(found, Found) else found
        shown = looks.show(rows, kinds)
        if options.expand:
            self._expand("Observation", rows, shown, options, kinds)
        return shown

    def _observation_page(self, place: Place, options: Options) -> Page:
        where = both(place.where, self.joins.of_observations(options.where))
        choice = self.observations.choose(where)
        found = self.observations.page(choice, self._paging(options))
        count = self.observations.count(choice) if options.count else None
        kinds = self.observations.kinds(found.table)
        return Page(self.show_observations(found, options, kinds), count, found.next)

    def one_observation(self, row: pa.Table, options: Options) -> dict[str, Any]:
        """Return one observation as it is shown."""
        return self.show_observations(Found(row), options, self.observations.kinds(row))[0]

    def data_array(self, place: Place, options: Options) -> tuple[Page, list[dict[str, Any]]]:
        """Return a page of observations without values, and these as data arrays."""
        where = both(place.where, self.joins.of_observations(options.where))
        choice = self.observations.choose(where)
        found = self.observations.page(choice, self._paging(options))
        count = self.observations.count(choice) if options.count else None
        kinds = self.observations.kinds(found.table)
        rows = rows_of(believed(found.table, self._sources.moved), kinds)
        nothing = Kind("")
        streams = [
            (_STREAMS[kinds.get(row[DATASTREAM], nothing).is_multi], row[DATASTREAM])
            for row in rows
        ]
        arrays = data_array(rows, streams, options, self._root)
        return Page([], count, found.next), arrays

    def _paging(self, options: Options) -> Paging:
        return Paging(
            top=self.top(options),
            skip=options.skip,
            token=options.skip_token,
            order=options.order,
        )

    def _rows(self, place: Place, options: Options) -> tuple[Sequence[Row], str]:
        derived = self._derived_order(place, options)
        if derived is not None:
            return derived
        top = self.top(options)
        query = msgspec.structs.replace(
            self._query(place, options),
            limit=top + 1,
            skip=options.skip,
            after=None if options.skip_token is None else sort_values(options.skip_token),
        )
        rows = self._sources.reader.find(query) if top else []
        return rows[:top], next_option(rows, top, options)

    def _query(self, place: Place, options: Options) -> Query:
        return Query(
            type=place.type,
            scope=self._scope,
            along=place.along,
            where=self.joins.of_catalog(options.where, place.type),
            order=options.order,
            properties=self._wanted(place.type, options),
        )

    def _wanted(self, type_: str, options: Options) -> tuple[str, ...] | None:
        if options.select is None:
            return None
        chosen = {path[0] for path in options.select}
        return tuple(name for name in TYPES[type_].properties if name in chosen)

    def _derived_order(self, place: Place, options: Options) -> tuple[Sequence[Row], str] | None:
        """Return a page ordered by times that the store tells; None where the order is another."""
        if place.type not in _STREAMS or not any(map(_is_derived, options.order)):
            return None
        if len(options.order) > 1 and not all(map(_is_derived, options.order)):
            msg = "$orderby by phenomenonTime or resultTime goes with no other property here"
            raise InvalidInput(msg)
        ids = self._sources.reader.ids(
            msgspec.structs.replace(self._query(place, options), order=())
        )
        times = derived_times(self._sources, ids)
        ordered = sorted(ids)
        for one in reversed(options.order):
            assert isinstance(one.by, Property)
            known = dict(zip(times.datastream.tolist(), times.of(one.by.path[0]), strict=True))
            nothing = (-(2**63), 0)
            ordered.sort(key=lambda id_: known.get(id_) or nothing, reverse=one.descending)
        top = self.top(options)
        page = ordered[options.skip : options.skip + top]
        query = Query(
            type=place.type,
            scope=self._scope,
            where=among((ID,), page),
            properties=self._wanted(place.type, options),
        )
        rows = {row[ID]: row for row in self._sources.reader.find(query)}
        more = len(ordered) > options.skip + top
        following = f"$skip={options.skip + top}" if more and top else ""
        return [rows[id_] for id_ in page if id_ in rows], following

    def _times(
        self, rows: Sequence[Row], wanted: Sequence[str]
    ) -> Mapping[str, Mapping[int, str | None]]:
        """Return the times that observations give Datastreams, by name and id."""
        names = [name for name in _DERIVED if name in wanted]
        if not names or not rows:
            return {}
        times = derived_times(self._sources, [_id(row) for row in rows])
        ids = times.datastream.tolist()
        return {name: dict(zip(ids, times.texts(name), strict=True)) for name in names}

    # -- expanding

    def _expand(
        self,
        type_: str,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        options: Options,
        kinds: Mapping[int, Kind],
    ) -> None:
        for expand in options.expand:
            link = TYPES[type_].link(expand.link)
            assert link is not None
            if type_ == "Observation":
                self._expand_observations(rows, shown, expand, kinds)
            elif link.many:
                self._expand_many(type_, rows, shown, expand, kinds)
            else:
                self._expand_one(type_, rows, shown, expand)

    def _expand_many(
        self,
        type_: str,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        expand: Expand,
        kinds: Mapping[int, Kind],
    ) -> None:
        link = TYPES[type_].link(expand.link)
        assert link is not None
        ids: list[Any] = [row[ID] for row in rows]
        if link.target == "Observation":
            pages = self._observations_along(type_, ids, expand.options, kinds)
        else:
            pages = self._entities_along(Step(type_, tuple(ids), link.name), expand.options)
        nothing = Page([], 0 if expand.options.count else None)
        stem = f"{self._root}/{TYPES[type_].set_name}("
        kept = f")/{link.name}?{following(expand.options)}"
        name, count, next_ = link.name, link.name + COUNT, link.name + NEXT
        for id_, one in zip(ids, shown, strict=True):
            page = pages.get(id_, nothing)
            if page.count is not None:
                one[count] = page.count
            one[name] = page.values
            if page.next:
                one[next_] = f"{stem}{id_}{kept}{page.next}"

    def _entities_along(self, along: Step, options: Options) -> Mapping[int, Page]:
        link = TYPES[along.type].link(along.link)
        assert link is not None
        top = self.top(options)
        query = Query(
            type=link.target,
            scope=self._scope,
            along=along,
            where=self.joins.of_catalog(options.where, link.target),
            order=options.order,
            limit=top + 1,
            skip=options.skip,
            properties=self._wanted(link.target, options),
        )
        counts = self._sources.reader.count_along(query) if options.count else {}
        found = self._sources.reader.find_along(query)
        pages = {id_: rows[:top] for id_, rows in found.items()}
        every = [row for rows in pages.values() for row in rows]
        check_count(len(every))
        shown = iter(self.show(link.target, every, options, is_nested=True))
        return {
            id_: Page(
                list(islice(shown, len(pages[id_]))),
                counts.get(id_),
                next_option(rows, top, options),
            )
            for id_, rows in found.items()
        }

    def _observations_along(
        self, type_: str, ids: Sequence[int], options: Options, kinds: Mapping[int, Kind]
    ) -> Mapping[int, Page]:
        where = self.joins.of_observations(options.where)
        paging = self._paging(options)
        if type_ == "FeatureOfInterest":
            return {id_: self._of_feature(id_, where, paging, options) for id_ in ids}
        found = self.observations.along(ids, where, paging)
        check_count(found.table.num_rows)
        counts = self.observations.counts(ids, where) if options.count else {}
        shown = self.show_observations(Found(found.table), options, kinds, is_nested=True)
        pages: dict[int, Page] = {id_: Page([], count) for id_, count in counts.items()}
        at = 0
        for id_, size in found.sizes.items():
            pages[id_] = Page(shown[at : at + size], counts.get(id_), found.next.get(id_, ""))
            at += size
        return pages

    def _of_feature(
        self, feature: int, where: Expression | None, paging: Paging, options: Options
    ) -> Page:
        whole = both(self.observations.of_feature(feature), where)
        choice = self.observations.choose(whole)
        found = self.observations.page(choice, paging)
        count = self.observations.count(choice) if options.count else None
        kinds = self.observations.kinds(found.table)
        values = self.show_observations(found, options, kinds, is_nested=True)
        return Page(values, count, found.next)

    def _expand_one(
        self, type_: str, rows: Sequence[Row], shown: list[dict[str, Any]], expand: Expand
    ) -> None:
        link = TYPES[type_].link(expand.link)
        assert link is not None
        ids = [_id(row) for row in rows]
        query = Query(
            type=link.target,
            scope=self._scope,
            along=Step(type_, tuple(ids), link.name),
            where=self.joins.of_catalog(expand.options.where, link.target),
            properties=self._wanted(link.target, expand.options),
        )
        targets = {
            id_: found[0] for id_, found in self._sources.reader.find_along(query).items() if found
        }
        self._put(ids, targets, shown, expand, link.target)

    def _expand_observations(
        self,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        expand: Expand,
        kinds: Mapping[int, Kind],
    ) -> None:
        keys: list[Any]
        if expand.link == "FeatureOfInterest":
            keys = self.feature_ids(rows)
        else:
            is_multi = expand.link == "MultiDatastream"
            keys = [row[DATASTREAM] for row in rows]
            keys = [
                key if key in kinds and kinds[key].is_multi is is_multi else None for key in keys
            ]
        wanted = {key for key in keys if key is not None}
        query = Query(
            type=expand.link,
            scope=self._scope,
            where=both(
                among((ID,), frozenset(wanted)),
                self.joins.of_catalog(expand.options.where, expand.link),
            ),
            properties=self._wanted(expand.link, expand.options),
        )
        targets = {row[ID]: row for row in self._sources.reader.find(query)} if wanted else {}
        self._put(keys, targets, shown, expand, expand.link)

    def feature_ids(self, rows: Sequence[Row]) -> list[int | None]:
        """Return the FeatureOfInterest of each observation; None where it has none."""
        own: Mapping[int, int] = {}
        streams = {int(str(row[DATASTREAM])) for row in rows if not row[FEATURE]}
        if streams:
            own = self._sources.features.own_features(sorted(streams))
        return [int(str(row[FEATURE])) or own.get(int(str(row[DATASTREAM]))) for row in rows]

    def _put(
        self,
        keys: Sequence[Any],
        targets: Mapping[Any, Row],
        shown: list[dict[str, Any]],
        expand: Expand,
        type_: str,
    ) -> None:
        """Show each entity once, wherever it is expanded."""
        distinct = {row[ID]: row for row in targets.values()}
        looks = self.show(type_, list(distinct.values()), expand.options, is_nested=True)
        by_id = dict(zip(distinct, looks, strict=True))
        for key, one in zip(keys, shown, strict=True):
            row = targets.get(key)
            if row is not None:
                one[expand.link] = by_id[row[ID]]


def _id(row: Row) -> int:
    id_ = row[ID]
    assert isinstance(id_, int)
    return id_


def _kinds(rows: Sequence[Row], type_: str) -> Mapping[int, Kind]:
    """Return the kinds of Datastreams, one object for each kind that there is."""
    if not rows or "@kind" not in rows[0]:
        return {}
    is_multi = type_ == "MultiDatastream"
    kinds: dict[object, Kind] = {}
    found: dict[Any, Kind] = {}
    for row in rows:
        word = row["@kind"]
        kind = kinds.get(word)
        if kind is None:
            kind = kinds[word] = Kind(str(word), is_multi)
        found[row[ID]] = kind
    return found


def _is_derived(order: Order) -> bool:
    return isinstance(order.by, Property) and order.by.path[0] in _DERIVED
