"""Links between entities as columns and tables between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Table, delete, insert, select, update

from penstock.catalog.device_models import TaskingCapability
from penstock.catalog.enrolment import MAX_ID
from penstock.catalog.entities.writing_columns import TABLES
from penstock.catalog.entities.writing_names import rename
from penstock.catalog.entities.writing_places import reposition
from penstock.catalog.models import (
    Datastream,
    DatastreamObservedProperty,
    Thing,
    historical_location_location,
    thing_location,
)
from penstock.catalog.search import reindex
from penstock.core.entity_types import TYPES, Link
from penstock.core.errors import InvalidInput, NotFound

#: The column that holds the target of a link to one.
COLUMNS: Mapping[tuple[str, str], str] = {
    ("Datastream", "Thing"): "thing_id",
    ("Datastream", "Sensor"): "sensor_id",
    ("Datastream", "ObservedProperty"): "observed_property_id",
    ("MultiDatastream", "Thing"): "thing_id",
    ("MultiDatastream", "Sensor"): "sensor_id",
    ("HistoricalLocation", "Thing"): "thing_id",
    ("TaskingCapability", "Thing"): "thing_id",
    ("TaskingCapability", "Actuator"): "actuator_id",
    ("Task", "TaskingCapability"): "tasking_capability_id",
}

#: The table between the two of a link to many on both sides: its columns for both.
BETWEEN: Mapping[tuple[str, str], tuple[Table, str, str]] = {
    ("Thing", "Locations"): (thing_location, "thing_id", "location_id"),
    ("Location", "Things"): (thing_location, "location_id", "thing_id"),
    ("HistoricalLocation", "Locations"): (
        historical_location_location,
        "historical_location_id",
        "location_id",
    ),
    ("Location", "HistoricalLocations"): (
        historical_location_location,
        "location_id",
        "historical_location_id",
    ),
}


def exists(connection: Connection, type_: str, id_: int) -> bool:
    """Tell whether an entity is there."""
    if not 0 < id_ <= MAX_ID:
        return False
    table = TABLES[type_]
    query = select(table.c.id).where(table.c.id == id_)
    if type_ == "Datastream":
        query = query.where(table.c.multi.is_(None))
    elif type_ == "MultiDatastream":
        query = query.where(table.c.multi.is_not(None))
    return connection.execute(query).first() is not None


def check_exists(connection: Connection, type_: str, id_: int) -> None:
    """Raise `NotFound` when an entity is not there."""
    if type_ not in TABLES or not exists(connection, type_, id_):
        msg = f"there is no {type_} with id {id_}"
        raise NotFound(msg)


def system_of(connection: Connection, type_: str, id_: int) -> int | None:
    """Return the system that an entity belongs to through its Thing, or None."""
    table = TABLES[type_]
    if type_ == "Thing":
        thing: int | None = id_
    elif type_ == "Task":
        query = (
            select(TaskingCapability.thing_id)
            .join(table, table.c.tasking_capability_id == TaskingCapability.id)
            .where(table.c.id == id_)
        )
        thing = connection.execute(query).scalar()
    elif "thing_id" in table.c:
        thing = connection.execute(select(table.c.thing_id).where(table.c.id == id_)).scalar()
    else:
        return None
    return connection.execute(select(Thing.system_id).where(Thing.id == thing)).scalar()


def set_observed_properties(
    connection: Connection, datastream: int, properties: Sequence[int]
) -> None:
    """Say what the parts of a MultiDatastream's results measure."""
    parts = DatastreamObservedProperty
    connection.execute(delete(parts).where(parts.datastream_id == datastream))
    connection.execute(
        insert(parts),
        [
            {"datastream_id": datastream, "position": position, "observed_property_id": id_}
            for position, id_ in enumerate(properties)
        ],
    )
    connection.execute(
        update(Datastream)
        .where(Datastream.id == datastream)
        .values(observed_property_id=properties[0])
    )


def unlink(connection: Connection, type_: str, id_: int, link: str, target: int) -> None:
    """Take a target off a link to many on both sides.

    Raises:
        NotFound: They are not linked.
        InvalidInput: The link cannot be without it.
    """
    known = TYPES[type_].link(link)
    if known is None:
        msg = f"{type_} has no link {link!r}"
        raise NotFound(msg)
    if (type_, link) not in BETWEEN:
        msg = (
            f"{link} cannot be taken off {type_}({id_}): a {known.target} needs its {type_}; "
            "delete it, or link it to another one"
        )
        raise InvalidInput(msg)
    table, ours, theirs = BETWEEN[type_, link]
    pair = (table.c[ours] == id_) & (table.c[theirs] == target)
    if connection.execute(select(table.c[ours]).where(pair)).first() is None:
        msg = f"{known.target}({target}) is not linked to {type_}({id_})"
        raise NotFound(msg)
    if table is historical_location_location:
        _check_not_last(connection, id_ if type_ == "HistoricalLocation" else target)
    connection.execute(delete(table).where(pair))
    if table is thing_location:
        reposition(connection, [id_ if type_ == "Thing" else target])


def _check_not_last(connection: Connection, visit: int) -> None:
    places = historical_location_location.c
    query = select(places.location_id).where(places.historical_location_id == visit).limit(2)
    if len(connection.execute(query).all()) < 2:
        msg = f"HistoricalLocation({visit}) needs a Location; delete it instead"
        raise InvalidInput(msg)


def adopt(connection: Connection, id_: int, link: Link, ids: Sequence[int]) -> None:
    """Let entities that hold one of us hold this one."""
    if not ids:
        return
    target = link.target
    column = COLUMNS.get((target, link.inverse))
    if column is None:
        raise InvalidInput(f"{link.name} cannot be linked from this side; change the {target}")
    table = TABLES[target]
    connection.execute(update(table).where(table.c.id.in_(ids)).values({column: id_}))
    if target in ("Datastream", "MultiDatastream"):
        if column == "thing_id":
            rename(connection, list(ids))
        reindex(connection, [], list(ids))
