"""Shows subscribers what GET shows, from the service itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote

import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Identity
from penstock.core.errors import NotFound
from penstock.sensorthings.columns import Facts, mask
from penstock.sensorthings.grammar import Options
from penstock.sensorthings.linked import linked_values
from penstock.sensorthings.observation_rows import place_of, shown_ids
from penstock.sensorthings.reading import Reading
from penstock.sensorthings.service import Service, Wanted
from penstock.sensorthings.sources import Sources

_OK = 200


class ServiceShow:
    """Shows by the service. See `mqtt_notifying.Show`.

    Args:
        service: Answers requests for data.
        sources: The two sides it answers from.
        root: Gives the address of the service, without a slash at the end, for links.
    """

    def __init__(self, service: Service, sources: Sources, root: Callable[[], str]) -> None:
        self._service = service
        self._sources = sources
        self._root = root

    def entity(self, scope: Scope, path: str, query: str) -> bytes | None:
        """Return what a path to one entity, or to a property, gives; None when nothing is there."""
        wanted = Wanted(
            path=quote(path, safe="/()$'"),
            query=quote(query, safe="$=&(),;:/'"),
            root=self._root(),
            scope=scope,
        )
        try:
            reply = self._service.get(wanted)
        except NotFound:
            return None
        return reply.body if reply.status == _OK else None

    def identity(self, id_: int | str) -> Identity:
        """Return where the Observation with an id is."""
        return place_of(id_, self._sources.moved)

    def observations(self, scope: Scope, rows: pa.Table, options: Options) -> Sequence[bytes]:
        """Return rows as Observations, without those that `options.where` does not hold for."""
        reading = Reading(self._sources, scope, self._root())
        kinds = reading.observations.kinds(rows)
        where = reading.joins.of_observations(options.where)
        if where is not None:
            datastreams = rows["datastream"].unique().to_pylist()
            own = self._sources.features.known_features(datastreams)
            linked = partial(linked_values, self._sources, scope)
            ids = partial(shown_ids, moved=self._sources.moved)
            facts = Facts(kinds, own, self._sources.clock.now_us(), linked, ids)
            rows = rows.filter(pa.array(mask(where, rows, facts)))
        shown = reading.show_observations(rows, options, kinds)
        return [one.encode() for one in shown.texts()]
