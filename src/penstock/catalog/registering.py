"""Registration: what enrolment does, and the facts that only a person knows."""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace
from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from penstock.catalog.admission import Admission, ThingName
from penstock.catalog.enrolment import Enrolment, wrong_series
from penstock.catalog.models import Datastream, ObservedProperty, Sensor, Thing
from penstock.catalog.places import Sighting, record, wrong_position
from penstock.catalog.search import reindex
from penstock.core.catalog import Policy
from penstock.core.errors import Forbidden, InvalidInput
from penstock.core.registration import Registration
from penstock.core.series import Series


def register(
    connection: Connection, wanted: Registration, now_us: int, max_pending: int
) -> list[int]:
    """Register in a writing transaction and return the id of each Datastream.

    Raises:
        InvalidInput: Something cannot be kept; the transaction is to be undone.
        Forbidden: A Thing was refused; the transaction is to be undone.
    """
    _check(wanted)
    _things(connection, wanted, now_us, max_pending)
    for sensor in wanted.sensors:
        facts = {"encoding_type": sensor.encoding_type, "sensor_metadata": sensor.metadata}
        facts = {"description": sensor.description, **facts}
        _upsert(connection, Sensor, wanted.system, sensor.name, facts)
    for quantity in wanted.observed_properties:
        facts = {"description": quantity.description, "definition": quantity.definition}
        _upsert(connection, ObservedProperty, wanted.system, quantity.name, facts)
    enrolment = Enrolment(connection, Policy.AUTOMATIC, now_us, max_pending)
    ids: list[int] = []
    known: list[dict[str, Any]] = []
    answers = enrolment.run(
        [replace(stream.series, system=wanted.system) for stream in wanted.datastreams]
    )
    for stream, answer in zip(wanted.datastreams, answers, strict=True):
        if answer.datastream is None:
            raise Forbidden(f"nothing was registered: {answer.reason}")
        ids.append(answer.datastream)
        known.append(
            {
                "of_id": answer.datastream,
                "of_type": stream.series.observation_type,
                "of_description": stream.description or None,
            }
        )
    if known:
        # All in one: an app may derive thousands at once.
        table = cast("Table", Datastream.__table__)
        connection.execute(
            update(table)
            .where(table.c.id == bindparam("of_id"))
            .values(
                observation_type=bindparam("of_type"),
                observation_type_uri="",
                description=func.coalesce(bindparam("of_description"), table.c.description),
            ),
            known,
        )
    return ids


def _check(wanted: Registration) -> None:
    names = [
        *(thing.name for thing in wanted.things),
        *(sensor.name for sensor in wanted.sensors),
        *(quantity.name for quantity in wanted.observed_properties),
    ]
    problems = [
        *(wrong_series(Series(thing=name, name="-")) for name in names),
        *(wrong_series(facts.series) for facts in wanted.datastreams),
        *(wrong_position(t.location) for t in wanted.things if t.location is not None),
    ]
    found = next(filter(None, problems), None)
    if found:
        raise InvalidInput(f"nothing was registered: {found}")


def _things(connection: Connection, wanted: Registration, now_us: int, max_pending: int) -> None:
    admission = Admission(connection, Policy.AUTOMATIC, now_us, max_pending)
    things, reasons = admission.admit(
        ThingName(wanted.system, facts.name) for facts in wanted.things
    )
    for reason in reasons.values():
        raise Forbidden(f"nothing was registered: {reason}")
    sightings = []
    for facts in wanted.things:
        thing = things[ThingName(wanted.system, facts.name)]
        thing.properties = {**thing.properties, **facts.properties}
        values: dict[str, Any] = {"properties": thing.properties}
        if facts.description:
            values["description"] = facts.description
        connection.execute(update(Thing).where(Thing.id == thing.id).values(**values))
        if facts.location is not None:
            position = tuple(float(part) for part in facts.location)
            sightings.append(Sighting(thing, position, now_us))
    for thing in record(connection, sightings) if sightings else ():
        values = {"position": thing.position, "located_us": thing.located_us}
        connection.execute(update(Thing).where(Thing.id == thing.id).values(**values))
    reindex(connection, [thing.id for thing in things.values()], [])


def _upsert(
    connection: Connection,
    table: type[Sensor | ObservedProperty],
    system: int,
    name: str,
    facts: dict[str, str],
) -> None:
    """Keep a Sensor or ObservedProperty, which all systems share by name.

    One that Datastreams of another system have too stays as it is: nobody changes what others see.
    """
    known = {key: text for key, text in facts.items() if text}
    found = connection.execute(select(func.min(table.id)).where(table.name == name)).scalar()
    if found is None:
        known.setdefault("description", name)
        connection.execute(insert(table).values(name=name, properties={}, **known))
    elif known and not _is_others(connection, table, found, system):
        connection.execute(update(table).where(table.id == found).values(**known))


def _is_others(
    connection: Connection, table: type[Sensor | ObservedProperty], id_: int, system: int
) -> bool:
    """Tell whether Datastreams of another system have it."""
    column = Datastream.sensor_id if table is Sensor else Datastream.observed_property_id
    query = (
        select(Datastream.id)
        .join(Thing, Datastream.thing_id == Thing.id)
        .where(column == id_, Thing.system_id != system)
        .limit(1)
    )
    return connection.execute(query).first() is not None
