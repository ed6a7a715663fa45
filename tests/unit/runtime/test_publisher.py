"""Messages by HTTP: together, durable, and bounded when the disk refuses."""

import asyncio

import pytest

from penstock.core.clock import ManualClock
from penstock.core.errors import DiskFull, InvalidInput
from penstock.log import MemoryLog
from penstock.runtime.publisher import Publisher


class Writer:
    """A memory log's writer whose disk can be full."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.writer = self.log.writer("hub")
        self.is_full = False
        self.syncs = 0

    @property
    def end_offset(self) -> int:
        return self.writer.end_offset

    @property
    def durable_offset(self) -> int:
        return self.writer.durable_offset

    def append(self, client: str, protocol: int, at: int, packets: bytes, ends: bytes) -> int:
        return self.writer.append(client, protocol, at, packets, ends)

    def sync(self) -> int:
        self.syncs += 1
        if self.is_full:
            raise DiskFull("no space; make room")
        return self.writer.sync()

    def close(self) -> None:
        self.writer.close()


async def test_what_is_published_is_durable_when_it_returns() -> None:
    writer = Writer()
    publisher = Publisher(writer, ManualClock())
    assert await publisher.publish([("a", b"1"), ("b", b"2")], "c") == 2
    assert writer.durable_offset == 2
    publisher.close()


async def test_many_at_once_share_a_sync() -> None:
    writer = Writer()
    publisher = Publisher(writer, ManualClock())
    await asyncio.gather(*(publisher.publish([("a", b"1")], "c") for _ in range(100)))
    assert writer.durable_offset == 100
    assert writer.syncs < 10
    publisher.close()


async def test_retries_while_the_disk_is_full_do_not_pile_up() -> None:
    writer = Writer()
    publisher = Publisher(writer, ManualClock())
    writer.is_full = True
    for _ in range(50):
        with pytest.raises(DiskFull):
            await publisher.publish([("a", b"1")], "c")
    assert writer.end_offset == 1
    writer.is_full = False
    assert await publisher.publish([("a", b"1")], "c") == 2
    assert writer.durable_offset == 2
    publisher.close()


async def test_nothing_is_kept_when_one_topic_is_wrong() -> None:
    writer = Writer()
    publisher = Publisher(writer, ManualClock())
    with pytest.raises(InvalidInput, match="cannot be published to"):
        await publisher.publish([("a", b"1"), ("b/#", b"2")], "c")
    assert writer.end_offset == 0
    publisher.close()
