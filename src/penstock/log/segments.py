"""The segment log: partitions as folders of segment files on the local disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from penstock.core.clock import Clock, SystemClock
from penstock.log.folder import PartitionFolder, checked_name
from penstock.log.mark import DurableMark
from penstock.log.reader import SegmentReader
from penstock.log.retention import expire
from penstock.log.settings import LogSettings
from penstock.log.writer import SegmentWriter


class _CanClose(Protocol):
    @property
    def is_closed(self) -> bool: ...

    def close(self) -> None: ...


class SegmentLog:
    """Keeps each partition in a folder of its own; see `penstock.core.log.Log` for the promise.

    Any number of processes may use one directory at once; each partition has one writer.
    A reader may be opened before its partition exists. Nothing is touched on disk before the
    first call.

    Args:
        directory: Where the partitions lie; it is created when the first is.
        settings: Sizes and ages.
        clock: Gives the age of segments.

    Example:
        >>> import tempfile
        >>> from penstock.core.publish import encode_publish
        >>> directory = tempfile.TemporaryDirectory()
        >>> log = SegmentLog(Path(directory.name))
        >>> writer = log.writer("door")
        >>> packet = encode_publish("pump/1/level", b"12.5")
        >>> writer.append("pump-1", 4, 0, packet, len(packet).to_bytes(4, "little"))
        0
        >>> writer.sync()
        1
        >>> [block.client for block in log.reader("door").read()]
        ['pump-1']
        >>> log.close()
        >>> directory.cleanup()
    """

    def __init__(
        self,
        directory: Path,
        settings: LogSettings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._directory = directory
        self._settings = settings or LogSettings()
        self._clock = clock or SystemClock()
        self._remembering = threading.Lock()
        self._opened: list[_CanClose] = []

    def partitions(self) -> Sequence[str]:
        """Return the names of the partitions that a writer ever opened, sorted."""
        if not self._directory.is_dir():
            return []
        folders = (PartitionFolder(path) for path in sorted(self._directory.iterdir()))
        return [folder.path.name for folder in folders if folder.exists()]

    def ends(self) -> dict[str, int]:
        """Return the durable end of each partition: messages before that offset are on disk."""
        found = {}
        for name in self.partitions():
            mark = DurableMark(self.folder(name).mark)
            found[name] = mark.offset
            mark.close()
        return found

    def folder(self, partition: str) -> PartitionFolder:
        """Return the folder of a partition, for looking at its files.

        Raises:
            InvalidInput: `partition` cannot be a partition's name.
        """
        return PartitionFolder(self._directory / checked_name(partition, "log partition"))

    def writer(self, partition: str) -> SegmentWriter:
        """Open the partition for writing, creating it if need be; cuts off a torn tail.

        Raises:
            Conflict: Another process writes to it.
            DiskFull: There is no space for the little that it takes.
            NotConnected: The disk or its permissions refuse.
            InvalidInput: `partition` cannot be a partition's name.
        """
        writer = SegmentWriter(self.folder(partition), self._settings, self._clock)
        self._remember(writer)
        return writer

    def reader(self, partition: str, name: str | None = None) -> SegmentReader:
        """Open a reader at its committed position, or at the first kept message.

        Raises:
            InvalidInput: `partition` or `name` cannot be a name.
        """
        if name is not None:
            checked_name(name, "log reader")
        reader = SegmentReader(self.folder(partition), name)
        self._remember(reader)
        return reader

    def expire(self, now_us: int | None = None) -> int:
        """Delete what the retention settings say, in every partition; return how many segments.

        A writer deletes what is too much whenever it begins a segment; what is too old by
        `now_us`, or else by the clock, goes here.
        """
        now_us = self._clock.now_us() if now_us is None else now_us
        folders = [self.folder(name) for name in self.partitions()]
        return sum(expire(folder, self._settings, now_us) for folder in folders)

    def close(self) -> None:
        """Close every writer and reader that it opened."""
        while self._opened:
            self._opened.pop().close()

    def _remember(self, opened: _CanClose) -> None:
        with self._remembering:
            self._opened = [one for one in self._opened if not one.is_closed]
            self._opened.append(opened)
