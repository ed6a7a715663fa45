"""When devices were deleted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select

from penstock.catalog.device_models import DeletedDevice, DeviceFact
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.tables import NAME_LENGTH
from penstock.core.organisation import DEFAULT_SYSTEM

#: Deletions remembered; the oldest are forgotten first.
MAX_DELETED = 100_000


def remember_deleted(
    connection: Any, system: int, name: str, thing: int | None, at_us: int
) -> None:
    """Remember that a device is deleted, by its name and by its topic as data would name it."""
    query = select(DeviceFact.topic).where(DeviceFact.thing_id == thing)
    topic = connection.execute(query).scalar() or ""
    if topic and system != DEFAULT_SYSTEM:
        home = connection.execute(select(SystemRow.name).where(SystemRow.id == system)).scalar()
        topic = f"{home}.{topic.removeprefix(f'{home}/')}"
    names = {name, topic[:NAME_LENGTH]} - {""}
    statement = upsert(DeletedDevice)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["system_id", "name"], set_={"at_us": statement.excluded.at_us}
        ),
        [{"system_id": system, "name": one, "at_us": at_us} for one in sorted(names)],
    )
    surplus = select(DeletedDevice.at_us).order_by(DeletedDevice.at_us.desc()).offset(MAX_DELETED)
    connection.execute(
        delete(DeletedDevice).where(DeletedDevice.at_us <= surplus.limit(1).scalar_subquery())
    )


def deleted_devices(connection: Any, to_come_us: int) -> dict[tuple[int, str], int]:
    """Return when devices were deleted, by system and name.

    A clock that was wrong wrote down what is later than `to_come_us`; nobody knows when that was.
    """
    query = select(DeletedDevice.system_id, DeletedDevice.name, DeletedDevice.at_us)
    query = query.where(DeletedDevice.at_us <= to_come_us)
    return {(system, name): at_us for system, name, at_us in connection.execute(query)}
