"""What is known of datastreams, kept for a moment: Observations come in crowds."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from penstock.core.access import EVERYTHING, Scope
from penstock.core.entities import Query
from penstock.core.errors import NotFound
from penstock.sensorthings.writing.asked import Parts
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.results import Kind

#: How long what was found holds, seconds: a Thing that moves by itself gives the features of its
#: new place so much later. What is written here holds at once.
HOLDS_S = 1.0
#: Datastreams that are remembered.
MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream or MultiDatastream.

    Attributes:
        kind: What its results are.
        system: Its system.
        thing: Its Thing.
        feature: Of Observations that name none; None where its Thing has no Location.
        until_s: When to ask again.
    """

    kind: Kind
    system: int
    thing: int
    feature: int | None
    until_s: float


class Streams:
    """Remembers datastreams for a moment. Safe to use from any thread."""

    def __init__(self, parts: Parts, finder: Finder) -> None:
        self._parts = parts
        self._finder = finder
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], Stream] = {}

    def get(self, type_: str, id_: int, scope: Scope) -> Stream:
        """Return a datastream that is in a scope.

        Raises:
            NotFound: There is none.
        """
        found = self._known.get((type_, id_))
        if found is None or found.until_s < self._parts.clock.monotonic_s():
            found = self._find(type_, id_)
        if not scope.holds(found.system, found.thing, id_):
            raise NotFound(f"there is no {type_} with id {id_}")
        return found

    def forget(self) -> None:
        """Ask anew about everything: something was changed."""
        with self._lock:
            self._known = {}

    def _find(self, type_: str, id_: int) -> Stream:
        known = self._known
        kind = self._finder.kind(EVERYTHING, type_, id_)
        (row,) = self._parts.reader.find(
            Query(type=type_, scope=EVERYTHING, id=id_, links=("Thing",), properties=())
        )
        thing = row["Thing@iot.id"]
        system = self._parts.reader.system_of(type_, id_)
        assert isinstance(thing, int)
        assert system is not None
        found = Stream(
            kind,
            system,
            thing,
            self._parts.features.features_now([id_]).get(id_),
            self._parts.clock.monotonic_s() + HOLDS_S,
        )
        with self._lock:
            # What was found while somebody changed something is not kept.
            if known is self._known:
                if len(known) >= MAX_REMEMBERED:
                    known.clear()
                known[type_, id_] = found
        return found
