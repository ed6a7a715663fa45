"""What waits to be sent is kept in order, bounded, and through crashes."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.conftest import run_python

from penstock.client.folder_spool import FolderSpool
from penstock.client.spool import MemorySpool, Spool
from penstock.core.errors import Backpressure, Conflict, DiskFull, PenstockError

Make = Callable[..., Spool]


@pytest.fixture(params=["folder", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    def go(most: int = 1_000_000, *, drop_oldest: bool = False) -> Spool:
        if request.param == "memory":
            return MemorySpool(most, drop_oldest=drop_oldest)
        return FolderSpool(tmp_path / "spool", most, drop_oldest=drop_oldest)

    return go


def everything(spool: Spool, after: int = 0, count: int = 7) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    while part := spool.read(after, count):
        found += part
        after = part[-1][0]
    return found


def record(number: int) -> bytes:
    return b"%d:" % number + b"x" * (number % 97)


def test_records_come_back_in_order_by_number_until_they_are_trimmed(make: Make) -> None:
    spool = make()
    assert spool.append([record(1), record(2)]) == 2
    assert spool.append([record(3)]) == 3
    assert everything(spool) == [(n, record(n)) for n in (1, 2, 3)]
    spool.trim(2)
    assert (spool.trimmed, spool.last) == (2, 3)
    assert everything(spool) == [(3, record(3))]
    spool.trim(99)
    assert everything(spool) == []
    assert spool.append([record(4)]) == 4
    assert everything(spool) == [(4, record(4))]
    spool.close()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 50))))
def test_any_order_of_appending_reading_and_trimming_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool = FolderSpool(folder, 10_000_000, drop_oldest=False, segment_bytes=500)
    last = trimmed = 0
    for add, forget, count in steps:
        if add:
            assert spool.append([record(n) for n in range(last + 1, last + add + 1)]) == last + add
        last += add
        trimmed = min(trimmed + forget, last)
        spool.trim(trimmed)
        for after in (trimmed, (trimmed + last) // 2):
            wanted = [(n, record(n)) for n in range(after + 1, last + 1)]
            assert everything(spool, after, count) == wanted
    spool.close()
    again = FolderSpool(folder, 10_000_000, drop_oldest=False, segment_bytes=500)
    assert (again.trimmed, again.last) == (trimmed, last)
    assert everything(again, trimmed) == [(n, record(n)) for n in range(trimmed + 1, last + 1)]
    again.close()


def test_records_larger_than_what_is_read_at_once_come_whole(make: Make) -> None:
    spool = make(10_000_000)
    large = [random.Random(n).randbytes(700_000) for n in range(3)]
    for one in large:
        spool.append([one])
    assert [kept for _, kept in everything(spool, 0, 1)] == large
    assert [kept for _, kept in everything(spool, 2, 5)] == large[2:]
    spool.close()


def append_much(spool: Spool) -> None:
    for _ in range(200):
        spool.append([bytes(1000)])


def test_a_full_buffer_refuses_what_is_new_and_keeps_what_it_has(make: Make) -> None:
    spool = make(100_000)
    for _ in range(60):
        spool.append([bytes(1000)])
    with pytest.raises(Backpressure, match="100000 bytes that wait to be sent"):
        append_much(spool)
    count = spool.last
    assert 60 < count <= 100
    assert len(everything(spool)) == count
    spool.trim(count)
    spool.append([bytes(1000)])
    spool.close()


def test_a_full_buffer_drops_the_oldest_when_told_so_and_counts_them(make: Make) -> None:
    spool = make(100_000, drop_oldest=True)
    for _ in range(500):
        spool.append([bytes(1000)])
    kept = everything(spool, spool.trimmed)
    assert 50 < len(kept) <= 100
    assert kept[-1][0] == 500
    assert spool.dropped == 500 - len(kept)
    spool.close()


def test_what_was_appended_is_there_after_kill_9_and_nothing_else(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from penstock.client.folder_spool import FolderSpool
spool = FolderSpool(Path(sys.argv[1]), 10_000_000, drop_oldest=False, segment_bytes=5_000)
number = spool.last
while True:
    number += 1
    spool.append([b"%d" % number], number)
    print(number, flush=True)
"""
    folder = tmp_path / "spool"
    last = 0
    for _ in range(3):
        child = run_python(code, str(folder))
        assert child.stdout is not None
        for _ in range(300):
            last = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        lines = child.stdout.read().split("\n")[:-1]
        child.communicate()
        last = int(lines[-1]) if lines else last
    spool = FolderSpool(folder, 10_000_000, drop_oldest=False)
    assert spool.last in (last, last + 1)
    assert everything(spool) == [(n, b"%d" % n) for n in range(1, spool.last + 1)]
    assert spool.stamped_us == spool.last
    spool.close()


@pytest.mark.parametrize("seed", range(20))
def test_a_torn_tail_is_cut_and_what_was_before_is_kept(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    folder = tmp_path / "spool"
    spool = FolderSpool(folder, 10_000_000, drop_oldest=False)
    spool.append([record(n) for n in range(1, 51)])
    spool.close()
    [file] = folder.glob("*.spool")
    held = file.read_bytes()
    kind = seed % 3
    if kind == 0:
        file.write_bytes(held[: rng.randrange(len(held))])
    elif kind == 1:
        file.write_bytes(held + rng.randbytes(rng.randrange(1, 100)))
    else:
        at = rng.randrange(len(held))
        file.write_bytes(held[:at] + bytes([held[at] ^ 1]) + held[at + 1 :])
    again = FolderSpool(folder, 10_000_000, drop_oldest=False)
    kept = everything(again)
    assert kept == [(n, record(n)) for n in range(1, len(kept) + 1)]
    if kind == 1:
        assert len(kept) == 50
    again.append([b"next"])
    assert everything(again)[-1] == (len(kept) + 1, b"next")
    again.close()


def test_a_lost_position_only_sends_again(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path, 10_000_000, drop_oldest=False)
    spool.append([record(n) for n in range(1, 11)])
    spool.trim(5)
    spool.close()
    (tmp_path / "position").write_text("{")
    again = FolderSpool(tmp_path, 10_000_000, drop_oldest=False)
    assert everything(again) == [(n, record(n)) for n in range(1, 11)]
    again.close()


def test_files_go_when_what_they_hold_is_acknowledged(tmp_path: Path) -> None:
    spool = FolderSpool(tmp_path, 10_000_000, drop_oldest=False, segment_bytes=10_000)
    for number in range(1, 1001):
        spool.append([bytes(100)])
        spool.trim(number)
    assert sum(file.stat().st_size for file in tmp_path.glob("*.spool")) <= 12_000
    spool.close()


def test_two_clients_cannot_share_a_folder(tmp_path: Path) -> None:
    first = FolderSpool(tmp_path, 100_000, drop_oldest=False)
    with pytest.raises(Conflict, match="give each client a folder of its own"):
        FolderSpool(tmp_path, 100_000, drop_oldest=False)
    first.close()
    FolderSpool(tmp_path, 100_000, drop_oldest=False).close()


def test_a_folder_that_cannot_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PenstockError, match=r"cannot use .*file"):
        FolderSpool(tmp_path / "file", 100_000, drop_oldest=False)


def test_a_disk_that_takes_only_a_part_keeps_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = FolderSpool(tmp_path, 100_000, drop_oldest=False)
    spool.append([b"kept"])
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:10]))
    with pytest.raises(DiskFull, match="nothing was kept"):
        spool.append([b"half"])
    monkeypatch.undo()
    spool.append([b"next"])
    assert everything(spool) == [(1, b"kept"), (2, b"next")]
    spool.close()


@pytest.mark.parametrize("begun", [b"", b"torn"])
def test_the_newest_time_is_known_after_a_crash_at_the_beginning_of_a_file(
    tmp_path: Path, begun: bytes
) -> None:
    spool = FolderSpool(tmp_path, 10_000_000, drop_oldest=False)
    spool.append([b"one", b"two"], 7)
    spool.append([b"three"], 9)
    spool.close()
    (tmp_path / "position").unlink(missing_ok=True)
    (tmp_path / f"{4:020d}.spool").write_bytes(begun)
    spool = FolderSpool(tmp_path, 10_000_000, drop_oldest=False)
    assert (spool.last, spool.stamped_us) == (3, 9)
    spool.close()
