"""A reader of one partition, in any process, while it is being written."""

from __future__ import annotations

import os
from collections.abc import Sequence

from penstock.core.errors import Bug, Corrupt
from penstock.core.log import Block
from penstock.log.folder import PartitionFolder
from penstock.log.form import (
    BLOCK_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    block_length,
    decode_block,
    sound_blocks,
)
from penstock.log.index import IndexEntry, read_index
from penstock.log.mark import DurableMark


class SegmentReader:
    """Reads one partition; see `penstock.core.log.LogReader` for the promise.

    Args:
        folder: The partition's folder; it need not exist yet.
        name: Under which the position is kept, or None.
    """

    def __init__(self, folder: PartitionFolder, name: str | None = None) -> None:
        self._folder = folder
        self._name = name
        self._mark: DurableMark | None = None
        self._fd: int | None = None
        self._header: SegmentHeader | None = None
        self._next_base: int | None = None
        self._at = 0
        self._closed = False
        self._position = next(iter(folder.bases()), 0)
        if name is not None:
            folder.create()
            kept = folder.read_position(name)
            if kept is None:
                # From now on retention waits for this reader.
                folder.write_position(name, self._position)
            else:
                self.seek(kept)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def position(self) -> int:
        """Offset of the next message that `read` returns."""
        return self._position

    def read(self, max_bytes: int = 4_194_304) -> Sequence[Block]:
        """Return the next durable blocks; empty at the end.

        Raises:
            Corrupt: Blocks before the durable end are damaged or gone; the next call continues
                behind them.
        """
        mark = self._mark or self._open_mark()
        if mark is None:
            return ()
        durable = mark.offset
        newest = mark.newest_base
        while self._position < durable:
            if self._fd is None and not self._open_segment(durable):
                return ()
            assert self._header is not None
            most = max_bytes
            if self._header.base == newest and mark.newest_bytes > self._at:
                # Not the zeros behind the end.
                most = min(most, mark.newest_bytes - self._at)
            blocks = self._read_segment(most, self._limit(durable, newest))
            if blocks:
                return blocks
        return ()

    def seek(self, offset: int) -> None:
        """Continue at `offset`; before the first kept message means at the first kept one."""
        self._close_segment()
        self._position = max(offset, next(iter(self._folder.bases()), 0))

    def seek_time(self, time_us: int) -> None:
        """Continue at the first block that arrived at or after `time_us`."""
        mark = self._mark or self._open_mark()
        durable = mark.offset if mark else 0
        bases = self._folder.bases()
        headers = [header for base in bases if (header := self._folder.header(base))]
        # Everything before the last segment whose `latest_us` is earlier came too early.
        first = next((i for i in range(len(headers))[::-1] if headers[i].latest_us < time_us), 0)
        since = (self._first_since(header, time_us, durable) for header in headers[first:])
        self.seek(next((offset for offset in since if offset is not None), durable))

    def commit(self, offset: int) -> None:
        """Remember durably that everything before `offset` is done with.

        Raises:
            Bug: The reader has no name, or the offset is one that nobody can have read yet.
        """
        if self._name is None:
            raise Bug("a reader without a name has no position to keep; open it with a name")
        mark = self._mark or self._open_mark()
        end = max(self._position, mark.offset if mark else 0)
        if offset > end:
            raise Bug(f"reader {self._name!r} commits {offset}, but the log ends at {end}")
        self._folder.write_position(self._name, offset)

    def close(self) -> None:
        """Release files; the committed position stays."""
        self._closed = True
        self._close_segment()
        if self._mark is not None:
            self._mark.close()
            self._mark = None

    def _open_mark(self) -> DurableMark | None:
        try:
            self._mark = DurableMark(self._folder.mark)
        except FileNotFoundError:
            return None
        return self._mark

    def _limit(self, durable: int, newest: int) -> int:
        """Return the offset at which the open segment ends: where the next one begins."""
        assert self._header is not None
        if self._next_base is None and newest != self._header.base:
            later = (b for b in self._folder.bases() if b > self._header.base)
            self._next_base = next(later, None)
        return durable if self._next_base is None else min(durable, self._next_base)

    def _open_segment(self, durable: int) -> bool:
        """Open the segment that holds the position and go there; False if it just vanished."""
        bases = self._folder.bases()
        if not bases:
            self._lose(durable)
        base = max((b for b in bases if b <= self._position), default=bases[0])
        self._position = max(self._position, base)
        header = self._folder.header(base)
        self._next_base = next((b for b in bases if b > base), None)
        try:
            fd = os.open(self._folder.segment(base), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False  # retention was faster; the next read looks again
        if header is None:
            os.close(fd)
            self._lose(min(durable, self._next_base or durable))
        self._fd, self._header = fd, header
        self._at = self._nearest(header, fd)
        return True

    def _nearest(self, header: SegmentHeader | None, fd: int) -> int:
        assert header is not None
        for entry in reversed(read_index(self._folder.index(header.base))):
            if entry.offset <= self._position and _is_there(fd, entry, header.salt):
                return entry.position
        return SEGMENT_HEADER_BYTES

    def _read_segment(self, max_bytes: int, limit: int) -> list[Block]:
        """Return blocks of the open segment; none when it has no more before `limit`."""
        assert self._fd is not None
        assert self._header is not None
        blocks: list[Block] = []
        max_bytes = max(max_bytes, BLOCK_HEADER_BYTES)
        while not blocks and self._position < limit:
            data = os.pread(self._fd, max_bytes, self._at)
            used = self._decode(data, limit, blocks)
            self._at += used
            if blocks or used:
                continue
            wanted = block_length(data, 0)
            if wanted and len(data) < wanted <= os.fstat(self._fd).st_size - self._at:
                max_bytes = wanted
            else:
                self._skip_damage(limit)
        if self._position >= limit and self._next_base == limit:
            self._close_segment()
        return blocks

    def _decode(self, data: bytes, limit: int, blocks: list[Block]) -> int:
        """Add blocks from `data` up to a gap, damage or `limit`; return the bytes used."""
        assert self._header is not None
        salt, at = self._header.salt, 0
        while self._position < limit:
            found = decode_block(data, at, salt)
            if found is None or found[0].offset >= limit:
                break
            block, end = found
            if block.next_offset > self._position:
                if block.offset > self._position:
                    if not blocks:
                        self._lose(block.offset, stay=True)
                    break
                blocks.append(block)
                self._position = block.next_offset
            at = end
        return at

    def _skip_damage(self, limit: int) -> None:
        """Go to the next sound block behind damaged bytes.

        Raises:
            Corrupt: Messages are lost.
        """
        assert self._fd is not None
        assert self._header is not None
        rest = os.pread(self._fd, os.fstat(self._fd).st_size - self._at, self._at)
        for start, block, _ in sound_blocks(rest, 0, self._header.salt):
            if self._position < block.next_offset and block.offset < limit:
                self._at += start
                if block.offset > self._position:
                    self._lose(block.offset, stay=True)
                return
        self._lose(limit)

    def _lose(self, until: int, *, stay: bool = False) -> None:
        """Give up everything before `until`, and say so."""
        lost_from, self._position = self._position, until
        if not stay:
            self._close_segment()
        msg = (
            f"messages {lost_from} to {until - 1} of log partition {self._folder.path.name!r} in "
            f"{self._folder.path.parent} are damaged or gone; reading continues at {until}, so "
            "check the disk and the file system"
        )
        raise Corrupt(msg)

    def _first_since(self, header: SegmentHeader, time_us: int, durable: int) -> int | None:
        """Return the first offset in a segment that arrived at or after a time."""
        entries = read_index(self._folder.index(header.base))
        before = [e.position for e in entries if e.latest_us < time_us]
        after = [e.position for e in entries if e.latest_us >= time_us]
        start, end = max(before, default=SEGMENT_HEADER_BYTES), min(after, default=None)
        try:
            with self._folder.segment(header.base).open("rb") as file:
                file.seek(start)
                data = file.read(None if end is None else end - start)
        except FileNotFoundError:
            return None
        for _, block, _ in sound_blocks(data, 0, header.salt):
            if block.arrived_us >= time_us and block.offset < durable:
                return block.offset
        return None

    def _close_segment(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = self._header = self._next_base = None


def _is_there(fd: int, entry: IndexEntry, salt: int) -> bool:
    """Say whether the block that an index entry promises is where it says."""
    head = os.pread(fd, 64, entry.position)
    length = block_length(head, 0)
    if length is None:
        return False
    found = decode_block(os.pread(fd, length, entry.position), 0, salt)
    return found is not None and found[0].offset == entry.offset
