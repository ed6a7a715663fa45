"""One segment file open for writing."""

from __future__ import annotations

import contextlib
import os
from typing import Self

from penstock.log.folder import PartitionFolder, sync_directory
from penstock.log.form import SEGMENT_HEADER_BYTES, SegmentHeader
from penstock.log.index import IndexEntry
from penstock.log.recovery import Tail

_fdatasync = getattr(os, "fdatasync", os.fsync)


class SegmentFile:
    """Writes at the end of one segment and keeps its index.

    Args:
        folder: Where it lies.
        header: Its header.
        fd: File descriptor, which it owns.
        size: Bytes of it that are durable.
        index_bytes: Distance of two index entries.
    """

    def __init__(
        self, folder: PartitionFolder, header: SegmentHeader, fd: int, size: int, index_bytes: int
    ) -> None:
        self.created_us = header.created_us
        self.size = size
        self._written = size
        self._fd = fd
        self._index_path = folder.index(header.base)
        self._index_bytes = index_bytes
        self._next_entry = size + index_bytes

    @classmethod
    def create(cls, folder: PartitionFolder, header: SegmentHeader, index_bytes: int) -> Self:
        """Begin a segment; its header and its name are on disk when this returns.

        A segment of the same name, which can only be one that a failed sync left without a
        single durable block, is replaced.

        Raises:
            OSError: It could not be made; nothing of it is left.
        """
        path = folder.segment(header.base)
        path.unlink(missing_ok=True)
        folder.index(header.base).unlink(missing_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            segment = cls(folder, header, fd, 0, index_bytes)
            segment.write(header.encode())
            os.fsync(fd)
            sync_directory(folder.path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        segment.size = segment._written
        return segment

    @classmethod
    def reopen(cls, folder: PartitionFolder, tail: Tail, index_bytes: int) -> Self:
        """Continue a recovered segment."""
        fd = os.open(folder.segment(tail.header.base), os.O_RDWR | os.O_CLOEXEC)
        return cls(folder, tail.header, fd, tail.size, index_bytes)

    def is_empty(self) -> bool:
        """Say whether it holds no block."""
        return self.size <= SEGMENT_HEADER_BYTES

    def write(self, data: bytes) -> None:
        """Write all of `data` behind the durable end; not durable yet.

        Raises:
            OSError: The disk took it in part or not at all.
        """
        at, end = self.size, self.size + len(data)
        view = memoryview(data)
        while at < end:
            at += os.pwrite(self._fd, view[at - self.size :], at)
        self._written = end

    def sync(self, offset: int, latest_us: int) -> None:
        """Make what was written durable.

        Args:
            offset: Of the first message that was written.
            latest_us: Latest arrival before it.
        """
        _fdatasync(self._fd)
        start, self.size = self.size, self._written
        if start >= self._next_entry:
            self._next_entry = start + self._index_bytes
            # The index is a hint; without it readers scan.
            with contextlib.suppress(OSError), self._index_path.open("ab") as file:
                file.write(IndexEntry(offset, start, latest_us).encode())

    def cut(self) -> bool:
        """Cut off what was written behind the durable end; say whether that worked."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Close the file; whatever the disk says about it now concerns nothing durable."""
        with contextlib.suppress(OSError):
            os.close(self._fd)
