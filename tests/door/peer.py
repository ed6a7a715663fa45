"""A writer that remembers and refuses, and a client that says exactly what it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from penstock.core.log import Block
from penstock.door import Door
from penstock.door.decoding import decode
from penstock.door.encoding import encode
from penstock.door.intake import frame
from penstock.door.packets import (
    Ack,
    Connack,
    Disconnect,
    Packet,
    Publish,
    Request,
    Subscribe,
)
from penstock.door.presence import DOOR
from penstock.door.properties import Kind, Property
from penstock.door.reasons import Reason
from penstock.log import MemoryLog

#: Nothing in these tests takes this long unless something is wrong.
PATIENCE_S = 90.0


class Journal:
    """A log writer that remembers what happened, and refuses when told to.

    What the door tells about its clients is kept apart, in `presence`, and never refused.
    """

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.writer = self.log.writer("door")
        self.events: list[str] = []
        self.trouble: Exception | None = None
        self.refusals = 0
        self.presence: list[bytes] = []
        self.only_presence = True

    @property
    def end_offset(self) -> int:
        return self.writer.end_offset

    @property
    def durable_offset(self) -> int:
        return self.writer.durable_offset

    def append(
        self, client: str, protocol: int, arrived_us: int, packets: bytes, ends: bytes
    ) -> int:
        if client == DOOR:
            self.presence.append(packets)
            return self.end_offset
        self.only_presence = False
        self.events.append("append")
        return self.writer.append(client, protocol, arrived_us, packets, ends)

    def sync(self) -> int:
        if self.only_presence:
            return self.durable_offset
        if self.trouble is not None:
            self.refusals += 1
            raise self.trouble
        self.events.append("sync")
        self.only_presence = True
        return self.writer.sync()

    def close(self) -> None:
        self.writer.close()

    def blocks(self) -> list[Block]:
        """Return everything that is durable."""
        return list(self.log.reader("door").read(1 << 30))

    def packets(self) -> list[bytes]:
        """Return every durable PUBLISH packet, one by one."""
        found = []
        for block in self.blocks():
            start = 0
            for at in range(0, len(block.ends), 4):
                stop = int.from_bytes(block.ends[at : at + 4], "little")
                found.append(block.packets[start:stop])
                start = stop
            assert start == len(block.packets)
        return found

    def messages(self) -> list[Publish]:
        """Return every durable message."""
        found = []
        for block in self.blocks():
            start = 0
            for at in range(0, len(block.ends), 4):
                stop = int.from_bytes(block.ends[at : at + 4], "little")
                packet = block.packets[start:stop]
                body, _ = frame(packet, 0, len(packet), 1 << 28)
                message = decode(packet[0], packet[body:], block.protocol)
                assert isinstance(message, Publish)
                found.append(message)
                start = stop
        return found


class Peer:
    """A client that says exactly what it is told to say."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.protocol = protocol
        self.why = ""
        #: What the last PUBACK or PUBREC said of subscribers.
        self.is_heard = False

    def send(self, *packets: Packet) -> None:
        self.raw(b"".join(encode(packet, self.protocol) for packet in packets))

    def raw(self, data: bytes) -> None:
        self.writer.write(data)

    async def receive(self) -> Packet:
        """Return the next packet; raises `IncompleteReadError` when the door has closed.

        A reason in words is kept in `why` and is not part of what is returned, nor is whether an
        acknowledged message had subscribers, which is kept in `is_heard`.
        """
        async with asyncio.timeout(PATIENCE_S):
            data = await self.reader.readexactly(2)
            while data[-1] & 0x80:
                data += await self.reader.readexactly(1)
            body, stop = frame(data, 0, len(data), 1 << 28)
            packet = decode(data[0], await self.reader.readexactly(stop - body), self.protocol)
        return self.without_words(packet)

    def without_words(self, packet: Packet) -> Packet:
        """Return the packet without its reason in words, which is kept in `why`."""
        if isinstance(packet, Connack | Disconnect):
            self.why = packet.properties.get(Property.REASON_STRING, "")
            rest = {k: v for k, v in packet.properties.items() if k != Property.REASON_STRING}
            packet = replace(packet, properties=rest)
        if isinstance(packet, Ack) and packet.kind in (Kind.PUBACK, Kind.PUBREC):
            self.is_heard = packet.reason != Reason.NO_MATCHING_SUBSCRIBERS
            if not self.is_heard:
                packet = replace(packet, reason=Reason.SUCCESS)
        return packet

    async def silent(self, seconds: float = 0.1) -> bool:
        """Say whether nothing comes for a moment."""
        try:
            async with asyncio.timeout(seconds):
                return not await self.reader.read(1)
        except TimeoutError:
            return True

    async def is_closed(self) -> bool:
        """Wait for the door to close the connection."""
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                while await self.reader.read(65536):
                    pass
        return True

    async def subscribe(self, name: str, qos: int = 0, **options: Any) -> Packet:
        properties = options.pop("properties", {})
        self.send(Subscribe(1, (Request(name, qos, **options),), properties))
        return await self.receive()

    async def publish(self, topic: str, payload: bytes, qos: int = 1, **more: Any) -> None:
        """Publish and go through the whole exchange."""
        packet_id = more.pop("packet_id", 7) if qos else 0
        self.send(Publish(topic, payload, qos, packet_id=packet_id, **more))
        if qos == 1:
            assert await self.receive() == Ack(Kind.PUBACK, packet_id)
        elif qos == 2:
            assert await self.receive() == Ack(Kind.PUBREC, packet_id)
            self.send(Ack(Kind.PUBREL, packet_id))
            assert await self.receive() == Ack(Kind.PUBCOMP, packet_id)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


OpenDoor = Callable[..., Awaitable[Door]]
Meet = Callable[..., Awaitable[Peer]]


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that must happen has happened."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.002)
