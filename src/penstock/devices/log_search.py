"""Searching logs of devices: the SQL, and how far one search looks.

Rare words of three letters and more are found by the index of trigrams. Everything else looks at
lines, newest first, and at `LOOKED_AT` at most: who wants older ones goes on from there.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence

from penstock.core.device_logs import Level, LogLine, LogPage, LogQuery

#: Lines that one search without the index looks at.
LOOKED_AT = 100_000
#: Lines up to which words that the index knows are rare.
RARE = 20_000

_SELECT = "SELECT line.id, source.device, source.system, line.time_us, line.level, line.message"
_JOIN = "JOIN source ON source.id = line.source"
_FIND = f"{_SELECT} FROM line {_JOIN}"
_SOURCES = "SELECT id FROM source"
_MATCH = "SELECT rowid FROM text WHERE text MATCH ? LIMIT ?"
_NEWEST = "ORDER BY line.time_us DESC, line.id DESC LIMIT ?"
#: Parts of words that the index knows for certain to write like everybody else.
_PLAIN = re.compile(r"[0-9A-Za-z_./:=-]{3,}")


class _Where:
    """Conditions and their values."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[object] = []

    def add(self, condition: str, *values: object) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def __str__(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that `find` needs."""
    connection.create_function("has_word", 2, _has_word, deterministic=True)


def find(connection: sqlite3.Connection, query: LogQuery) -> LogPage:
    """Return a page of lines, newest first."""
    limit = max(0, query.limit)
    rare = _rare(connection, query)
    if rare is None:
        return _look(connection, query, limit)
    where = _about_place(query)
    _add_facts(where, query)
    where.add("line.id IN (SELECT value FROM json_each(?))", json.dumps(rare))
    rows = connection.execute(f"{_FIND}{where} {_NEWEST}", (*where.values, limit + 1)).fetchall()
    return _page(rows, limit, None)


def _rare(connection: sqlite3.Connection, query: LogQuery) -> list[int] | None:
    """Return the ids of all lines that can have the words; None when the index does not help.

    Words that are in very many lines are found sooner by looking at the newest.
    """
    plain = [part for word in query.words for part in _PLAIN.findall(word)]
    if not plain:
        return None
    match = " AND ".join(f'"{part}"' for part in plain)
    found = connection.execute(_MATCH, (match, RARE + 1)).fetchall()
    return None if len(found) > RARE else [id_ for (id_,) in found]


def _look(connection: sqlite3.Connection, query: LogQuery, limit: int) -> LogPage:
    """Look at the newest lines, `LOOKED_AT` at most."""
    near, facts = _about_place(query), _Where()
    only = _only_source(connection, query)
    if only is not None:
        near.add("source = ?", only)
    _add_facts(facts, query)
    # The order comes from the index of the times, or of the source's times, never from sorting.
    index = "line_time" if only is None else "sqlite_autoindex_line_1"
    newest = f"FROM line INDEXED BY {index}{near} {_NEWEST}"
    # Mostly what is wanted is among the newest few.
    for looked_at in (min(10 * limit + 1, LOOKED_AT), LOOKED_AT):
        rows = connection.execute(
            f"{_SELECT} FROM (SELECT * {newest}) AS line {_JOIN}{facts} {_NEWEST}",
            (*near.values, looked_at, *facts.values, limit + 1),
        ).fetchall()
        if len(rows) > limit:
            return _page(rows, limit, None)
    last = connection.execute(
        f"SELECT time_us, id {newest} OFFSET ?", (*near.values, 2, LOOKED_AT - 1)
    ).fetchall()
    return _page(rows, limit, last[0] if len(last) > 1 else None)


def _page(
    rows: Sequence[tuple[int, str, int, int, str, str]],
    limit: int,
    looked_to: tuple[int, int] | None,
) -> LogPage:
    lines = [_line(row) for row in rows[:limit]]
    if len(rows) > limit and lines:
        return LogPage(lines=lines, next=(lines[-1].time_us, lines[-1].id))
    return LogPage(lines=lines, next=looked_to, is_cut=looked_to is not None)


def _about_place(query: LogQuery) -> _Where:
    """Return where in the order of times is looked."""
    where = _Where()
    if query.from_us is not None:
        where.add("line.time_us >= ?", query.from_us)
    if query.until_us is not None:
        where.add("line.time_us < ?", query.until_us)
    if query.before is not None:
        where.add("(line.time_us, line.id) < (?, ?)", *query.before)
    return where


def _add_facts(where: _Where, query: LogQuery) -> None:
    """Add what a line must be."""
    if query.devices is not None:
        where.add(f"source.device IN ({_marks(query.devices)})", *query.devices)
    if query.systems is not None:
        # However much somebody may read, it is one statement.
        where.add(
            "(source.system IN (SELECT value FROM json_each(?)) OR (source.system, source.device) "
            "IN (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
            "FROM json_each(?)))",
            json.dumps(sorted(query.systems)),
            json.dumps(sorted(query.things)),
        )
    if query.levels:
        where.add(f"line.level IN ({_marks(query.levels)})", *sorted(query.levels))
    for word in query.words:
        where.add("has_word(line.message, ?)", word)


def _only_source(connection: sqlite3.Connection, query: LogQuery) -> int | None:
    """Return the source whose lines are the only ones that can be found, if there is one such."""
    where = _Where()
    _add_facts(where, LogQuery(devices=query.devices, systems=query.systems, things=query.things))
    if not where.conditions:
        return None
    found = connection.execute(f"{_SOURCES}{where} LIMIT 2", where.values).fetchall()
    return int(found[0][0]) if len(found) == 1 else None


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
