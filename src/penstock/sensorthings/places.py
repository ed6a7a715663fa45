"""Where a path leads, one step after another, each within what the asker may see."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.entities import Query, Row, Step
from penstock.core.errors import NotFound
from penstock.core.expression import Expression
from penstock.sensorthings.grammar import Segment
from penstock.sensorthings.observations import Observations
from penstock.sensorthings.sources import ID, Sources, among, kind_of

_STREAMS = ("Datastream", "MultiDatastream")
_MAX_ID = 2**63 - 1


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A set of entities, or one of them.

    Attributes:
        type: Name of the type.
        along: How the set is reached from an entity of the catalog.
        where: What holds for the Observations of the set.
        id: Of the one.
        observation: The row of the one, when it is an Observation.
    """

    type: str
    along: Step | None = None
    where: Expression | None = None
    id: int | None = None
    observation: pa.Table | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is a set."""
        return self.id is None and self.observation is None


class Places:
    """Follows paths for somebody.

    Args:
        sources: The two sides.
        scope: What the one who asks may read.
        observations: Reads observations in that scope.
    """

    def __init__(self, sources: Sources, scope: Scope, observations: Observations) -> None:
        self._sources = sources
        self._scope = scope
        self._observations = observations

    def follow(self, segments: Sequence[Segment]) -> Place:
        """Return where a path leads.

        Raises:
            NotFound: One of its steps leads nowhere.
        """
        place = Place(type="")
        last = len(segments) - 1
        for at, segment in enumerate(segments):
            place = self._step(place, segment, is_last=at == last)
        return place

    def _step(self, before: Place, segment: Segment, *, is_last: bool) -> Place:
        if segment.type == "Observation":
            return self._to_observations(before, segment)
        if before.observation is not None:
            return self._from_observation(before.observation, segment)
        along = None if before.id is None else Step(before.type, (before.id,), segment.name)
        place = Place(type=segment.type, along=along)
        if segment.is_set:
            return place
        if is_last and along is None and isinstance(segment.id, int) and 0 < segment.id <= _MAX_ID:
            # Who shows it sees whether it is there.
            return msgspec.structs.replace(place, id=segment.id)
        return msgspec.structs.replace(place, id=self._existing(place, segment))

    def _existing(self, place: Place, segment: Segment) -> int:
        """Return the id of the one entity that a segment means."""
        id_ = segment.id
        if id_ is None or (isinstance(id_, int) and 0 < id_ <= _MAX_ID):
            assert not isinstance(id_, str)
            query = Query(
                type=place.type,
                scope=self._scope,
                id=id_,
                along=place.along,
                limit=1,
                properties=(),
            )
            found = self._sources.reader.find(query)
            if found:
                existing = _id(found[0])
                if place.type in _STREAMS:
                    self._observations.remember(existing, kind_of(place.type, found[0]))
                return existing
        raise _nothing(segment)

    def _to_observations(self, before: Place, segment: Segment) -> Place:
        where, datastreams = None, None
        if before.type in _STREAMS:
            assert before.id is not None
            where, datastreams = among((before.type, ID), [before.id]), frozenset({before.id})
        elif before.type:
            assert before.id is not None
            where = self._observations.of_feature(before.id)
        if segment.id is None:
            return Place(type="Observation", where=where)
        row = self._observations.one(segment.id, datastreams)
        if before.type == "FeatureOfInterest" and self._feature(row) != before.id:
            raise _nothing(segment)
        return Place(type="Observation", observation=row)

    def _from_observation(self, row: pa.Table, segment: Segment) -> Place:
        id_ = self._feature(row) if segment.type not in _STREAMS else int(row["datastream"][0])
        place = Place(type=segment.type)
        known = Segment(segment.name, segment.type, many=True, id=id_ or 0)
        return msgspec.structs.replace(place, id=self._existing(place, known))

    def _feature(self, row: pa.Table) -> int | None:
        feature, datastream = row["feature"][0].as_py(), row["datastream"][0].as_py()
        own = self._sources.features.own_features([datastream]) if not feature else {}
        found: int | None = feature or own.get(datastream)
        return found


def _id(row: Row) -> int:
    id_ = row[ID]
    assert isinstance(id_, int)
    return id_


def _nothing(segment: Segment) -> NotFound:
    which = "" if segment.id is None else f"({segment.id})"
    return NotFound(f"there is nothing at {segment.name}{which}, or it may not be seen")
