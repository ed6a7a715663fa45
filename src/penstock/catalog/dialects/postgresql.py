"""PostgreSQL: one database, or one schema of it, for one catalog.

Writers take turns, as they do with SQLite's file: whoever writes holds an advisory lock until the
transaction ends, so that what was read before it was changed is what is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from penstock.catalog.dialects import postgresql_functions
from penstock.catalog.dialects.dialect import STATEMENT_CACHE_SIZE
from penstock.catalog.dialects.postgresql_errors import ours
from penstock.catalog.dialects.postgresql_owner import Owner
from penstock.catalog.tables import Base
from penstock.core.errors import ConfigError, MissingDependency, NotConnected, PenstockError

#: Before, some of what is used here was not there, and nobody tests it.
OLDEST = 15

#: What libpq is told unless the URL says otherwise: an unreachable server is noticed in seconds.
_DEFAULTS = {
    "application_name": "penstock",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
}
#: A connection that was not used for so long is tried before it is used: the server may have been
#: started again meanwhile.
_FRESH_S = 1.0

#: The lock of whoever writes. It is of the database; a schema is a catalog of its own.
_LOCK = "pg_advisory_xact_lock(hashtextextended('penstock catalog ' || current_schema(), 0))"


class Postgresql:
    """See `Dialect`.

    Args:
        url: As libpq takes it: `postgresql://USER@HOST/DATABASE`, more hosts, and options behind
            a question mark. A password is better kept in `~/.pgpass` or `PGPASSFILE`.
        busy_timeout_s: How long to wait for another program that writes.

    Raises:
        ConfigError: The URL cannot be read.
        MissingDependency: The driver is not installed.
    """

    def __init__(self, url: str, busy_timeout_s: float) -> None:
        self._connect = _connector(url)
        self._timeout_ms = max(1, round(busy_timeout_s * 1000))
        self.engine: Engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            # Statements go as they are; the driver would look through all of them for `%`.
            paramstyle="numeric_dollar",
            use_native_hstore=False,
            query_cache_size=STATEMENT_CACHE_SIZE,
        )
        event.listen(self.engine, "checkout", _check)
        event.listen(self.engine, "checkin", _remember)
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "connect", self._connected)
        self._owner: Owner | None = None

    @contextmanager
    def writing(self, connection: Connection, *, durable: bool) -> Iterator[Connection]:
        """Begin, and wait for the lock; without `durable` the commit does not wait for the disk."""
        writer = connection.execution_options(penstock_begin="BEGIN")
        with writer.begin():
            self._take_turn(writer, durable=durable)
            yield writer

    @contextmanager
    def rebuilding(self, connection: Connection) -> Iterator[Connection]:
        """Begin, and wait for the lock; tables are changed within the transaction."""
        with self.writing(connection, durable=True) as writer:
            yield writer

    def own(self) -> None:
        """Become the only hub of this catalog, with a lock that lasts until `close`."""
        owner = Owner(self._connect)
        with self._our_errors():
            owner.take()
        self._owner = owner

    def close(self) -> None:
        """End every connection."""
        if self._owner is not None:
            self._owner.release()
        self.engine.dispose()

    def _connected(self, *_: object) -> None:
        if self._owner is not None:
            self._owner.doubt()

    @contextmanager
    def _our_errors(self) -> Iterator[None]:
        """Say what the driver itself raises in our words."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise ours(error) or NotConnected(f"the catalog failed: {error}") from error

    def complete(self, connection: Connection) -> None:
        """Make functions, the order of texts, and ids that begin behind those that there are."""
        connection.exec_driver_sql("SET LOCAL client_min_messages = warning")
        _make_postgis(connection)
        has_geometry = _has_geometry(connection)
        driver: Any = connection.connection.driver_connection
        driver.execute(postgresql_functions.FUNCTIONS)
        if has_geometry:
            driver.execute(postgresql_functions.GEOMETRY)
        connection.exec_driver_sql(_COLLATE.replace("{tables}", _our_tables()))
        continue_ids(connection)
        version = postgresql_functions.version(has_geometry=has_geometry)
        connection.exec_driver_sql(f"COMMENT ON FUNCTION {_MARKED} IS '{version}'")

    def is_complete(self, connection: Connection) -> bool:
        """Tell whether the functions are those of this Penstock, and those of PostGIS there."""
        query = text(f"SELECT obj_description(to_regprocedure('{_MARKED}'), 'pg_proc')")
        version = postgresql_functions.version(has_geometry=_has_geometry(connection))
        return connection.execute(query).scalar() == version

    def last_id(self, connection: Connection, table: str) -> int:
        """Return the highest id that a row of a table ever had, or that was tried."""
        query = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, 'id'))")
        return int(connection.execute(query, {"table": table}).scalar() or 0)

    def ours(self, error: DBAPIError) -> PenstockError | None:
        """Return what PostgreSQL says in our words."""
        return ours(error.orig)

    def _take_turn(self, writer: Connection, *, durable: bool) -> None:
        if self._owner is not None:
            with self._our_errors():
                self._owner.check()
        # What the server's own settings promise beyond the disk, such as a replica, stays.
        commit = "nullif(current_setting('synchronous_commit'), 'off')" if durable else "'off'"
        writer.exec_driver_sql(
            f"SELECT set_config('lock_timeout', '{self._timeout_ms}', true), "
            f"set_config('synchronous_commit', coalesce({commit}, 'on'), true), {_LOCK}"
        )


#: The function that says which version of all of them is there.
_MARKED = "penstock_time(text)"

#: Texts are in the order of their code points, whatever the database's language, and of any
#: length, as in SQLite: how long they may be is said where they come from.
_COLLATE = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT table_name, string_agg(
            format('ALTER COLUMN %I TYPE %s COLLATE "C"', column_name, data_type), ', ') AS changes
        FROM information_schema.columns
        JOIN information_schema.tables USING (table_catalog, table_schema, table_name)
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
            AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'
            AND table_name = ANY (SELECT unnest(string_to_array('{tables}', ' ')))
        GROUP BY table_name
    LOOP
        EXECUTE format('ALTER TABLE %I %s', found.table_name, found.changes);
    END LOOP;
END $$
"""

#: Rows that were made with their ids are behind the ids to come.
_CONTINUE = """
DO $$
DECLARE
    found record;
    last bigint;
BEGIN
    FOR found IN
        SELECT t.relname AS name, pg_get_serial_sequence(quote_ident(t.relname), 'id') AS ids
        FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = 'id'
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r'
            AND t.relname = ANY (SELECT unnest(string_to_array('{tables}', ' ')))
    LOOP
        CONTINUE WHEN found.ids IS NULL;
        EXECUTE format('SELECT max(id) FROM %I', found.name) INTO last;
        IF last > coalesce(pg_sequence_last_value(found.ids), 0) THEN
            PERFORM setval(found.ids, last);
        END IF;
    END LOOP;
END $$
"""


def continue_ids(connection: Connection) -> None:
    """Let ids begin behind those of rows that were made with theirs."""
    connection.exec_driver_sql(_CONTINUE.replace("{tables}", _our_tables()))


def _our_tables() -> str:
    """Return the names of the tables; others in the same schema are not ours to change."""
    return " ".join(Base.metadata.tables)


def _make_postgis(connection: Connection) -> None:
    """Make the extension if it is installed and we may; else an administrator can, at any time."""
    is_there = text("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'")
    if connection.execute(is_there).first() is None or _has_geometry(connection):
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS postgis")
    except DBAPIError:
        return


def _has_geometry(connection: Connection) -> bool:
    query = text("SELECT to_regtype('geometry') IS NOT NULL")
    return bool(connection.execute(query).scalar())


def _connector(url: str) -> Any:
    """Return what opens a connection."""
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
    except ImportError as error:
        msg = "a catalog in PostgreSQL needs psycopg: pip install 'penstock[postgres]'"
        raise MissingDependency(msg) from error
    from penstock.catalog.dialects.postgresql_values import adapters

    context = adapters()
    try:
        given = conninfo_to_dict(url)
        info = make_conninfo(url, **{key: to for key, to in _DEFAULTS.items() if key not in given})
    except psycopg.Error:
        # What the driver says may hold the password.
        msg = (
            "the catalog's url cannot be read; expected postgresql://USER@HOST:PORT/DATABASE, with "
            "signs that have a meaning in it written as %23 for # and so on"
        )
        raise ConfigError(msg) from None

    def open_one() -> Any:
        connection = psycopg.connect(
            info,
            autocommit=True,
            client_encoding="utf8",
            cursor_factory=psycopg.RawCursor,
            context=context,
        )
        if connection.info.server_version < OLDEST * 10_000:
            has = connection.info.parameter_status("server_version")
            connection.close()
            msg = f"the catalog's server is PostgreSQL {has}; {OLDEST} or newer is needed"
            raise ConfigError(msg)
        # Compiling statements takes longer than any of them runs.
        connection.execute("SET jit = off")
        return connection

    return open_one


def _check(connection: Any, record: Any, _: object) -> None:
    if time.monotonic() - record.info.get("used", 0.0) < _FRESH_S:
        return
    try:
        connection.execute("")
    except Exception as error:
        raise InvalidatePoolError from error


def _remember(_: object, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _begin(connection: Connection) -> None:
    reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    connection.exec_driver_sql(connection.get_execution_options().get("penstock_begin", reading))
