"""Entities as JSON shows them: annotations, properties, links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.core.entities import TYPES, EntityType, Row
from penstock.sensorthings.grammar import Metadata, Options
from penstock.sensorthings.members import position
from penstock.sensorthings.observation_ids import quoted
from penstock.sensorthings.observation_rows import DATASTREAM, FEATURE, Kind
from penstock.sensorthings.sources import ID
from penstock.sensorthings.times import iso

SELF, NAVIGATION, COUNT, NEXT = (
    "@iot.selfLink",
    "@iot.navigationLink",
    "@iot.count",
    "@iot.nextLink",
)
#: Properties that are shown when they are null, too.
_NULLS = frozenset({"result", "resultTime"})
#: What rows have for themselves.
_HIDDEN = ("@kind", "@sort", DATASTREAM, FEATURE)
#: Times that the catalog has as numbers.
_MOMENTS = frozenset({"time", "creationTime"})


class Page(msgspec.Struct, frozen=True):
    """Entities as they are shown.

    Attributes:
        values: The entities.
        count: How many there are in all, where that was asked for.
        next: The option that leads to the next page; empty on the last.
    """

    values: list[dict[str, Any]]
    count: int | None = None
    next: str = ""


def id_of_row(row: Row) -> int:
    """Return the id of an entity of the catalog."""
    id_ = row[ID]
    assert isinstance(id_, int)
    return id_


class Looks:
    """How entities of one type are shown under some options.

    Args:
        type_: Name of the type.
        options: What is asked for.
        root: Address of the service.
        is_nested: They are shown within others, without links unless those are selected.
    """

    def __init__(self, type_: str, options: Options, root: str, *, is_nested: bool) -> None:
        kind: EntityType = TYPES[type_]
        chosen = None if options.select is None else {path[0] for path in options.select}
        self._deep = _members(options.select or ())
        self._is_full = options.metadata is Metadata.FULL
        self._has_id = chosen is None or ID in chosen
        self._has_self = self._is_full and (chosen is None or SELF in chosen)
        self.properties = tuple(p for p in kind.properties if chosen is None or p in chosen)
        self._plain = tuple(p for p in self.properties if p not in _MOMENTS)
        self._moments = tuple(p for p in self.properties if p in _MOMENTS)
        expanded = {one.link for one in options.expand}
        links = (
            [link.name for link in kind.links if link.name not in expanded]
            if chosen is None and not is_nested
            else [link.name for link in kind.links if link.name in (chosen or ())]
        )
        self._links = tuple((f"{name}{NAVIGATION}", name) for name in links if self._is_full)
        self._stem = f"{root}/{kind.set_name}("
        # `rows_of` leaves out what an Observation does not have.
        self._nullable = tuple(
            p
            for p in kind.properties
            if p not in kind.required and p not in kind.derived and type_ != "Observation"
        )
        self._is_whole = chosen is None and not self._moments
        self._is_observation = type_ == "Observation"

    @property
    def wanted(self) -> tuple[str, ...] | None:
        """The properties that are needed; None is all."""
        return self.properties

    def show(
        self,
        rows: Sequence[Row],
        kinds: Mapping[int, Kind],
        more: Mapping[str, Mapping[int, object]] | None = None,
    ) -> list[dict[str, Any]]:
        """Return what is shown of rows, without what is expanded; links last.

        Args:
            rows: As the catalog or `rows_of` gives them, all with the same members.
            kinds: Of the Datastreams of Observations.
            more: Further properties by name, each by the id of the row; None is not shown.
        """
        shown = []
        further = list((more or {}).items())
        hidden = [name for name in _HIDDEN if rows and name in rows[0]]
        for row in rows:
            id_: Any = row[ID]
            address = f"{self._stem}{id_ if type(id_) is int else quoted(str(id_))})"
            one: dict[str, Any]
            if self._is_whole:
                # Taking all and giving back is several times faster than taking one by one.
                one = {ID: id_, SELF: address, **row} if self._has_self else {ID: id_, **row}
                for name in hidden:
                    del one[name]
                for name in self._nullable:
                    if one.get(name, True) is None:
                        del one[name]
            else:
                one = self._chosen(id_, address, row)
            for name, by_id in further:
                value = by_id.get(id_)
                if value is not None:
                    one[name] = value
            if self._deep:
                self._cut(one)
            if self._is_observation and self._links:
                self._link_observation(one, address, row, kinds)
            else:
                for annotation, name in self._links:
                    one[annotation] = f"{address}/{name}"
            shown.append(one)
        return shown

    @property
    def is_bare(self) -> bool:
        """Whether all properties are shown and no links."""
        return self._is_whole and self._has_id and self._has_self and not self._links

    def show_bare(
        self, observations: Iterable[tuple[int | str, str, str | None, Any]]
    ) -> list[dict[str, Any]]:
        """Return what `show` would of Observations that have nothing else, much faster."""
        stem = self._stem
        return [
            {
                ID: id_,
                SELF: f"{stem}{id_ if type(id_) is int else quoted(id_)})",
                "phenomenonTime": phenomenon_time,
                "resultTime": result_time,
                "result": result,
            }
            for id_, phenomenon_time, result_time, result in observations
        ]

    def _chosen(self, id_: object, address: str, row: Row) -> dict[str, Any]:
        """Return the properties that are selected."""
        one: dict[str, Any] = {}
        if self._has_id:
            one[ID] = id_
        if self._has_self:
            one[SELF] = address
        for name in self._plain:
            value = row.get(name)
            if value is not None or (name in _NULLS and name in row):
                one[name] = value
        for name in self._moments:
            value = row.get(name)
            if isinstance(value, int):
                one[name] = iso(value)
        return one

    def _link_observation(
        self, one: dict[str, Any], at: str, row: Row, kinds: Mapping[int, Kind]
    ) -> None:
        datastream = row[DATASTREAM]
        kind = kinds.get(datastream) if isinstance(datastream, int) else None
        hidden = "Datastream" if kind is not None and kind.is_multi else "MultiDatastream"
        for annotation, name in self._links:
            if name != hidden:
                one[annotation] = f"{at}/{name}"

    def _cut(self, one: dict[str, Any]) -> None:
        """Leave of JSON properties what is selected of them."""
        for name, paths in self._deep.items():
            if name in one:
                one[name] = _cut(decoded(one[name]), paths)


def refs(type_: str, ids: Iterable[object], root: str) -> list[dict[str, str]]:
    """Return the addresses of entities."""
    stem = f"{root}/{TYPES[type_].set_name}("
    return [{SELF: f"{stem}{quoted(id_)})"} for id_ in ids if isinstance(id_, (int, str))]


def decoded(value: Any) -> Any:
    """Return JSON as Python has it."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _members(select: Sequence[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """Return the paths into JSON properties that are selected, where not all of one is."""
    whole = {path[0] for path in select if len(path) == 1}
    found: dict[str, list[tuple[str, ...]]] = {}
    for path in select:
        if len(path) > 1 and path[0] not in whole:
            found.setdefault(path[0], []).append(path[1:])
    return found


def _cut(value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    found: dict[str, Any] = {}
    for path in paths:
        here, there = value, found
        for at, name in enumerate(path):
            if isinstance(here, list) and (place := position(here, name)) is not None:
                here = here[place]
            elif isinstance(here, dict) and name in here:
                here = here[name]
            else:
                break
            if at == len(path) - 1:
                there[name] = here
            else:
                there = there.setdefault(name, {})
    return found
