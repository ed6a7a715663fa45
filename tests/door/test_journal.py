"""The journal's file: what was written is there again, whole or not at all, or an error says so."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.errors import Corrupt, DiskFull, NotConnected
from penstock.door.journal import (
    FACTS,
    FILE_NAME,
    INBOUND,
    MESSAGES,
    SUBSCRIPTIONS,
    TABLES,
    Changes,
    Journal,
    Key,
    Row,
)

#: Where a sync takes no time, if there is such a place: these tests are about what is written.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: What is in each table.
Content = dict[str, dict[Key, Row]]


def _content(journal: Journal) -> Content:
    return {
        table.name: {row[: len(table.key)]: row[len(table.key) :] for row in journal.rows(table)}
        for table in TABLES
    }


def _apply(content: Content, changes: Changes) -> Content:
    after = {name: dict(rows) for name, rows in content.items()}
    for name, rows in changes.rows.items():
        for key, row in rows.items():
            after[name].pop(key, None)
            if row is not None:
                after[name][key] = row
    return after


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "door")
    journal.open()
    yield journal
    journal.close()


_small = st.integers(1, 4)
_inbound = st.dictionaries(
    st.tuples(_small, _small), st.none() | st.tuples(st.none() | st.integers(0, 1 << 60))
)
_subscriptions = st.dictionaries(
    st.tuples(_small, st.sampled_from(["a", "$share/x/#", "é/+", "\U0001f600"])),
    st.none() | st.tuples(_small, st.integers(0, 1), st.integers(0, 1), st.integers(0, 1 << 28)),
)
_messages = st.dictionaries(
    st.tuples(_small),
    st.none()
    | st.tuples(
        st.none() | st.integers(0, 1 << 60),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.integers(0, 2),
        st.none() | st.floats(allow_nan=False),
        st.binary(max_size=9) | st.sampled_from([b"x" * 10_000]),
        st.integers(0, (1 << 32) - 1),
    ),
)


@st.composite
def _changes(draw: st.DrawFn) -> Changes:
    changes = Changes()
    changes.rows[INBOUND.name] = draw(_inbound)  # type: ignore[assignment]
    changes.rows[SUBSCRIPTIONS.name] = draw(_subscriptions)  # type: ignore[assignment]
    changes.rows[MESSAGES.name] = draw(_messages)  # type: ignore[assignment]
    return changes


@given(st.lists(st.lists(_changes(), max_size=4), max_size=3))
@settings(max_examples=20)
def test_after_every_opening_the_journal_holds_what_was_written(
    lives: list[list[Changes]],
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        expected: Content = {table.name: {} for table in TABLES}
        journal = Journal(Path(folder))
        for number, life in enumerate(lives):
            journal.open()
            assert _content(journal) == expected
            for changes in life:
                journal.write(changes)
                expected = _apply(expected, changes)
            assert _content(journal) == expected
            if number % 2:
                journal.close()
            else:
                journal = _crash(journal, Path(folder), number)


def _crash(journal: Journal, folder: Path, number: int) -> Journal:
    """Return the journal as it is on disk now, without what closing would do to it."""
    copy = folder / str(number)
    copy.mkdir()
    for file in journal.file.parent.glob(f"{FILE_NAME}*"):
        shutil.copy(file, copy)
    journal.close()
    return Journal(copy)


@given(data=st.data(), groups=st.lists(_changes(), min_size=1, max_size=5))
@settings(max_examples=20)
def test_a_torn_end_costs_whole_groups_from_the_last_one_on(
    data: st.DataObject, groups: list[Changes]
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal = Journal(Path(folder))
        journal.open()
        states = [_content(journal)]
        for changes in groups:
            journal.write(changes)
            states.append(_apply(states[-1], changes))
        torn = _crash(journal, Path(folder), 1)
        wal = torn.file.with_name(f"{FILE_NAME}-wal")
        size = wal.stat().st_size
        with wal.open("r+b") as file:
            file.truncate(size - data.draw(st.integers(0, min(size, 12_000)), label="cut"))
        torn.open()
        assert _content(torn) in states
        torn.close()


def test_a_write_that_fails_changes_nothing_and_can_be_tried_again(journal: Journal) -> None:
    good = Changes()
    good.rows[INBOUND.name][1, 1] = (None,)
    bad = Changes()
    bad.rows[INBOUND.name][1, 1] = None
    bad.rows[MESSAGES.name][1,] = (None, "p", 1, None, "not bytes", 0)
    journal.write(good)
    with pytest.raises(NotConnected, match="journal"):
        journal.write(bad)
    assert _content(journal)[INBOUND.name] == {(1, 1): (None,)}
    bad.rows[MESSAGES.name][1,] = (None, "p", 1, None, b"bytes", 0)
    journal.write(bad)
    assert _content(journal)[INBOUND.name] == {}


def test_a_full_disk_is_said_to_be_full_and_writing_goes_on_with_space(journal: Journal) -> None:
    connection = journal._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    changes = Changes()
    changes.rows[MESSAGES.name] = {
        (n,): (None, "p", 1, None, bytes(10_000), 0) for n in range(1, 9)
    }
    for _ in range(2):
        with pytest.raises(DiskFull, match="make space"):
            journal.write(changes)
        assert _content(journal)[MESSAGES.name] == {}
    connection.execute("PRAGMA max_page_count = 1000000")
    journal.write(changes)
    assert len(_content(journal)[MESSAGES.name]) == 8


def test_a_second_door_on_the_same_journal_is_turned_away(journal: Journal) -> None:
    second = Journal(journal.file.parent)
    with pytest.raises(NotConnected, match="in use by another process"):
        second.open()


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotConnected, match="cannot be used"):
        Journal(tmp_path / "file" / "door").open()


def _filled(folder: Path) -> Journal:
    journal = Journal(folder)
    journal.open()
    changes = Changes()
    changes.rows[MESSAGES.name] = {
        (n,): (None, "p", 1, None, bytes([n]) * 3000, 0) for n in range(1, 20)
    }
    changes.rows[FACTS.name]["wall_s",] = (1.0,)
    journal.write(changes)
    journal.close()
    return journal


def test_a_file_that_is_something_else_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"this is no journal" * 1000)
    with pytest.raises(Corrupt, match=r"move .* away to begin without"):
        Journal(tmp_path).open()
    file.unlink()
    sqlite3.connect(file).execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(Corrupt, match="version 0"):
        Journal(tmp_path).open()


@pytest.mark.parametrize("page", range(1, 9))
def test_a_damaged_page_is_found_at_opening(tmp_path: Path, page: int) -> None:
    journal = _filled(tmp_path)
    data = bytearray(journal.file.read_bytes())
    data[(page - 1) * 4096 : (page - 1) * 4096 + 200] = b"\xa5" * 200
    journal.file.write_bytes(data)
    with pytest.raises(Corrupt, match=r"damaged.*move"):
        journal.open()


def test_a_file_cut_short_is_found_at_opening(tmp_path: Path) -> None:
    journal = _filled(tmp_path)
    data = journal.file.read_bytes()
    journal.file.write_bytes(data[: len(data) // 2])
    with pytest.raises(Corrupt, match="damaged"):
        journal.open()
