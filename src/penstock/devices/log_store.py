"""Logs of devices in a SQLite file of their own, with an index of their text.

The index is of trigrams, so that any part of a word is found. Times are microseconds UTC.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from penstock.core.clock import Clock
from penstock.core.device_logs import Level, LogLine, LogQuery
from penstock.core.errors import Backpressure, Corrupt, DiskFull, NotConnected, PenstockError
from penstock.devices.following import Followers, FollowingQueue
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

_FIND = (
    "SELECT line.id, source.device, source.system, line.time_us, line.level, line.message "
    "FROM line JOIN source ON source.id = line.source"
)
#: The system with the most lines.
_HEAVIEST = (
    "SELECT system FROM line JOIN source ON source.id = line.source "
    "GROUP BY system ORDER BY count(*) DESC, system LIMIT 1"
)
_REMOVE_OLDEST = (
    "DELETE FROM line WHERE id IN (SELECT id FROM line WHERE source IN "
    "(SELECT id FROM source WHERE system = ?) ORDER BY id LIMIT ?)"
)
#: Parts of words that the index knows for certain to write like everybody else.
_PLAIN = re.compile(r"[0-9A-Za-z_./:=-]{3,}")


class LogStore:
    """Keeps logs. See `core.device_logs.DeviceLogs`.

    Args:
        path: The file, made if missing.
        settings: How much is kept, and for how long.
        clock: Tells the time.

    Raises:
        NotConnected: The file cannot be opened.
        Corrupt: It is damaged.
    """

    def __init__(self, path: Path, settings: DeviceSettings, clock: Clock) -> None:
        self._path = path
        self._settings = settings
        self._clock = clock
        self._writing = threading.Lock()
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
        self._followers.tell(fresh)
        return len(kept)

    def search(self, query: LogQuery) -> Sequence[LogLine]:
        """Return lines, newest first."""
        conditions, values = _conditions(query)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        text = f"{_FIND}{where} ORDER BY line.time_us DESC, line.id DESC LIMIT ?"
        with _mapped(), closing(self._connect()) as connection:
            rows = connection.execute(text, (*values, max(0, query.limit))).fetchall()
        return [_line(row) for row in rows]

    def follow(self, query: LogQuery) -> FollowingQueue:
        """Follow lines that are kept from now on; called in the event loop that will wait."""
        return self._followers.add(query)

    def delete(self, system: int, device: str) -> int:
        """Remove all lines of a device and return how many."""
        removed = 0
        while True:
            with self._writing, _mapped(), _transaction(self._writer) as cursor:
                cursor.execute(
                    "DELETE FROM line WHERE id IN (SELECT line.id FROM line JOIN source "
                    "ON source.id = line.source WHERE system = ? AND device = ? LIMIT ?)",
                    (system, device, STEP),
                )
                done = cursor.rowcount
            removed += done
            if done < STEP:
                return removed

    def trim(self) -> int:
        """Remove what is too old or too much and return how many lines that were.

        What is too much goes from the system that keeps most, in the order in which it came: no
        system, and no device with a wrong clock, drives out the lines of others.
        """
        oldest_us = self._clock.now_us() - round(self._settings.log_retention_s * 1e6)
        with _mapped(), closing(self._connect()) as connection:
            found = connection.execute(_HEAVIEST).fetchone()
            heaviest = None if found is None else found[0]
        removed = 0
        while True:
            with self._writing, _mapped(), _transaction(self._writer) as cursor:
                surplus = self._count(cursor) - self._settings.max_log_lines
                cursor.execute(
                    "DELETE FROM line WHERE id IN (SELECT id FROM line WHERE time_us < ? LIMIT ?)",
                    (oldest_us, STEP),
                )
                done = cursor.rowcount
                surplus -= done
                if surplus > 0:
                    cursor.execute(_REMOVE_OLDEST, (heaviest, min(surplus, STEP)))
                    done += cursor.rowcount
            removed += done
            if not done or (done < STEP and surplus <= STEP):
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
        connection.create_function("has_word", 2, _has_word, deterministic=True)
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

    @staticmethod
    def _count(cursor: sqlite3.Cursor) -> int:
        (count,) = cursor.execute("SELECT count(*) FROM line").fetchone()
        return int(count)


def _conditions(query: LogQuery) -> tuple[list[str], list[object]]:
    conditions: list[str] = []
    values: list[object] = []

    def add(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if query.devices is not None:
        add(f"source.device IN ({_marks(query.devices)})", *query.devices)
    if query.systems is not None:
        # However much somebody may read, it is one statement.
        add(
            "(source.system IN (SELECT value FROM json_each(?)) OR (source.system, source.device) "
            "IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
            "FROM json_each(?)))",
            json.dumps(sorted(query.systems)),
            json.dumps(sorted(query.things)),
        )
    if query.levels:
        add(f"line.level IN ({_marks(query.levels)})", *sorted(query.levels))
    if query.from_us is not None:
        add("line.time_us >= ?", query.from_us)
    if query.until_us is not None:
        add("line.time_us < ?", query.until_us)
    if query.before is not None:
        add("(line.time_us, line.id) < (?, ?)", *query.before)
    plain = [part for word in query.words for part in _PLAIN.findall(word)]
    if plain:
        match = " AND ".join(f'"{part}"' for part in plain)
        add("line.id IN (SELECT rowid FROM text WHERE text MATCH ?)", match)
    for word in query.words:
        add("has_word(line.message, ?)", word)
    return conditions, values


def _marks(values: Sequence[object] | frozenset[Level]) -> str:
    return ", ".join("?" * len(values))


def _has_word(message: str, word: str) -> bool:
    return word.lower() in message.lower()


def _line(row: tuple[int, str, int, int, str, str]) -> LogLine:
    id_, device, system, time_us, level, message = row
    return LogLine(
        id=id_,
        device=device,
        system=system,
        time_us=time_us,
        level=Level(level),
        message=message,
    )


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
