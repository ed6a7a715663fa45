"""Looking at a log: what a partition holds, and its messages one by one."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from penstock.core.log import Block, LogReader
from penstock.core.publish import parse_publish
from penstock.log.segments import SegmentLog


class LogMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the log.

    Attributes:
        partition: Where it is.
        offset: Its offset there.
        arrived_us: When it arrived, microseconds UTC.
        client: Who sent it.
        topic: Its topic.
        payload: Its payload.
        retain: Whether it was to be retained.
    """

    partition: str
    offset: int
    arrived_us: int
    client: str
    topic: str
    payload: bytes
    retain: bool = False


class ReaderLook(msgspec.Struct, frozen=True, kw_only=True):
    """A named reader: everything before `committed` is done with; `lag` messages wait."""

    name: str
    committed: int
    lag: int


class PartitionLook(msgspec.Struct, frozen=True, kw_only=True):
    """What a partition holds.

    Attributes:
        partition: Its name.
        first: Offset of the first kept message.
        end: Offset after the last message on disk.
        segments: Number of segment files.
        size_bytes: Their size.
        oldest_us: When the first kept block arrived; None when there is none.
        newest_us: When the last block arrived; None when there is none.
        readers: Its named readers.
    """

    partition: str
    first: int
    end: int
    segments: int
    size_bytes: int
    oldest_us: int | None
    newest_us: int | None
    readers: list[ReaderLook]


def look_at(log: SegmentLog, partition: str) -> PartitionLook:
    """Return what a partition holds, while it is written or at rest.

    Raises:
        Corrupt: Its first or last block is damaged.
    """
    folder = log.folder(partition)
    bases = folder.bases()
    paths = [folder.segment(base) for base in bases]
    end = log.ends().get(partition, 0)
    reader = log.reader(partition)
    first = min(reader.position, end)
    oldest = reader.read(1) if first < end else ()
    reader.seek(end - 1)
    newest = reader.read(1) if first < end else ()
    reader.close()
    return PartitionLook(
        partition=partition,
        first=first,
        end=end,
        segments=len(bases),
        size_bytes=sum(path.stat().st_size for path in paths if path.exists()),
        oldest_us=oldest[0].arrived_us if oldest else None,
        newest_us=newest[-1].arrived_us if newest else None,
        readers=[
            ReaderLook(name=name, committed=position, lag=max(end - position, 0))
            for name, position in folder.committed().items()
        ],
    )


def messages_of(partition: str, block: Block) -> Iterator[LogMessage]:
    """Yield the messages of a block."""
    start = 0
    for i, end in enumerate(struct.unpack(f"<{block.count}I", block.ends)):
        packet = block.packets[start:end]
        topic, payload = parse_publish(packet, block.protocol)
        yield LogMessage(
            partition=partition,
            offset=block.offset + i,
            arrived_us=block.arrived_us + i,
            client=block.client,
            topic=topic,
            payload=payload,
            retain=bool(packet[0] & 1),
        )
        start = end


def messages_between(
    reader: LogReader, partition: str, first: int, until: int | None
) -> Iterator[LogMessage]:
    """Yield the messages from offset `first` on and before `until`, or to the end.

    Raises:
        Corrupt: Some are damaged; going on with the same reader's position skips them.
    """
    reader.seek(first)
    while (until is None or reader.position < until) and (blocks := reader.read()):
        for block in blocks:
            for message in messages_of(partition, block):
                if until is not None and message.offset >= until:
                    return
                if message.offset >= first:
                    yield message
