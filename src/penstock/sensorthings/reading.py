"""Reads what a path leads to: pages of entities, single ones, and what is expanded within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Columns, Query
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput
from penstock.core.expression import Order, Property
from penstock.sensorthings.continuing import next_option, sort_values
from penstock.sensorthings.expanding import Expanding
from penstock.sensorthings.formats import data_array
from penstock.sensorthings.grammar import Options
from penstock.sensorthings.observation_pages import Paging
from penstock.sensorthings.observation_rows import Kind, believed
from penstock.sensorthings.observation_texts import ObservationTexts
from penstock.sensorthings.observations import Observations
from penstock.sensorthings.places import Place
from penstock.sensorthings.semi_joins import SemiJoins, derived_times
from penstock.sensorthings.showing import Looks, Page, Shown
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
        found, more = self._found(place, options)
        count = self.count(place, options) if options.count else None
        return Page(self.show(place.type, found, options).texts(), count, more)

    def count(self, place: Place, options: Options) -> int:
        """Return how many entities are in a set."""
        if place.type == "Observation":
            where = both(place.where, self.joins.of_observations(options.where))
            return self.observations.count(self.observations.choose(where))
        return self._sources.reader.count(self._query(place, options))

    def show(
        self, type_: str, found: Columns, options: Options, *, is_nested: bool = False
    ) -> Shown:
        """Return entities of the catalog, as `query` asks for them, with what is expanded."""
        looks = Looks(type_, options, self._root, is_nested=is_nested)
        more = self._times(found.ids, looks.properties) if type_ in _STREAMS else {}
        shown = looks.show(found, more)
        if options.expand:
            Expanding(self, self._sources, self._scope, self._root).expand(
                type_, found.ids, shown, options, _kinds(found, type_)
            )
        return shown

    def show_observations(
        self,
        table: pa.Table,
        options: Options,
        kinds: Mapping[int, Kind],
        *,
        is_nested: bool = False,
    ) -> Shown:
        """Return observations as they are shown, with what is expanded."""
        looks = Looks("Observation", options, self._root, is_nested=is_nested)
        rows = ObservationTexts(believed(table, self._sources.moved), kinds, looks.properties)
        shown = looks.show_observations(rows, kinds)
        if options.expand:
            Expanding(self, self._sources, self._scope, self._root).expand_observations(
                table, shown, options, kinds
            )
        return shown

    def _observation_page(self, place: Place, options: Options) -> Page:
        where = both(place.where, self.joins.of_observations(options.where))
        choice = self.observations.choose(where)
        found = self.observations.page(choice, self.paging(options))
        count = self.observations.count(choice) if options.count else None
        kinds = self.observations.kinds(found.table)
        shown = self.show_observations(found.table, options, kinds)
        return Page(shown.texts(), count, found.next)

    def one_observation(self, row: pa.Table, options: Options) -> str:
        """Return one observation as it is shown."""
        kinds = self.observations.kinds(row)
        return self.show_observations(row, options, kinds).texts()[0]

    def one(self, type_: str, id_: int, options: Options) -> str | None:
        """Return one entity of the catalog as it is shown; None when there is none."""
        query = msgspec.structs.replace(self.query(type_, options), id=id_, limit=1)
        found = self._sources.reader.columns(query)
        return self.show(type_, found, options).texts()[0] if found.ids else None

    def data_array(self, place: Place, options: Options) -> Page:
        """Return a page of observations as data arrays."""
        where = both(place.where, self.joins.of_observations(options.where))
        choice = self.observations.choose(where)
        found = self.observations.page(choice, self.paging(options))
        count = self.observations.count(choice) if options.count else None
        kinds = self.observations.kinds(found.table)
        rows = ObservationTexts(believed(found.table, self._sources.moved), kinds)
        nothing = Kind("")
        streams = [(_STREAMS[kinds.get(one, nothing).is_multi], one) for one in rows.datastreams]
        return Page(data_array(rows, streams, options, self._root), count, found.next)

    def paging(self, options: Options) -> Paging:
        """Return which page of Observations is asked for."""
        return Paging(
            top=self.top(options),
            skip=options.skip,
            token=options.skip_token,
            order=options.order,
        )

    def _found(self, place: Place, options: Options) -> tuple[Columns, str]:
        derived = self._derived_order(place, options)
        if derived is not None:
            return derived
        query = msgspec.structs.replace(
            self._query(place, options),
            limit=self.top(options),
            skip=options.skip,
            after=None if options.skip_token is None else sort_values(options.skip_token),
        )
        found = self._sources.reader.columns(query)
        return found, next_option(found.next)

    def _query(self, place: Place, options: Options) -> Query:
        return msgspec.structs.replace(
            self.query(place.type, options),
            along=place.along,
            where=self.joins.of_catalog(options.where, place.type),
            order=options.order,
        )

    def query(self, type_: str, options: Options) -> Query:
        """Return the question for entities of a type with what is shown of them."""
        properties = None
        if options.select is not None:
            chosen = {path[0] for path in options.select}
            properties = tuple(name for name in TYPES[type_].properties if name in chosen)
        return Query(type=type_, scope=self._scope, properties=properties)

    def _derived_order(self, place: Place, options: Options) -> tuple[Columns, str] | None:
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
        query = msgspec.structs.replace(self.query(place.type, options), where=among((ID,), page))
        found = self._sources.reader.columns(query)
        more = len(ordered) > options.skip + top
        following = f"$skip={options.skip + top}" if more and top else ""
        places = {id_: at for at, id_ in enumerate(found.ids)}
        return found.take([places[id_] for id_ in page if id_ in places]), following

    def _times(
        self, ids: Sequence[int], wanted: Sequence[str]
    ) -> Mapping[str, Mapping[int, str | None]]:
        """Return the times that observations give Datastreams as JSON, by name and id."""
        names = [name for name in _DERIVED if name in wanted]
        if not names or not ids:
            return {}
        times = derived_times(self._sources, ids)
        held = times.datastream.tolist()
        return {name: dict(zip(held, times.texts(name), strict=True)) for name in names}


def _kinds(found: Columns, type_: str) -> Mapping[int, Kind]:
    """Return the kinds of Datastreams, one object for each kind that there is."""
    is_multi = type_ == "MultiDatastream"
    kinds = {word: Kind(word, is_multi) for word in set(found.kinds)}
    return {id_: kinds[word] for id_, word in zip(found.ids, found.kinds, strict=False)}


def _is_derived(order: Order) -> bool:
    return isinstance(order.by, Property) and order.by.path[0] in _DERIVED
