"""The memory log: for tests of what writes to a log or reads from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.core.errors import Bug, Conflict
from penstock.core.log import Block
from penstock.log.folder import checked_name


@dataclass(slots=True)
class _Partition:
    blocks: list[Block] = field(default_factory=list)
    committed: dict[str, int] = field(default_factory=dict)
    durable: int = 0
    exists: bool = False
    has_writer: bool = False


class MemoryWriter:
    """Appends to one partition of a `MemoryLog`."""

    def __init__(self, partition: _Partition) -> None:
        self._partition = partition
        self._buffer: list[Block] = []
        self._end = partition.durable
        self._closed = False

    @property
    def end_offset(self) -> int:
        """Offset that the next appended message gets."""
        return self._end

    @property
    def durable_offset(self) -> int:
        """Messages before this offset are visible to readers."""
        return self._partition.durable

    def append(
        self, client: str, protocol: int, arrived_us: int, packets: bytes, ends: bytes
    ) -> int:
        """Take a block into the buffer and return the offset of its first message."""
        if not ends or len(ends) & 3:
            raise Bug(f"a block from {client[:80]!r} has {len(ends)} bytes of ends")
        offset, count = self._end, len(ends) >> 2
        block = Block(offset, count, arrived_us, client, protocol, bytes(packets), bytes(ends))
        self._buffer.append(block)
        self._end = block.next_offset
        return offset

    def sync(self) -> int:
        """Let readers see the buffer; return the new `durable_offset`."""
        if self._closed:
            raise Bug("the log writer is closed; open a new one")
        self._partition.blocks += self._buffer
        self._buffer = []
        self._partition.durable = self._end
        return self._end

    def close(self) -> None:
        """Sync what is buffered and release the partition. Safe to call twice."""
        if not self._closed:
            self.sync()
            self._closed = True
            self._partition.has_writer = False


class MemoryReader:
    """Reads one partition of a `MemoryLog`."""

    def __init__(self, partition: _Partition, name: str | None) -> None:
        self._partition = partition
        self._name = name
        self._position = 0
        if name is not None:
            self._position = partition.committed.setdefault(name, 0)

    @property
    def position(self) -> int:
        """Offset of the next message that `read` returns."""
        return self._position

    def read(self, max_bytes: int = 4_194_304) -> Sequence[Block]:
        """Return the next blocks, at least one if there is one; empty at the end."""
        blocks: list[Block] = []
        size = 0
        for block in self._partition.blocks[self._index() :]:
            size += len(block.packets)
            if blocks and size > max_bytes:
                break
            blocks.append(block)
        if blocks:
            self._position = blocks[-1].next_offset
        return blocks

    def seek(self, offset: int) -> None:
        """Continue at `offset`."""
        self._position = max(offset, 0)

    def seek_time(self, time_us: int) -> None:
        """Continue at the first block that arrived at or after `time_us`."""
        since = (b.offset for b in self._partition.blocks if b.arrived_us >= time_us)
        self._position = next(since, self._partition.durable)

    def commit(self, offset: int) -> None:
        """Remember that everything before `offset` is done with."""
        if self._name is None:
            raise Bug("a reader without a name has no position to keep; open it with a name")
        end = max(self._position, self._partition.durable)
        if offset > end:
            raise Bug(f"reader {self._name!r} commits {offset}, but the log ends at {end}")
        self._partition.committed[self._name] = offset

    def close(self) -> None:
        """Do nothing; the committed position stays."""

    def _index(self) -> int:
        low, high = 0, len(self._partition.blocks)
        while low < high:
            middle = (low + high) // 2
            if self._partition.blocks[middle].next_offset <= self._position:
                low = middle + 1
            else:
                high = middle
        return low


class MemoryLog:
    """Keeps everything in memory until it is dropped; see `penstock.core.log.Log`.

    For one process and one thread. Nothing survives it and nothing expires.
    """

    def __init__(self) -> None:
        self._partitions: dict[str, _Partition] = {}
        self._writers: list[MemoryWriter] = []

    def partitions(self) -> Sequence[str]:
        """Return the names of the partitions that a writer ever opened, sorted."""
        return sorted(name for name, kept in self._partitions.items() if kept.exists)

    def writer(self, partition: str) -> MemoryWriter:
        """Open the partition for writing, creating it if need be.

        Raises:
            Conflict: It has a writer.
        """
        kept = self._partition(partition)
        if kept.has_writer:
            raise Conflict(f"log partition {partition!r} has a writer; close that one first")
        kept.exists = kept.has_writer = True
        writer = MemoryWriter(kept)
        self._writers.append(writer)
        return writer

    def reader(self, partition: str, name: str | None = None) -> MemoryReader:
        """Open a reader at its committed position, or at the first message."""
        if name is not None:
            checked_name(name, "log reader")
        return MemoryReader(self._partition(partition), name)

    def close(self) -> None:
        """Close every writer that it opened."""
        while self._writers:
            self._writers.pop().close()

    def _partition(self, name: str) -> _Partition:
        return self._partitions.setdefault(checked_name(name, "log partition"), _Partition())
