"""Devices: what they are, when they were seen, whether they are connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from penstock.catalog.admission import Admission, ThingName, chunks
from penstock.catalog.database import Database
from penstock.catalog.device_models import (
    AssignmentRow,
    ClientPresence,
    DeviceFact,
    DoomedDatastream,
    LeavingDevice,
)
from penstock.catalog.devices import presence as presences
from penstock.catalog.devices.deleted import deleted_devices, remember_deleted
from penstock.catalog.devices.presence import (
    PRESENCE_KEPT_US,
    surplus_away,
    upsert_presence,
    upsert_seen,
)
from penstock.catalog.devices.rows import devices_of, select_devices
from penstock.catalog.devices.scoping import seen_by
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import (
    Datastream,
    Device,
    HistoricalLocation,
    Location,
    Thing,
    historical_location_location,
    thing_location,
)
from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.search import reindex
from penstock.core.access import Scope
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.clock import MAX_AHEAD_US, Clock
from penstock.core.devices import Device as Known
from penstock.core.devices import DeviceFacts, Presence, Seen
from penstock.core.errors import NotFound
from penstock.core.organisation import DEFAULT_SYSTEM


class SqlDevices:
    """Keeps devices. See `core.devices.DeviceRecords`."""

    def __init__(self, database: Database, max_pending: int, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._max_pending = max_pending
        #: Words on clients since the last look for too many.
        self._told = 0

    def devices(
        self,
        scope: Scope,
        *,
        name: str | None = None,
        short_name: str | None = None,
        topic: str | None = None,
        things: Sequence[int] | None = None,
        type_: str | None = None,
        status: DeviceStatus | None = None,
        heard: bool | None = None,
    ) -> Sequence[Known]:
        """Return devices by name and system, those that `scope` holds; see the contract."""
        query = select_devices().where(seen_by(scope, Device.system_id, Device.thing_id))
        if name is not None:
            query = query.where(Device.name == name)
        if short_name is not None:
            own = and_(
                SystemRow.id == Device.system_id,
                SystemRow.id != DEFAULT_SYSTEM,
                Device.name == SystemRow.name + "." + short_name,
            )
            query = query.join(SystemRow, own)
        if topic is not None:
            query = query.where(DeviceFact.topic == topic)
        if type_ is not None:
            query = query.where(DeviceFact.type == type_)
        if status is not None:
            query = query.where(Device.status == status)
        if heard is not None:
            is_heard = or_(Device.status != DeviceStatus.ENROLLED, DeviceFact.thing_id.is_not(None))
            query = query.where(is_heard if heard else ~is_heard)
        query = query.order_by(Device.name, Device.system_id)
        found: list[Known] = []
        with self._database.read() as connection:
            if things is None:
                return devices_of(connection.execute(query).all())
            for chunk in chunks(sorted(set(things))):
                rows = connection.execute(query.where(Device.thing_id.in_(chunk))).all()
                found.extend(devices_of(rows))
        return found

    def register(
        self, devices: Sequence[DeviceFacts], policy: Policy, now_us: int
    ) -> Sequence[Known]:
        """Take devices in as `policy` allows, and what is known of them; again is harmless."""
        by_system: dict[int, list[DeviceFacts]] = {}
        for one in devices:
            by_system.setdefault(one.system, []).append(one)
        found: list[Known] = []
        with self._database.write() as connection:
            for system, some in by_system.items():
                admission = Admission(connection, policy, now_us, self._max_pending)
                things, _ = admission.admit(ThingName(system, one.name) for one in some)
                for one in some:
                    thing = things.get(ThingName(system, one.name))
                    if thing is not None:
                        self._learn(connection, thing.id, one)
                own = select_devices().where(Device.system_id == system)
                for chunk in chunks(one.name for one in some):
                    query = own.where(Device.name.in_(chunk))
                    found.extend(devices_of(connection.execute(query).all()))
        return found

    def decide(self, system: int, name: str, status: DeviceStatus) -> None:
        """Approve or refuse a device."""
        with self._database.write() as connection:
            done = connection.execute(
                update(Device)
                .where(Device.system_id == system, Device.name == name)
                .values(status=status)
            )
        if done.rowcount == 0:
            raise _unknown(name)

    @staticmethod
    def _learn(connection: Any, thing_id: int, known: DeviceFacts) -> None:
        facts = {
            name: value
            for name, value in (
                ("type", known.type),
                ("topic", known.topic),
                ("sample_frequency", known.sample_frequency),
            )
            if value not in ("", None)
        }
        statement = upsert(DeviceFact).values(thing_id=thing_id, retired=False, **facts)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["thing_id"], set_={"retired": False, **facts}
            )
        )
        if known.description or known.properties:
            held = connection.execute(
                select(Thing.description, Thing.properties).where(Thing.id == thing_id)
            ).one()
            values = {
                "description": known.description or held.description,
                "properties": {**held.properties, **known.properties},
            }
            connection.execute(update(Thing).where(Thing.id == thing_id).values(**values))
            reindex(connection, [thing_id], [])

    def note(
        self, seen: Sequence[Seen] = (), presence: Sequence[Presence] = (), started_us: int = 0
    ) -> None:
        """Keep who was seen and who is connected, where it is newer than what is held."""
        # See `core.clock.is_older`: what is held from later than this is passed over.
        to_come_us = self._clock.now_us() + MAX_AHEAD_US
        with self._database.write(durable=False) as connection:
            if started_us:
                connection.execute(
                    update(ClientPresence)
                    .where(
                        ClientPresence.online,
                        or_(
                            ClientPresence.at_us < started_us,
                            ClientPresence.at_us > to_come_us,
                        ),
                    )
                    .values(online=False, at_us=started_us, reason="door")
                )
                connection.execute(
                    delete(ClientPresence).where(
                        ~ClientPresence.online,
                        ClientPresence.at_us < started_us - PRESENCE_KEPT_US,
                    )
                )
            if presence:
                connection.execute(
                    upsert_presence(to_come_us),
                    [
                        {
                            "client": one.client,
                            "system_id": one.system,
                            "online": one.online,
                            "at_us": one.at_us,
                            "user": one.user,
                            "reason": one.reason,
                            "keep_alive_s": one.keep_alive_s,
                            "address": one.address,
                        }
                        for one in presence
                    ],
                )
                self._told += len(presence)
                if self._told >= presences.MAX_AWAY // 10:
                    self._told = 0
                    connection.execute(surplus_away())
            if seen:
                self._see(connection, seen, to_come_us)

    @staticmethod
    def _see(connection: Any, seen: Sequence[Seen], to_come_us: int) -> None:
        there: set[int] = set()
        for chunk in chunks(one.thing_id for one in seen):
            there.update(connection.execute(select(Thing.id).where(Thing.id.in_(chunk))).scalars())
        rows = [
            {
                "thing_id": one.thing_id,
                "type": one.type,
                "topic": one.topic,
                "last_seen_us": one.at_us,
                "client": one.client,
                "retired": False,
            }
            for one in seen
            if one.thing_id in there
        ]
        if rows:
            connection.execute(upsert_seen(to_come_us), rows)

    def things_of(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the Thing of each Datastream that exists."""
        found: dict[int, int] = {}
        with self._database.read() as connection:
            for chunk in chunks(datastreams):
                query = select(Datastream.id, Datastream.thing_id).where(Datastream.id.in_(chunk))
                found.update((id_, thing) for id_, thing in connection.execute(query))
        return found

    def remove(self, system: int, name: str, *, with_data: bool) -> Sequence[int]:
        """Forget a device: one that sends again must be enrolled again."""
        with self._database.write() as connection:
            which = (Device.system_id == system, Device.name == name)
            held = connection.execute(select(Device.thing_id).where(*which)).first()
            if held is None:
                raise _unknown(name)
            remember_deleted(connection, system, name, held.thing_id, self._clock.now_us())
            connection.execute(delete(Device).where(*which))
            thing_id = held.thing_id
            if thing_id is None:
                return []
            if not with_data:
                statement = upsert(DeviceFact).values(thing_id=thing_id, retired=True)
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["thing_id"], set_={"retired": True, "last_seen_us": None}
                    )
                )
                connection.execute(
                    update(AssignmentRow)
                    .where(AssignmentRow.thing_id == thing_id, AssignmentRow.until_us.is_(None))
                    .values(until_us=AssignmentRow.from_us)
                )
                return []
            query = select(Datastream.id).where(Datastream.thing_id == thing_id)
            doomed = list(connection.execute(query).scalars())
            if doomed:
                connection.execute(
                    upsert(DoomedDatastream).on_conflict_do_nothing(), [{"id": at} for at in doomed]
                )
            _remove_thing(connection, thing_id)
            connection.execute(
                upsert(LeavingDevice).on_conflict_do_nothing(),
                [{"system_id": system, "name": name}],
            )
            return doomed

    def deleted(self) -> Mapping[tuple[int, str], int]:
        """Return when devices were deleted, by system and name, microseconds UTC."""
        with self._database.read() as connection:
            return deleted_devices(connection, self._clock.now_us() + MAX_AHEAD_US)

    def leaving(self) -> Sequence[tuple[int, str]]:
        """Return systems and names of devices that are leaving."""
        query = select(LeavingDevice.system_id, LeavingDevice.name)
        with self._database.read() as connection:
            return [(system, name) for system, name in connection.execute(query)]

    def left(self, devices: Sequence[tuple[int, str]]) -> None:
        """Let devices of these systems and names be enrolled again."""
        with self._database.write() as connection:
            for system, name in devices:
                connection.execute(
                    delete(LeavingDevice).where(
                        LeavingDevice.system_id == system, LeavingDevice.name == name
                    )
                )

    def doomed(self) -> Sequence[int]:
        """Return Datastreams that are gone and whose observations may still be in the store."""
        with self._database.read() as connection:
            return list(connection.execute(select(DoomedDatastream.id)).scalars())

    def buried(self, datastreams: Sequence[int]) -> None:
        """Know that nothing is left of these Datastreams."""
        with self._database.write() as connection:
            for chunk in chunks(datastreams):
                connection.execute(delete(DoomedDatastream).where(DoomedDatastream.id.in_(chunk)))


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no device {name[:80]!r}; `devices` lists those that are")


def _remove_thing(connection: Any, thing_id: int) -> None:
    places = (
        select(historical_location_location.c.location_id)
        .join(
            HistoricalLocation,
            HistoricalLocation.id == historical_location_location.c.historical_location_id,
        )
        .where(HistoricalLocation.thing_id == thing_id)
        .union(select(thing_location.c.location_id).where(thing_location.c.thing_id == thing_id))
    )
    found = list(connection.execute(places).scalars())
    connection.execute(delete(Datastream).where(Datastream.thing_id == thing_id))
    connection.execute(delete(Thing).where(Thing.id == thing_id))
    remove_lonely_places(connection, found)


def remove_lonely_places(connection: Any, places: Sequence[int]) -> None:
    """Remove those of the Locations at which nothing is or was."""
    for chunk in chunks(places):
        connection.execute(
            delete(Location).where(
                Location.id.in_(chunk),
                ~select(thing_location.c.location_id)
                .where(thing_location.c.location_id == Location.id)
                .exists(),
                ~select(historical_location_location.c.location_id)
                .where(historical_location_location.c.location_id == Location.id)
                .exists(),
            )
        )
