"""Alarm rules, alarms with their history, and notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "alarm_rule",
        _number(),
        sa.Column("system_id", ID, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        _text("mode_reason"),
        _text("changed_by"),
        _time("changed_us"),
        sa.ForeignKeyConstraint(["system_id"], ["system.id"], name="fk_alarm_rule_system_id"),
        sa.PrimaryKeyConstraint("id", name="pk_alarm_rule"),
        sa.UniqueConstraint("system_id", "name", name="uq_alarm_rule_system_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alarm_key",
        sa.Column("rule_id", ID, nullable=False),
        _text("key"),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        _of("alarm_key", "rule_id", "alarm_rule"),
        sa.PrimaryKeyConstraint("rule_id", "key", name="pk_alarm_key"),
    )
    op.create_table(
        "alarm",
        _number(),
        sa.Column("rule_id", ID, nullable=False),
        _text("key"),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        _text("message"),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        _time("shelved_until_us", nullable=True),
        _time("start_us"),
        _time("raised_us"),
        _time("cleared_us", nullable=True),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("activations", sa.Integer(), nullable=False),
        sa.Column("flapping", sa.Boolean(), nullable=False),
        _time("acknowledged_us", nullable=True),
        _text("acknowledged_by"),
        _time("updated_us"),
        _of("alarm", "rule_id", "alarm_rule"),
        sa.PrimaryKeyConstraint("id", name="pk_alarm"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alarm_open", "alarm", ["id"], sqlite_where=sa.text("state != 'normal'"))
    op.create_index("ix_alarm_rule_id_id", "alarm", ["rule_id", "id"])
    op.create_index("ix_alarm_updated_us", "alarm", ["updated_us"])
    op.create_table(
        "alarm_span",
        sa.Column("alarm_id", ID, nullable=False),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        _time("raised_us"),
        _time("cleared_us", nullable=True),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        _of("alarm_span", "alarm_id", "alarm"),
        sa.PrimaryKeyConstraint("alarm_id", "start_us", name="pk_alarm_span"),
    )
    op.create_table(
        "alarm_event",
        _number(),
        sa.Column("alarm_id", ID, nullable=False),
        _time("time_us"),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        _text("made_by"),
        _text("comment"),
        _of("alarm_event", "alarm_id", "alarm"),
        sa.PrimaryKeyConstraint("id", name="pk_alarm_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alarm_event_alarm_id_id", "alarm_event", ["alarm_id", "id"])
    op.create_table(
        "alarm_shelf",
        sa.Column("rule_id", ID, nullable=False),
        _text("key"),
        _time("until_us"),
        _text("reason"),
        _text("made_by"),
        _of("alarm_shelf", "rule_id", "alarm_rule"),
        sa.PrimaryKeyConstraint("rule_id", "key", name="pk_alarm_shelf"),
    )
    op.create_table(
        "notification_target",
        _number(),
        sa.Column("system_id", ID, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        _text("changed_by"),
        _time("changed_us"),
        sa.ForeignKeyConstraint(
            ["system_id"], ["system.id"], name="fk_notification_target_system_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notification_target"),
        sa.UniqueConstraint("system_id", "name", name="uq_notification_target_system_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notification",
        _number(),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("target_id", ID, nullable=False),
        _time("alarm_id", nullable=True),
        sa.Column("event", sa.String(length=16), nullable=False),
        _text("body"),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _time("created_us"),
        _time("due_us"),
        _time("done_us", nullable=True),
        _text("outcome"),
        _of("notification", "target_id", "notification_target"),
        sa.PrimaryKeyConstraint("id", name="pk_notification"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_notification_due",
        "notification",
        ["due_us"],
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index("ix_notification_target_id_id", "notification", ["target_id", "id"])


def _number() -> sa.Column[int]:
    return sa.Column("id", ID, autoincrement=True, nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _of(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{owner}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
