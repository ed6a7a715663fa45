"""Which devices may send: the policy, applied to names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, func, insert, select

from penstock.catalog.device_models import DeviceFact, LeavingDevice
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import Device, Thing
from penstock.core.catalog import DeviceStatus, Policy

#: Values per IN list: well under SQLite's limit of 32,766 variables.
CHUNK = 1000

Value = TypeVar("Value")


def chunks(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Cut values into lists short enough for one statement."""
    every = list(values)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]


class ThingName(NamedTuple):
    """What identifies a Thing, and a device, for people."""

    system: int
    name: str


@dataclass(slots=True)
class KnownThing:
    """A Thing as the database holds it, to be changed here first."""

    id: int
    system: int
    name: str
    properties: dict[str, object]
    position: list[float] | None
    located_us: int | None
    is_new: bool = False
    is_changed: bool = False


class Admission:
    """Decides about the devices of one batch, and writes down who was seen.

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
        self._policy = policy
        self._now_us = now_us
        self._max_pending = max_pending
        #: Of the names asked about, those whose device is leaving.
        self.leaving: set[ThingName] = set()

    def admit(
        self, names: Iterable[ThingName]
    ) -> tuple[dict[ThingName, KnownThing], dict[ThingName, str]]:
        """Return the Things of the names that may send, created if missing, and why others not."""
        wanted = list(dict.fromkeys(names))
        held = self._devices(wanted)
        things = load_things(self._connection, wanted)
        new = [name for name in wanted if name not in held and name not in things]
        self.leaving = leaving(self._connection, new) if new else set()
        retired = self._retired(thing.id for name, thing in things.items() if name not in held)
        reasons: dict[ThingName, str] = {}
        admitted: list[ThingName] = []
        unknown: list[ThingName] = []
        for name in wanted:
            status = held[name][0] if name in held else None
            if status is None and name in things and things[name].id not in retired:
                status = DeviceStatus.ENROLLED
            if name in self.leaving:
                reasons[name] = (
                    f"device {name.name!r} was deleted with its data; this may be from before that"
                )
            elif status is DeviceStatus.REFUSED:
                reasons[name] = f"device {name.name!r} was refused"
            elif status is DeviceStatus.ENROLLED or self._policy is Policy.AUTOMATIC:
                admitted.append(name)
            elif status is DeviceStatus.PENDING:
                reasons[name] = f"device {name.name!r} waits for approval"
            elif self._policy is Policy.CLOSED:
                reasons[name] = f"device {name.name!r} is not known and enrolment is closed"
            else:
                unknown.append(name)
        reasons.update(self._let_wait(unknown))
        self._create([name for name in admitted if name not in things], things)
        self._write_down(
            [
                name
                for name in admitted
                if held.get(name) != (DeviceStatus.ENROLLED, things[name].id)
            ],
            things,
        )
        return {name: things[name] for name in admitted}, reasons

    def _devices(self, names: list[ThingName]) -> dict[ThingName, tuple[DeviceStatus, int | None]]:
        found = {}
        columns = (Device.system_id, Device.name, Device.status, Device.thing_id)
        for chunk in chunks({name.name for name in names}):
            query = select(*columns).where(Device.name.in_(chunk))
            for system, name, status, thing_id in self._connection.execute(query):
                found[ThingName(system, name)] = (DeviceStatus(status), thing_id)
        return found

    def _retired(self, things: Iterable[int]) -> set[int]:
        """Return the Things of devices that were deleted: they are enrolled like new ones."""
        found: set[int] = set()
        for chunk in chunks(things):
            query = select(DeviceFact.thing_id).where(
                DeviceFact.retired, DeviceFact.thing_id.in_(chunk)
            )
            found.update(self._connection.execute(query).scalars())
        return found

    def _let_wait(self, names: list[ThingName]) -> dict[ThingName, str]:
        if not names:
            return {}
        query = select(func.count()).where(Device.status == DeviceStatus.PENDING)
        room = max(0, self._max_pending - self._connection.execute(query).scalar_one())
        pending, rest = names[:room], names[room:]
        if pending:
            self._connection.execute(
                insert(Device),
                [
                    {
                        "system_id": name.system,
                        "name": name.name,
                        "status": DeviceStatus.PENDING,
                        "first_seen_us": self._now_us,
                        "thing_id": None,
                    }
                    for name in pending
                ],
            )
        reasons = {name: f"device {name.name!r} waits for approval" for name in pending}
        for name in rest:
            reasons[name] = (
                f"device {name.name!r} is not known, and {self._max_pending} devices wait for "
                "approval already; approve or refuse some"
            )
        return reasons

    def _create(self, names: list[ThingName], things: dict[ThingName, KnownThing]) -> None:
        if not names:
            return
        rows = [
            {"system_id": system, "name": name, "description": name, "properties": {}}
            for system, name in names
        ]
        created = self._connection.execute(
            insert(Thing).returning(Thing.id, Thing.system_id, Thing.name), rows
        )
        for id_, system, name in created:
            thing = KnownThing(id_, system, name, {}, None, None, is_new=True)
            things[ThingName(system, name)] = thing

    def _write_down(self, names: list[ThingName], things: dict[ThingName, KnownThing]) -> None:
        if not names:
            return
        statement = upsert(Device)
        self._connection.execute(
            statement.on_conflict_do_update(
                index_elements=["system_id", "name"],
                set_={"status": DeviceStatus.ENROLLED, "thing_id": statement.excluded.thing_id},
            ),
            [
                {
                    "system_id": name.system,
                    "name": name.name,
                    "status": DeviceStatus.ENROLLED,
                    "first_seen_us": self._now_us,
                    "thing_id": things[name].id,
                }
                for name in names
            ],
        )


def leaving(connection: Connection, names: Iterable[ThingName]) -> set[ThingName]:
    """Return those of the names whose device was deleted while messages may be on the way."""
    wanted = set(names)
    found: set[ThingName] = set()
    for chunk in chunks({name.name for name in wanted}):
        query = select(LeavingDevice.system_id, LeavingDevice.name)
        rows = connection.execute(query.where(LeavingDevice.name.in_(chunk)))
        found.update(ThingName(system, name) for system, name in rows)
    return found & wanted


_COLUMNS = (
    Thing.id,
    Thing.system_id,
    Thing.name,
    Thing.properties,
    Thing.position,
    Thing.located_us,
)


def load_things(connection: Connection, names: Iterable[ThingName]) -> dict[ThingName, KnownThing]:
    """Return the Things of these names that exist; of several of one name the oldest."""
    wanted = set(names)
    found: dict[ThingName, KnownThing] = {}
    for chunk in chunks({name.name for name in wanted}):
        query = select(*_COLUMNS).where(Thing.name.in_(chunk)).order_by(Thing.id)
        for row in connection.execute(query):
            thing = KnownThing(*row)
            name = ThingName(thing.system, thing.name)
            if name in wanted:
                found.setdefault(name, thing)
    return found


def load_things_by_id(connection: Connection, ids: Iterable[int]) -> dict[int, KnownThing]:
    """Return the Things of these ids that exist."""
    return {
        row.id: KnownThing(*row)
        for chunk in chunks(ids)
        for row in connection.execute(select(*_COLUMNS).where(Thing.id.in_(chunk)))
    }
