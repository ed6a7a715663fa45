"""Tells what is made and changed, so that subscribers can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from penstock.core.entities import EntityWriter, FeatureRecords, Made, New, Removed
from penstock.core.entity_types import TYPES


class Change(msgspec.Struct, frozen=True):
    """An entity that was made or changed.

    Attributes:
        type: Name of its type.
        id: Its id.
        properties: Names of the properties that were given; None is all of them.
        links: Names of the links that were given.
    """

    type: str
    id: int
    properties: frozenset[str] | None = None
    links: frozenset[str] = frozenset()


#: Called with what happened, from any thread; returns at once.
Tell = Callable[[Sequence[Change]], None]


class TellingWriter:
    """A writer that tells what it has made and changed. See `core.entities.EntityWriter`.

    Args:
        writer: Does the work.
        tell: Is told when it is done.
    """

    def __init__(self, writer: EntityWriter, tell: Tell) -> None:
        self._writer = writer
        self._tell = tell

    def create(
        self, new: New, system: int, now_us: int, note: Callable[[Made], bytes] | None = None
    ) -> Made:
        """Make an entity and those within it."""
        made = self._writer.create(new, system, now_us, note)
        self._tell(list(_made(new, made)))
        return made

    def update(self, id_: int, change: New, system: int | None, now_us: int) -> None:
        """Change the properties and links given."""
        self._writer.update(id_, change, system, now_us)
        properties = frozenset(change.values)
        self._tell([Change(change.type, id_, properties, frozenset(change.links))])

    def replace(self, id_: int, new: New, system: int | None, now_us: int) -> None:
        """Set all properties."""
        self._writer.replace(id_, new, system, now_us)
        self._tell([Change(new.type, id_, None, frozenset(new.links))])

    def delete(self, type_: str, id_: int, check: Callable[[], object] | None = None) -> Removed:
        """Remove an entity; nobody is told."""
        return self._writer.delete(type_, id_, check)

    def unlink(self, type_: str, id_: int, link: str, target: int) -> None:
        """Take a target off a link."""
        self._writer.unlink(type_, id_, link, target)
        self._tell([Change(type_, id_, frozenset(), frozenset({link}))])


class TellingFeatures:
    """Features that tells which it has made. See `core.entities.FeatureRecords`.

    Args:
        features: Does the work.
        tell: Is told when it is done.
        is_wanted: Tells whether anybody wants to know; nothing more is asked while nobody does.
    """

    def __init__(self, features: FeatureRecords, tell: Tell, is_wanted: Callable[[], bool]) -> None:
        self._features = features
        self._tell = tell
        self._is_wanted = is_wanted

    def own_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return own features; makes them."""
        with self._telling(datastreams):
            return self._features.own_features(datastreams)

    def known_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return own features that are made already."""
        return self._features.known_features(datastreams)

    def features_now(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the features of observations made now."""
        with self._telling(datastreams):
            return self._features.features_now(datastreams)

    def extend_areas(self, seen: Mapping[int, Sequence[int]]) -> None:
        """Make the areas of datastreams hold features too."""
        with self._telling(list(seen)):
            self._features.extend_areas(seen)

    def datastreams_at(self, feature: int) -> Sequence[int]:
        """Return the datastreams with this own feature."""
        return self._features.datastreams_at(feature)

    @contextmanager
    def _telling(self, datastreams: Sequence[int]) -> Iterator[None]:
        if not self._is_wanted():
            yield
            return
        before = set(self._features.known_features(datastreams).values())
        yield
        made = set(self._features.known_features(datastreams).values()) - before
        self._tell([Change("FeatureOfInterest", id_) for id_ in sorted(made)])


def _made(new: New, made: Made) -> list[Change]:
    """Return the entity that was made and all that were made with it."""
    found = [Change(new.type, made.id, None, frozenset(new.links))]
    for link, ids in made.nested.items():
        given = new.links.get(link, ())
        for one, inner in zip(given, ids, strict=False):
            if isinstance(one, New):
                found += _made(one, inner)
    assert all(change.type in TYPES for change in found)
    return found
