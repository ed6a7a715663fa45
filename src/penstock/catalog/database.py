"""The database behind the catalog: one writer at a time, and errors in our words."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from penstock.catalog.dialects.dialect import Dialect
from penstock.core.errors import Bug, InvalidInput, NotConnected, PenstockError


class Database:
    """The tables: many readers, one writer at a time.

    Args:
        dialect: Which database it is.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._writing = threading.Lock()
        self._closed = False

    @property
    def engine(self) -> Engine:
        """Its connections."""
        return self.dialect.engine

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database."""
        self._check_open()
        with self.mapped_errors(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Give the writing connection; what was done is on disk when the block ends.

        Without `durable` it survives the end of the process, and a power loss (of the database's
        machine) only if something durable was written after it; this saves a sync.
        """
        self._check_open()
        with (
            self.mapped_errors(),
            self._writing,
            self.engine.connect() as opened,
            self.dialect.writing(opened, durable=durable) as connection,
        ):
            yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """Give the writing connection to change tables; references are checked at the end."""
        self._check_open()
        with (
            self.mapped_errors(),
            self._writing,
            self.engine.connect() as opened,
            self.dialect.rebuilding(opened) as connection,
        ):
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        self.dialect.close()

    @contextmanager
    def mapped_errors(self) -> Iterator[None]:
        """Turn what the driver raises into `core.errors`."""
        try:
            yield
        except DBAPIError as error:
            raise self._ours(error) from error
        except OverflowError as error:
            msg = "a number is too large to be kept or looked for; up to 2^63 - 1 is allowed"
            raise InvalidInput(msg) from error

    def _ours(self, error: DBAPIError) -> PenstockError:
        if isinstance(error, IntegrityError):
            return Bug(f"the catalog contradicts itself: {error.orig}; please report it")
        return self.dialect.ours(error) or NotConnected(f"the catalog failed: {error.orig}")

    def _check_open(self) -> None:
        if self._closed:
            msg = "the catalog is closed; open it again"
            raise NotConnected(msg)


def connect(path_or_url: str | Path, busy_timeout_s: float) -> Database:
    """Prepare connections to a SQLite file or a PostgreSQL database; nothing is opened yet.

    Raises:
        ConfigError: It is neither, or the URL cannot be read.
        MissingDependency: It is PostgreSQL, whose driver is not installed.
    """
    place = str(path_or_url)
    if place.startswith(("postgresql://", "postgres://")):
        from penstock.catalog.dialects.postgresql import Postgresql

        return Database(Postgresql(place, busy_timeout_s))
    from penstock.catalog.dialects.sqlite import Sqlite

    return Database(Sqlite(place, busy_timeout_s))
