"""The log under kill -9, full disks and disks that fail."""

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.core.errors import DiskFull, NotConnected
from penstock.log import LogSettings, SegmentLog, segment
from penstock.testing.log_contract import append_messages, payloads_of, read_all

#: A writer that says which offsets are durable, until it is killed.
WRITER = """
import sys
from pathlib import Path
from penstock.log import LogSettings, SegmentLog
from penstock.testing.log_contract import append_messages
log = SegmentLog(Path(sys.argv[1]), LogSettings(segment_bytes=50_000, index_bytes=2_000))
writer = log.writer("door")
while True:
    for _ in range(writer.end_offset % 7 + 1):
        at = writer.end_offset
        append_messages(writer, b"%d" % at, b"%d" % (at + 1) + bytes(at * 31 % 800))
    print(writer.sync(), flush=True)
"""


def start_writer(directory: Path) -> subprocess.Popen[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=env)


def check_messages(directory: Path, acknowledged: int) -> None:
    """Every message is at its offset, once, and none before `acknowledged` is missing."""
    payloads = payloads_of(read_all(SegmentLog(directory).reader("door")))
    assert len(payloads) >= acknowledged
    assert [int(p.rstrip(b"\0")) for p in payloads] == list(range(len(payloads)))


@pytest.mark.parametrize("trials", [3, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.timeout(600)
def test_a_killed_writer_loses_nothing_that_it_called_durable(tmp_path: Path, trials: int) -> None:
    rng = random.Random(trials)
    reader = SegmentLog(tmp_path).reader("door")
    live: list[bytes] = []
    for _ in range(trials):
        writer = start_writer(tmp_path)
        assert writer.stdout is not None
        acknowledged = int(writer.stdout.readline())
        time.sleep(rng.random() * 0.2)
        writer.kill()
        acknowledged = int(writer.stdout.read().split(b"\n")[-2:][0] or acknowledged)
        writer.stdout.close()
        writer.wait()
        live += payloads_of(read_all(reader))
        assert len(live) >= acknowledged
        check_messages(tmp_path, acknowledged)
        if rng.random() < 0.5:
            tear(tmp_path, rng)
    SegmentLog(tmp_path).writer("door").close()
    live += payloads_of(read_all(reader))
    assert payloads_of(read_all(SegmentLog(tmp_path).reader("door"))) == live


def tear(directory: Path, rng: random.Random) -> None:
    """Do to the end of the log what a power loss may do to what was never synced."""
    last = max((directory / "door").glob("*.seg"))
    durable = int.from_bytes((directory / "door" / "durable").read_bytes()[24:32], "little")
    with last.open("r+b") as file:
        file.truncate(max(durable, 48) + rng.randrange(2000))
        file.seek(0, os.SEEK_END)
        file.write(rng.randbytes(rng.randrange(500)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, where this user may mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_keeps_the_buffer_and_takes_up_again_when_there_is_space(
    small_disk: Path,
) -> None:
    # Given a disk with other things on it
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    log = SegmentLog(small_disk / "log", LogSettings(segment_bytes=100_000))
    writer, reader = log.writer("door"), log.reader("door")
    sent: list[bytes] = []

    def fill() -> None:
        while len(sent) < 200:
            sent.append(b"%d" % len(sent) + bytes(9_000))
            append_messages(writer, sent[-1])
            writer.sync()

    # When it fills
    with pytest.raises(DiskFull, match=str(small_disk)):
        fill()
    synced = sent[:-1]
    assert len(synced) > 20
    # Then what was synced is there, and the rest follows when there is space
    assert payloads_of(read_all(reader)) == synced
    with pytest.raises(DiskFull, match="No space"):
        writer.sync()
    sent.append(b"more")
    append_messages(writer, sent[-1])
    assert payloads_of(read_all(reader)) == []
    ballast.unlink()
    assert writer.sync() == len(sent)
    assert payloads_of(read_all(reader)) == sent[len(synced) :]
    log.close()
    assert payloads_of(read_all(SegmentLog(small_disk / "log").reader("door"))) == sent


def test_a_log_can_be_opened_and_read_on_a_full_disk(small_disk: Path) -> None:
    log = SegmentLog(small_disk / "log")
    writer = log.writer("door")
    append_messages(writer, b"1")
    writer.close()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(2_000_000))
    writer = log.writer("door")
    assert payloads_of(read_all(log.reader("door"))) == [b"1"]
    append_messages(writer, bytes(100_000))
    with pytest.raises(DiskFull):
        writer.sync()
    (small_disk / "ballast").unlink()
    assert writer.sync() == 2
    log.close()


def test_a_disk_too_full_to_begin_a_log_says_so(small_disk: Path) -> None:
    log = SegmentLog(small_disk / "log")
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(2_000_000))
    with pytest.raises(DiskFull, match="No space"):
        log.writer("door")
    (small_disk / "ballast").unlink()
    append_messages(log.writer("door"), b"1")
    log.close()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"a file")
    with pytest.raises(NotConnected, match="Not a directory"):
        SegmentLog(tmp_path / "log").writer("door")


def test_a_write_that_stops_in_the_middle_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = SegmentLog(tmp_path, LogSettings(room_bytes=0))
    writer, reader = log.writer("door"), log.reader("door")
    append_messages(writer, b"1")
    writer.sync()
    path = tmp_path / "door" / f"{0:020d}.seg"
    size = path.stat().st_size
    really = os.pwrite
    room = [70]

    def write(fd: int, data: memoryview, at: int) -> int:
        taken = min(len(data), room[0])
        room[0] -= taken
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(fd, data[:taken], at)

    monkeypatch.setattr(os, "pwrite", write)
    append_messages(writer, b"2" * 100)
    with pytest.raises(DiskFull):
        writer.sync()
    assert path.stat().st_size == size
    room[0] = 10_000
    assert writer.sync() == 2
    assert payloads_of(read_all(reader)) == [b"1", b"2" * 100]


@pytest.mark.parametrize("durable_before", [0, 1, 5])
def test_after_a_failed_sync_the_file_is_never_trusted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable_before: int
) -> None:
    log = SegmentLog(tmp_path)
    writer, reader = log.writer("door"), log.reader("door")
    for i in range(durable_before):
        append_messages(writer, b"%d" % i)
        writer.sync()

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    append_messages(writer, b"kept")
    with monkeypatch.context() as patch:
        patch.setattr(segment, "_fdatasync", fail)
        for _ in range(3):
            with pytest.raises(NotConnected):
                writer.sync()
    assert len(payloads_of(read_all(reader))) == durable_before
    append_messages(writer, b"later")
    assert writer.sync() == durable_before + 2
    assert payloads_of(read_all(reader)) == [b"kept", b"later"]
    log.close()
    everything = payloads_of(read_all(SegmentLog(tmp_path).reader("door")))
    assert everything == [*(b"%d" % i for i in range(durable_before)), b"kept", b"later"]
    bases = sorted(int(path.stem) for path in (tmp_path / "door").glob("*.seg"))
    assert bases == ([0, durable_before] if durable_before else [0])


def test_left_overs_of_a_failed_sync_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that neither syncs nor cuts
    log = SegmentLog(tmp_path)
    writer, reader = log.writer("door"), log.reader("door")
    append_messages(writer, b"1")
    writer.sync()
    assert payloads_of(reader.read()) == [b"1"]
    append_messages(writer, b"2")

    def fail(*_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(segment, "_fdatasync", fail)
        patch.setattr(os, "ftruncate", fail)
        with pytest.raises(NotConnected):
            writer.sync()
    # When the batch went to the next segment
    append_messages(writer, b"3")
    writer.sync()
    # Then it is read once, by old and new readers
    assert payloads_of(read_all(reader)) == [b"2", b"3"]
    assert payloads_of(read_all(log.reader("door"))) == [b"1", b"2", b"3"]
