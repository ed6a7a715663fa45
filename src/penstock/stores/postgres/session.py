"""One connection to PostgreSQL, through ADBC: Arrow tables in, by COPY, and out."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from penstock.stores.postgres import faults
from penstock.stores.postgres.where import literal

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

#: Parameters of addresses that do not say otherwise: after how long a server that does not answer
#: counts as away (seconds, milliseconds for the last).
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
#: For how long a server that answered is not asked whether it is still there, seconds.
BELIEVED_S = 1.0
#: Of every connection. Queries are short, for which compiling is wasted; a client that is gone is
#: noticed within seconds, also while a statement runs.
_SETTINGS = {
    "application_name": "penstock",
    "client_encoding": "UTF8",
    "jit": "off",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "2s",
}


class _NeverRaised(Exception):
    """Stands for the driver's errors where there is no driver."""


@functools.cache
def driver_error() -> type[Exception]:
    """Return the root of the driver's errors."""
    try:
        from adbc_driver_manager import Error
    except ImportError:
        return _NeverRaised
    found: type[Exception] = Error
    return found


class Session:
    """One connection; not to be used by two threads at once.

    Errors are the driver's; whoever uses it explains them (`faults.explained`).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        #: Whether something was done since the last end of a transaction.
        self._is_begun = False
        self._heard_s = time.monotonic()

    @classmethod
    def open(cls, url: str, *, autocommit: bool, **settings: str) -> Self:
        """Connect.

        Args:
            url: Address, `postgresql://...`.
            autocommit: Every statement for itself.
            settings: Of the session, besides those that all have.

        Raises:
            MissingDependency: The driver is not installed.
        """
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            raise faults.missing_driver(error) from error
        session = cls(dbapi.connect(_patient(url), autocommit=autocommit))
        try:
            sets = [
                f"set_config({literal(name)}, {literal(value)}, false)"
                for name, value in (_SETTINGS | settings).items()
            ]
            session.fetch(f"SELECT {', '.join(sets)}")
            if not autocommit:
                session.commit()
        except BaseException:
            session.close()
            raise
        return session

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        self._is_begun = True
        self._cursor.execute(statement)

    def fetch(self, query: str) -> pa.Table:
        """Return what a query answers."""
        self._is_begun = True
        self._cursor.execute(query)
        found: pa.Table = self._cursor.fetch_arrow_table()
        return found

    def value(self, query: str) -> Any:
        """Return the first value that a query answers; None when there is none."""
        table = self.fetch(query)
        return table[0][0].as_py() if table.num_rows else None

    def load(self, name: str, rows: pa.Table | pa.RecordBatch, schema: str | None = None) -> None:
        """Copy rows into a table; into a temporary one without a schema."""
        self._is_begun = True
        if schema is None:
            self._cursor.adbc_ingest(name, rows, mode="append", temporary=True)
        else:
            self._cursor.adbc_ingest(name, rows, mode="append", db_schema_name=schema)

    def answers(self) -> bool:
        """Return whether the server is still there; believed for `BELIEVED_S` after it was."""
        if time.monotonic() - self._heard_s < BELIEVED_S:
            return True
        try:
            self.run("SELECT 1")
        except driver_error():
            return False
        return True

    def commit(self) -> None:
        """Keep what was done."""
        if self._is_begun:
            self._connection.commit()
            self._is_begun = False
            self._heard_s = time.monotonic()

    def rollback(self) -> None:
        """Undo what was done."""
        self._connection.rollback()
        self._is_begun = False

    def close(self) -> None:
        """End the connection, whatever state it is in."""
        for one in (self._cursor, self._connection):
            try:
                one.close()
            except driver_error():
                # It is gone already.
                continue


def _patient(url: str) -> str:
    missing = [f"{name}={value}" for name, value in _PATIENCE.items() if f"{name}=" not in url]
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(missing)}"
