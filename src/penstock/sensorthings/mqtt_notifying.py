"""MQTT receive: tells subscribers what was made and changed (OGC 18-088 section 14.2).

The door says which topics somebody listens to, and only for those something is made: while nobody
listens, nothing happens here at all. New observations come from the live hub in batches; entities
from whoever writes them. A topic is about the entities of one system, so that the permissions of
topics are those of what is told there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.access import EVERYTHING, Access, Scope
from penstock.core.entities import EntityReader, Identity, Query, Step
from penstock.core.errors import NotFound, PenstockError
from penstock.core.expression import Order, Property
from penstock.core.live import Live, Subscription
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.sensorthings.grammar import Options
from penstock.sensorthings.mqtt_changes import Change
from penstock.sensorthings.mqtt_line import ThingsLine
from penstock.sensorthings.mqtt_topics import Listening, read_topic

_log = logging.getLogger(__name__)

#: What happens within this time is told together, in seconds.
GATHER_S = 0.005
#: Topics that are understood, remembered.
MAX_TOPICS = 100_000
#: Datastreams whose system is remembered.
MAX_SYSTEMS = 100_000
_STREAMS = ("Datastream", "MultiDatastream")


class Show(Protocol):
    """Shows entities as GET does. All is called in a thread."""

    def entity(self, scope: Scope, path: str, query: str) -> bytes | None:
        """Return what a path to one entity, or to a property, gives; None when nothing is there."""
        ...

    def identity(self, id_: int | str) -> Identity:
        """Return where the Observation with an id is.

        Raises:
            NotFound: It is not the id of any.
        """
        ...

    def observations(self, scope: Scope, rows: pa.Table, options: Options) -> Sequence[bytes]:
        """Return rows in `core.observation.SCHEMA` as Observations.

        Those that `options.where` does not hold for are left out.
        """
        ...


class Notifier:
    """Tells. Runs in the event loop that `start` is called in.

    Args:
        live: Gives new observations.
        reader: Knows which system a Datastream belongs to.
        show: Shows entities.
        access: Gives the organisation as it is now.
        address: Of the door; None when it is not known yet.
        secret: Password of the platform's own connections.
    """

    def __init__(
        self,
        *,
        live: Live,
        reader: EntityReader,
        show: Show,
        access: Callable[[], Access],
        address: Callable[[], tuple[str, int] | None],
        secret: str,
    ) -> None:
        self._live = live
        self._reader = reader
        self._show = show
        self._access = access
        self._line = ThingsLine(address, secret, self._listen)
        self._known: dict[str, Listening | None] = {}
        #: What is listened to, by the type of entity.
        self._listened: Mapping[str, Sequence[Listening]] = {}
        self._systems: dict[int, int] = {}
        #: The organisation that the systems of Datastreams were asked under.
        self._asked_under: Access | None = None
        self._changes: list[Change] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._subscription: Subscription | None = None
        self._watching: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; to be called in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            self._loop.create_task(self._line.run()),
            self._loop.create_task(self._tell_changes()),
        ]

    def close(self) -> None:
        """Tell nothing any more. Safe to call twice."""
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._watch(wanted=False)

    def is_wanted(self, type_: str) -> bool:
        """Tell whether somebody listens to entities of a type."""
        return type_ in self._listened

    def tell(self, changes: Sequence[Change]) -> None:
        """Take note of what was made or changed; returns at once, from any thread."""
        loop = self._loop
        if loop is None or not self._listened:
            return
        try:
            loop.call_soon_threadsafe(self._take, list(changes))
        except RuntimeError:  # the loop is closed
            _log.debug("changes that came while the hub closes are told to nobody")

    def _take(self, changes: list[Change]) -> None:
        self._changes += changes
        self._changed.set()

    # What is listened to

    def _listen(self, topics: frozenset[str]) -> None:
        if len(self._known) > MAX_TOPICS:
            self._known.clear()
        by_type: dict[str, list[Listening]] = {}
        for topic in topics:
            if topic not in self._known:
                self._known[topic] = _read(topic)
            listening = self._known[topic]
            if listening is not None:
                by_type.setdefault(listening.type, []).append(listening)
        self._listened = by_type
        self._watch(wanted="Observation" in by_type)

    def _watch(self, *, wanted: bool) -> None:
        """Watch new observations while somebody listens to any."""
        if wanted and self._subscription is None:
            self._subscription = self._live.subscribe()
            self._watching = asyncio.ensure_future(self._tell_observations(self._subscription))
        elif not wanted and self._subscription is not None:
            self._subscription.close()
            self._subscription = None
            if self._watching is not None:
                self._watching.cancel()

    def _scope(self, listening: Listening) -> Scope:
        """Return whose entities a topic is about: the system's whose members may receive it."""
        access = self._access()
        systems = access.organisation.systems
        if not listening.system and len(systems) <= 1:
            return EVERYTHING
        if listening.system and all(one.name != listening.system for one in systems):
            return Scope()
        return Scope(systems=frozenset({access.system_of(listening.topic)}))

    # Observations

    async def _tell_observations(self, subscription: Subscription) -> None:
        while True:
            await asyncio.sleep(GATHER_S)
            batch, skipped = await subscription.next()
            if skipped:
                _log.warning("more observations come than can be told by MQTT; some were skipped")
            try:
                found = await asyncio.to_thread(
                    self._observations, pa.Table.from_batches([batch]), self._listened
                )
            except Exception:
                _log.exception("observations could not be told by MQTT")
            else:
                await self._line.send(found)

    def _observations(
        self, rows: pa.Table, listened: Mapping[str, Sequence[Listening]]
    ) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        ids = rows["datastream"].to_numpy()
        for listening in listened.get("Observation", ()):
            try:
                shown: Sequence[bytes | None] = ()
                if not listening.path.last.is_set:
                    shown = (self._single(listening, rows, ids),)
                elif (chosen := self._chosen(listening, rows, ids)) is not None:
                    scope = self._scope(listening)
                    shown = self._show.observations(scope, chosen, listening.options)
                found += [(listening.topic, one) for one in shown if one is not None]
            except PenstockError as error:
                _log.warning("topic %s: %s", listening.topic, error)
        return found

    def _chosen(self, listening: Listening, rows: pa.Table, ids: Any) -> pa.Table | None:
        """Return the rows that a topic is about."""
        segments, scope = listening.path.segments, self._scope(listening)
        if len(segments) == 1:
            if scope.everything:
                return rows
            allowed = [self._system_of(one) in scope.systems for one in np.unique(ids).tolist()]
            wanted = np.unique(ids)[np.array(allowed, bool)]
            return rows.filter(pa.array(np.isin(ids, wanted))) if len(wanted) else None
        if segments[-2].type not in _STREAMS:
            return None
        stream = segments[-2].id if len(segments) == 2 else self._id_at(scope, listening.parent)
        if not isinstance(stream, int) or not np.any(mine := ids == stream):
            return None
        if not scope.everything and self._system_of(stream) not in scope.systems:
            return None
        return rows.filter(pa.array(mine))

    def _single(self, listening: Listening, rows: pa.Table, ids: Any) -> bytes | None:
        """Return what is told of one Observation, or of a property of it, if it is among rows."""
        id_ = listening.path.last.id
        if id_ is None:
            return None
        identity = self._show.identity(id_)
        mine = ids == identity.datastream
        if not np.any(mine):
            return None
        times = rows["time"].cast(pa.int64()).to_numpy()
        if not np.any(mine & (times == identity.time_us)):
            return None
        return self._show.entity(self._scope(listening), listening.text, listening.query)

    def _system_of(self, datastream: int) -> int:
        """Return the system of a Datastream, which changes only when the organisation does."""
        access = self._access()
        if access is not self._asked_under or len(self._systems) >= MAX_SYSTEMS:
            # Anew, and before anything is asked: what is asked under an organisation stays with it.
            self._systems, self._asked_under = {}, access
        systems = self._systems
        found = systems.get(datastream)
        if found is None:
            found = systems[datastream] = self._ask_system(datastream)
        return found

    def _ask_system(self, datastream: int) -> int:
        for kind in _STREAMS:
            try:
                return self._reader.system_of(kind, datastream) or DEFAULT_SYSTEM
            except NotFound:
                continue
        return DEFAULT_SYSTEM

    # Entities

    async def _tell_changes(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER_S)
            self._changed.clear()
            changes, self._changes = self._changes, []
            try:
                found = await asyncio.to_thread(self._entities, changes, self._listened)
            except Exception:
                _log.exception("changes could not be told by MQTT")
            else:
                await self._line.send(found)

    def _entities(
        self, changes: Sequence[Change], listened: Mapping[str, Sequence[Listening]]
    ) -> list[tuple[str, bytes]]:
        found: list[tuple[str, bytes]] = []
        for change in (*changes, *self._histories(changes, listened)):
            for listening in listened.get(change.type, ()):
                try:
                    shown = self._shown(listening, change)
                except PenstockError as error:
                    _log.warning("topic %s: %s", listening.topic, error)
                else:
                    if shown is not None:
                        found.append((listening.topic, shown))
        return found

    def _shown(self, listening: Listening, change: Change) -> bytes | None:
        """Return what is told on a topic when an entity has changed, or None."""
        path, scope = listening.path, self._scope(listening)
        if path.last.is_set:
            one = f"{listening.text}({change.id})"
            return self._show.entity(scope, one, listening.query)
        given = change.properties
        if path.properties and given is not None and path.properties[0] not in given:
            return None
        id_ = path.last.id if len(path.segments) == 1 else self._id_at(scope, listening.owner)
        if id_ != change.id:
            return None
        return self._show.entity(scope, listening.text, listening.query)

    def _id_at(self, scope: Scope, path: str) -> object:
        """Return the id of the entity that a path leads to, or None."""
        shown = self._show.entity(scope, path, "$select=id")
        return None if shown is None else msgspec.json.decode(shown).get("@iot.id")

    def _histories(
        self, changes: Iterable[Change], listened: Mapping[str, Sequence[Listening]]
    ) -> list[Change]:
        """Return the HistoricalLocations that came to be because Things were put elsewhere."""
        if "HistoricalLocation" not in listened:
            return []
        found = []
        for change in changes:
            if change.type == "Thing" and "Locations" in change.links:
                query = Query(
                    type="HistoricalLocation",
                    scope=EVERYTHING,
                    along=Step("Thing", (change.id,), "HistoricalLocations"),
                    order=(Order(Property(("@iot.id",)), descending=True),),
                    limit=1,
                )
                rows = self._reader.find(query)
                found += [Change("HistoricalLocation", int(str(row["@iot.id"]))) for row in rows]
        return found


def _read(topic: str) -> Listening | None:
    try:
        return read_topic(topic)
    except PenstockError as error:
        _log.warning("nothing will be published to topic %s: %s", topic[:200], error)
        return None
