"""Values that Observations reach along links to single entities: read once for each entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from penstock.core.access import Scope
from penstock.core.entities import Query
from penstock.core.entity_types import TYPES, EntityType
from penstock.core.errors import NotSupported
from penstock.core.expression import Moment, Span
from penstock.sensorthings.members import member
from penstock.sensorthings.sources import ID, Sources, among


def linked_values(
    sources: Sources, scope: Scope, type_: str, ids: Sequence[int], path: tuple[str, ...]
) -> Mapping[int, Any]:
    """Return the values at the end of a path, by the id of the entity that it begins at.

    Args:
        sources: The two sides.
        scope: What may be seen; from the rest comes nothing.
        type_: Name of the type that the path begins at.
        ids: Of the entities.
        path: Links to one, a property, and members of its JSON.

    Raises:
        NotSupported: It leads to something that is not in the catalog.
    """
    here: dict[int, Any] = {one: one for one in ids}
    while (link := TYPES[type_].link(path[0])) is not None:
        held = _read(sources, scope, TYPES[type_], here, f"{link.name}@iot.id", (link.name,))
        here = {start: held.get(one) for start, one in here.items()}
        type_, path = link.target, path[1:]
    kind, name, members = TYPES[type_], path[0], path[1:]
    if name in kind.derived and name in kind.times and kind.name != "Task":
        msg = f"{name} of a {type_} cannot be compared with what belongs to an Observation"
        raise NotSupported(msg)
    held = _read(sources, scope, kind, here, name, ())
    return {start: member(held.get(one), members) for start, one in here.items()}


def _read(
    sources: Sources,
    scope: Scope,
    kind: EntityType,
    here: Mapping[int, Any],
    name: str,
    links: tuple[str, ...],
) -> Mapping[Any, Any]:
    """Return one column of the entities there, by their id."""
    ids = frozenset(one for one in here.values() if one is not None)
    if not ids:
        return {}
    query = Query(
        type=kind.name,
        scope=scope,
        where=among((ID,), ids),
        links=links,
        properties=() if links or name == ID else (name,),
    )
    rows = sources.reader.find(query)
    return {row[ID]: _value(row.get(name), is_time=name in kind.times) for row in rows}


def _value(value: Any, *, is_time: bool) -> Any:
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if is_time and isinstance(value, int):
        return Moment(value)
    if is_time and isinstance(value, (tuple, list)):
        return Span(*value)
    return value
