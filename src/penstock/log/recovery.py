"""What a writer finds when it opens a partition: the end of the log, a torn tail cut off."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from penstock.log.folder import PartitionFolder, sync_directory
from penstock.log.form import SEGMENT_HEADER_BYTES, SegmentHeader, sound_blocks
from penstock.log.index import read_index
from penstock.log.mark import DurableMark


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a partition's last segment ends.

    Attributes:
        header: Of the segment.
        size: Bytes of it that are sound.
        end_offset: Offset after its last sound block.
        latest_us: Latest arrival in the log.
    """

    header: SegmentHeader
    size: int
    end_offset: int
    latest_us: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Where a writer goes on.

    Attributes:
        tail: The segment to continue, or None when a new one is to be begun.
        base: Base offset of the new one.
        end_offset: Offset of the next message.
    """

    tail: Tail | None
    base: int
    end_offset: int


def recover(folder: PartitionFolder, mark: DurableMark) -> Recovered:
    """Cut the torn tail, force the rest to disk; return where to go on.

    Only bytes behind the last sound block are cut. The end offset is never one that was visible
    to readers before, even if the disk lost blocks that were durable: then there is a gap,
    which readers report, and no offset ever means two messages.
    """
    end = max(folder.committed().values(), default=0)
    if mark.is_trustworthy():
        end = max(end, mark.offset)
    first_base = None
    for base in reversed(folder.bases()):
        header = folder.header(base)
        if header is not None:
            tail = _repair(folder, header)
            end = max(end, tail.end_offset)
            return Recovered(tail, end, end)
        _set_aside(folder, base)
        end, first_base = max(end, base), base
    return Recovered(None, end if first_base is None else first_base, end)


def _repair(folder: PartitionFolder, header: SegmentHeader) -> Tail:
    fd = os.open(folder.segment(header.base), os.O_RDWR | os.O_CLOEXEC)
    try:
        tail = _find_tail(folder, header, fd)
        if os.fstat(fd).st_size != tail.size:
            os.ftruncate(fd, tail.size)
        os.fsync(fd)
    finally:
        os.close(fd)
    _cut_index(folder, tail)
    return tail


def _cut_index(folder: PartitionFolder, tail: Tail) -> None:
    """Leave only the entries that point to what is there; it is a hint, so a full disk may err."""
    index = folder.index(tail.header.base)
    sound = b"".join(e.encode() for e in read_index(index) if e.position < tail.size)
    if index.exists() and index.stat().st_size != len(sound):
        with contextlib.suppress(OSError):
            index.write_bytes(sound)


def _find_tail(folder: PartitionFolder, header: SegmentHeader, fd: int) -> Tail:
    size = os.fstat(fd).st_size
    starts = [(e.position, e.latest_us) for e in read_index(folder.index(header.base))]
    starts.insert(0, (SEGMENT_HEADER_BYTES, header.latest_us))
    for position, latest_before in reversed(starts):
        data = os.pread(fd, max(size - position, 0), position)
        end_offset, end_at, latest = header.base, 0, latest_before
        for _, block, end in sound_blocks(data, 0, header.salt):
            end_offset, end_at = max(end_offset, block.next_offset), end
            latest = max(latest, block.arrived_us)
        if end_at or position == SEGMENT_HEADER_BYTES:
            return Tail(header, position + end_at, end_offset, latest)
    raise AssertionError("the first start always returns")


def _set_aside(folder: PartitionFolder, base: int) -> None:
    """Remove a segment whose header never reached the disk; keep one that holds more."""
    path = folder.segment(base)
    if path.stat().st_size <= SEGMENT_HEADER_BYTES:
        path.unlink()
    else:
        path.replace(path.with_suffix(".damaged"))
    folder.index(base).unlink(missing_ok=True)
    sync_directory(folder.path)
