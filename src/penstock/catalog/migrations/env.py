"""Run by Alembic: connects the migrations with the tables of `catalog.models`.

The connection comes from `catalog.schema`. Without one (a developer who runs `alembic`), the
database is the one of `-x url=sqlite:///FILE`, or of `postgresql+psycopg://...`.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from penstock.catalog import alarm_models, app_models  # noqa: F401 - part of all tables
from penstock.catalog.device_models import DeviceFact


def run(connection: Connection) -> None:
    context.configure(
        connection=connection, target_metadata=DeviceFact.metadata, render_as_batch=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as own:
        run(own)
