"""The log read as a subscriber would have got it: messages in order of arrival."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from penstock.core.errors import Corrupt
from penstock.core.log import Block
from penstock.core.platform import Arrival, Arrived
from penstock.ingest.messages import locate
from penstock.log.segments import SegmentLog

#: Bytes of the log that one call reads at most, and at once.
MAX_READ_BYTES = 33_554_432
PIECE_BYTES = 4_194_304
#: Payloads of one answer, in bytes; the first message is taken however large it is.
MAX_ANSWER_BYTES = 4_194_304


class Arrivals:
    """Looks through one partition. May be used by several threads.

    Args:
        log: Holds it.
        partition: Its name.
    """

    def __init__(self, log: SegmentLog, partition: str) -> None:
        self._log = log
        self._partition = partition

    def read(self, offset: int | None, is_wanted: Callable[[str], bool], most: int) -> Arrived:
        """Return messages; see `core.platform.Platform.arrived`."""
        reader = self._log.reader(self._partition)
        try:
            first, end = reader.position, self._log.ends().get(self._partition, 0)
            if offset is None or offset >= end:
                return Arrived((), end, first, end)
            found = _Found(max(offset, first), is_wanted, most)
            reader.seek(found.next)
            read_bytes = 0
            while read_bytes < MAX_READ_BYTES and not found.is_full:
                try:
                    blocks = reader.read(PIECE_BYTES)
                except Corrupt:
                    continue  # reading goes on behind the damage, as ingest does
                if not blocks:
                    break
                read_bytes += sum(len(block.packets) for block in blocks)
                found.look_at(blocks)
            return Arrived(found.items, found.next, first, max(end, found.next))
        finally:
            reader.close()


class _Found:
    """What was found so far."""

    def __init__(self, offset: int, is_wanted: Callable[[str], bool], most: int) -> None:
        self.items: list[Arrival] = []
        self.next = offset
        self.is_full = False
        self._is_wanted = is_wanted
        self._most = most
        self._bytes = 0
        self._known: dict[bytes, str] = {}

    def look_at(self, blocks: Sequence[Block]) -> None:
        """Take what is wanted of these blocks, until there is enough."""
        packets = locate(blocks, np.array([block.count for block in blocks], np.int64))
        data, at = packets.data, 0
        starts, ends = packets.topic_start.tolist(), packets.topic_end.tolist()
        for block in blocks:
            for index in range(max(self.next - block.offset, 0), block.count):
                place = at + index
                name = data[starts[place] : ends[place]]
                topic = self._known.get(name)
                if topic is None:
                    topic = self._wanted(name)
                if not topic:
                    continue
                payload = data[packets.payload_start[place] : packets.payload_end[place]]
                self.next = block.offset + index
                self._bytes += len(payload)
                if self.items and (self._bytes > MAX_ANSWER_BYTES or len(self.items) >= self._most):
                    self.is_full = True
                    return
                arrived_us = block.arrived_us + index
                self.items.append(Arrival(self.next, topic, payload, arrived_us))
            self.next = block.next_offset
            at += block.count

    def _wanted(self, name: bytes) -> str:
        """Return a topic if it is wanted, "" otherwise, and remember that."""
        if len(self._known) > 100_000:
            self._known.clear()
        topic = name.decode()
        self._known[name] = topic = topic if self._is_wanted(topic) else ""
        return topic
