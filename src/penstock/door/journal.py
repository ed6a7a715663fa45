"""The door's journal: a file that knows what clients may rely on after a crash.

It is a set of tables with one row per key (see `docs/formats/door.md`). Changes are collected in
memory, where a later one replaces an earlier one with the same key, and written a group at a
time: one transaction and one sync for all. Nothing here knows what the rows mean.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.core.errors import Corrupt, DiskFull, NotConnected, PenstockError
from penstock.door.write_ahead import look_after

#: `PRAGMA application_id`: "PNSD" in ASCII.
APPLICATION_ID = 0x504E5344
#: `PRAGMA user_version`: version of the format.
VERSION = 1
#: File name of the journal in its folder.
FILE_NAME = "journal.sqlite3"
#: Pages in the write-ahead log after which they are moved to the main file.
CHECKPOINT_PAGES = 4_000
#: A write-ahead log that grew beyond this is cut when it begins anew, in bytes.
WAL_LIMIT_BYTES = 67_108_864

#: A row's key, and its other columns.
Key = tuple[Any, ...]
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its key columns, and the others, with their SQL types."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def create(self) -> str:
        """SQL that makes it."""
        names = ", ".join(column.split()[0] for column in self.key)
        columns = ", ".join((*self.key, *self.columns))
        # A single integer key is SQLite's own row id; others are the table's order.
        plain = self.key[0].endswith("INTEGER") and len(self.key) == 1
        rows = "STRICT" if plain else "STRICT, WITHOUT ROWID"
        return f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({names})) {rows}"

    @property
    def replace(self) -> str:
        """SQL that writes a row."""
        marks = ", ".join("?" * (len(self.key) + len(self.columns)))
        return f"INSERT OR REPLACE INTO {self.name} VALUES ({marks})"  # noqa: S608

    @property
    def delete(self) -> str:
        """SQL that removes a row."""
        wanted = " AND ".join(f"{column.split()[0]} = ?" for column in self.key)
        return f"DELETE FROM {self.name} WHERE {wanted}"  # noqa: S608


FACTS = Table("facts", ("name TEXT",), ("value REAL NOT NULL",))
SESSIONS = Table(
    "sessions",
    ("session INTEGER",),
    (
        "client TEXT NOT NULL",
        "owner TEXT NOT NULL",
        "expiry_s INTEGER NOT NULL",
        "expires_at_s REAL",
        "sent INTEGER NOT NULL",
        "will_due_at_s REAL",
        "will_delay_s INTEGER",
        "will_qos INTEGER",
        "will_packet BLOB",
        "will_crc INTEGER",
    ),
)
SUBSCRIPTIONS = Table(
    "subscriptions",
    ("session INTEGER", "filter TEXT"),
    (
        "qos INTEGER NOT NULL",
        "no_local INTEGER NOT NULL",
        "retain_as_published INTEGER NOT NULL",
        "identifier INTEGER NOT NULL",
    ),
)
INBOUND = Table("inbound", ("session INTEGER", "packet_id INTEGER"), ("log_offset INTEGER",))
OUTBOUND = Table(
    "outbound",
    ("session INTEGER", "packet_id INTEGER"),
    (
        "place INTEGER NOT NULL",
        "message INTEGER NOT NULL",
        "qos INTEGER NOT NULL",
        "retain INTEGER NOT NULL",
        "released INTEGER NOT NULL",
        "identifiers TEXT NOT NULL",
        "share TEXT NOT NULL",
    ),
)
_MESSAGE = (
    "log_offset INTEGER",
    "publisher TEXT NOT NULL",
    "qos INTEGER NOT NULL",
    "expires_at_s REAL",
    "packet BLOB NOT NULL",
    "crc INTEGER NOT NULL",
)
MESSAGES = Table("messages", ("message INTEGER",), _MESSAGE)
RETAINED = Table("retained", ("topic TEXT",), _MESSAGE)
TABLES = (FACTS, SESSIONS, SUBSCRIPTIONS, INBOUND, OUTBOUND, MESSAGES, RETAINED)


@dataclass(slots=True)
class Changes:
    """Rows to write (or to remove, where None) by table and key."""

    rows: dict[str, dict[Key, Row | None]] = field(
        default_factory=lambda: {table.name: {} for table in TABLES}
    )

    def __len__(self) -> int:
        return sum(map(len, self.rows.values()))


class Journal:
    """The journal's file; one process at a time.

    Args:
        folder: Where it is; made by `open` if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE_NAME
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, making it if there is none, and check that it is whole.

        Raises:
            Corrupt: It is damaged, or another version of Penstock wrote it.
            NotConnected: It cannot be read or written.
            DiskFull: There is no space for it.
        """
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            look_after(self.file)
            # Calls come from one thread at a time, but not always the same.
            self._connection = sqlite3.connect(
                self.file, isolation_level=None, check_same_thread=False, timeout=0
            )
            self._prepare(self._connection)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise self._explained(error) from error
        except PenstockError:
            self.close()
            raise

    def close(self) -> None:
        """Move all to the main file and let go of it. Safe to call twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def rows(self, table: Table) -> Iterator[Row]:
        """Return the table's rows in the order of their keys.

        Raises:
            Corrupt: It cannot be read to its end.
        """
        order = ", ".join(column.split()[0] for column in table.key)
        try:
            yield from self._open.execute(f"SELECT * FROM {table.name} ORDER BY {order}")  # noqa: S608
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def write(self, changes: Changes) -> None:
        """Make all changes durable in one step, or none.

        Raises:
            DiskFull: No space; nothing was changed.
            NotConnected: The disk refused; nothing was changed.
            Corrupt: The file is damaged; nothing was changed.
        """
        connection = self._open
        try:
            connection.execute("BEGIN IMMEDIATE")
            for table in TABLES:
                rows = changes.rows[table.name]
                if rows:
                    gone = [key for key, row in rows.items() if row is None]
                    kept = [(*key, *row) for key, row in rows.items() if row is not None]
                    connection.executemany(table.delete, gone)
                    connection.executemany(table.replace, kept)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise self._explained(error) from error

    def corrupt(self, what: str) -> Corrupt:
        """Return the error that says what is damaged, and what to do."""
        return Corrupt(
            f"the door's journal {self.file} is damaged: {what}. It holds sessions, subscriptions, "
            "retained and queued messages. Put back a copy of the folder from a backup, or move "
            f"{self.file.parent}{os.sep} away to begin without them; the log of messages is not "
            "concerned"
        )

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise NotConnected(f"the journal {self.file} is not open")
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "journal_mode = WAL",
            "synchronous = FULL",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if not connection.execute("PRAGMA schema_version").fetchone()[0]:
            self._create(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if (application, version) != (APPLICATION_ID, VERSION):
            raise self.corrupt(
                f"it is of kind {application:#x}, version {version}; this Penstock reads "
                f"kind {APPLICATION_ID:#x}, version {VERSION}"
            )
        found = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise self.corrupt("; ".join(found).replace("\n", "; "))

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            connection.execute(table.create)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")

    def _explained(self, error: Exception) -> PenstockError:
        if isinstance(error, OSError):
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return self._full()
            return NotConnected(f"the door's journal {self.file} cannot be used: {error.strerror}")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return self._full()
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self.corrupt(str(error))
        if code == sqlite3.SQLITE_BUSY:
            return NotConnected(f"the door's journal {self.file} is in use by another process")
        return NotConnected(
            f"the disk refuses the door's journal {self.file}: {error}; "
            "see the system's log for what it says about the disk"
        )

    def _full(self) -> DiskFull:
        return DiskFull(f"no space left for the door's journal {self.file}; make space")
