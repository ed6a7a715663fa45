"""The first tables: SensorThings 1.1 entities and devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "feature_of_interest",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("encoding_type", sa.Text(), nullable=False),
        sa.Column("feature", sa.JSON(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feature_of_interest")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "location",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("encoding_type", sa.Text(), nullable=False),
        sa.Column("location", sa.JSON(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_location")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "observed_property",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observed_property")),
        sa.UniqueConstraint("name", name=op.f("uq_observed_property_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sensor",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("encoding_type", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor")),
        sa.UniqueConstraint("name", name=op.f("uq_sensor_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "thing",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("position", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("located_us", sa.BigInteger(), nullable=True),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thing")),
        sa.UniqueConstraint("name", name=op.f("uq_thing_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "datastream",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("full_name", sa.String(length=526), nullable=False),
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("sensor_id", ID, nullable=False),
        sa.Column("observed_property_id", ID, nullable=False),
        sa.Column("observation_type", sa.String(length=32), nullable=False),
        sa.Column("unit_name", sa.Text(), nullable=False),
        sa.Column("unit_symbol", sa.Text(), nullable=False),
        sa.Column("unit_definition", sa.Text(), nullable=False),
        sa.Column("observed_area", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("retention_s", sa.Double(), nullable=True),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("properties", sa.JSON(), nullable=False),
        sa.CheckConstraint("retention_s > 0", name=op.f("ck_datastream_retention_positive")),
        sa.ForeignKeyConstraint(
            ["observed_property_id"],
            ["observed_property.id"],
            name=op.f("fk_datastream_observed_property_id"),
        ),
        sa.ForeignKeyConstraint(["sensor_id"], ["sensor.id"], name=op.f("fk_datastream_sensor_id")),
        sa.ForeignKeyConstraint(["thing_id"], ["thing.id"], name=op.f("fk_datastream_thing_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datastream")),
        sa.UniqueConstraint("full_name", name=op.f("uq_datastream_full_name")),
        sa.UniqueConstraint("thing_id", "name", name=op.f("uq_datastream_thing_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_datastream_observed_property_id", "datastream", ["observed_property_id"])
    op.create_index("ix_datastream_sensor_id", "datastream", ["sensor_id"])

    op.create_table(
        "device",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("first_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("thing_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["thing.id"], name=op.f("fk_device_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_device")),
        sa.UniqueConstraint("thing_id", name=op.f("uq_device_thing_id")),
    )
    op.create_index("ix_device_status", "device", ["status"])

    op.create_table(
        "historical_location",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["thing_id"],
            ["thing.id"],
            name=op.f("fk_historical_location_thing_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_historical_location")),
        sa.UniqueConstraint(
            "thing_id", "time_us", name=op.f("uq_historical_location_thing_id_time_us")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "thing_location",
        sa.Column("thing_id", ID, nullable=False),
        sa.Column("location_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
            name=op.f("fk_thing_location_location_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["thing.id"], name=op.f("fk_thing_location_thing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("thing_id", "location_id", name=op.f("pk_thing_location")),
    )
    op.create_index("ix_thing_location_location_id", "thing_location", ["location_id"])

    op.create_table(
        "historical_location_location",
        sa.Column("historical_location_id", ID, nullable=False),
        sa.Column("location_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["historical_location_id"],
            ["historical_location.id"],
            name=op.f("fk_historical_location_location_historical_location_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
            name=op.f("fk_historical_location_location_location_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "historical_location_id", "location_id", name=op.f("pk_historical_location_location")
        ),
    )
    op.create_index(
        "ix_historical_location_location_location_id",
        "historical_location_location",
        ["location_id"],
    )
