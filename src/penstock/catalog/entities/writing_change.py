"""Changing entities that exist."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.orm import InstrumentedAttribute

from penstock.catalog.entities.writing_columns import (
    MULTI,
    TABLES,
    Values,
    columns_of,
    defaults_of,
)
from penstock.catalog.entities.writing_creation import LENIENT, Creation, check_parts
from penstock.catalog.entities.writing_links import (
    BETWEEN,
    COLUMNS,
    adopt,
    set_observed_properties,
    system_of,
)
from penstock.catalog.entities.writing_names import rename, rename_device
from penstock.catalog.entities.writing_places import come_to
from penstock.catalog.models import Datastream, DatastreamObservedProperty
from penstock.catalog.search import reindex
from penstock.core.entities import New
from penstock.core.entity_types import TYPES, Link
from penstock.core.errors import InvalidInput

_STREAMS = ("Datastream", "MultiDatastream")


class Change:
    """A change of one entity.

    Args:
        connection: In a writing transaction, which is undone when anything here raises.
        type_: Of the entity.
        id_: Of the entity, which exists.
        system: Entities that are linked must be of it; None for any.
        now_us: When.
    """

    def __init__(
        self, connection: Connection, type_: str, id_: int, system: int | None, now_us: int
    ) -> None:
        self._connection = connection
        self._type = type_
        self._id = id_
        self._system = system
        self._now_us = now_us

    def replace(self, new: New) -> None:
        """Set all properties, and the links given."""
        type_ = TYPES[self._type]
        for name in type_.required:
            if name not in new.values and (self._type, name) not in LENIENT:
                raise InvalidInput(f"{name} is missing; a {self._type} needs one")
        values = {**defaults_of(self._type), **columns_of(self._type, new.values)}
        if self._type in _STREAMS and "observation_type" not in values:
            values.update(columns_of(self._type, {"observationType": None}))
        self._apply(values, new)

    def update(self, change: New) -> None:
        """Set the properties given, and the links given."""
        self._apply(columns_of(self._type, change.values), change)

    def _apply(self, values: Values, change: New) -> None:
        later: list[tuple[Link, list[int]]] = []
        for name, some in change.links.items():
            link = TYPES[self._type].link(name)
            if link is None:
                raise InvalidInput(f"{self._type} has no link {name!r}")
            ids = self._checked(link, some)
            column = COLUMNS.get((self._type, name))
            if column is not None:
                if len(ids) != 1:
                    raise InvalidInput(f"{name}: {len(ids)} are given; it is one")
                values[column] = ids[0]
            else:
                later.append((link, ids))
        self._merge_parts(values, later)
        if values:
            table = TABLES[self._type]
            self._connection.execute(update(table).where(table.c.id == self._id).values(values))
        for link, ids in later:
            self._link(link, ids)
        self._follow(values)

    def _checked(self, link: Link, some: Sequence[int | New]) -> list[int]:
        ids = [one for one in some if not isinstance(one, New)]
        if len(ids) < len(some):
            raise InvalidInput(
                f"{link.name}: a new {link.target} cannot be made while changing a {self._type}; "
                'give {"@iot.id": number} of one that is there'
            )
        for one in ids:
            of = system_of(self._connection, link.target, one) if self._system is None else None
            system = self._system or of or 0
            Creation(self._connection, system, self._now_us).check(link.target, one, link.name)
        return ids

    def _merge_parts(self, values: Values, later: Sequence[tuple[Link, list[int]]]) -> None:
        """Complete the column that keeps both lists of a MultiDatastream."""
        if self._type != "MultiDatastream":
            return
        held = self._connection.execute(
            select(Datastream.multi).where(Datastream.id == self._id)
        ).scalar_one()
        parts = {name: values.pop(name, (held or {}).get(name, [])) for name in MULTI}
        linked = next((ids for link, ids in later if link.name == "ObservedProperties"), None)
        if linked is None:
            query = select(DatastreamObservedProperty.position).where(
                DatastreamObservedProperty.datastream_id == self._id
            )
            count = len(self._connection.execute(query).all())
        else:
            count = len(linked)
        check_parts(parts, count, self._type)
        if parts != held:
            values["multi"] = parts

    def _link(self, link: Link, ids: list[int]) -> None:
        if link.name == "ObservedProperties":
            set_observed_properties(self._connection, self._id, ids)
        elif link.target == "Observation":
            raise InvalidInput(
                f"{link.name}: an Observation is moved by changing its own {link.inverse}"
            )
        elif (self._type, link.name) == ("Thing", "Locations"):
            come_to(self._connection, self._id, ids, self._now_us)
        elif (self._type, link.name) == ("Location", "Things"):
            for thing in ids:
                come_to(self._connection, thing, [self._id], self._now_us)
        elif (self._type, link.name) in BETWEEN:
            self._relink(link, ids)
        else:
            adopt(self._connection, self._id, link, ids)

    def _relink(self, link: Link, ids: list[int]) -> None:
        if link.required and not ids:
            raise InvalidInput(f"{link.name}: a {self._type} needs one")
        table, ours, theirs = BETWEEN[self._type, link.name]
        self._connection.execute(delete(table).where(table.c[ours] == self._id))
        if ids:
            rows = [{ours: self._id, theirs: one} for one in dict.fromkeys(ids)]
            self._connection.execute(insert(table), rows)

    def _follow(self, values: Values) -> None:
        """Keep true what repeats names and properties elsewhere."""
        if self._type == "Thing":
            if "name" in values:
                rename_device(self._connection, self._id, values["name"])
                rename(self._connection, self._streams(Datastream.thing_id))
            if "name" in values or "properties" in values:
                reindex(self._connection, [self._id], [])
        elif self._type in _STREAMS:
            if "name" in values or "thing_id" in values:
                rename(self._connection, [self._id])
            reindex(self._connection, [], [self._id])
        elif self._type == "ObservedProperty" and "name" in values:
            streams = self._streams(Datastream.observed_property_id)
            reindex(self._connection, [], streams)

    def _streams(self, column: InstrumentedAttribute[int]) -> list[int]:
        query = select(Datastream.id).where(column == self._id).order_by(Datastream.id)
        return list(self._connection.execute(query).scalars())
