"""Reads what a path leads to: pages of entities, single ones, and what is expanded within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import TYPES, Query, Row
from penstock.core.errors import InvalidInput
from penstock.core.expression import Order, Property
from penstock.sensorthings.continuing import next_option, sort_values
from penstock.sensorthings.expanding import Expanding
from penstock.sensorthings.formats import data_array
from penstock.sensorthings.grammar import Options
from penstock.sensorthings.observation_pages import Found, Paging
from penstock.sensorthings.observation_rows import (
    DATASTREAM,
    Kind,
    believed,
    plain_columns,
    rows_of,
)
from penstock.sensorthings.observations import Observations
from penstock.sensorthings.places import Place
from penstock.sensorthings.semi_joins import SemiJoins, derived_times
from penstock.sensorthings.showing import Looks, Page, id_of_row
from penstock.sensorthings.sources import ID, Sources, among, both

DEFAULT_TOP = 100
_STREAMS = ("Datastream", "MultiDatastream")
_DERIVED = ("phenomenonTime", "resultTime")


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
            Expanding(self, self._sources, self._scope, self._root).expand(
                type_, rows, shown, options, _kinds(rows, type_)
            )
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
            Expanding(self, self._sources, self._scope, self._root).expand(
                "Observation", rows, shown, options, kinds
            )
        return shown

    def _observation_page(self, place: Place, options: Options) -> Page:
        where = both(place.where, self.joins.of_observations(options.where))
        choice = self.observations.choose(where)
        found = self.observations.page(choice, self.paging(options))
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
        found = self.observations.page(choice, self.paging(options))
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

    def paging(self, options: Options) -> Paging:
        """Return which page of Observations is asked for."""
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
            properties=self.wanted(place.type, options),
        )

    def wanted(self, type_: str, options: Options) -> tuple[str, ...] | None:
        """Return the properties of an entity that are asked for; None is all."""
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
            properties=self.wanted(place.type, options),
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
        times = derived_times(self._sources, [id_of_row(row) for row in rows])
        ids = times.datastream.tolist()
        return {name: dict(zip(ids, times.texts(name), strict=True)) for name in names}


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
