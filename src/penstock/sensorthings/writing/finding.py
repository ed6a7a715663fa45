"""Which entity the path of a request to write leads to."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from penstock.core.access import Principal, Scope
from penstock.core.entities import Query, Step
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.series import ObservationType
from penstock.sensorthings.grammar.options import Options
from penstock.sensorthings.grammar.resource import ResourcePath, Segment
from penstock.sensorthings.times import iso
from penstock.sensorthings.writing.asked import Parts
from penstock.sensorthings.writing.results import Kind

#: Largest id of anything.
MAX_ID = 2**63 - 1


class Finder:
    """Follows paths within what somebody may read. All calls wait for the catalog."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def entity(self, who: Principal, scope: Scope, path: ResourcePath) -> tuple[str, int]:
        """Return type and id of the entity that a path leads to; no Observation.

        Raises:
            NotFound: There is none.
            InvalidInput: It leads to many.
        """
        here: tuple[str, int] | None = None
        for number, segment in enumerate(path.segments):
            if segment.is_set:
                raise InvalidInput(f"{segment.name} is a set; name one, as in {segment.name}(1)")
            if here is None or here[0] == "Observation":
                before = path.segments[: number + 1]
                here = self._first(who, scope, segment, before)
            else:
                here = segment.type, self._next(scope, here, segment)
        if here is None:
            raise InvalidInput("the path names no entity")
        return here

    def _first(
        self, who: Principal, scope: Scope, segment: Segment, before: tuple[Segment, ...]
    ) -> tuple[str, int]:
        if len(before) > 1:
            return segment.type, self._behind_observation(who, scope, before)
        if segment.type == "Observation":
            return "Observation", 0
        id_ = segment.id
        if not isinstance(id_, int) or not self._find(Query(type=segment.type, scope=scope), id_):
            raise NotFound(f"there is no {segment.type} with id {id_}")
        return segment.type, id_

    def _behind_observation(self, who: Principal, scope: Scope, before: tuple[Segment, ...]) -> int:
        """Return where a link of an Observation leads."""
        rows = self.observations(who, ResourcePath(segments=before[:-1]), Options())
        if not rows.num_rows:
            raise NotFound("there is no such Observation")
        datastream = rows["datastream"][0].as_py()
        name = before[-1].type
        if name in ("Datastream", "MultiDatastream"):
            found = datastream
        else:
            own = self._parts.features.own_features([datastream])
            found = rows["feature"][0].as_py() or own.get(datastream)
        if found is None or not self._find(Query(type=name, scope=scope), found):
            raise NotFound(f"this Observation has no {name}")
        return int(found)

    def _next(self, scope: Scope, here: tuple[str, int], segment: Segment) -> int:
        type_, id_ = here
        query = Query(
            type=segment.type,
            scope=scope,
            along=Step(type_, (id_,), segment.name),
            limit=2,
            properties=(),
        )
        rows = self._find(query, segment.id if isinstance(segment.id, int) else None)
        if not rows:
            raise NotFound(f"{type_}({id_}) has no {segment.name}")
        found = rows[0]["@iot.id"]
        assert isinstance(found, int)
        return found

    def _find(self, query: Query, id_: int | None) -> Any:
        if id_ is not None:
            if not 0 < id_ <= MAX_ID:
                return []
            query = msgspec.structs.replace(query, id=id_)
        return self._parts.reader.find(query)

    def observations(self, who: Principal, path: ResourcePath, options: Options) -> pa.Table:
        """Return the rows that a path leads to."""
        return self._parts.find_observations(who, path, options)

    def row(self, scope: Scope, type_: str, id_: int) -> dict[str, Any]:
        """Return an entity with all its properties; times as they are shown."""
        rows = self._find(Query(type=type_, scope=scope), id_)
        if not rows:
            raise NotFound(f"there is no {type_} with id {id_}")
        found = {name: _plain(rows[0].get(name)) for name in TYPES[type_].properties}
        for name in TYPES[type_].times:
            if isinstance(found.get(name), int):
                found[name] = iso(found[name])
        return found

    def kind(self, scope: Scope, type_: str, id_: int, at: str = "") -> Kind:
        """Return what the results of a datastream are.

        Raises:
            NotFound: There is none.
        """
        return self.stream(scope, type_, id_, at)[0]

    def stream(self, scope: Scope, type_: str, id_: int, at: str = "") -> tuple[Kind, int]:
        """Return what the results of a datastream are, and its Thing.

        Raises:
            NotFound: There is none.
        """
        query = Query(type=type_, scope=scope, links=("Thing",), properties=("unitOfMeasurements",))
        rows = self._find(query, id_)
        if not rows:
            place = f"{at}: " if at else ""
            raise NotFound(f"{place}there is no {type_} with id {id_}")
        if type_ == "MultiDatastream":
            parts = _plain(rows[0]["unitOfMeasurements"])
            return Kind(ObservationType.COMPLEX, len(parts)), rows[0]["Thing@iot.id"]
        return Kind(str(rows[0]["@kind"])), rows[0]["Thing@iot.id"]


def _plain(value: Any) -> Any:
    """Return a value of a row as Python has it."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
