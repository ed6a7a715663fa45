"""The database behind the catalog: connections that are durable, and errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from penstock.catalog.entities.sql_functions import register
from penstock.core.errors import (
    Backpressure,
    Bug,
    ConfigError,
    Corrupt,
    DiskFull,
    InvalidInput,
    NotConnected,
    NotSupported,
    PenstockError,
)

#: Enough for every statement form of the catalog; each costs a few kilobytes.
STATEMENT_CACHE_SIZE = 200


class Database:
    """One SQLite file: many readers, one writer at a time.

    Args:
        engine: Made by `connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = threading.Lock()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database."""
        self._check_open()
        with mapped_errors(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Give the writing connection; what was done is on disk when the block ends.

        Without `durable` it survives the end of the process, and a power loss only if something
        durable was written after it; this saves a sync.
        """
        self._check_open()
        with (
            mapped_errors(),
            self._writing,
            self.engine.connect().execution_options(penstock_begin="IMMEDIATE") as connection,
            _synced(connection, durable=durable),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """Give the writing connection to change tables; references are checked at the end.

        SQLite changes a table by making it anew: with foreign keys on, dropping the old one would
        delete what refers to it.
        """
        self._check_open()
        with mapped_errors(), self._writing, self.engine.connect() as opened:
            driver = opened.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys = OFF")
            connection = opened.execution_options(penstock_begin="IMMEDIATE")
            try:
                with connection.begin():
                    yield connection
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    if broken:
                        msg = f"the new tables would refer to rows that are not there: {broken[:3]}"
                        raise Bug(msg)
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        self.engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            msg = "the catalog is closed; open it again"
            raise NotConnected(msg)


def connect(path_or_url: str | Path, busy_timeout_s: float) -> Database:
    """Prepare connections to a SQLite file or URL; nothing is opened yet.

    Raises:
        ConfigError: The URL is not one of SQLite.
    """
    text = str(path_or_url)
    url = make_url(text) if "://" in text else make_url("sqlite://").set(database=text)
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        msg = f"catalog {text!r} cannot be used; give the path of a file or sqlite:///PATH"
        raise ConfigError(msg)
    engine = create_engine(
        url,
        json_serializer=_to_json,
        json_deserializer=msgspec.json.decode,
        query_cache_size=STATEMENT_CACHE_SIZE,
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return Database(engine)


def _to_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


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
    """Let this connection commit without a sync until the block ends."""
    driver = connection.connection.driver_connection
    if durable or driver is None:
        yield
        return
    driver.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous = FULL")


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn what the driver raises into `core.errors`."""
    try:
        yield
    except DBAPIError as error:
        raise _ours(error) from error
    except OverflowError as error:
        msg = "a number is too large to be kept or looked for; up to 2^63 - 1 is allowed"
        raise InvalidInput(msg) from error


#: What SQLite says of statements that are beyond its limits.
_TOO_MUCH = (
    "parser stack overflow",
    "Expression tree is too large",
    "too many SQL variables",
    "tables in a join",
    "string or blob too big",
)


def _ours(error: DBAPIError) -> PenstockError:
    text = str(error.orig)
    if isinstance(error, IntegrityError):
        return Bug(f"the catalog contradicts itself: {text}; please report it")
    if "disk is full" in text:
        return DiskFull(f"the catalog cannot write: {text}; free some space, then it goes on")
    if "locked" in text or "busy" in text:
        return Backpressure(f"the catalog is held by another program: {text}; it is tried again")
    if "malformed" in text or "not a database" in text:
        return Corrupt(f"the catalog's file is damaged: {text}; restore it from a backup")
    if any(limit in text for limit in _TOO_MUCH):
        msg = f"this asks more of the catalog at once than it can do ({text}); ask in smaller parts"
        return NotSupported(msg)
    return NotConnected(f"the catalog failed: {text}")
