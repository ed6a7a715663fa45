"""The writer of one partition: blocks are buffered, then written and synced together."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from contextlib import ExitStack

from penstock.core.clock import Clock
from penstock.core.errors import Bug, DiskFull, NotConnected
from penstock.log.folder import PartitionFolder
from penstock.log.form import MAX_CLIENT_BYTES, NO_TIME_US, SegmentHeader, encode_block_header
from penstock.log.mark import DurableMark
from penstock.log.recovery import recover
from penstock.log.retention import expire
from penstock.log.segment import SegmentFile
from penstock.log.settings import LogSettings

#: What a full disk, a used-up quota and a file size limit answer.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SegmentWriter:
    """Appends to one partition; see `penstock.core.log.LogWriter` for the promise.

    `append` and `sync` may be called from two threads at once; `sync` by one at a time.

    Args:
        folder: The partition's folder; it is created if need be.
        settings: Sizes and ages.
        clock: Gives the age of segments.

    Raises:
        Conflict: The partition has a writer.
        DiskFull: There is no space for the little that it takes.
        NotConnected: The disk or its permissions refuse.
    """

    def __init__(self, folder: PartitionFolder, settings: LogSettings, clock: Clock) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._buffering = threading.Lock()
        self._pieces: list[bytes] = []
        self._segment: SegmentFile | None = None
        with ExitStack() as opened:
            try:
                folder.create()
                self._lock_fd = folder.lock()
                opened.callback(os.close, self._lock_fd)
                self._mark = DurableMark(folder.mark, writable=True)
                opened.callback(self._mark.close)
                recovered = recover(folder, self._mark)
                tail, end = recovered.tail, recovered.end_offset
                if tail is not None:
                    self._segment = SegmentFile.reopen(folder, tail, settings)
                    self._mark.announce_segment(tail.header.base)
            except OSError as error:
                raise self._explained(error) from error
            self._mark.advance(end, tail.size if tail else 0)
            opened.pop_all()
        self._salt = tail.header.salt if tail else secrets.randbits(32)
        self._latest_us = self._durable_latest_us = tail.latest_us if tail else NO_TIME_US
        self._end = self._durable = end
        self._next_base = recovered.base
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def end_offset(self) -> int:
        """Offset that the next appended message gets."""
        return self._end

    @property
    def durable_offset(self) -> int:
        """Messages before this offset survive a power loss."""
        return self._durable

    def append(
        self, client: str, protocol: int, arrived_us: int, packets: bytes, ends: bytes
    ) -> int:
        """Take a block into the buffer and return the offset of its first message.

        Raises:
            Bug: The block holds no message, or `ends` does not fit `packets`.
        """
        name = client.encode()
        size = len(ends)
        if not size or size & 3 or len(name) > MAX_CLIENT_BYTES:
            msg = f"a block from {client[:80]!r} has {size} bytes of ends; a multiple of 4 is due"
            raise Bug(msg)
        with self._buffering:
            offset = self._end
            head = encode_block_header(
                self._salt, offset, arrived_us, protocol, name, packets, ends
            )
            self._pieces += (head, name, ends, packets)
            self._end = offset + (size >> 2)
            if arrived_us > self._latest_us:
                self._latest_us = arrived_us
        return offset

    def sync(self) -> int:
        """Write the buffer and force it to disk; return the new `durable_offset`.

        Raises:
            DiskFull: No space. The buffer is kept and the partial write cut off.
            NotConnected: The disk refused. The buffer is kept; the next call writes it to a
                new segment, because after a failed sync the kernel may forget what it held.
        """
        if self._closed:
            raise Bug("the log writer is closed; open a new one")
        with self._buffering:
            pieces, self._pieces = self._pieces, []
            end, latest = self._end, self._latest_us
        if not pieces:
            return self._durable
        batch = b"".join(pieces)
        try:
            size = self._write(batch)
        except BaseException as error:
            with self._buffering:
                self._pieces = [batch, *self._pieces]
            if isinstance(error, OSError):
                raise self._explained(error) from error
            raise
        self._durable = self._next_base = end
        self._durable_latest_us = latest
        self._mark.advance(end, size)
        return end

    def close(self) -> None:
        """Sync what is buffered and release the partition. Safe to call twice."""
        if self._closed:
            return
        try:
            self.sync()
        finally:
            self._closed = True
            self._drop_segment()
            self._mark.close()
            os.close(self._lock_fd)

    def _write(self, batch: bytes) -> int:
        """Write and sync a batch; return the size of the segment."""
        segment = self._segment_for(len(batch))
        try:
            segment.write(batch)
        except OSError as error:
            if error.errno not in _FULL or not segment.cut():
                self._drop_segment()
            raise
        try:
            segment.sync(self._durable, self._durable_latest_us)
        except OSError:
            self._drop_segment()
            raise
        return segment.size

    def _segment_for(self, size: int) -> SegmentFile:
        segment = self._segment
        now_us = self._clock.now_us()
        if segment is not None and not self._is_over(segment, size, now_us):
            return segment
        header = SegmentHeader(self._next_base, now_us, self._durable_latest_us, self._salt)
        if header.base == self._durable:
            # Only a failed sync leaves such a segment, without a single durable block.
            self._folder.segment(header.base).unlink(missing_ok=True)
            self._folder.index(header.base).unlink(missing_ok=True)
        fresh = SegmentFile.create(self._folder, header, self._settings)
        self._drop_segment()
        self._segment = fresh
        self._mark.announce_segment(header.base)
        # What is too old goes when somebody says so who knows whether the clock is right.
        expire(self._folder, self._settings)
        return fresh

    def _is_over(self, segment: SegmentFile, size: int, now_us: int) -> bool:
        if segment.is_empty():
            return False
        age_us = now_us - segment.created_us
        return (
            segment.size + size > self._settings.segment_bytes
            or age_us > self._settings.segment_age_s * 1e6
        )

    def _drop_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _explained(self, error: OSError) -> DiskFull | NotConnected:
        path = self._folder.path
        if error.errno in _FULL:
            return DiskFull(
                f"the log in {path} cannot be written: {error.strerror}; nothing more is "
                "acknowledged until there is space, so free some or shorten the retention"
            )
        return NotConnected(
            f"the disk refused to keep the log in {path}: {error}; nothing more is acknowledged, "
            "and the next sync tries a new segment; look at the system's log for the disk"
        )
