"""One partition of the log as ingest reads it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from penstock.core.errors import Corrupt
from penstock.core.log import Block, Log
from penstock.ingest.decoding import Rejected
from penstock.ingest.letters import Letter
from penstock.ingest.messages import Batch, split
from penstock.ingest.routes import TopicTable

_log = logging.getLogger(__name__)

#: Name under which the log knows this reader; retention waits for it.
READER = "ingest"


class Source:
    """Reads one partition from where the store stands.

    Args:
        log: Holds the partition.
        partition: Its name.
        mark: Offset before which the store holds everything durably.
    """

    def __init__(self, log: Log, partition: str, mark: int) -> None:
        self.partition = partition
        self.corrupt = 0
        #: Whether the last read found as much as was asked for, so that there may be more.
        self.is_behind = False
        #: Arrival of the first message that was read and is not stored; None when there is none.
        self.oldest_us: int | None = None
        #: How often the batch at hand could not be handled, for unexpected reasons.
        self.surprises = 0
        self._reader = log.reader(partition, READER)
        self._committed = self._reader.position
        #: Whether the log remembers this reader, so that it is the log that was read before.
        self.is_known = self._committed > 0
        self._reader.seek(mark)
        #: Offset before which everything is stored.
        self.position = mark

    def restart(self) -> None:
        """Begin at the first message: the log is another one."""
        self._reader.seek(0)
        self.position = 0

    def read(self, max_bytes: int, table: TopicTable) -> Batch | None:
        """Return the next messages, or None when there are none now."""
        blocks = self._blocks(max_bytes)
        if not blocks:
            self.is_behind, self.oldest_us = False, None
            return None
        self.is_behind = sum(len(block.packets) for block in blocks) * 2 >= max_bytes
        self.oldest_us = blocks[0].arrived_us
        return split(self.partition, blocks, table, self.position)

    def _blocks(self, max_bytes: int) -> Sequence[Block]:
        while True:
            try:
                return self._reader.read(max_bytes)
            except Corrupt as error:
                self.corrupt += 1
                _log.error("messages of partition %s are lost: %s", self.partition, error)

    def done(self, batch: Batch) -> None:
        """Go on behind a batch that is stored."""
        self.position = batch.next_offset
        self.surprises = 0
        self.oldest_us = int(batch.arrived_us[-1]) if self.is_behind and len(batch) else None

    def rewind(self) -> None:
        """Read again what is not stored."""
        self._reader.seek(self.position)

    def commit(self, mark: int) -> None:
        """Tell the log that everything before `mark` is durable in the store."""
        if mark > self._committed:
            self._reader.commit(mark)
            self._committed = mark

    def close(self) -> None:
        """Release the reader."""
        self._reader.close()


def letters_of(batch: Batch, rejected: Sequence[Rejected]) -> list[Letter]:
    """Return the dead letters of a batch, in the order of its messages."""
    return [
        Letter(
            topic=batch.topics[r.message].name,
            payload=batch.payloads[r.message],
            reason=r.reason,
            codec=r.codec,
            partition=batch.partition,
            offset=int(batch.offsets[r.message]),
            client=batch.client(r.message),
            arrived_us=int(batch.arrived_us[r.message]),
            device=r.device,
        )
        for r in sorted(rejected, key=lambda r: r.message)
    ]
