"""Logs of devices in a SQLite file of their own, with an index of their text.

The index is of trigrams, so that any part of a word is found. Times are microseconds UTC.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from penstock.core.clock import Clock
from penstock.core.device_logs import LogLine, LogPage, LogQuery
from penstock.core.errors import Backpressure, Corrupt, DiskFull, NotConnected, PenstockError
from penstock.devices.following import Followers, FollowingQueue
from penstock.devices.log_search import find, prepare
from penstock.devices.settings import DeviceSettings

#: Version of the tables, kept as `user_version`.
VERSION = 1
#: Lines removed in one transaction.
STEP = 5_000
#: Seconds to wait for another program that holds the file.
BUSY_TIMEOUT_S = 5.0

_TABLES = """
CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    system INTEGER NOT NULL,
    device TEXT NOT NULL,
    UNIQUE (system, device)
);
CREATE TABLE line (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source INTEGER NOT NULL REFERENCES source (id),
    time_us INTEGER NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    digest BLOB NOT NULL,
    UNIQUE (source, time_us, digest)
);
CREATE INDEX line_time ON line (time_us, id);
CREATE VIRTUAL TABLE text USING fts5 (
    message, content = 'line', content_rowid = 'id', tokenize = 'trigram'
);
CREATE TRIGGER line_added AFTER INSERT ON line BEGIN
    INSERT INTO text (rowid, message) VALUES (new.id, new.message);
END;
CREATE TRIGGER line_removed AFTER DELETE ON line BEGIN
    INSERT INTO text (text, rowid, message) VALUES ('delete', old.id, old.message);
END;
"""

_COUNT = "SELECT system, count(*) FROM line JOIN source ON source.id = line.source GROUP BY system"
_REMOVE_OLDEST = (
    "DELETE FROM line WHERE id IN (SELECT id FROM line WHERE source IN "
    "(SELECT id FROM source WHERE system = ?) ORDER BY id LIMIT ?)"
)


class LogStore:
    """Keeps logs. See `core.device_logs.DeviceLogs`.

    Args:
        path: The file, made if missing.
        settings: How much is kept, and for how long.
        clock: Tells the time.
        companies: Tells the company of each system; one of which it is not told is by itself.

    Raises:
        NotConnected: The file cannot be opened.
        Corrupt: It is damaged.
    """

    def __init__(
        self,
        path: Path,
        settings: DeviceSettings,
        clock: Clock,
        companies: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock
        self._writing = threading.Lock()
        self._companies = companies
        self._added = 0
        self._followers = Followers()
        self._sources: dict[tuple[int, str], int] = {}
        with _mapped():
            self._writer = self._connect()
            self._prepare()

    def append(self, lines: Sequence[LogLine]) -> int:
        """Keep lines, durably; those held already are left out. Returns how many are new."""
        if not lines:
            return 0
        with self._writing, _mapped(), _transaction(self._writer) as cursor:
            kept = [line for line in lines if self._insert(cursor, line)]
            fresh = self._numbered(cursor, len(kept), kept)
        self._added += len(kept)
        self._followers.tell(fresh)
        return len(kept)

    def search(self, query: LogQuery) -> LogPage:
        """Return a page of lines, newest first."""
        with _mapped(), closing(self._connect()) as connection:
            return find(connection, query)

    def follow(self, query: LogQuery) -> FollowingQueue:
        """Follow lines that are kept from now on; called in the event loop that will wait."""
        return self._followers.add(query)

    def delete(self, system: int, device: str) -> int:
        """Remove all lines of a device and return how many."""
        return self._remove(
            "DELETE FROM line WHERE id IN (SELECT line.id FROM line JOIN source "
            "ON source.id = line.source WHERE system = ? AND device = ? LIMIT ?)",
            system,
            device,
        )

    @property
    def is_swollen(self) -> bool:
        """Whether so many lines came since the last `trim` that it should come early."""
        return self._added > self._settings.max_log_lines // 10

    def trim(self, now_us: int | None = None) -> int:
        """Remove what is too old by `now_us` (or the clock) or too much; return how many lines.

        What is too much goes from the company that keeps most, in the order in which it came: no
        company, and no device with a wrong clock, drives out the lines of others.
        """
        self._added = 0
        now_us = self._clock.now_us() if now_us is None else now_us
        oldest_us = now_us - round(self._settings.log_retention_s * 1e6)
        removed = self._remove(
            "DELETE FROM line WHERE id IN (SELECT id FROM line WHERE time_us < ? LIMIT ?)",
            oldest_us,
        )
        for system, surplus in self._surplus().items():
            removed += self._remove(_REMOVE_OLDEST, system, most=surplus)
        return removed

    def _surplus(self) -> dict[int, int]:
        """Return how many lines of each system are too many."""
        with _mapped(), closing(self._connect()) as connection:
            held = {int(system): int(count) for system, count in connection.execute(_COUNT)}
        companies = self._companies()
        by_company: dict[int, dict[int, int]] = {}
        for system, count in held.items():
            by_company.setdefault(companies.get(system, -system), {})[system] = count
        totals = {company: sum(some.values()) for company, some in by_company.items()}
        surplus = sum(totals.values()) - self._settings.max_log_lines
        return {
            system: count
            for company, share in levelled(totals, surplus).items()
            for system, count in levelled(by_company[company], share).items()
        }

    def _remove(self, statement: str, *values: object, most: int | None = None) -> int:
        """Remove lines in short transactions, `most` at most; return how many."""
        removed = 0
        while most is None or removed < most:
            step = STEP if most is None else min(STEP, most - removed)
            with self._writing, _mapped(), _transaction(self._writer) as cursor:
                cursor.execute(statement, (*values, step))
                done = cursor.rowcount
            removed += done
            if done < step:
                break
        return removed

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._writing:
            self._writer.close()

    # -- how ----------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = FULL")
        prepare(connection)
        return connection

    def _prepare(self) -> None:
        connection = self._writer
        connection.execute("PRAGMA journal_mode = WAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN;{_TABLES}PRAGMA user_version = {VERSION};COMMIT;")
        elif version != VERSION:
            msg = (
                f"{self._path} was written by a newer Penstock (version {version}); use that one, "
                "or move the file away"
            )
            raise NotConnected(msg)

    def _insert(self, cursor: sqlite3.Cursor, line: LogLine) -> bool:
        digest = hashlib.blake2b(f"{line.level}\0{line.message}".encode(), digest_size=12).digest()
        source = self._source(cursor, line.system, line.device)
        cursor.execute(
            "INSERT OR IGNORE INTO line (source, time_us, level, message, digest) "
            "VALUES (?, ?, ?, ?, ?)",
            (source, line.time_us, line.level.value, line.message, digest),
        )
        return cursor.rowcount > 0

    def _source(self, cursor: sqlite3.Cursor, system: int, device: str) -> int:
        known = self._sources.get((system, device))
        if known is not None:
            return known
        cursor.execute(
            "INSERT OR IGNORE INTO source (system, device) VALUES (?, ?)", (system, device)
        )
        (found,) = cursor.execute(
            "SELECT id FROM source WHERE system = ? AND device = ?", (system, device)
        ).fetchone()
        return int(found)

    @staticmethod
    def _numbered(cursor: sqlite3.Cursor, count: int, lines: Sequence[LogLine]) -> list[LogLine]:
        """Return lines with the ids that they just got, which are the newest and in order."""
        if not count:
            return []
        ids = cursor.execute("SELECT id FROM line ORDER BY id DESC LIMIT ?", (count,)).fetchall()
        return [
            LogLine(
                id=id_,
                device=line.device,
                system=line.system,
                time_us=line.time_us,
                level=line.level,
                message=line.message,
            )
            for (id_,), line in zip(reversed(ids), lines, strict=True)
        ]


def levelled(held: Mapping[int, int], surplus: int) -> dict[int, int]:
    """Return what to take of each so that `surplus` (or a few more) goes, the most from the most.

    Nobody is left with less than somebody from whom something was taken.
    """
    if surplus <= 0:
        return {}
    amounts = sorted(held.values(), reverse=True)
    level, total = 0, 0
    for at, amount in enumerate(amounts, 1):
        total += amount
        level = max(0, (total - surplus) // at)
        if at == len(amounts) or level >= amounts[at]:
            break
    return {key: amount - level for key, amount in held.items() if amount > level}


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Cursor]:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield cursor
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


@contextmanager
def _mapped() -> Iterator[None]:
    """Turn what SQLite raises into `core.errors`."""
    try:
        yield
    except sqlite3.Error as error:
        raise _ours(error) from error


def _ours(error: sqlite3.Error) -> PenstockError:
    text = str(error)
    if "full" in text:
        return DiskFull(f"device logs cannot be written: {text}; free some space, then it goes on")
    if "locked" in text or "busy" in text:
        return Backpressure(f"device logs are held by another program: {text}; it is tried again")
    if "malformed" in text or "not a database" in text:
        return Corrupt(f"the file of the device logs is damaged: {text}; move it away")
    return NotConnected(f"device logs failed: {text}")
