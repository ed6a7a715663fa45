"""Search: every Datastream carries the text that is looked in, so one scan finds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, select, update

from penstock.catalog.dialects.words import Instr
from penstock.catalog.models import Datastream, ObservedProperty, Thing

#: Between the parts of a search text; cannot be typed, so that no word spans two parts.
SEPARATOR = "\n"


def search_text(names: Iterable[str], properties: str, thing_properties: str) -> str:
    """Return what a search for a Datastream looks in; properties as `property_text` has them."""
    text = SEPARATOR.join(name for name in names if name).casefold()
    return SEPARATOR.join(part for part in (text, properties, thing_properties) if part)


def property_text(properties: Mapping[str, object]) -> str:
    """Return the names and values of properties as one text, in lower case."""
    parts: list[str] = []
    _flatten(properties, parts)
    return SEPARATOR.join(part for part in parts if part).casefold()


def matches(search: str) -> list[ColumnElement[bool]]:
    """Return the conditions that each word of `search` sets."""
    words = dict.fromkeys(search.casefold().split())
    return [Instr(Datastream.search, word) > 0 for word in words]


def reindex(connection: Connection, things: Sequence[int], datastreams: Sequence[int]) -> None:
    """Write the search text anew: of all Datastreams of these Things, and of these Datastreams."""
    changed: dict[int, str] = {}
    for column, ids in ((Datastream.thing_id, things), (Datastream.id, datastreams)):
        for start in range(0, len(ids), 1000):
            query = (
                select(
                    Datastream.id,
                    Datastream.full_name,
                    ObservedProperty.name,
                    Datastream.unit_name,
                    Datastream.unit_symbol,
                    Datastream.properties,
                    Thing.properties,
                )
                .join(Thing, Datastream.thing_id == Thing.id)
                .join(ObservedProperty, Datastream.observed_property_id == ObservedProperty.id)
                .where(column.in_(ids[start : start + 1000]))
            )
            for row in connection.execute(query):
                changed[row[0]] = search_text(
                    row[1:5], property_text(row[5]), property_text(row[6])
                )
    if changed:
        connection.execute(
            update(Datastream)
            .where(Datastream.id == bindparam("at"))
            .values(search=bindparam("text")),
            [{"at": at, "text": text} for at, text in changed.items()],
        )


def _flatten(value: object, parts: list[str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            parts.append(str(key))
            _flatten(item, parts)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _flatten(item, parts)
    elif value is not None:
        parts.append(str(value))
