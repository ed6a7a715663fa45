"""The tables of alarms. Times are integer microseconds UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from penstock.catalog.organisation_models import SystemRow
from penstock.catalog.tables import Base, Id

_NUMBERED = {"sqlite_autoincrement": True}


class AlarmRuleRow(Base):
    """A rule; `spec` is a `core.alarm_rules.RuleSpec`."""

    __tablename__ = "alarm_rule"
    __table_args__ = (UniqueConstraint("system_id", "name"), _NUMBERED)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    system_id: Mapped[int] = mapped_column(ForeignKey(SystemRow.id))
    name: Mapped[str] = mapped_column(String(63))
    spec: Mapped[dict[str, Any]]
    enabled: Mapped[bool]
    mode: Mapped[str] = mapped_column(String(16))
    mode_reason: Mapped[str]
    changed_by: Mapped[str]
    changed_us: Mapped[int] = mapped_column(BigInteger)


class AlarmKeyRow(Base):
    """Where a key of a rule stands, as the fold keeps it."""

    __tablename__ = "alarm_key"

    rule_id: Mapped[int] = mapped_column(
        ForeignKey(AlarmRuleRow.id, ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[bytes] = mapped_column(LargeBinary)


class AlarmRow(Base):
    """An alarm, from its first activation until it is normal again."""

    __tablename__ = "alarm"
    __table_args__ = (
        Index("ix_alarm_open", "id", sqlite_where=text("state != 'normal'")),
        Index(None, "rule_id", "id"),
        Index(None, "updated_us"),
        _NUMBERED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey(AlarmRuleRow.id, ondelete="CASCADE"))
    key: Mapped[str]
    subject: Mapped[str] = mapped_column(String(255))
    severity: Mapped[str] = mapped_column(String(16))
    message: Mapped[str]
    values: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(32))
    mode: Mapped[str] = mapped_column(String(16))
    shelved_until_us: Mapped[int | None] = mapped_column(BigInteger)
    start_us: Mapped[int] = mapped_column(BigInteger)
    raised_us: Mapped[int] = mapped_column(BigInteger)
    cleared_us: Mapped[int | None] = mapped_column(BigInteger)
    occurrences: Mapped[int]
    activations: Mapped[int]
    flapping: Mapped[bool]
    acknowledged_us: Mapped[int | None] = mapped_column(BigInteger)
    acknowledged_by: Mapped[str]
    updated_us: Mapped[int] = mapped_column(BigInteger)


class AlarmSpanRow(Base):
    """An activation of an alarm."""

    __tablename__ = "alarm_span"

    alarm_id: Mapped[int] = mapped_column(
        ForeignKey(AlarmRow.id, ondelete="CASCADE"), primary_key=True
    )
    start_us: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    raised_us: Mapped[int] = mapped_column(BigInteger)
    cleared_us: Mapped[int | None] = mapped_column(BigInteger)
    occurrences: Mapped[int]


class AlarmEventRow(Base):
    """A line of an alarm's history."""

    __tablename__ = "alarm_event"
    __table_args__ = (Index(None, "alarm_id", "id"), _NUMBERED)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    alarm_id: Mapped[int] = mapped_column(ForeignKey(AlarmRow.id, ondelete="CASCADE"))
    time_us: Mapped[int] = mapped_column(BigInteger)
    act: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(32))
    made_by: Mapped[str]
    comment: Mapped[str]


class AlarmShelfRow(Base):
    """A key of a rule that is shelved."""

    __tablename__ = "alarm_shelf"

    rule_id: Mapped[int] = mapped_column(
        ForeignKey(AlarmRuleRow.id, ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    until_us: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str]
    made_by: Mapped[str]


class NotificationTargetRow(Base):
    """Who is told; `spec` is a `core.notifications.TargetSpec`."""

    __tablename__ = "notification_target"
    __table_args__ = (UniqueConstraint("system_id", "name"), _NUMBERED)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    system_id: Mapped[int] = mapped_column(ForeignKey(SystemRow.id))
    name: Mapped[str] = mapped_column(String(63))
    spec: Mapped[dict[str, Any]]
    changed_by: Mapped[str]
    changed_us: Mapped[int] = mapped_column(BigInteger)


class NotificationRow(Base):
    """What somebody is told; `alarm_id` may be of an alarm that is gone."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_due", "due_us", sqlite_where=text("state = 'waiting'")),
        Index(None, "target_id", "id"),
        _NUMBERED,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(64))
    target_id: Mapped[int] = mapped_column(ForeignKey(NotificationTargetRow.id, ondelete="CASCADE"))
    alarm_id: Mapped[int | None] = mapped_column(BigInteger)
    event: Mapped[str] = mapped_column(String(16))
    body: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    created_us: Mapped[int] = mapped_column(BigInteger)
    due_us: Mapped[int] = mapped_column(BigInteger)
    done_us: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str]
