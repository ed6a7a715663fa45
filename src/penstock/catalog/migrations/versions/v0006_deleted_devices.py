"""When devices were deleted, so that what is older does not bring them back."""

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
        "deleted_device",
        sa.Column("system_id", ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("system_id", "name", name=op.f("pk_deleted_device")),
    )
    op.create_index(op.f("ix_deleted_device_at_us"), "deleted_device", ["at_us"])
