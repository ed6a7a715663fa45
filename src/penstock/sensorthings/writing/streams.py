"""What is known of datastreams, kept for a moment: Observations come in crowds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from penstock.core.access import EVERYTHING, Scope
from penstock.core.entities import Query
from penstock.core.errors import NotFound
from penstock.sensorthings.writing.asked import Parts
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.results import Kind

T = TypeVar("T")

#: How long what was found holds, seconds: a Thing that moves by itself gives the features of its
#: new place so much later. What is written here holds at once.
HOLDS_S = 1.0
#: Answers that are remembered.
MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream or MultiDatastream.

    Attributes:
        kind: What its results are.
        system: Its system.
        thing: Its Thing.
    """

    kind: Kind
    system: int
    thing: int


class NotRemembered(Exception):
    """Raised instead of asking the catalog, by who must not wait."""


class Streams:
    """Remembers datastreams for a moment. Safe to use from any thread.

    Calls with `may_wait=False` raise `NotRemembered` where they would ask the catalog.
    """

    def __init__(self, parts: Parts, finder: Finder) -> None:
        self._parts = parts
        self._finder = finder
        self._lock = threading.Lock()
        self._known: dict[object, tuple[Any, float]] = {}

    def get(self, type_: str, id_: int, scope: Scope, *, may_wait: bool = True) -> Stream:
        """Return a datastream that is in a scope.

        Raises:
            NotFound: There is none.
        """
        found = self._remembered((type_, id_), lambda: self._find(type_, id_), may_wait)
        if not scope.holds(found.system, found.thing, id_):
            raise NotFound(f"there is no {type_} with id {id_}")
        return found

    def feature_now(self, id_: int, *, may_wait: bool = True) -> int | None:
        """Return the feature of Observations that name none; None where there is no Location."""

        def find() -> int | None:
            return self._parts.features.features_now([id_]).get(id_)

        return self._remembered(("feature now", id_), find, may_wait)

    def has_feature(self, id_: int, *, may_wait: bool = True) -> bool:
        """Tell whether there is a FeatureOfInterest."""
        query = Query(type="FeatureOfInterest", scope=EVERYTHING, id=id_)
        count = self._parts.reader.count
        return self._remembered(("feature", id_), lambda: bool(count(query)), may_wait)

    def forget(self) -> None:
        """Ask anew about everything: something was changed."""
        with self._lock:
            self._known = {}

    def _remembered(self, key: object, find: Callable[[], T], may_wait: bool) -> T:
        known = self._known
        held: T
        held, until_s = known.get(key, (None, 0.0))
        now_s = self._parts.clock.monotonic_s()
        if key in known and until_s >= now_s:
            return held
        if not may_wait:
            raise NotRemembered
        found = find()
        with self._lock:
            # What was found while somebody changed something is not kept.
            if known is self._known:
                if len(known) >= MAX_REMEMBERED:
                    known.clear()
                known[key] = (found, now_s + HOLDS_S)
        return found

    def _find(self, type_: str, id_: int) -> Stream:
        kind, thing = self._finder.stream(EVERYTHING, type_, id_)
        system = self._parts.reader.system_of(type_, id_)
        assert system is not None
        return Stream(kind, system, thing)
