"""The log contract: raw messages exactly as they came, synced in groups, read by position.

A log has *partitions*, each with one writer. A partition is a sequence of *blocks*; a block is
a run of messages that one client sent in one go, kept as the MQTT PUBLISH packets they were (OASIS
MQTT 3.1.1 and 5.0, section 3.3), so the front door copies bytes and parses next to nothing.
Messages that come another way (HTTP, derived streams) are written as QoS 0 PUBLISH packets.

This module is imported by the front door and stays free of numpy and Arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: Protocol levels a block can hold, as in the CONNECT packet: 4 is MQTT 3.1.1, 5 is MQTT 5.0.
MQTT_3_1_1 = 4
MQTT_5_0 = 5


@dataclass(frozen=True, slots=True)
class Block:
    """A run of messages from one client.

    Attributes:
        offset: Offset of the first message in its partition; messages count up from 0 by 1.
        count: Number of messages, at least 1.
        arrived_us: When the first message arrived, microseconds UTC; each further one counts as
            1 microsecond later (see `core.clock.Arrivals`).
        client: MQTT client identifier, or the name of the writer.
        protocol: `MQTT_3_1_1` or `MQTT_5_0`; says whether packets carry properties.
        packets: `count` complete PUBLISH packets, one after the other.
        ends: Where each packet ends in `packets`: `count` little-endian unsigned 32-bit integers.
    """

    offset: int
    count: int
    arrived_us: int
    client: str
    protocol: int
    packets: bytes
    ends: bytes

    @property
    def next_offset(self) -> int:
        """Offset of the first message after this block."""
        return self.offset + self.count


class LogWriter(Protocol):
    """Appends to one partition; one writer at a time, held by a lock."""

    @property
    def end_offset(self) -> int:
        """Offset that the next appended message gets."""
        ...

    @property
    def durable_offset(self) -> int:
        """Messages before this offset survive a power loss."""
        ...

    def append(
        self, client: str, protocol: int, arrived_us: int, packets: bytes, ends: bytes
    ) -> int:
        """Take a block into the buffer and return the offset of its first message.

        Cheap: no system call. The block is neither durable nor visible to readers until
        `sync` returns. `ends` is as in `Block`.
        """
        ...

    def sync(self) -> int:
        """Write the buffer and force it to disk; return the new `durable_offset`.

        Readers see blocks only from here on. Safe to call with nothing buffered.

        Raises:
            DiskFull: No space. The buffer is kept; call again when there is space. What was
                written in part has been cut off again.
            NotConnected: The disk refused the write or the sync for another reason. The buffer
                is kept; the segment is closed and a new one is begun by the next call.
        """
        ...

    def close(self) -> None:
        """Sync what is buffered and release the partition. Safe to call twice."""
        ...


class LogReader(Protocol):
    """Reads one partition from a kept position; readers are independent of one another."""

    @property
    def position(self) -> int:
        """Offset of the next message that `read` returns."""
        ...

    def read(self, max_bytes: int = 4_194_304) -> Sequence[Block]:
        """Return the next durable blocks, at least one if there is one; empty at the end.

        Never blocks. The first block may start before `position` when a position inside it was
        sought. Advances `position`.

        Raises:
            Corrupt: A block before the durable end fails its checksum; the message says which
                offsets are lost, and the next `read` continues behind them.
        """
        ...

    def seek(self, offset: int) -> None:
        """Continue at `offset`; before the first kept message means at the first kept one."""
        ...

    def seek_time(self, time_us: int) -> None:
        """Continue at the first block that arrived at or after `time_us`."""
        ...

    def commit(self, offset: int) -> None:
        """Remember durably that everything before `offset` is done with.

        Retention removes nothing at or after the smallest committed offset.
        """
        ...

    def close(self) -> None:
        """Release files; the committed position stays."""
        ...


class Log(Protocol):
    """All partitions under one roof."""

    def partitions(self) -> Sequence[str]:
        """Return the names of the partitions that exist, sorted."""
        ...

    def writer(self, partition: str) -> LogWriter:
        """Open the partition for writing, creating it if need be; cuts off a torn tail.

        Raises:
            Conflict: Another process writes to it.
        """
        ...

    def reader(self, partition: str, name: str | None = None) -> LogReader:
        """Open a reader at its committed position, or at the first kept message.

        With a `name` the reader is known: its committed position is kept, and retention waits
        for it. Without one it is a passer-by, and `commit` raises `Bug`.
        """
        ...

    def close(self) -> None:
        """Close every writer and reader that it opened."""
        ...
