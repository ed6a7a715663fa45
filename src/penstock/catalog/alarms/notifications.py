"""Notification targets, and what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import aliased

from penstock.catalog.alarm_models import NotificationRow, NotificationTargetRow
from penstock.catalog.database import Database
from penstock.core.alarm_records import TargetRecord
from penstock.core.errors import Conflict
from penstock.core.notifications import TEST_EVENT, Delivery, DeliveryState, TargetSpec

#: Written out, not a parameter: only so the index of those that wait is used.
_WAITING: ColumnElement[str] = literal_column(f"'{DeliveryState.WAITING.value}'")


class SqlNotifications:
    """Keeps targets and notifications. See `core.alarm_records.NotificationRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def targets(self) -> Sequence[TargetRecord]:
        """Return all targets, by name."""
        query = select(NotificationTargetRow.__table__).order_by(
            NotificationTargetRow.name, NotificationTargetRow.id
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            TargetRecord(
                id=row.id,
                system_id=row.system_id,
                spec=msgspec.convert(row.spec, TargetSpec),
                by=row.changed_by,
                changed_us=row.changed_us,
            )
            for row in rows
        ]

    def save_target(self, target: TargetRecord) -> TargetRecord:
        """Keep a target and return it with its id."""
        values = {
            "system_id": target.system_id,
            "name": target.spec.name,
            "spec": msgspec.to_builtins(target.spec),
            "changed_by": target.by,
            "changed_us": target.changed_us,
        }
        row = NotificationTargetRow
        with self._database.write() as connection:
            taken = select(row.id).where(
                row.system_id == target.system_id,
                row.name == target.spec.name,
                row.id != target.id,
            )
            if connection.execute(taken).first() is not None:
                msg = f"the system has a target {target.spec.name!r} already; take another name"
                raise Conflict(msg)
            if target.id:
                connection.execute(update(row).where(row.id == target.id).values(**values))
                return target
            made = connection.execute(insert(row).values(**values))
        return msgspec.structs.replace(target, id=int(made.inserted_primary_key[0]))  # type: ignore[index]

    def remove_target(self, target: int) -> None:
        """Remove a target with what waits for it."""
        with self._database.write() as connection:
            connection.execute(
                delete(NotificationTargetRow).where(NotificationTargetRow.id == target)
            )

    def add(self, delivery: Delivery) -> Delivery:
        """Keep a notification and return it with its id."""
        with self._database.write() as connection:
            made = connection.execute(insert(NotificationRow).values(**delivery_values(delivery)))
        return msgspec.structs.replace(delivery, id=int(made.inserted_primary_key[0]))  # type: ignore[index]

    def due(self, now_us: int, but: Sequence[int], limit: int) -> Sequence[Delivery]:
        """Return notifications to be tried now, oldest first; not of the targets `but`."""
        row, other = NotificationRow, aliased(NotificationRow)
        # What was made later waits for what failed before it, so that the order stays; nobody waits
        # for a test.
        paused = select(other.target_id).where(
            other.state == _WAITING,
            other.due_us > now_us,
            other.event != TEST_EVENT,
        )
        query = select(row.__table__).where(
            row.state == _WAITING,
            row.due_us <= now_us,
            row.target_id.not_in(paused),
        )
        if but:
            query = query.where(row.target_id.not_in(list(but)))
        # Not by the plain id: all that was ever sent would be walked through in its order.
        return self._load(query.order_by(row.id + 0).limit(limit))

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what became of notifications."""
        names = ("state", "attempts", "due_us", "done_us", "outcome")
        statement = (
            update(NotificationRow)
            .where(NotificationRow.id == bindparam("at"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        if not deliveries:
            return
        with self._database.write() as connection:
            connection.execute(
                statement,
                [
                    {
                        "at": one.id,
                        **{f"new_{name}": delivery_values(one)[name] for name in names},
                    }
                    for one in deliveries
                ],
            )

    def deliveries(
        self, targets: Sequence[int], before: int | None, limit: int
    ) -> Sequence[Delivery]:
        """Return notifications of some targets, newest first."""
        row = NotificationRow
        query = select(row.__table__).where(row.target_id.in_(list(targets)))
        if before is not None:
            query = query.where(row.id < before)
        return self._load(query.order_by(row.id.desc()).limit(limit))

    def _load(self, query: Select[Any]) -> list[Delivery]:
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in rows]


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """Return the columns of a notification, without its id."""
    values = msgspec.structs.asdict(delivery)
    del values["id"]
    values["state"] = delivery.state.value
    return values
