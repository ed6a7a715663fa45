"""What clients find again after the door ended: sessions, messages, retained messages, wills."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.door.peer import Journal as LogJournal
from tests.door.peer import Meet, Peer, eventually

from penstock.core.clock import ManualClock
from penstock.door import Door, DoorSettings
from penstock.door.journal import Journal
from penstock.door.packets import (
    Ack,
    Ping,
    Publish,
    Suback,
)
from penstock.door.properties import Kind, Property

DAY_S = 86_400
#: CONNECT of MQTT 5.0 for a session that lasts.
LASTING: dict[str, Any] = {
    "protocol": 5,
    "clean_start": False,
    "properties": {Property.SESSION_EXPIRY_S: 3600},
}


class Log(LogJournal):
    """A log that takes everything, also what the door tells about its clients."""

    def append(
        self, client: str, protocol: int, arrived_us: int, packets: bytes, ends: bytes
    ) -> int:
        return self.writer.append(client, protocol, arrived_us, packets, ends)

    def sync(self) -> int:
        if self.trouble is not None:
            self.refusals += 1
            raise self.trouble
        return self.writer.sync()


class House:
    """A door that can lose its memory: only what is on disk outlives `crash`."""

    def __init__(self, folder: Path, log: Log, clock: ManualClock) -> None:
        self.folder = folder
        self.log = log
        self.clock = clock
        self.doors: list[Door] = []

    async def open(self, **settings: Any) -> Door:
        door = Door(
            DoorSettings(port=0, **settings), self.log, self.clock, journal=Journal(self.folder)
        )
        await door.start()
        self.doors.append(door)
        return door

    async def crash(self) -> None:
        """End the door in a way that gives it no chance to write anything."""
        door = self.doors[-1]
        journal = door._journal
        assert journal is not None
        journal.write = lambda _changes: None  # type: ignore[method-assign]
        await door.close()

    async def restart(self, **settings: Any) -> Door:
        await self.crash()
        return await self.open(**settings)


@pytest.fixture
async def house(tmp_path: Path, clock: ManualClock) -> AsyncIterator[House]:
    house = House(tmp_path / "door", Log(), clock)
    yield house
    house.log.trouble = None
    for door in house.doors:
        await door.close()


async def saved(door: Door) -> None:
    """Let the door take its look at the clock, and wait until all is written."""
    door.tick()
    keeper = door.broker.keeper
    await eventually(lambda: keeper.is_idle and not keeper.is_unsaved)


async def _heard(peer: Peer) -> None:
    """Wait until the door has taken what the client sent, and see that it has nothing to say."""
    peer.send(Ping(Kind.PINGREQ))
    assert await peer.receive() == Ping(Kind.PINGRESP)


async def _got(peer: Peer, count: int) -> list[Publish]:
    """Take messages and go through their exchanges."""
    found: list[Publish] = []
    while len(found) < count:
        packet = await peer.receive()
        assert isinstance(packet, Publish)
        found.append(packet)
        if packet.qos == 1:
            peer.send(Ack(Kind.PUBACK, packet.packet_id))
        elif packet.qos == 2:
            peer.send(Ack(Kind.PUBREC, packet.packet_id))
            assert await peer.receive() == Ack(Kind.PUBREL, packet.packet_id)
            peer.send(Ack(Kind.PUBCOMP, packet.packet_id))
    return found


async def test_a_session_its_subscriptions_and_what_waits_are_there_again(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    given = {Property.SUBSCRIPTION_IDENTIFIER: (7,)}
    assert await listener.subscribe("plant/+", 2, properties=given) == Suback(1, (2,))
    await listener.close()
    await eventually(lambda: door.broker.session_of("listener").link is None)  # type: ignore[union-attr]
    sender = await meet(door, "sender", 5)
    said = {
        Property.CONTENT_TYPE: "text/plain",
        Property.USER_PROPERTY: (("a", "1"), ("a", "2")),
        Property.MESSAGE_EXPIRY_S: 600,
    }
    await sender.publish("plant/1", b"one", 1, properties=said)
    await sender.publish("plant/2", b"two", 2)
    await sender.publish("plant/3", b"lost", 0)

    door = await house.restart()
    house.clock.advance(60)
    again = await meet(door, "listener", **LASTING)
    assert again.connack.session_present  # type: ignore[attr-defined]
    one, two = await _got(again, 2)
    assert (one.topic, one.payload, one.qos, one.dup) == ("plant/1", b"one", 1, False)
    assert one.properties == {
        **said,
        Property.MESSAGE_EXPIRY_S: 540,
        Property.SUBSCRIPTION_IDENTIFIER: (7,),
    }
    assert (two.topic, two.payload, two.qos) == ("plant/2", b"two", 2)
    sender = await meet(door, "sender")
    await sender.publish("plant/4", b"new", 1)
    assert [m.payload for m in await _got(again, 1)] == [b"new"]
    await _heard(again)
    await saved(door)
    door = await house.restart()
    again = await meet(door, "listener", **LASTING)
    await _heard(again)
