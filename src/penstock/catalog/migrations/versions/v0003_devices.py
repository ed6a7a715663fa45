"""Devices: what is known of each, presence, targets, states, types, and Tasking."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "actuator",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("encoding_type", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actuator")),
        sa.UniqueConstraint("name", name=op.f("uq_actuator_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "client_presence",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("system_id", ID, autoincrement=False, nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("keep_alive_s", sa.Integer(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("client", "system_id", name=op.f("pk_client_presence")),
    )
    op.create_index(op.f("ix_client_presence_at_us"), "client_presence", ["at_us"], unique=False)
    op.create_table(
        "device_type",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_device_type")),
    )
    op.create_table(
        "doomed_datastream",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doomed_datastream")),
    )
    op.create_table(
        "task_request",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_task_request")),
    )
    op.create_table(
        "target",
        sa.Column("system_id", ID, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["system_id"], ["system.id"], name=op.f("fk_target_system_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_target")),
        sa.UniqueConstraint("system_id", "name", name=op.f("uq_target_system_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "assignment",
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("target_id", ID, nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["target.id"], name=op.f("fk_assignment_target_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["thing.id"], name=op.f("fk_assignment_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_assignment_target_id"), "assignment", ["target_id"], unique=False)
    op.create_index(
        op.f("ix_assignment_thing_id_from_us"), "assignment", ["thing_id", "from_us"], unique=False
    )
    op.create_index(
        "uq_assignment_current",
        "assignment",
        ["thing_id"],
        unique=True,
        sqlite_where=sa.text("until_us IS NULL"),
        postgresql_where=sa.text("until_us IS NULL"),
    )
    op.create_table(
        "device_fact",
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("sample_frequency", sa.Double(), nullable=True),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=True),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["thing.id"], name=op.f("fk_device_fact_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thing_id", name=op.f("pk_device_fact")),
    )
    op.create_index(op.f("ix_device_fact_topic"), "device_fact", ["topic"], unique=False)
    op.create_index(op.f("ix_device_fact_type"), "device_fact", ["type"], unique=False)
    op.create_table(
        "device_state",
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("desired", sa.JSON(), nullable=False),
        sa.Column("desired_version", sa.Integer(), nullable=False),
        sa.Column("desired_us", sa.BigInteger(), nullable=True),
        sa.Column("told_version", sa.Integer(), nullable=False),
        sa.Column("reported", sa.JSON(), nullable=False),
        sa.Column("reported_version", sa.Integer(), nullable=False),
        sa.Column("reported_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["thing.id"], name=op.f("fk_device_state_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thing_id", name=op.f("pk_device_state")),
    )
    op.create_table(
        "target_place",
        sa.Column("target_id", ID, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], ["target.id"], name=op.f("fk_target_place_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("target_id", "time_us", name=op.f("pk_target_place")),
    )
    op.create_table(
        "tasking_capability",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("tasking_parameters", sa.JSON(), nullable=False),
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("actuator_id", ID, nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actuator_id"], ["actuator.id"], name=op.f("fk_tasking_capability_actuator_id")
        ),
        sa.ForeignKeyConstraint(
            ["thing_id"],
            ["thing.id"],
            name=op.f("fk_tasking_capability_thing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasking_capability")),
        sa.UniqueConstraint("thing_id", "name", name=op.f("uq_tasking_capability_thing_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_tasking_capability_actuator_id"),
        "tasking_capability",
        ["actuator_id"],
        unique=False,
    )
    op.create_table(
        "task",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tasking_capability_id", ID, nullable=False),
        sa.Column("tasking_parameters", sa.JSON(), nullable=False),
        sa.Column("creation_time_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_us", sa.BigInteger(), nullable=True),
        sa.Column("delivered_us", sa.BigInteger(), nullable=True),
        sa.Column("accepted_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("request", sa.String(length=255), nullable=True),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.ForeignKeyConstraint(["request"], ["task_request.key"], name=op.f("fk_task_request")),
        sa.ForeignKeyConstraint(
            ["tasking_capability_id"],
            ["tasking_capability.id"],
            name=op.f("fk_task_tasking_capability_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("key", name=op.f("uq_task_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_task_ended_us"), "task", ["ended_us"], unique=False)
    op.create_index(
        "ix_task_open", "task", ["id"], unique=False, sqlite_where=sa.text("ended_us IS NULL")
    )
    op.create_index(op.f("ix_task_request"), "task", ["request"], unique=False)
    op.create_index(
        op.f("ix_task_tasking_capability_id"), "task", ["tasking_capability_id"], unique=False
    )
