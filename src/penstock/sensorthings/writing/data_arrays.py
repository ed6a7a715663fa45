"""CreateObservations: many Observations as arrays, all in one message (18-088 section 13.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from penstock.core.access import Action, Principal, Scope
from penstock.core.entities import Query
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput, NotFound, PenstockError
from penstock.core.expression import Apply, Literal, Members, Property
from penstock.sensorthings.observation_ids import id_of, quoted
from penstock.sensorthings.observation_rows import free_id
from penstock.sensorthings.writing.asked import Answer, Asked, Parts
from penstock.sensorthings.writing.bodies import read_value, reference
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.intake import Intake
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.plain_rows import plain_rows
from penstock.sensorthings.writing.results import Kind, Row, row_of
from penstock.sensorthings.writing.values import read_json, refuse, shown

_OBSERVATION = TYPES["Observation"]
_FEATURE = ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id")


@dataclass(slots=True)
class Element:
    """One row of an array: its row in the store, or why it has none."""

    row: Row | None = None
    error: str = ""


@dataclass(slots=True)
class Block:
    """The rows of one datastream."""

    datastream: int
    system: int
    kind: Kind
    elements: list[Element] = field(default_factory=list)


class ArrayMaker:
    """Makes Observations from data arrays."""

    def __init__(self, parts: Parts, permits: Permits, finder: Finder, intake: Intake) -> None:
        self._parts = parts
        self._permits = permits
        self._finder = finder
        self._intake = intake

    async def post(self, who: Principal, asked: Asked) -> Answer:
        """Make Observations; answers with an address or an error for each, in order.

        What is wrong with one element does not keep the others; a body that is no list of arrays
        is refused.
        """
        elements: list[Element]
        by_system: dict[int, list[Row]]
        elements, by_system = await self._parts.blocking(self._plan, who, asked.body)
        for system, rows in by_system.items():
            await self._intake.keep(who, system, rows)
        links: list[str] = await self._parts.blocking(self._links, asked.base, elements)
        headers = {"Content-Type": "application/json"}
        return Answer(201, headers, msgspec.json.encode(links))

    def _links(self, base: str, elements: Sequence[Element]) -> list[str]:
        """Return an address or an error for each element."""
        moved = self._parts.moved
        natural = [None if one.row is None else id_of(one.row.identity) for one in elements]
        ids = [str(one) for one in natural if one is not None]
        left = moved.moved(ids) if moved.has_moved() else {}
        links = []
        for element, own in zip(elements, natural, strict=True):
            if element.row is None or own is None:
                links.append(f"error: {element.error}")
                continue
            id_ = free_id(element.row.identity, moved) if str(own) in left else own
            self._parts.changed("Observation", id_, "create")
            links.append(f"{base}/Observations({quoted(id_)})")
        return links

    def _plan(self, who: Principal, body: bytes) -> tuple[list[Element], dict[int, list[Row]]]:
        arrays = read_json(body)
        if not isinstance(arrays, list):
            refuse("", f"{shown(arrays)} is no list of data arrays")
        scope = self._permits.scope(who)
        elements: list[Element] = []
        by_system: dict[int, list[Row]] = {}
        for number, array in enumerate(arrays):
            block = self._block(who, scope, array, f"[{number}]")
            elements.extend(block.elements)
            rows = [one.row for one in block.elements if one.row is not None]
            if rows:
                by_system.setdefault(block.system, []).extend(rows)
        return elements, by_system

    def _block(self, who: Principal, scope: Scope, array: object, at: str) -> Block:
        """Read one array. What is wrong with all of it is said of each of its elements."""
        if not isinstance(array, dict):
            refuse(at, f"{shown(array)} is no data array; expected a JSON object")
        values = array.get("dataArray")
        if not isinstance(values, list):
            refuse(f"{at}.dataArray", f"{shown(values)} is no list of Observations")
        try:
            block = self._owner(who, scope, array, at)
            components = _components(array, at)
        except PenstockError as problem:
            failed = [Element(error=str(problem)) for _ in values]
            return Block(0, 0, Kind(""), failed)
        rows = plain_rows(values, components, block.kind, _NO_TIME)
        if rows is not None:
            block.elements = [Element(row) for row in rows]
        else:
            block.elements = [
                _element(values_here, components, block.kind, f"{at}.dataArray[{number}]")
                for number, values_here in enumerate(values)
            ]
        self._place(scope, block)
        return block

    def _owner(self, who: Principal, scope: Scope, array: Mapping[str, Any], at: str) -> Block:
        named = [name for name in ("Datastream", "MultiDatastream") if name in array]
        if len(named) != 1:
            refuse(at, "a data array has either a Datastream or a MultiDatastream")
        name = named[0]
        id_ = reference(array[name])
        if id_ is None:
            refuse(f"{at}.{name}", f'{shown(array[name])} is not {{"@iot.id": number}}')
        kind = self._finder.kind(scope, name, id_, f"{at}.{name}")
        system = self._permits.system_of_datastream(id_)
        if system is None:
            raise NotFound(f"{at}.{name}: there is no {name} with id {id_}")
        self._permits.require(who, Action.WRITE, system)
        return Block(id_, system, kind)

    def _place(self, scope: Scope, block: Block) -> None:
        """Give rows their datastream, feature, and a time where none came."""
        named = {one.row.feature for one in block.elements if one.row is not None} - {0}
        known = self._known_features(scope, named)
        own: int | None = None
        if any(one.row is not None and not one.row.feature for one in block.elements):
            own = self._parts.features.features_now([block.datastream]).get(block.datastream)
        for one in block.elements:
            if one.row is None:
                continue
            row = one.row
            feature = row.feature or own
            if row.feature and row.feature not in known:
                one.error = f"there is no FeatureOfInterest with id {row.feature}"
            elif feature is None:
                one.error = "FeatureOfInterest is missing, and the Thing has no Location"
            if one.error:
                one.row = None
                continue
            time_us = row.time_us
            if time_us == _NO_TIME:
                time_us = self._intake.now_us(block.datastream)
            one.row = row._replace(
                datastream=block.datastream, feature=feature or 0, time_us=time_us
            )

    def _known_features(self, scope: Scope, named: set[int]) -> set[int]:
        if not named:
            return set()
        members = Literal(Members(frozenset(named)))
        where = Apply("in", (Property(("@iot.id",)), members))
        query = Query(type="FeatureOfInterest", scope=scope, where=where)
        return set(self._parts.reader.ids(query))


#: Stands for the time of an element that came without one.
_NO_TIME = -(2**63)


def _components(array: Mapping[str, Any], at: str) -> list[str]:
    components = array.get("components")
    known = {*_OBSERVATION.properties, *_FEATURE}
    if not isinstance(components, list) or not all(
        isinstance(one, str) and one in known for one in components
    ):
        refuse(
            f"{at}.components",
            f"{shown(components)} is no list of these: {', '.join(sorted(known))}",
        )
    if "result" not in components or len(set(components)) < len(components):
        refuse(f"{at}.components", "result is needed, and nothing may be there twice")
    return components


def _element(values: object, components: Sequence[str], kind: Kind, at: str) -> Element:
    try:
        return Element(_row(values, components, kind, at))
    except InvalidInput as problem:
        return Element(error=str(problem))


def _row(values: object, components: Sequence[str], kind: Kind, at: str) -> Row:
    if not isinstance(values, list) or len(values) != len(components):
        refuse(at, f"{shown(values)} is no list of {len(components)}, one for each component")
    found: dict[str, object] = {}
    feature = 0
    for name, value in zip(components, values, strict=True):
        if name in _FEATURE:
            if value is None:
                continue
            if type(value) is not int or value <= 0:
                refuse(f"{at}.{name}", f"{shown(value)} is no id of a FeatureOfInterest")
            feature = value
        else:
            found[name] = read_value(_OBSERVATION, name, value, f"{at}.{name}")
    return row_of(found, kind, _NO_TIME, at)._replace(feature=feature)
