"""The tables of devices: what is known of each, targets, states, and Tasking (17-079r1 section 8).

Times are integer microseconds UTC. Everything about a device hangs on its Thing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from penstock.catalog.models import Entity, Shared, Thing
from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.tables import NAME_LENGTH, Base, Id

_NUMBERED = {"sqlite_autoincrement": True}


class Numbered:
    """An id that is never used again."""

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)


class DeviceFact(Base):
    """What is known of a device. `retired`: it was deleted and its Thing kept."""

    __tablename__ = "device_fact"

    thing_id: Mapped[int] = mapped_column(
        ForeignKey(Thing.id, ondelete="CASCADE"), primary_key=True
    )
    type: Mapped[str] = mapped_column(String(64), default="", index=True)
    topic: Mapped[str] = mapped_column(default="", index=True)
    sample_frequency: Mapped[float | None]
    last_seen_us: Mapped[int | None] = mapped_column(BigInteger)
    client: Mapped[str] = mapped_column(default="")
    retired: Mapped[bool] = mapped_column(default=False)


class ClientPresence(Base):
    """Whether an MQTT client is connected."""

    __tablename__ = "client_presence"
    __table_args__ = (Index(None, "at_us"),)

    client: Mapped[str] = mapped_column(primary_key=True)
    system_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    online: Mapped[bool]
    at_us: Mapped[int] = mapped_column(BigInteger)
    user: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    keep_alive_s: Mapped[int] = mapped_column(default=0)
    address: Mapped[str] = mapped_column(default="")


class DoomedDatastream(Base):
    """A Datastream that was deleted and whose observations may still be in the store."""

    __tablename__ = "doomed_datastream"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)


class LeavingDevice(Base):
    """A device that was deleted with its data, until ingest has passed what it sent before.

    Nobody is enrolled by that name meanwhile.
    """

    __tablename__ = "leaving_device"

    system_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)


class DeletedDevice(Base):
    """When a device was deleted: what it sent before that is no reason to enrol it again.

    Its topic is held like a name: what names that was of this device too.
    """

    __tablename__ = "deleted_device"
    __table_args__ = (Index(None, "at_us"),)

    system_id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    at_us: Mapped[int] = mapped_column(BigInteger)


class TargetRow(Numbered, Base):
    """What devices are fixed to."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("system_id", "name"), _NUMBERED)

    system_id: Mapped[int] = mapped_column(ForeignKey(SystemRow.id), default=1)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    description: Mapped[str] = mapped_column(default="")
    properties: Mapped[dict[str, Any]] = mapped_column(default=dict)


class TargetPlace(Base):
    """Where a target was."""

    __tablename__ = "target_place"

    target_id: Mapped[int] = mapped_column(
        ForeignKey("target.id", ondelete="CASCADE"), primary_key=True
    )
    time_us: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[list[float]] = mapped_column(JSON)


class AssignmentRow(Numbered, Base):
    """A device was fixed to a target; `until_us` is null while it is."""

    __tablename__ = "assignment"
    __table_args__ = (
        Index(None, "thing_id", "from_us"),
        Index(
            "uq_assignment_current",
            "thing_id",
            unique=True,
            sqlite_where=text("until_us IS NULL"),
            postgresql_where=text("until_us IS NULL"),
        ),
        _NUMBERED,
    )

    thing_id: Mapped[int] = mapped_column(ForeignKey(Thing.id, ondelete="CASCADE"))
    target_id: Mapped[int] = mapped_column(ForeignKey("target.id", ondelete="CASCADE"), index=True)
    from_us: Mapped[int] = mapped_column(BigInteger)
    until_us: Mapped[int | None] = mapped_column(BigInteger)


class DeviceState(Base):
    """What a device is wanted to be, and what it says that it is.

    `told_version` is the newest desired version that the door has for the device.
    """

    __tablename__ = "device_state"

    thing_id: Mapped[int] = mapped_column(
        ForeignKey(Thing.id, ondelete="CASCADE"), primary_key=True
    )
    desired: Mapped[dict[str, Any]] = mapped_column(default=dict)
    desired_version: Mapped[int] = mapped_column(default=0)
    desired_us: Mapped[int | None] = mapped_column(BigInteger)
    told_version: Mapped[int] = mapped_column(default=0)
    reported: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reported_version: Mapped[int] = mapped_column(default=0)
    reported_us: Mapped[int | None] = mapped_column(BigInteger)


class DeviceTypeRow(Base):
    """A device type that was declared, as JSON."""

    __tablename__ = "device_type"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    definition: Mapped[dict[str, Any]]


class Actuator(Shared, Base):
    """What carries out commands: one for each device type, and what SensorThings users make."""

    __tablename__ = "actuator"
    __table_args__ = (_NUMBERED,)

    name: Mapped[str] = mapped_column(index=True)
    encoding_type: Mapped[str] = mapped_column(default="text/plain")
    actuator_metadata: Mapped[str] = mapped_column("metadata", default="")
    metadata_json: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class TaskingCapability(Entity, Base):
    """A command that a Thing understands; `tasking_parameters` is an SWE Common DataRecord."""

    __tablename__ = "tasking_capability"
    __table_args__ = (Index(None, "thing_id", "name"), _NUMBERED)

    name: Mapped[str]
    tasking_parameters: Mapped[dict[str, Any]]
    thing_id: Mapped[int] = mapped_column(ForeignKey(Thing.id, ondelete="CASCADE"))
    actuator_id: Mapped[int] = mapped_column(ForeignKey("actuator.id"), index=True)


class TaskRow(Numbered, Base):
    """A Task: one command for one Thing, and what became of it."""

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_open", "id", sqlite_where=text("ended_us IS NULL")),
        Index(None, "ended_us"),
        _NUMBERED,
    )

    key: Mapped[str] = mapped_column(String(64), unique=True)
    tasking_capability_id: Mapped[int] = mapped_column(
        ForeignKey("tasking_capability.id", ondelete="CASCADE"), index=True
    )
    tasking_parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    creation_time_us: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    expires_us: Mapped[int] = mapped_column(BigInteger)
    sent_us: Mapped[int | None] = mapped_column(BigInteger)
    delivered_us: Mapped[int | None] = mapped_column(BigInteger)
    accepted_us: Mapped[int | None] = mapped_column(BigInteger)
    ended_us: Mapped[int | None] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(default="")
    made_by: Mapped[str] = mapped_column(default="")
    request: Mapped[str | None] = mapped_column(ForeignKey("task_request.key"), index=True)


class TaskRequest(Base):
    """An idempotency key that was used, and a digest of what for."""

    __tablename__ = "task_request"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    created_us: Mapped[int] = mapped_column(BigInteger)
