"""Stream apps: what was said of them over time, their logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "app",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("system_id", ID, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["system_id"], ["system.id"], name=op.f("fk_app_system_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app")),
        sa.UniqueConstraint("system_id", "name", name=op.f("uq_app_system_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "app_version",
        sa.Column("app_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        _of_app("app_version"),
        sa.PrimaryKeyConstraint("app_id", "version", name=op.f("pk_app_version")),
    )
    op.create_table(
        "app_log",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("app_id", ID, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        _of_app("app_log"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_log")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_app_log_app_id_id"), "app_log", ["app_id", "id"])


def _of_app(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["app_id"], ["app.id"], name=op.f(f"fk_{table}_app_id"), ondelete="CASCADE"
    )
