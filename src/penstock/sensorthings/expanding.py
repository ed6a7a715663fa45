"""What is expanded within entities: read for all of them at once, and shown where it belongs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
from msgspec.structs import replace

from penstock.core.access import Scope
from penstock.core.entities import Columns, ColumnsAlong, Step
from penstock.core.entity_types import TYPES
from penstock.core.expression import Expression
from penstock.core.observation import SCHEMA
from penstock.sensorthings.continuing import following, next_option
from penstock.sensorthings.grammar import Expand, Options
from penstock.sensorthings.observation_pages import Paging
from penstock.sensorthings.observation_rows import Kind
from penstock.sensorthings.showing import COUNT, NEXT, Shown, inner_text
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import ID, Sources, among, both

if TYPE_CHECKING:
    from penstock.sensorthings.reading import Reading


Kinds = Mapping[int, Kind]
_NOTHING = (0, 0)


class Within(NamedTuple):
    """Entities that are within others, all of one behind all of the other.

    Attributes:
        shown: They.
        sizes: How many are within each of the others, by its id, in order.
        counts: How many there are in all, where that was asked for.
        nexts: The options that lead to the next page, where there is one.
    """

    shown: Shown
    sizes: Mapping[int, int]
    counts: Mapping[int, int]
    nexts: Mapping[int, str]


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
        self, type_: str, ids: Sequence[int], shown: Shown, options: Options, kinds: Kinds
    ) -> None:
        """Put what is expanded into entities of the catalog as they are shown."""
        for expand in options.expand:
            link = TYPES[type_].link(expand.link)
            assert link is not None
            if not link.many:
                self._expand_one(type_, ids, shown, expand)
            elif link.target == "Observation":
                within = self._observations_along(type_, ids, expand.options, kinds)
                self._put_many(type_, ids, shown, expand, within)
            else:
                along = Step(type_, tuple(ids), link.name)
                within = self._entities_along(along, expand.options)
                self._put_many(type_, ids, shown, expand, within)

    def expand_observations(
        self, table: pa.Table, shown: Shown, options: Options, kinds: Kinds
    ) -> None:
        """Put what is expanded into Observations as they are shown."""
        for expand in options.expand:
            keys: Sequence[int | None]
            if expand.link == "FeatureOfInterest":
                keys = self._features(table)
            else:
                is_multi = expand.link == "MultiDatastream"
                keys = [
                    key if key in kinds and kinds[key].is_multi is is_multi else None
                    for key in table["datastream"].to_pylist()
                ]
            wanted = frozenset(key for key in keys if key is not None)
            where = self._reading.joins.of_catalog(expand.options.where, expand.link)
            query = self._reading.query(expand.link, expand.options)
            query = replace(query, where=both(among((ID,), wanted), where))
            found = self._sources.reader.columns(query)
            place_of: dict[int | None, int] = {id_: at for at, id_ in enumerate(found.ids)}
            places = [place_of.get(key) for key in keys]
            self._put_one(places, found, shown, expand, expand.link)

    def _put_many(
        self, type_: str, ids: Sequence[int], shown: Shown, expand: Expand, within: Within
    ) -> None:
        """Show behind each entity those that are within it."""
        stops = accumulate(within.sizes.values())
        spans = {
            id_: (stop - size, stop)
            for (id_, size), stop in zip(within.sizes.items(), stops, strict=True)
        }
        of_each = [spans.get(id_, _NOTHING) for id_ in ids]
        shown.grow([within.shown.size(start, stop) for start, stop in of_each])
        members = within.shown.members()
        arrays = [
            f"[{{{'},{'.join(members[start:stop])}}}]" if start < stop else "[]"
            for start, stop in of_each
        ]
        if expand.options.count:
            counts = [str(within.counts.get(id_, 0)) for id_ in ids]
            shown.add(f"{expand.link}{COUNT}", counts)
        shown.add(expand.link, arrays)
        if within.nexts:
            stem = inner_text(f"{self._root}/{TYPES[type_].set_name}(")
            kept = inner_text(f")/{expand.link}?{following(expand.options)}")
            nexts = [(id_, within.nexts.get(id_)) for id_ in ids]
            # What leads on is plain: a word and numbers, or base64.
            texts = [f'"{stem}{id_}{kept}{next_}"' if next_ else None for id_, next_ in nexts]
            shown.add(f"{expand.link}{NEXT}", texts)

    def _entities_along(self, along: Step, options: Options) -> Within:
        link = TYPES[along.type].link(along.link)
        assert link is not None
        query = replace(
            self._reading.query(link.target, options),
            along=along,
            where=self._reading.joins.of_catalog(options.where, link.target),
            order=options.order,
            limit=self._reading.top(options),
            skip=options.skip,
        )
        counts = self._sources.reader.count_along(query) if options.count else {}
        found = self._sources.reader.columns_along(query)
        check_count(len(found.ids))
        shown = self._reading.show(link.target, found, options, is_nested=True)
        nexts = {id_: next_option(sort) for id_, sort in found.nexts.items()}
        return Within(shown, found.sizes, counts, nexts)

    def _observations_along(
        self, type_: str, ids: Sequence[int], options: Options, kinds: Kinds
    ) -> Within:
        where = self._reading.joins.of_observations(options.where)
        paging = self._reading.paging(options)
        if type_ == "FeatureOfInterest":
            return self._of_features(ids, where, paging, options)
        found = self._reading.observations.along(ids, where, paging)
        check_count(found.table.num_rows)
        counts = self._reading.observations.counts(ids, where) if options.count else {}
        shown = self._reading.show_observations(found.table, options, kinds, is_nested=True)
        return Within(shown, found.sizes, counts, found.next)

    def _of_features(
        self, features: Sequence[int], where: Expression | None, paging: Paging, options: Options
    ) -> Within:
        observations = self._reading.observations
        tables, total = [SCHEMA.empty_table()], 0
        sizes, counts, nexts = dict[int, int](), dict[int, int](), dict[int, str]()
        for feature in features:
            choice = observations.choose(both(observations.of_feature(feature), where))
            found = observations.page(choice, paging)
            if options.count:
                counts[feature] = observations.count(choice)
            sizes[feature] = found.table.num_rows
            nexts[feature] = found.next
            tables.append(found.table)
            total += found.table.num_rows
            check_count(total)
        table = pa.concat_tables(tables)
        kinds = observations.kinds(table)
        shown = self._reading.show_observations(table, options, kinds, is_nested=True)
        return Within(shown, sizes, counts, nexts)

    def _expand_one(self, type_: str, ids: Sequence[int], shown: Shown, expand: Expand) -> None:
        link = TYPES[type_].link(expand.link)
        assert link is not None
        query = replace(
            self._reading.query(link.target, expand.options),
            along=Step(type_, tuple(ids), link.name),
            where=self._reading.joins.of_catalog(expand.options.where, link.target),
        )
        found = self._sources.reader.columns_along(query)
        distinct, of_each = _distinct(found)
        self._put_one([of_each.get(id_) for id_ in ids], distinct, shown, expand, link.target)

    def _features(self, table: pa.Table) -> list[int | None]:
        """Return the FeatureOfInterest of each observation; None where it has none."""
        features, streams = table["feature"].to_pylist(), table["datastream"].to_pylist()
        without = {stream for stream, one in zip(streams, features, strict=True) if not one}
        own = self._sources.features.own_features(sorted(without)) if without else {}
        return [one or own.get(stream) for stream, one in zip(streams, features, strict=True)]

    def _put_one(
        self,
        places: Sequence[int | None],
        found: Columns,
        shown: Shown,
        expand: Expand,
        type_: str,
    ) -> None:
        """Show behind each entity the one it is linked to, by its place among those found."""
        if not found.ids:
            return
        inner = self._reading.show(type_, found, expand.options, is_nested=True)
        shown.grow([0 if at is None else inner.size(at, at + 1) for at in places])
        texts = inner.texts()
        shown.add(expand.link, [None if at is None else texts[at] for at in places])


def _distinct(found: ColumnsAlong) -> tuple[Columns, dict[int, int]]:
    """Return entities without those that come again, and for each of the others where its is."""
    place_of: dict[int, int] = {}
    rows: list[int] = []
    for row, id_ in enumerate(found.ids):
        if place_of.setdefault(id_, len(rows)) == len(rows):
            rows.append(row)
    parents = [id_ for id_, size in found.sizes.items() if size]
    of_each = {parent: place_of[id_] for parent, id_ in zip(parents, found.ids, strict=True)}
    return found.take(rows), of_each
