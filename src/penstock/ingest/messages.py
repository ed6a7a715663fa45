"""Blocks from the log become columns of messages: the PUBLISH packets are taken apart in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from penstock.core.codec import Int64s
from penstock.core.log import MQTT_5_0, Block
from penstock.core.publish import correlation_of
from penstock.ingest.routes import Topic, TopicTable


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in columns of equal length, in the order of the log.

    Attributes:
        partition: Where they come from.
        next_offset: Offset behind the last.
        topics: Topic of each.
        payloads: Payload of each.
        arrived_us: When each arrived.
        offsets: Offset of each in its partition.
        clients: Client of each block.
        block: Index into `clients`, one per message.
        packets: Where the messages lie in their blocks; None when they come from elsewhere.
        first: Place among the packets of the first message.
    """

    partition: str
    next_offset: int
    topics: Sequence[Topic]
    payloads: Sequence[bytes]
    arrived_us: Int64s
    offsets: Int64s
    clients: Sequence[str]
    block: Int64s
    packets: Packets | None = None
    first: int = 0

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.payloads)

    @property
    def sent(self) -> int:
        """Number of messages that devices sent: all but the platform's own."""
        return len(self) - [topic.route for topic in self.topics].count(TopicTable.OWN)

    def client(self, message: int) -> str:
        """Return who sent a message."""
        return self.clients[int(self.block[message])]

    def correlation(self, message: int) -> bytes:
        """Return what a message has as correlation data (MQTT 5.0, section 3.3.2.3.6)."""
        packets = self.packets
        if packets is None:
            return b""
        at = self.first + message
        start, stop = int(packets.properties_start[at]), int(packets.payload_start[at])
        return correlation_of(packets.data[start:stop]) if stop > start else b""


@dataclass(frozen=True, slots=True)
class Packets:
    """Where topic and payload of each packet lie in one buffer."""

    data: bytes
    topic_start: Int64s
    topic_end: Int64s
    properties_start: Int64s
    payload_start: Int64s
    payload_end: Int64s


def split(
    partition: str,
    blocks: Sequence[Block],
    table: TopicTable,
    from_offset: int = 0,
    until_offset: int | None = None,
) -> Batch:
    """Take blocks apart into messages.

    Args:
        partition: Where the blocks come from.
        blocks: At least one, ascending.
        table: Knows the topics.
        from_offset: First offset wanted.
        until_offset: First offset not wanted any more; None for all.
    """
    counts = np.array([b.count for b in blocks], np.int64)
    first = np.array([b.offset for b in blocks], np.int64)
    begin = np.cumsum(counts) - counts
    block = np.repeat(np.arange(len(blocks)), counts)
    place = np.arange(int(counts.sum()), dtype=np.int64)
    offsets = place + (first - begin)[block]
    arrived = place + (np.array([b.arrived_us for b in blocks], np.int64) - begin)[block]
    packets = locate(blocks, counts)
    end = blocks[-1].next_offset if until_offset is None else until_offset
    wanted = slice(*np.searchsorted(offsets, (from_offset, end)).tolist())
    topics, payloads = _cut(packets, table, wanted)
    return Batch(
        partition=partition,
        next_offset=min(end, blocks[-1].next_offset),
        topics=topics,
        payloads=payloads,
        arrived_us=arrived[wanted],
        offsets=offsets[wanted],
        clients=[b.client for b in blocks],
        block=block[wanted],
        packets=packets,
        first=wanted.start,
    )


def _cut(packets: Packets, table: TopicTable, wanted: slice) -> tuple[list[Topic], list[bytes]]:
    data = packets.data
    table.trim()
    topics = [
        table[data[a:b]]
        for a, b in zip(
            packets.topic_start[wanted].tolist(), packets.topic_end[wanted].tolist(), strict=True
        )
    ]
    payloads = [
        data[a:b]
        for a, b in zip(
            packets.payload_start[wanted].tolist(),
            packets.payload_end[wanted].tolist(),
            strict=True,
        )
    ]
    return topics, payloads


def locate(blocks: Sequence[Block], counts: Int64s) -> Packets:
    """Find topic and payload of every packet (OASIS MQTT 3.1.1 and 5.0, section 3.3).

    Args:
        blocks: At least one.
        counts: Packets of each block.
    """
    data = blocks[0].packets if len(blocks) == 1 else b"".join([b.packets for b in blocks])
    lengths = np.array([len(b.packets) for b in blocks], np.int64)
    within = np.frombuffer(b"".join([b.ends for b in blocks]), "<u4").astype(np.int64)
    ends = within + np.repeat(np.cumsum(lengths) - lengths, counts)
    starts = np.empty_like(ends)
    starts[1:] = ends[:-1]
    starts[0] = 0
    octets = np.frombuffer(data, np.uint8)
    topic_length_at = _behind_varint(octets, starts + 1)
    high = octets[topic_length_at].astype(np.int64) << 8
    topic_start = topic_length_at + 2
    topic_end = topic_start + (high | octets[topic_length_at + 1].astype(np.int64))
    at = topic_end + (((octets[starts] & 0x06) != 0).astype(np.int64) << 1)
    properties = payload = at
    versions = np.array([b.protocol for b in blocks], np.int64)
    if (versions == MQTT_5_0).any():
        with_properties = np.flatnonzero(np.repeat(versions == MQTT_5_0, counts))
        properties, payload = at.copy(), at.copy()
        length_at = at[with_properties]
        begin_at = _behind_varint(octets, length_at)
        properties[with_properties] = begin_at
        payload[with_properties] = begin_at + _varint(octets, length_at)
    return Packets(data, topic_start, topic_end, properties, payload, ends)


def _behind_varint(octets: npt.NDArray[np.uint8], at: Int64s) -> Int64s:
    """Return where the variable byte integers that start at `at` have ended."""
    behind = at + 1
    more = np.flatnonzero(octets[at] & 0x80)
    while len(more):
        longer = octets[behind[more]] & 0x80
        behind[more] += 1
        more = more[longer != 0]
    return behind


def _varint(octets: npt.NDArray[np.uint8], at: Int64s) -> Int64s:
    """Return the values of the variable byte integers that start at `at`."""
    digits = octets[at]
    value = (digits & 0x7F).astype(np.int64)
    more = np.flatnonzero(digits & 0x80)
    shift = 7
    while len(more):
        digits = octets[at[more] + shift // 7]
        value[more] += (digits & 0x7F).astype(np.int64) << shift
        more = more[(digits & 0x80) != 0]
        shift += 7
    return value
