"""The one connection that writes, under a lock of its own, and what it knows of the tables."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from penstock.stores.postgres import faults
from penstock.stores.postgres.ends import Ends
from penstock.stores.postgres.layout import Layout, make_temporary, prepare
from penstock.stores.postgres.partitions import Partitions
from penstock.stores.postgres.readers import closed
from penstock.stores.postgres.session import Session, driver_error
from penstock.stores.selecting import int64s
from penstock.stores.settings import PostgresSettings

#: How often a lock that somebody else holds is tried again, seconds.
_LOCK_EVERY_S = 0.1
#: The writer works on few rows of large tables by their keys; without statistics of its temporary
#: tables the server would sometimes read a large table as a whole.
_SETTINGS = {"enable_hashjoin": "off", "enable_mergejoin": "off"}


class Writer:
    """Connects when it is first needed, and again when the server was away.

    The lock belongs to the connection: who has lost the connection has lost the lock, and can write
    nothing before it has both again. Safe to use from several threads, which wait for each other.

    Attributes:
        ends: Up to when each datastream has rows.
        partitions: Ranges of time with a table.
        marks: Positions in the log, as they were committed.
    """

    def __init__(self, url: str, settings: PostgresSettings) -> None:
        self._url = url
        self._settings = settings
        self._lock = threading.RLock()
        self._held: Session | None = None
        self._layout: Layout | None = None
        self._is_closed = False
        self.ends = Ends()
        self.partitions: Partitions
        self.marks: Mapping[str, int] = {}

    @property
    def layout(self) -> Layout:
        """How the rows are laid out; known once it was connected."""
        assert self._layout is not None
        return self._layout

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give the connection for one transaction, which is durable at the end.

        Raises:
            Conflict: Somebody else writes.
            NotConnected: The server is away. Where it went at the very end, what was done may have
                been kept.
            PenstockError: What else `faults.explained` says; nothing was kept.
        """
        with self._lock:
            try:
                session = self._session()
                yield session
                session.commit()
            except driver_error() as error:
                self._undo(error)
                raise faults.explained(error, self._url) from error
            except BaseException as error:
                self._undo(error)
                raise

    def partitions_older_than(self, limit_us: int) -> list[tuple[int, str]]:
        """Return numbers and names of the tables in which every row is older than a time.

        Raises:
            PenstockError: As `transaction`.
        """
        with self.transaction():
            return self.partitions.older_than(limit_us)

    def close(self) -> None:
        """Give the lock back and end the connection. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            self._drop()

    def _undo(self, error: BaseException) -> None:
        if self._held is None:
            return
        if isinstance(error, driver_error()) and faults.is_gone(error):
            self._drop()
            return
        try:
            self._held.rollback()
        except driver_error():
            self._drop()

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _session(self) -> Session:
        if self._is_closed:
            raise closed()
        if self._held is not None and not self._held.answers():
            # It ended while nothing was written.
            self._drop()
        if self._held is None:
            session = Session.open(self._url, autocommit=False, **_SETTINGS)
            try:
                self._take_lock(session)
                self._learn(session)
            except BaseException:
                session.close()
                raise
            self._held = session
        return self._held

    def _take_lock(self, session: Session) -> None:
        schema = self._settings.schema
        key = _key(schema)
        deadline_s = time.monotonic() + self._settings.lock_wait_s
        while not session.value(f"SELECT pg_try_advisory_lock({key})"):
            if time.monotonic() > deadline_s:
                raise faults.held_elsewhere(self._url, schema, _holder(session, key))
            # A writer that was killed holds it until the server has noticed.
            time.sleep(_LOCK_EVERY_S)
        session.commit()

    def _learn(self, session: Session) -> None:
        """Look at the tables; make them when they are missing."""
        settings = self._settings
        if session.value("SELECT current_setting('synchronous_commit')") == "off":
            session.fetch("SELECT set_config('synchronous_commit', 'on', false)")
        layout = prepare(session, settings.schema, settings.partition_s * 1_000_000)
        make_temporary(session, layout)
        schema = layout.schema
        held = session.fetch(f"SELECT datastream, time FROM {schema}.series ORDER BY datastream")
        self.ends.set(int64s(held["datastream"]), int64s(held["time"]))
        self.partitions = Partitions(layout, settings.max_partitions)
        self.partitions.load(session)
        marks = session.fetch(f'SELECT name, "offset" FROM {schema}.marks')
        self.marks = dict(zip(marks["name"].to_pylist(), marks["offset"].to_pylist(), strict=True))
        self._layout = layout
        session.commit()


def _key(schema: str) -> int:
    """Return the number of the lock; of those that a database has, it is ours."""
    digest = hashlib.blake2b(f"penstock store {schema}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _holder(session: Session, key: int) -> str:
    """Say who holds the lock, for people."""
    found = session.fetch(
        "SELECT host(a.client_addr) AS address, l.pid, a.backend_start::text AS since "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        f"AND ((l.classid::bigint << 32) | l.objid::bigint) = {key}"
    ).to_pylist()
    if not found:
        return ""
    where = found[0]["address"] or "the server's own machine"
    return f" (from {where}, since {found[0]['since']}, server process {found[0]['pid']})"
