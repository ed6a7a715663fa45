"""Desired and reported states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from penstock.catalog.database import Database
from penstock.catalog.device_models import DeviceState
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import Thing
from penstock.core.clock import Clock, is_older
from penstock.core.devices import Json, State, merged
from penstock.core.errors import Conflict, NotFound


class SqlStates:
    """Keeps desired and reported states. See `core.devices.StateRecords`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def state(self, thing_id: int) -> State:
        """Return the state of a device; an empty one when nothing was ever set."""
        with self._database.read() as connection:
            return _load(connection, thing_id)

    def desire(
        self, thing_id: int, desired: Mapping[str, Json], now_us: int, version: int | None = None
    ) -> State:
        """Set what is desired, if `version` is the one held (None does not ask)."""
        with self._database.write() as connection:
            _require(connection, thing_id)
            held = _load(connection, thing_id)
            if version is not None and version != held.desired_version:
                msg = (
                    f"the desired state has version {held.desired_version} by now, not {version}; "
                    "read it, change it and try again"
                )
                raise Conflict(msg)
            changes = {
                "desired": dict(desired),
                "desired_version": held.desired_version + 1,
                "desired_us": now_us,
            }
            return _store(connection, thing_id, changes)

    def report(self, thing_id: int, reported: Mapping[str, Json], at_us: int) -> State | None:
        """Merge what a device reports (RFC 7396); None when it is older than what is held."""
        with self._database.write() as connection:
            _require(connection, thing_id)
            held = _load(connection, thing_id)
            is_known = at_us == held.reported_us
            if is_known or is_older(at_us, held.reported_us, self._clock.now_us()):
                return None
            changes = {
                "reported": merged(held.reported, reported),
                "reported_version": held.reported_version + 1,
                "reported_us": at_us,
            }
            return _store(connection, thing_id, changes)

    def untold(self) -> Sequence[int]:
        """Return the Things whose desired state the door does not have yet."""
        query = select(DeviceState.thing_id).where(
            DeviceState.desired_version > DeviceState.told_version
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def told(self, thing_id: int, version: int) -> None:
        """Know that the door has a version of the desired state."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(DeviceState)
                .where(DeviceState.thing_id == thing_id, DeviceState.told_version < version)
                .values(told_version=version)
            )


def _require(connection: Connection, thing_id: int) -> None:
    if connection.execute(select(Thing.id).where(Thing.id == thing_id)).first() is None:
        msg = f"there is no Thing {thing_id}; `devices` lists the devices with theirs"
        raise NotFound(msg)


def _load(connection: Connection, thing_id: int) -> State:
    row = connection.execute(
        select(DeviceState.__table__).where(DeviceState.thing_id == thing_id)
    ).first()
    if row is None:
        return State()
    return State(
        desired=row.desired,
        desired_version=row.desired_version,
        desired_us=row.desired_us,
        reported=row.reported,
        reported_version=row.reported_version,
        reported_us=row.reported_us,
    )


def _store(connection: Connection, thing_id: int, changes: dict[str, Any]) -> State:
    statement = upsert(DeviceState).values(thing_id=thing_id, **changes)
    connection.execute(statement.on_conflict_do_update(index_elements=["thing_id"], set_=changes))
    return _load(connection, thing_id)
