"""One segment file open for writing."""

from __future__ import annotations

import contextlib
import os
from typing import Self

from penstock.log.folder import PartitionFolder, sync_directory
from penstock.log.form import SEGMENT_HEADER_BYTES, SegmentHeader
from penstock.log.index import IndexEntry
from penstock.log.recovery import Tail
from penstock.log.settings import LogSettings

#: A batch of this many bytes is written without room behind it: the zeros would double what the
#: disk has to take, and its sync takes long anyway.
_LARGE_BYTES = 131_072

_fdatasync = getattr(os, "fdatasync", os.fsync)


class SegmentFile:
    """Writes at the end of one segment and keeps its index.

    Args:
        folder: Where it lies.
        header: Its header.
        fd: File descriptor, which it owns.
        size: Bytes of it that are durable.
        settings: Distance of index entries, room ahead.
    """

    def __init__(
        self,
        folder: PartitionFolder,
        header: SegmentHeader,
        fd: int,
        size: int,
        settings: LogSettings,
    ) -> None:
        self.created_us = header.created_us
        self.size = size
        self._written = self._file_end = size
        self._fd = fd
        self._settings = settings
        self._index_path = folder.index(header.base)
        self._next_entry = size + settings.index_bytes

    @classmethod
    def create(cls, folder: PartitionFolder, header: SegmentHeader, settings: LogSettings) -> Self:
        """Begin a segment; its header and its name are on disk when this returns.

        Raises:
            OSError: It could not be made; nothing of it is left.
        """
        path = folder.segment(header.base)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            segment = cls(folder, header, fd, 0, settings)
            segment.write(header.encode())
            os.fsync(fd)
            sync_directory(folder.path)
        except BaseException:
            os.close(fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        segment.size = segment._written
        segment._next_entry += segment.size
        return segment

    @classmethod
    def reopen(cls, folder: PartitionFolder, tail: Tail, settings: LogSettings) -> Self:
        """Continue a recovered segment."""
        fd = os.open(folder.segment(tail.header.base), os.O_RDWR | os.O_CLOEXEC)
        return cls(folder, tail.header, fd, tail.size, settings)

    def is_empty(self) -> bool:
        """Say whether it holds no block."""
        return self.size <= SEGMENT_HEADER_BYTES

    def write(self, data: bytes) -> None:
        """Write all of `data` behind the durable end; not durable yet.

        Raises:
            OSError: The disk took it in part or not at all.
        """
        at, end = self.size, self.size + len(data)
        if end > self._file_end and len(data) < _LARGE_BYTES:
            at += self._write_with_room(data)
        while at < end:
            at += os.pwrite(self._fd, memoryview(data)[at - self.size :], at)
        self._file_end = max(self._file_end, at)
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
            self._next_entry = start + self._settings.index_bytes
            # The index is a hint; without it readers scan.
            with contextlib.suppress(OSError), self._index_path.open("ab") as file:
                file.write(IndexEntry(offset, start, latest_us).encode())

    def cut(self) -> bool:
        """Cut off what was written behind the durable end; say whether that worked."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            return False
        self._file_end = self.size
        return True

    def close(self) -> None:
        """Cut off the room ahead and close; what the disk says now concerns nothing durable."""
        self.cut()
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _write_with_room(self, data: bytes) -> int:
        """Write `data` and zeros behind it; return how many bytes were written."""
        room = min(self._settings.room_bytes, self._settings.segment_bytes - self.size - len(data))
        if room <= 0:
            return 0
        try:
            return os.pwritev(self._fd, (data, bytes(room)), self.size)
        except OSError:
            return 0  # perhaps there is space for the data alone
