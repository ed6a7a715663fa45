"""Bodies that describe entities, read into `core.entities.New`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.core.entities import New
from penstock.core.entity_types import TYPES, EntityType, Link
from penstock.sensorthings.times import interval, iso
from penstock.sensorthings.writing.values import (
    read_moment,
    read_time,
    refuse,
    shown,
    within,
)

#: How deep entities may be within entities.
MAX_DEPTH = 20

_TEXTS = frozenset({"name", "description", "encodingType", "definition", "observationType"})
_OBJECTS = frozenset({"properties", "unitOfMeasurement", "parameters", "taskingParameters"})
_LISTS = frozenset({"multiObservationDataTypes", "unitOfMeasurements"})


def read_entity(type_: str, body: object, at: str = "", *, depth: int = 0) -> New:
    """Return the entity that a JSON value describes, with those within it.

    Raises:
        InvalidInput: A member is not known or of the wrong kind; says where.
    """
    known = TYPES[type_]
    if not isinstance(body, dict):
        refuse(at, f"{shown(body)} is no {type_}; expected a JSON object")
    if depth > MAX_DEPTH:
        refuse(at, f"entities are within entities more than {MAX_DEPTH} deep")
    values: dict[str, object] = {}
    links: dict[str, list[int | New]] = {}
    for name, value in body.items():
        link = known.link(name)
        if link is not None:
            if value is not None:
                links[name] = _targets(link, value, within(at, name), depth)
        elif name in known.derived or "@iot." in name or name in ("id", "@context"):
            continue
        elif name in known.properties:
            values[name] = read_value(known, name, value, within(at, name))
        else:
            refuse(
                within(at, name),
                f"there is no such member of {type_}; there are {', '.join(_members(known))}",
            )
    return New(type=type_, values=values, links=links)


def read_value(type_: EntityType, name: str, value: object, at: str) -> object:
    """Return a property's value, checked to be of its kind; times in microseconds."""
    if name in type_.times:
        if value is None:
            return None
        if name == "validTime":
            time = read_time(value, at)
            return interval(*time) if isinstance(time, tuple) else iso(time)
        return read_time(value, at) if name == "phenomenonTime" else read_moment(value, at)
    if name in _TEXTS:
        if not isinstance(value, str):
            refuse(at, f"{shown(value)} is no text")
        if "\0" in value:
            refuse(at, "the text holds the character NUL")
    elif name in _OBJECTS and value is not None and not isinstance(value, dict):
        refuse(at, f"{shown(value)} is no JSON object")
    elif name in _LISTS and not isinstance(value, list):
        refuse(at, f"{shown(value)} is no list")
    elif name in ("location", "feature") and value is None:
        refuse(at, "null is no place; expected GeoJSON, or what encodingType says")
    return value


def reference(value: object) -> int | None:
    """Return the id that `{"@iot.id": 5}` refers to, or None when it is no reference."""
    if not isinstance(value, Mapping):
        return None
    given = value.get("@iot.id", value.get("id"))
    return given if type(given) is int else None


def _targets(link: Link, value: object, at: str, depth: int) -> list[int | New]:
    if not link.many:
        return [_target(link, value, at, depth)]
    if not isinstance(value, list):
        refuse(at, f"{shown(value)} is no list of {TYPES[link.target].set_name}")
    return [_target(link, one, f"{at}[{n}]", depth) for n, one in enumerate(value)]


def _target(link: Link, value: object, at: str, depth: int) -> int | New:
    if isinstance(value, dict) and ("@iot.id" in value or "id" in value):
        id_ = reference(value)
        if id_ is None:
            given: Any = value.get("@iot.id", value.get("id"))
            refuse(at, f"{shown(given)} is no id of a {link.target}; ids are whole numbers")
        return id_
    return read_entity(link.target, value, at, depth=depth + 1)


def _members(type_: EntityType) -> list[str]:
    return [*type_.properties, *(link.name for link in type_.links)]


def check_complete(new: New, at: str = "", given: tuple[str, ...] = ()) -> None:
    """Raise `InvalidInput` when an entity to be made, or one within it, misses something.

    Args:
        new: To be made.
        at: Where it stands.
        given: Links that it has from where it stands.
    """
    type_ = TYPES[new.type]
    for name in type_.required:
        if name not in new.values and name != "observationType":
            refuse(at, f"{name} is missing; each {new.type} needs it")
    for link in type_.links:
        if link.required and not new.links.get(link.name) and link.name not in given:
            refuse(at, f'{link.name} is missing; give {{"@iot.id": number}} or a new one')
    if new.type == "Observation":
        owners = [n for n in ("Datastream", "MultiDatastream") if n in new.links or n in given]
        if not owners:
            refuse(at, 'Datastream is missing; give {"@iot.id": number}, or a MultiDatastream')
        if len(owners) > 1:
            refuse(at, "an Observation is of a Datastream or of a MultiDatastream, not of both")
    for name, some in new.links.items():
        link_here = type_.link(name)
        assert link_here is not None
        for number, one in enumerate(some):
            if isinstance(one, New):
                place = within(at, f"{name}[{number}]" if link_here.many else name)
                check_complete(one, place, (link_here.inverse,))
