"""What is expanded within entities: read for all of them at once, and shown where it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from penstock.core.access import Scope
from penstock.core.entities import TYPES, Query, Row, Step
from penstock.core.expression import Expression
from penstock.sensorthings.continuing import following, next_option
from penstock.sensorthings.grammar import Expand, Options
from penstock.sensorthings.observation_pages import Found, Paging
from penstock.sensorthings.observation_rows import DATASTREAM, FEATURE, Kind
from penstock.sensorthings.showing import COUNT, NEXT, Page, id_of_row
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import ID, Sources, among, both

if TYPE_CHECKING:
    from penstock.sensorthings.reading import Reading


class Expanding:
    """Expands links for one request.

    Args:
        reading: Reads and shows what is expanded, which may be expanded itself.
        sources: The two sides.
        scope: What the one who asks may read.
        root: Address of the service, without a slash at the end.
    """

    def __init__(self, reading: Reading, sources: Sources, scope: Scope, root: str) -> None:
        self._reading = reading
        self._sources = sources
        self._scope = scope
        self._root = root

    def expand(
        self,
        type_: str,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        options: Options,
        kinds: Mapping[int, Kind],
    ) -> None:
        """Put what is expanded into entities as they are shown."""
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
        top = self._reading.top(options)
        query = Query(
            type=link.target,
            scope=self._scope,
            along=along,
            where=self._reading.joins.of_catalog(options.where, link.target),
            order=options.order,
            limit=top + 1,
            skip=options.skip,
            properties=self._reading.wanted(link.target, options),
        )
        counts = self._sources.reader.count_along(query) if options.count else {}
        found = self._sources.reader.find_along(query)
        pages = {id_: rows[:top] for id_, rows in found.items()}
        every = [row for rows in pages.values() for row in rows]
        check_count(len(every))
        shown = iter(self._reading.show(link.target, every, options, is_nested=True))
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
        where = self._reading.joins.of_observations(options.where)
        paging = self._reading.paging(options)
        if type_ == "FeatureOfInterest":
            return {id_: self._of_feature(id_, where, paging, options) for id_ in ids}
        found = self._reading.observations.along(ids, where, paging)
        check_count(found.table.num_rows)
        counts = self._reading.observations.counts(ids, where) if options.count else {}
        shown = self._reading.show_observations(Found(found.table), options, kinds, is_nested=True)
        pages: dict[int, Page] = {id_: Page([], count) for id_, count in counts.items()}
        at = 0
        for id_, size in found.sizes.items():
            pages[id_] = Page(shown[at : at + size], counts.get(id_), found.next.get(id_, ""))
            at += size
        return pages

    def _of_feature(
        self, feature: int, where: Expression | None, paging: Paging, options: Options
    ) -> Page:
        whole = both(self._reading.observations.of_feature(feature), where)
        choice = self._reading.observations.choose(whole)
        found = self._reading.observations.page(choice, paging)
        count = self._reading.observations.count(choice) if options.count else None
        kinds = self._reading.observations.kinds(found.table)
        values = self._reading.show_observations(found, options, kinds, is_nested=True)
        return Page(values, count, found.next)

    def _expand_one(
        self, type_: str, rows: Sequence[Row], shown: list[dict[str, Any]], expand: Expand
    ) -> None:
        link = TYPES[type_].link(expand.link)
        assert link is not None
        ids = [id_of_row(row) for row in rows]
        query = Query(
            type=link.target,
            scope=self._scope,
            along=Step(type_, tuple(ids), link.name),
            where=self._reading.joins.of_catalog(expand.options.where, link.target),
            properties=self._reading.wanted(link.target, expand.options),
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
                self._reading.joins.of_catalog(expand.options.where, expand.link),
            ),
            properties=self._reading.wanted(expand.link, expand.options),
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
        looks = self._reading.show(type_, list(distinct.values()), expand.options, is_nested=True)
        by_id = dict(zip(distinct, looks, strict=True))
        for key, one in zip(keys, shown, strict=True):
            row = targets.get(key)
            if row is not None:
                one[expand.link] = by_id[row[ID]]
