"""The journal's file: what was written is there again, whole or not at all, or an error says so."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


# The write-ahead file: a torn end is not damage, and damage is never taken for a torn end.

LOGGER = "penstock.door.write_ahead"


def _written(folder: Path, groups: list[Changes]) -> tuple[Journal, Path, list[Content]]:
    """Return a journal that crashed, its write-ahead file, and its content after each group."""
    journal = Journal(folder)
    journal.open()
    states = [_content(journal)]
    for changes in groups:
        journal.write(changes)
        states.append(_apply(states[-1], changes))
    crashed = _crash(journal, folder, 1)
    return crashed, crashed.file.with_name(f"{FILE_NAME}-wal"), states


def _groups(count: int, *, apart: bool = False) -> list[Changes]:
    """Return groups of changes; `apart` lets each touch pages that no other does."""
    groups = []
    for number in range(1, count + 1):
        changes = Changes()
        key = number * 1000 if apart else 1
        for place in range(3):
            body = bytes([number]) * 3000
            changes.rows[MESSAGES.name][key + place,] = (None, "p", 1, None, body, number)
        groups.append(changes)
    return groups


class Said:
    """What the log says while a journal is opened."""

    def __init__(self) -> None:
        self.levels: list[int] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        logger = logging.getLogger(LOGGER)
        handler = logging.Handler()
        handler.emit = lambda record: self.levels.append(record.levelno)  # type: ignore[method-assign]
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


def _opened(journal: Journal) -> tuple[Content, list[int]]:
    said = Said()
    with said.listening():
        journal.open()
    content = _content(journal)
    journal.close()
    return content, said.levels


@given(groups=st.lists(_changes(), min_size=1, max_size=4), data=st.data())
@settings(max_examples=60)
def test_a_bit_that_rots_anywhere_in_the_write_ahead_file_is_told_and_mostly_mended(
    groups: list[Changes], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), groups)
        whole = wal.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 60))
        broken = bytearray(whole)
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
        wal.write_bytes(broken)
        content, levels = _opened(journal)
        is_high = _is_high_bit(at, broken[at] ^ whole[at])
        assert content in states if is_high else content == states[-1]
        assert logging.ERROR in levels or (is_high and levels == [logging.WARNING])
        (aside,) = wal.parent.glob("damaged-*")
        assert (aside / wal.name).read_bytes() == bytes(broken)


def _is_high_bit(at: int, change: int) -> bool:
    """Tell whether a bit is one of a page's whose place the checksum cannot always tell."""
    place = (at - 32) % 4120
    return at >= 32 and not 8 <= place < 24 and at % 4 == 3 and sys.byteorder == "little"


@given(groups=st.lists(_changes(), min_size=1, max_size=4), data=st.data())
@settings(max_examples=60)
def test_damage_anywhere_costs_whole_groups_and_is_never_silent(
    groups: list[Changes], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), groups)
        broken = bytearray(wal.read_bytes())
        at = data.draw(st.integers(0, len(broken) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=6000))
        broken[at : at + len(junk)] = junk[: len(broken) - at]
        wal.write_bytes(broken)
        content, levels = _opened(journal)
        assert content in states
        if content != states[-1]:
            assert levels
            assert list(wal.parent.glob("damaged-*"))


@given(cut=st.integers(0, 60_000))
@settings(max_examples=30)
def test_a_cut_anywhere_is_a_torn_end_and_no_damage(cut: int) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), _groups(4))
        wal.write_bytes(wal.read_bytes()[: max(0, wal.stat().st_size - cut)])
        content, levels = _opened(journal)
        assert content in states
        assert levels == []


def test_a_file_that_began_anew_over_an_older_one_is_whole() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal = Journal(Path(folder))
        journal.open()
        for changes in _groups(6):
            journal.write(changes)
        connection = journal._connection
        assert connection is not None
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        (last, *_) = _groups(1, apart=True)
        journal.write(last)
        expected = _content(journal)
        assert _opened(_crash(journal, Path(folder), 1)) == (expected, [])


def _frames(wal: bytes) -> Iterator[tuple[int, int, int]]:
    """Return place, page and size after commit of each frame."""
    for at in range(32, len(wal) - 4119, 4120):
        yield at, *struct.unpack(">II", wal[at : at + 8])  # type: ignore[misc]


def test_a_destroyed_page_that_was_written_again_is_taken_from_there() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), _groups(4))
        broken = bytearray(wal.read_bytes())
        commits = [at for at, _, size in _frames(broken) if size]
        pages = {page for at, page, _ in _frames(broken) if at > commits[-2]}
        at = next(at for at, page, _ in _frames(broken) if at > commits[1] and page in pages)
        broken[at + 100 : at + 600] = b"\x5a" * 500
        wal.write_bytes(broken)
        content, levels = _opened(journal)
        assert content == states[-1]
        assert levels == [logging.ERROR]


def test_a_destroyed_page_with_later_groups_behind_it_is_said_to_be_a_loss(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), _groups(5, apart=True))
        broken = bytearray(wal.read_bytes())
        seen = [page for _, page, _ in _frames(broken)]
        commits = [at for at, _, size in _frames(broken) if size]
        at = next(
            at for at, page, _ in _frames(broken) if at > commits[-4] and seen.count(page) == 1
        )
        broken[at + 100 : at + 600] = b"\x5a" * 500
        wal.write_bytes(broken)
        journal.open()
        lost = _content(journal)
        assert lost in states
        assert lost != states[-1]
        assert "newer changes to sessions" in caplog.text
        (aside,) = wal.parent.glob("damaged-*")
        assert (aside / wal.name).read_bytes() == bytes(broken)
        assert (aside / FILE_NAME).exists()
        # It goes on from there, and says no more of it.
        more = Changes()
        more.rows[INBOUND.name][1, 1] = (None,)
        journal.write(more)
        journal.close()
        assert _opened(journal) == (_apply(lost, more), [])


def test_a_last_write_that_is_not_whole_may_be_a_power_failure_and_is_told_as_that() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        journal, wal, states = _written(Path(folder), _groups(3))
        broken = bytearray(wal.read_bytes())
        broken[-4000:] = bytes(4000)
        wal.write_bytes(broken)
        assert _opened(journal) == (states[-2], [logging.WARNING])
