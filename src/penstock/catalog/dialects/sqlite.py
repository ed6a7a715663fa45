"""SQLite: one file, many readers, one writer at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from penstock.catalog.dialects.dialect import STATEMENT_CACHE_SIZE
from penstock.catalog.entities.sql_functions import register
from penstock.core.errors import (
    Backpressure,
    Bug,
    ConfigError,
    Corrupt,
    DiskFull,
    NotSupported,
    PenstockError,
)

#: What SQLite says of statements that are beyond its limits.
_TOO_MUCH = (
    "parser stack overflow",
    "Expression tree is too large",
    "too many SQL variables",
    "tables in a join",
    "string or blob too big",
)


class Sqlite:
    """See `Dialect`.

    Args:
        path_or_url: Of the file.
        busy_timeout_s: How long to wait when another program holds it.

    Raises:
        ConfigError: The URL is not one of SQLite.
    """

    def __init__(self, path_or_url: str, busy_timeout_s: float) -> None:
        is_url = "://" in path_or_url
        url = make_url(path_or_url) if is_url else make_url("sqlite://").set(database=path_or_url)
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            shown = re.sub("//[^/]*@", "//***@", path_or_url)
            msg = f"catalog {shown!r} cannot be used; give the path of a file, "
            raise ConfigError(msg + "sqlite:///PATH or postgresql://USER@HOST/DATABASE")
        self.engine: Engine = create_engine(
            url,
            json_serializer=lambda value: msgspec.json.encode(value).decode(),
            json_deserializer=msgspec.json.decode,
            query_cache_size=STATEMENT_CACHE_SIZE,
            connect_args={"timeout": busy_timeout_s, "isolation_level": None},
        )
        event.listen(self.engine, "connect", _set_up)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def writing(self, connection: Connection, *, durable: bool) -> Iterator[Connection]:
        """Begin; without `durable` this connection commits without a sync until the block ends."""
        writer = connection.execution_options(penstock_begin="IMMEDIATE")
        with _synced(writer, durable=durable), writer.begin():
            yield writer

    @contextmanager
    def rebuilding(self, connection: Connection) -> Iterator[Connection]:
        """Begin; references are checked at the end.

        SQLite changes a table by making it anew: with foreign keys on, dropping the old one would
        delete what refers to it.
        """
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")
        writer = connection.execution_options(penstock_begin="IMMEDIATE")
        try:
            with writer.begin():
                yield writer
                broken = writer.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    msg = f"the new tables would refer to rows that are not there: {broken[:3]}"
                    raise Bug(msg)
        finally:
            driver.execute("PRAGMA foreign_keys = ON")

    def own(self) -> None:
        """Do nothing: the file is in a data folder, which has one hub."""

    def close(self) -> None:
        """End every connection."""
        self.engine.dispose()

    def complete(self, connection: Connection) -> None:
        """Do nothing: functions are of a connection."""

    def is_complete(self, connection: Connection) -> bool:  # noqa: ARG002 - see `Dialect`
        """Return True."""
        return True

    def last_id(self, connection: Connection, table: str) -> int:
        """Return the highest id that a row of a table ever had."""
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return int(connection.execute(query, {"table": table}).scalar() or 0)

    def ours(self, error: DBAPIError) -> PenstockError | None:
        """Return what SQLite says in our words."""
        said = str(error.orig)
        if "disk is full" in said:
            return DiskFull(f"the catalog cannot write: {said}; free some space, then it goes on")
        if "locked" in said or "busy" in said:
            msg = f"the catalog is held by another program: {said}; it is tried again"
            return Backpressure(msg)
        if "malformed" in said or "not a database" in said:
            return Corrupt(f"the catalog's file is damaged: {said}; restore it from a backup")
        if any(limit in said for limit in _TOO_MUCH):
            msg = f"this asks more of the catalog at once than it can do ({said}); "
            return NotSupported(msg + "ask in smaller parts")
        return None


def _set_up(connection: Any, _: object) -> None:
    """Make commits durable: with FULL, SQLite syncs its write-ahead log at each of them."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    register(connection)


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("penstock_begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


@contextmanager
def _synced(connection: Connection, *, durable: bool) -> Iterator[None]:
    driver = connection.connection.driver_connection
    if durable or driver is None:
        yield
        return
    driver.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous = FULL")
