"""What the lake does when it is killed, out of space, or finds what a crash left behind."""

import contextlib
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from penstock.core.clock import ManualClock, SystemClock
from penstock.core.errors import Backpressure, Conflict, Corrupt, DiskFull, NotConnected
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings

SETTINGS = LakeSettings(background=False, grace_s=0)
WRITER = Path(__file__).with_name("lake_writer.py")


def opened(directory: Path, settings: LakeSettings = SETTINGS) -> LakeStore:
    return LakeStore.open(directory, settings, ManualClock())


def numbers(store: LakeStore) -> list[float]:
    return sorted(store.scan(Selection())["number"].to_pylist())


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def check_rows_below_marks(directory: Path) -> int:
    store = opened(directory)
    done = store.marks.get("p", 0)
    rows = store.scan(Selection())
    n = np.round(rows["number"].to_numpy() * 100).astype(int)
    assert store.count() == rows.num_rows
    assert len(np.unique(n)) == len(n)
    assert np.isin(np.arange(done), n).all()
    # A batch that overtook the one before it is in with it; nothing else is.
    assert n.max(initial=-1) < done + 100
    assert (rows["time"].cast("int64").to_numpy() == n * 1000).all()
    assert (rows["datastream"].to_numpy() == n % 5).all()
    named = store._version.manifest.paths()
    store.close()
    found = {p.relative_to(directory).as_posix() for p in directory.rglob("*.parquet")}
    assert found == named
    return done


def kill_at_random(directory: Path, trials: int) -> None:
    done = 0
    for trial in range(trials):
        with subprocess.Popen(
            [sys.executable, str(WRITER), str(directory)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(random.Random(trial).uniform(0, 0.6))
            writer.send_signal(signal.SIGKILL)
        now = check_rows_below_marks(directory)
        assert now >= done
        done = now
    assert done > 0


def test_killed_at_any_moment_it_holds_every_row_below_its_marks_once(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_two_hundred_times_it_holds_every_row_below_its_marks_once(tmp_path: Path) -> None:
    kill_at_random(tmp_path, 200)


def test_what_a_crash_left_behind_is_removed_at_open(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(observations([1, 2], [1000, 2000], [1.0, 2.0]), {"p": 2})
    store.close()
    torn = tmp_path / "observations" / "1970-01" / "0000000099.parquet"
    torn.write_bytes(b"PAR1 torn")
    (tmp_path / "manifest.json.new").write_bytes(b'{"format": "pen')
    store = opened(tmp_path)
    assert not torn.exists()
    assert not (tmp_path / "manifest.json.new").exists()
    assert numbers(store) == [1.0, 2.0]
    assert store.marks == {"p": 2}
    store.close()


def test_a_manifest_that_cannot_be_read_is_reported_and_nothing_is_removed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(observations([1], [1000], [1.0]))
    store.close()
    held = sorted(tmp_path.rglob("*.parquet"))
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:40])
    with pytest.raises(Corrupt, match=r"manifest\.json"):
        opened(tmp_path)
    assert sorted(tmp_path.rglob("*.parquet")) == held


def test_a_second_lake_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path)
    with pytest.raises(Conflict, match="in use"):
        opened(tmp_path)
    store.close()
    opened(tmp_path).close()


def test_a_closed_lake_takes_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.close()
    with pytest.raises(NotConnected, match="closed"):
        store.append(observations([1], [1], [1.0]))
    with pytest.raises(NotConnected, match="closed"):
        store.scan(Selection())


@pytest.mark.parametrize("failing_sync", range(7))
def test_no_space_at_any_sync_leaves_rows_visible_and_marks_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_sync: int
) -> None:
    store = opened(tmp_path)
    store.append(observations([1, 1], [1000, 2000], [1.0, 2.0]), {"p": 2})
    store.flush()
    # A new row, a late one and a changed one.
    store.append(observations([1, 1, 1], [5000, 1500, 1000], [5.0, 1.5, 9.0]), {"p": 5})
    calls = 0
    sync = os.fsync

    def fail_once(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_sync + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(DiskFull, match="make room"):
        store.flush()
    assert numbers(store) == [1.5, 2.0, 5.0, 9.0]
    assert store.count() == 4
    assert store.marks == {"p": 2}
    store.flush()
    assert store.marks == {"p": 5}
    store.close()
    store = opened(tmp_path)
    assert numbers(store) == [1.5, 2.0, 5.0, 9.0]
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill_disk(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(65_536)):
            pass


def append_until_full(store: LakeStore) -> int:
    rng = np.random.default_rng(1)
    kept = 0
    while True:
        time_us = (np.arange(5000) + kept) * 1000
        batch = observations(np.ones(5000, np.int64), time_us, rng.normal(size=5000))
        try:
            store.append(batch, {"p": kept + 5000})
        except DiskFull:
            return kept
        except Backpressure:
            time.sleep(0.005)
        else:
            kept += 5000


def test_on_a_full_disk_it_holds_back_and_goes_on_by_itself(small_disk: Path) -> None:
    settings = msgspec.structs.replace(
        SETTINGS, background=True, flush_rows=1000, hot_max_rows=40_000, retry_s=0.02
    )
    store = LakeStore.open(small_disk, settings, SystemClock())
    ballast = small_disk / "ballast"
    fill_disk(ballast)
    kept = append_until_full(store)
    assert store.count() == kept
    assert store.scan(Selection()).num_rows == kept
    assert store.marks.get("p", 0) < kept
    ballast.unlink()
    wait_for(lambda: store.marks.get("p") == kept)
    store.append(observations([1], [kept * 1000], [1.0]))
    store.close()
    store = opened(small_disk)
    assert store.count() == kept + 1
    store.close()


def test_readers_see_every_row_once_while_rows_move_to_files(tmp_path: Path) -> None:
    settings = LakeSettings(flush_rows=300, file_rows=3000, grace_s=0, retry_s=0.005)
    store = LakeStore.open(tmp_path, settings, SystemClock())
    done = threading.Event()
    appended = 0
    problems: list[str] = []

    def read() -> None:
        while not done.is_set():
            before = appended
            found = np.round(store.scan(Selection())["number"].to_numpy()).astype(int)
            if not np.array_equal(np.sort(found), np.arange(len(found))) or len(found) < before:
                problems.append(f"{len(found)} rows after {before}")
            if store.count() < before:
                problems.append(f"counted fewer than {before}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for first in range(0, 20_000, 100):
        n = np.arange(first, first + 100)
        store.append(observations(n % 7, n * 1000, n.astype(float)))
        appended = first + 100
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []
    store.close()


def test_it_flushes_by_itself_when_enough_rows_wait(tmp_path: Path) -> None:
    settings = LakeSettings(flush_rows=10, flush_interval_s=3600, retry_s=0.01)
    store = LakeStore.open(tmp_path, settings, SystemClock())
    store.append(observations([1] * 10, range(10), [1.0] * 10), {"p": 10})
    wait_for(lambda: store.marks == {"p": 10})
    store.close()


def test_it_flushes_by_itself_when_rows_wait_long(tmp_path: Path) -> None:
    clock = ManualClock()
    store = LakeStore.open(tmp_path, LakeSettings(flush_interval_s=30, retry_s=0.01), clock)
    store.append(observations([1], [1], [1.0]), {"p": 1})
    clock.advance(29)
    assert store.marks == {}
    clock.advance(1)
    wait_for(lambda: store.marks == {"p": 1})
    store.close()


def test_it_refuses_rows_when_too_many_wait_and_takes_them_again_later(tmp_path: Path) -> None:
    store = opened(tmp_path, msgspec.structs.replace(SETTINGS, hot_max_rows=10))
    store.append(observations([1] * 10, range(10), [1.0] * 10))
    with pytest.raises(Backpressure, match="at most 10"):
        store.append(observations([1], [11], [1.0]))
    assert store.count() == 10
    store.flush()
    store.append(observations([1], [11], [1.0]))
    assert store.count() == 11
    store.close()


def test_rows_sent_again_write_no_file_anew(tmp_path: Path) -> None:
    store = opened(tmp_path)
    batch = observations([1, 2, 1], [1000, 1000, 2000], [1.0, float("nan"), None])
    store.append(batch)
    store.flush()
    held = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    store.append(batch, {"p": 3})
    assert store.count() == 3
    store.flush()
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")} == held
    assert store.marks == {"p": 3}
    store.close()


def test_replaced_files_stay_for_the_grace_period(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = LakeSettings(grace_s=60, retry_s=0.01)
    store = LakeStore.open(tmp_path, settings, clock)
    for n in range(2):
        store.append(observations([1], [n], [1.0]))
        store.flush()
    old = set((tmp_path / "observations").rglob("*.parquet"))
    store.compact()
    assert all(path.exists() for path in old)
    assert store.count() == 2
    clock.advance(61)
    wait_for(lambda: not any(path.exists() for path in old))
    assert store.scan(Selection()).num_rows == 2
    store.close()


def test_a_lake_without_its_manifest_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.append(observations([1], [1000], [1.0]))
    store.close()
    (manifest,) = tmp_path.rglob("manifest.json")
    kept = manifest.read_bytes()
    manifest.unlink()
    with pytest.raises(Corrupt, match="restore it from a backup"):
        opened(tmp_path)
    manifest.write_bytes(kept)
    store = opened(tmp_path)
    assert numbers(store) == [1.0]
    store.close()


def test_much_text_goes_to_files_before_there_are_many_rows(tmp_path: Path) -> None:
    settings = LakeSettings(background=False, flush_bytes=65536, hot_max_bytes=65536)
    store = LakeStore.open(tmp_path, settings)
    rows = observations([1], [1], text=["x" * 60_000])
    store.append(rows)
    with pytest.raises(Backpressure, match="bytes of text"):
        store.append(observations([1], [2], text=["y" * 60_000]))
    store.flush()
    store.append(observations([1], [2], text=["y" * 60_000]))
    assert store.count() == 2
    store.close()
