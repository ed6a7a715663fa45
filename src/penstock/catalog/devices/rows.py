"""Devices as the tables hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, case, or_, select

from penstock.catalog.device_models import AssignmentRow, ClientPresence, DeviceFact, TargetRow
from penstock.catalog.models import Device as DeviceRow
from penstock.catalog.models import Thing
from penstock.core.catalog import DeviceStatus
from penstock.core.devices import Device, TargetName


def select_devices() -> Any:
    """Every device, with the newest word on its client: its own name, or who last sent."""
    named, sender = ClientPresence.__table__.alias("named"), ClientPresence.__table__.alias("last")
    newest = or_(
        sender.c.client.is_(None),
        # Its own connection counts while it is there, whoever else said something in its name;
        # once it is gone, who last sent counts while that one is there.
        and_(
            named.c.client.is_not(None),
            or_(named.c.online, and_(~sender.c.online, named.c.at_us >= sender.c.at_us)),
        ),
    )

    def pick(column: str) -> Any:
        return case((newest, named.c[column]), else_=sender.c[column]).label(column)

    query: Any = (
        select(
            DeviceRow.name,
            DeviceRow.system_id,
            DeviceRow.status,
            DeviceRow.first_seen_us,
            DeviceRow.thing_id,
            DeviceFact.type,
            DeviceFact.topic,
            DeviceFact.sample_frequency,
            DeviceFact.last_seen_us,
            DeviceFact.client.label("last_client"),
            Thing.position,
            Thing.located_us,
            TargetRow.id.label("target_id"),
            TargetRow.name.label("target_name"),
            *(pick(name) for name in ("client", "online", "at_us", "reason", "keep_alive_s")),
            pick("address"),
        )
        .join(Thing, DeviceRow.thing_id == Thing.id, isouter=True)
        .join(DeviceFact, DeviceFact.thing_id == DeviceRow.thing_id, isouter=True)
        .join(
            named,
            and_(named.c.client == DeviceRow.name, named.c.system_id == DeviceRow.system_id),
            isouter=True,
        )
        .join(
            sender,
            and_(
                sender.c.client == DeviceFact.client,
                sender.c.system_id == DeviceRow.system_id,
                DeviceFact.client != DeviceRow.name,
            ),
            isouter=True,
        )
        .join(
            AssignmentRow,
            and_(AssignmentRow.thing_id == DeviceRow.thing_id, AssignmentRow.until_us.is_(None)),
            isouter=True,
        )
        .join(TargetRow, TargetRow.id == AssignmentRow.target_id, isouter=True)
    )
    return query


def devices_of(rows: Sequence[Any]) -> list[Device]:
    """Return the devices in rows that `select_devices` gives."""
    return [
        Device(
            name=row.name,
            system=row.system_id,
            status=DeviceStatus(row.status),
            first_seen_us=row.first_seen_us,
            thing_id=row.thing_id,
            type=row.type or "",
            topic=row.topic or "",
            sample_frequency=row.sample_frequency,
            last_seen_us=row.last_seen_us,
            online=row.online,
            online_since_us=row.at_us,
            reason=row.reason or "",
            client=row.client or row.last_client or "",
            address=row.address or "",
            keep_alive_s=row.keep_alive_s,
            target=None if row.target_id is None else TargetName(row.target_id, row.target_name),
            location=None if row.position is None else tuple(row.position),
            located_us=row.located_us,
        )
        for row in rows
    ]
