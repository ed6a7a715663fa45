"""Enrolment: find or create the Datastream of each series, a batch in one transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from penstock.catalog.admission import (
    Admission,
    KnownThing,
    ThingName,
    chunks,
    load_things_by_id,
)
from penstock.catalog.known_datastreams import (
    KnownDatastream,
    datastreams,
    new_datastream,
    update_datastream,
)
from penstock.catalog.models import Datastream, ObservedProperty, Sensor, Thing
from penstock.catalog.places import Sighting, record, wrong_position
from penstock.catalog.search import property_text, reindex, search_text
from penstock.catalog.tables import NAME_LENGTH
from penstock.catalog.topic_names import named_by_topic
from penstock.core.catalog import Enrolled, Policy
from penstock.core.series import Series

#: Largest id that a database holds.
MAX_ID = 2**63 - 1

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Enrolment:
    """One batch on its way into the catalog.

    Args:
        connection: In a writing transaction.
        policy: What to do with devices never seen before.
        now_us: When the batch is enrolled.
        max_pending: Devices that may wait at once.
    """

    def __init__(
        self, connection: Connection, policy: Policy, now_us: int, max_pending: int
    ) -> None:
        self._connection = connection
        self._now_us = now_us
        self._admission = Admission(connection, policy, now_us, max_pending)

    def run(self, batch: Sequence[Series]) -> list[Enrolled]:
        """Enrol the batch and return one answer for each series."""
        problems = [wrong_series(series) for series in batch]
        named = self._names(batch, problems)
        names = {at: name for at, name in enumerate(named) if name is not None}
        things, reasons = self._admission.admit(thing for thing, _ in names.values())
        streams = self._load(
            {
                name
                for at, name in names.items()
                if name[0] in things and batch[at].datastream_id is None
            },
            things,
        )
        by_id = self._load_ids(
            {batch[at].datastream_id or 0 for at, name in names.items() if name[0] in things},
            things,
        )
        found: dict[int, KnownDatastream] = {}
        sightings: list[Sighting] = []
        for at, (thing_name, name) in names.items():
            series, thing = batch[at], things.get(thing_name)
            if thing is None:
                continue
            stream = by_id.get(series.datastream_id or 0) or streams.get((thing.id, name))
            if stream is None:
                stream = streams[(thing.id, name)] = new_datastream(thing, name, series)
            named_too = streams.get((stream.thing.id, stream.name))
            if named_too is not None and named_too.id == stream.id:
                stream = named_too
            found[at] = stream
            stream.learn(series)
            if series.location is not None:
                time_us = self._now_us if series.located_us is None else series.located_us
                position = tuple(float(part) for part in series.location)
                sightings.append(Sighting(stream.thing, position, time_us))
        moved = record(self._connection, sightings) if sightings else []
        every = {id(stream): stream for stream in (*streams.values(), *found.values())}
        owners = {stream.thing.id: stream.thing for stream in every.values()}
        owners |= {thing.id: thing for thing in things.values()}
        self._save(list(every.values()), list(owners.values()), moved)
        return [
            self._answer(at, problems[at], names.get(at), found, reasons)
            for at in range(len(batch))
        ]

    def _answer(
        self,
        at: int,
        problem: str | None,
        name: tuple[ThingName, str] | None,
        found: Mapping[int, KnownDatastream],
        reasons: Mapping[ThingName, str],
    ) -> Enrolled:
        if problem or name is None:
            return Enrolled(None, problem or f"series {at} could not be enrolled")
        if at not in found:
            is_late = name[0] in self._admission.leaving
            return Enrolled(None, reasons[name[0]], is_late=is_late, device=name[0].name)
        return Enrolled(found[at].id)

    def _names(
        self, batch: Sequence[Series], problems: list[str | None]
    ) -> list[tuple[ThingName, str] | None]:
        """Return thing and name of each series, looking up those that only give an id.

        An id of another system's Datastream is as good as none. A thing that is the topic of a
        device is that device.
        """
        ids = {s.datastream_id for s in batch if s.datastream_id is not None}
        found: dict[tuple[int, int], tuple[ThingName, str]] = {}
        query = select(Datastream.id, Thing.system_id, Thing.name, Datastream.name).join(
            Thing, Datastream.thing_id == Thing.id
        )
        for chunk in chunks(id_ for id_ in ids if 0 < id_ <= MAX_ID):
            rows = self._connection.execute(query.where(Datastream.id.in_(chunk)))
            for id_, system, thing, name in rows:
                found[id_, system] = (ThingName(system, thing), name)
        said = {
            ThingName(series.system, series.thing)
            for at, series in enumerate(batch)
            if series.datastream_id is None and not problems[at]
        }
        meant = named_by_topic(self._connection, said) if said else {}
        names: list[tuple[ThingName, str] | None] = []
        for at, series in enumerate(batch):
            if problems[at]:
                names.append(None)
            elif series.datastream_id is None:
                thing_name = ThingName(series.system, series.thing)
                names.append((meant.get(thing_name, thing_name), series.name))
            else:
                names.append(found.get((series.datastream_id, series.system)))
                if names[-1] is None:
                    problems[at] = (
                        f"there is no datastream with id {series.datastream_id} in the system that "
                        "the message belongs to"
                    )
        return names

    def _load(
        self, names: set[tuple[ThingName, str]], things: Mapping[ThingName, KnownThing]
    ) -> dict[tuple[int, str], KnownDatastream]:
        by_id = {thing.id: thing for thing in things.values()}
        found: dict[tuple[int, str], KnownDatastream] = {}
        for chunk in chunks(sorted(names)):
            wanted = {(things[thing].id, name) for thing, name in chunk}
            query = datastreams().where(
                Datastream.thing_id.in_({thing for thing, _ in wanted}),
                Datastream.name.in_({name for _, name in wanted}),
                Datastream.multi.is_(None),
            )
            for row in self._connection.execute(query.order_by(Datastream.id)):
                key = (row.thing_id, row.name)
                if key in wanted and key not in found:
                    found[key] = KnownDatastream.from_row(row, by_id[row.thing_id])
        return found

    def _load_ids(
        self, ids: set[int], things: Mapping[ThingName, KnownThing]
    ) -> dict[int, KnownDatastream]:
        """Return Datastreams by id; their Thing need not be the oldest of its name."""
        rows = [
            row
            for chunk in chunks(ids - {0})
            for row in self._connection.execute(datastreams().where(Datastream.id.in_(chunk)))
        ]
        owners = {thing.id: thing for thing in things.values()}
        owners |= load_things_by_id(
            self._connection, {row.thing_id for row in rows} - owners.keys()
        )
        return {row.id: KnownDatastream.from_row(row, owners[row.thing_id]) for row in rows}

    def _save(
        self, streams: list[KnownDatastream], things: list[KnownThing], moved: list[KnownThing]
    ) -> None:
        known_better = [thing for thing in things if thing.is_changed]
        changed = {thing.id: thing for thing in (*known_better, *moved)}
        if changed:
            self._connection.execute(
                _update_thing(),
                [
                    {
                        "at": thing.id,
                        "new_properties": thing.properties,
                        "new_position": thing.position,
                        "new_located_us": thing.located_us,
                    }
                    for thing in changed.values()
                ],
            )
        fresh = [stream for stream in streams if stream.id == 0]
        stale = [stream for stream in streams if stream.id and stream.is_changed]
        if fresh or stale:
            sensors = self._ids(Sensor, (stream.sensor for stream in (*fresh, *stale)))
            properties = self._ids(
                ObservedProperty, (stream.observed_property for stream in (*fresh, *stale))
            )
            self._update(stale, sensors, properties)
            self._insert(fresh, sensors, properties)
        older = [thing for thing in known_better if not thing.is_new]
        if older or stale:
            reindex(
                self._connection,
                [thing.id for thing in older],
                [stream.id for stream in stale],
            )

    def _ids(self, table: type[Sensor | ObservedProperty], names: Iterable[str]) -> dict[str, int]:
        wanted = set(names)
        found: dict[str, int] = {}
        for chunk in chunks(wanted):
            query = select(table.name, func.min(table.id)).where(table.name.in_(chunk))
            oldest = self._connection.execute(query.group_by(table.name))
            found.update((name, id_) for name, id_ in oldest)
        missing = sorted(wanted - found.keys())
        if missing:
            rows = [{"name": name, "description": name, "properties": {}} for name in missing]
            created = self._connection.execute(insert(table).returning(table.name, table.id), rows)
            found.update((name, id_) for name, id_ in created)
        return found

    def _insert(
        self,
        streams: list[KnownDatastream],
        sensors: Mapping[str, int],
        properties: Mapping[str, int],
    ) -> None:
        if not streams:
            return
        self._name(streams)
        things = {stream.thing.id: stream.thing for stream in streams}
        texts = {id_: property_text(thing.properties) for id_, thing in things.items()}
        rows = [
            {
                "name": stream.name,
                "full_name": stream.full_name,
                "description": stream.full_name,
                "thing_id": stream.thing.id,
                "sensor_id": sensors[stream.sensor],
                "observed_property_id": properties[stream.observed_property],
                "observation_type": stream.observation_type,
                "unit_name": stream.unit.name,
                "unit_symbol": stream.unit.symbol,
                "unit_definition": stream.unit.definition,
                "properties": stream.properties,
                "search": search_text(
                    (
                        stream.full_name,
                        stream.observed_property,
                        stream.unit.name,
                        stream.unit.symbol,
                    ),
                    property_text(stream.properties),
                    texts[stream.thing.id],
                ),
            }
            for stream in streams
        ]
        by_name = {stream.full_name: stream for stream in streams}
        created = self._connection.execute(
            insert(Datastream).returning(Datastream.id, Datastream.full_name), rows
        )
        for id_, full_name in created:
            by_name[full_name].id = id_

    def _name(self, streams: list[KnownDatastream]) -> None:
        """Give full names. `a` + `b.c` and `a.b` + `c` look alike: the later one gets `~2`."""
        taken: set[str] = set()
        for chunk in chunks(f"{stream.thing.name}.{stream.name}" for stream in streams):
            query = select(Datastream.full_name).where(Datastream.full_name.in_(chunk))
            taken.update(self._connection.execute(query).scalars())
        for stream in streams:
            plain = stream.full_name = f"{stream.thing.name}.{stream.name}"
            count = 1
            while stream.full_name in taken or (count > 1 and self._is_taken(stream.full_name)):
                count += 1
                stream.full_name = f"{plain}~{count}"
            taken.add(stream.full_name)

    def _is_taken(self, full_name: str) -> bool:
        query = select(Datastream.id).where(Datastream.full_name == full_name)
        return self._connection.execute(query).first() is not None

    def _update(
        self,
        streams: list[KnownDatastream],
        sensors: Mapping[str, int],
        properties: Mapping[str, int],
    ) -> None:
        if not streams:
            return
        self._connection.execute(
            update_datastream(),
            [
                {
                    "at": stream.id,
                    "new_sensor_id": sensors[stream.sensor],
                    "new_observed_property_id": properties[stream.observed_property],
                    "new_unit_name": stream.unit.name,
                    "new_unit_symbol": stream.unit.symbol,
                    "new_unit_definition": stream.unit.definition,
                    "new_properties": stream.properties,
                }
                for stream in streams
            ],
        )


def wrong_series(series: Series) -> str | None:
    """Say what is wrong with a series, or None."""
    least = 1 if series.datastream_id is None else 0
    problem = (
        _wrong_name("thing", series.thing, least)
        or _wrong_name("name", series.name, least)
        or _wrong_name("sensor", series.sensor, 0)
        or _wrong_name("observed property", series.observed_property, 0)
    )
    if problem or series.location is None:
        return problem
    return wrong_position(series.location)


def _wrong_name(what: str, name: str, least: int) -> str | None:
    if not least <= len(name) <= NAME_LENGTH:
        return (
            f"{what} {name[:40]!r} has {len(name)} characters; {least} to {NAME_LENGTH} are allowed"
        )
    if _NO_TEXT.search(name):
        return f"{what} {name[:40]!r} holds characters that are no text (NUL or half a surrogate)"
    return None


def _update_thing() -> Any:
    return (
        update(Thing)
        .where(Thing.id == bindparam("at"))
        .values(
            properties=bindparam("new_properties"),
            position=bindparam("new_position"),
            located_us=bindparam("new_located_us"),
        )
    )
