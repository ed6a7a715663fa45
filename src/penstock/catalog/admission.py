"""Which devices may send: the policy, applied to names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

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


@dataclass(slots=True)
class KnownThing:
    """A Thing as the database holds it, to be changed here first."""

    id: int
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

    def admit(self, names: Iterable[str]) -> tuple[dict[str, KnownThing], dict[str, str]]:
        """Return the Things of the names that may send, created if missing, and why others not."""
        wanted = list(dict.fromkeys(names))
        held = self._devices(wanted)
        things = load_things(self._connection, wanted)
        reasons: dict[str, str] = {}
        admitted: list[str] = []
        unknown: list[str] = []
        for name in wanted:
            status = held[name][0] if name in held else None
            if status is None and name in things:
                status = DeviceStatus.ENROLLED
            if status is DeviceStatus.REFUSED:
                reasons[name] = f"device {name!r} was refused"
            elif status is DeviceStatus.ENROLLED or self._policy is Policy.AUTOMATIC:
                admitted.append(name)
            elif status is DeviceStatus.PENDING:
                reasons[name] = f"device {name!r} waits for approval"
            elif self._policy is Policy.CLOSED:
                reasons[name] = f"device {name!r} is not known and enrolment is closed"
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

    def _devices(self, names: list[str]) -> dict[str, tuple[DeviceStatus, int | None]]:
        found = {}
        for chunk in chunks(names):
            query = select(Device.name, Device.status, Device.thing_id).where(
                Device.name.in_(chunk)
            )
            for name, status, thing_id in self._connection.execute(query):
                found[name] = (DeviceStatus(status), thing_id)
        return found

    def _let_wait(self, names: list[str]) -> dict[str, str]:
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
                        "name": name,
                        "status": DeviceStatus.PENDING,
                        "first_seen_us": self._now_us,
                        "thing_id": None,
                    }
                    for name in pending
                ],
            )
        reasons = {name: f"device {name!r} waits for approval" for name in pending}
        for name in rest:
            reasons[name] = (
                f"device {name!r} is not known, and {self._max_pending} devices wait for approval "
                "already; approve or refuse some"
            )
        return reasons

    def _create(self, names: list[str], things: dict[str, KnownThing]) -> None:
        if not names:
            return
        rows = [{"name": name, "description": name, "properties": {}} for name in names]
        created = self._connection.execute(insert(Thing).returning(Thing.id, Thing.name), rows)
        for id_, name in created:
            things[name] = KnownThing(id_, name, {}, None, None, is_new=True)

    def _write_down(self, names: list[str], things: dict[str, KnownThing]) -> None:
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
                    "name": name,
                    "status": DeviceStatus.ENROLLED,
                    "first_seen_us": self._now_us,
                    "thing_id": things[name].id,
                }
                for name in names
            ],
        )


def load_things(connection: Connection, names: Iterable[str]) -> dict[str, KnownThing]:
    """Return the Things of these names that exist."""
    columns = (Thing.id, Thing.name, Thing.properties, Thing.position, Thing.located_us)
    found: dict[str, KnownThing] = {}
    for chunk in chunks(names):
        for row in connection.execute(select(*columns).where(Thing.name.in_(chunk))):
            found[row[1]] = KnownThing(*row)
    return found
