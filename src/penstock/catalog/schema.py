"""The version of the tables: told without Alembic, changed with it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from penstock.catalog.database import Database
from penstock.core.errors import ConfigError

#: The newest migration. A test holds it equal to what lies in `migrations/versions`.
HEAD = "0009"

#: Where the migrations are.
MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Make the tables those of `models`, in one transaction.

    Alembic is loaded only when there is something to do, which keeps ordinary starts short.

    Raises:
        ConfigError: The database was written by a newer Penstock.
    """
    with database.read() as connection:
        version = current_version(connection)
        if version == HEAD and database.dialect.is_complete(connection):
            return
    with database.rebuild() as connection:
        if version != HEAD:
            upgrade(connection)
        database.dialect.complete(connection)


def current_version(connection: Connection) -> str | None:
    """Return the version of the tables, or None when there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing.

    Raises:
        ConfigError: The version is not known here.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        msg = (
            f"the catalog has tables of version {current_version(connection)!r}, which this "
            f"Penstock does not know (it knows up to {HEAD!r}); use the Penstock that wrote it or "
            "a newer one"
        )
        raise ConfigError(msg) from error
