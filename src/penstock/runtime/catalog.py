"""Where the catalog of a platform is: a file in its data folder, or a database in PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from sqlalchemy import inspect, text

from penstock.catalog.database import Database, connect
from penstock.catalog.schema import HEAD
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.errors import ConfigError, PenstockError
from penstock.runtime.config import Config
from penstock.runtime.finding import Finding, Level

#: Of the file in the data folder.
FILE = "catalog.sqlite"


def open_catalog(config: Config, *, is_hub: bool = False) -> SqlCatalog:
    """Open the catalog of a platform; what is missing is made. A catalog has one hub.

    Raises:
        Conflict: Another hub has it.
        ConfigError: The setting `catalog.url` is wrong, or a newer Penstock wrote the catalog.
        MissingDependency: It is in PostgreSQL, whose driver is not installed.
        PenstockError: The file or the server cannot be used.
    """
    place = _url(config) or config.data_path / FILE
    return SqlCatalog.open(place, config.catalog, is_hub=is_hub)


def _url(config: Config) -> str:
    """Return the setting. What it is stands in no message: it may hold a password."""
    url = config.catalog.url
    if url and not url.startswith(("postgresql://", "postgres://")):
        msg = "the setting 'catalog.url' is not postgresql://USER@HOST:PORT/DATABASE"
        raise ConfigError(msg)
    return url


def catalog_health(config: Config) -> Finding:
    """Look at the catalog without making or changing anything."""
    return _server(config) if config.catalog.url else _file(config)


def has_users(config: Config) -> bool:
    """Tell whether a catalog has users, without making or changing it; one that fails may have."""
    try:
        if config.catalog.url:
            with closing(connect(_url(config), config.catalog.busy_timeout_s)) as database:
                return _has_users(database)
        file = config.data_path / FILE
        if not file.exists():
            return False
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM account LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error)
    except (sqlite3.Error, PenstockError):
        return True


def _has_users(database: Database) -> bool:
    with database.read() as connection:
        if not inspect(connection).has_table("account"):
            return False
        return connection.execute(text("SELECT 1 FROM account LIMIT 1")).first() is not None


def _file(config: Config) -> Finding:
    file = config.data_path / FILE
    if not file.exists():
        return Finding("catalog", Level.OK, "empty")
    try:
        with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            version = _version(connection)
    except sqlite3.Error as error:
        found = str(error)
    if found == "ok" and version > HEAD:
        text = f"{file} is of a newer Penstock: version {version}, this one knows up to {HEAD}"
        do = "use the Penstock that wrote it, or a newer one"
        return Finding("catalog", Level.PROBLEM, text, do)
    if found == "ok":
        return Finding("catalog", Level.OK, f"{file.stat().st_size / 1e6:.1f} MB, sound")
    do = f"stop Penstock, put {file} aside and start again: it is rebuilt as messages are replayed"
    return Finding("catalog", Level.PROBLEM, f"{file}: {found}", do)


def _version(connection: sqlite3.Connection) -> str:
    """Return the version of the catalog's tables; empty before they are made."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(row[0]) if row else ""


#: What tells how a server is, and how it keeps what is written.
_STATE = text(
    "SELECT current_setting('server_version'), current_database(), "
    "pg_database_size(current_database()), current_setting('fsync'), "
    "(SELECT extversion FROM pg_extension WHERE extname = 'postgis')"
)


def _server(config: Config) -> Finding:
    try:
        with closing(connect(_url(config), config.catalog.busy_timeout_s)) as database:
            return _state(database)
    except PenstockError as error:
        do = "see that the server runs and catalog.url is right; docs/guides/postgresql.md"
        return Finding("catalog", Level.PROBLEM, str(error), do)


def _state(database: Database) -> Finding:
    with database.read() as connection:
        version, name, size, synced, postgis = connection.execute(_STATE).one()
    geometry = "without PostGIS" if postgis is None else f"PostGIS {postgis}"
    found = f"PostgreSQL {version.split()[0]}, database {name}, {size / 1e6:.1f} MB, {geometry}"
    if synced != "on":
        do = "set fsync = on in the server's postgresql.conf"
        return Finding("catalog", Level.WARNING, f"{found}, does not sync", do)
    if postgis is None:
        do = "for conditions about geometries run CREATE EXTENSION postgis in it, and start again"
        return Finding("catalog", Level.WARNING, found, do)
    return Finding("catalog", Level.OK, found)
