"""SensorThings as its users write it: names that are not unique, MultiDatastreams, own features."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("sensor", "observed_property", "actuator"):
        with remade(table) as batch:
            batch.drop_constraint(f"uq_{table}_name", type_="unique")
            lengthen(batch, "name", 255)
            add_home(batch, table)
            if table != "observed_property":
                batch.add_column(sa.Column("metadata_json", sa.JSON(none_as_null=True)))
        op.create_index(f"ix_{table}_name", table, ["name"])
    loosen("thing", ["system_id", "name"])
    loosen("tasking_capability", ["thing_id", "name"])
    loosen("historical_location", ["thing_id", "time_us"])
    op.create_index("ix_historical_location_thing_id", "historical_location", ["thing_id"])
    op.create_index("ix_historical_location_time_us", "historical_location", ["time_us"])
    with remade("location") as batch:
        add_feature(batch, "location")
        add_home(batch, "location")
    op.create_index("ix_location_feature_id", "location", ["feature_id"])
    with remade("feature_of_interest") as batch:
        add_home(batch, "feature_of_interest")
    op.execute(
        "UPDATE location SET home_id = (SELECT thing.system_id FROM thing_location "
        "JOIN thing ON thing.id = thing_location.thing_id WHERE thing_location.location_id = "
        "location.id UNION ALL SELECT thing.system_id FROM historical_location_location AS way "
        "JOIN historical_location AS visit ON visit.id = way.historical_location_id JOIN thing ON "
        "thing.id = visit.thing_id WHERE way.location_id = location.id LIMIT 1)"
    )
    change_datastreams()
    create_tables()


def change_datastreams() -> None:
    with remade("datastream") as batch:
        batch.drop_constraint("uq_datastream_full_name", type_="unique")
        batch.drop_constraint("uq_datastream_thing_id_name", type_="unique")
        lengthen(batch, "name", 255)
        lengthen(batch, "full_name", 526)
        batch.add_column(
            sa.Column("observation_type_uri", sa.Text(), server_default="", nullable=False)
        )
        batch.add_column(sa.Column("unit_verbatim", sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("multi", sa.JSON(none_as_null=True), nullable=True))
        add_feature(batch, "datastream")
    op.create_index("ix_datastream_feature_id", "datastream", ["feature_id"])
    op.create_index("ix_datastream_full_name", "datastream", ["full_name"])
    op.create_index("ix_datastream_thing_id_name", "datastream", ["thing_id", "name"])


def create_tables() -> None:
    op.create_table(
        "datastream_observed_property",
        sa.Column("datastream_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("observed_property_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["datastream_id"],
            ["datastream.id"],
            name="fk_datastream_observed_property_datastream_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["observed_property_id"],
            ["observed_property.id"],
            name="fk_datastream_observed_property_observed_property_id",
        ),
        sa.PrimaryKeyConstraint(
            "datastream_id", "position", name="pk_datastream_observed_property"
        ),
    )
    op.create_index(
        "ix_datastream_observed_property_observed_property_id",
        "datastream_observed_property",
        ["observed_property_id"],
    )
    op.create_table(
        "datastream_feature",
        sa.Column("datastream_id", ID, nullable=False),
        sa.Column("feature_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["datastream_id"],
            ["datastream.id"],
            name="fk_datastream_feature_datastream_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["feature_id"],
            ["feature_of_interest.id"],
            name="fk_datastream_feature_feature_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("datastream_id", "feature_id", name="pk_datastream_feature"),
    )
    op.create_index("ix_datastream_feature_feature_id", "datastream_feature", ["feature_id"])
    op.create_table(
        "moved_observation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("datastream_id", ID, nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("feature", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_moved_observation"),
    )
    op.create_index("ix_moved_observation_datastream_id", "moved_observation", ["datastream_id"])


def loosen(table: str, columns: list[str]) -> None:
    """Make a unique pair of columns a plain index."""
    pair = "_".join(columns)
    with remade(table) as batch:
        batch.drop_constraint(f"uq_{table}_{pair}", type_="unique")
        if "name" in columns:
            lengthen(batch, "name", 255)
    op.create_index(f"ix_{table}_{pair}", table, columns)


def lengthen(batch: BatchOperations, column: str, was: int) -> None:
    batch.alter_column(
        column, existing_type=sa.String(length=was), type_=sa.Text(), existing_nullable=False
    )


def add_feature(batch: BatchOperations, table: str) -> None:
    batch.add_column(sa.Column("feature_id", ID, nullable=True))
    batch.create_foreign_key(
        f"fk_{table}_feature_id", "feature_of_interest", ["feature_id"], ["id"], ondelete="SET NULL"
    )


def add_home(batch: BatchOperations, table: str) -> None:
    batch.add_column(sa.Column("home_id", ID, nullable=True))
    batch.create_foreign_key(
        f"fk_{table}_home_id", "system", ["home_id"], ["id"], ondelete="SET NULL"
    )


@contextmanager
def remade(table: str) -> Iterator[BatchOperations]:
    """Change a table; SQLite does that by making it anew."""
    with op.batch_alter_table(
        table, recreate="auto", table_kwargs={"sqlite_autoincrement": True}
    ) as batch:
        yield batch
