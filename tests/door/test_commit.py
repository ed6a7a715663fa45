"""Acknowledged means on disk: no answer before the sync, none while the disk refuses."""

from __future__ import annotations

import asyncio
import logging

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, eventually

from penstock.core.errors import DiskFull, NotConnected
from penstock.door.packets import Ack, Connack, Connect, Publish, Suback
from penstock.door.properties import Kind, Property


class SlowJournal(Journal):
    """A disk whose sync takes until the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def sync(self) -> int:
        if self.only_presence:
            return super().sync()
        self.events.append("sync begins")
        asyncio.run_coroutine_threadsafe(self.gate.wait(), self.loop).result(10)
        return super().sync()


@pytest.fixture
async def journal(request: pytest.FixtureRequest) -> Journal:
    return SlowJournal() if "slow_disk" in request.keywords else Journal()


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("qos", [1, 2])
async def test_no_answer_and_no_delivery_before_the_sync(
    open_door: OpenDoor, meet: Meet, journal: Journal, qos: int
) -> None:
    slow = SlowJournal()
    journal.sync = slow.sync  # type: ignore[method-assign]
    journal.append = slow.append  # type: ignore[method-assign]
    door = await open_door()
    listener = await meet(door, "listener")
    await listener.subscribe("a")
    peer = await meet(door)
    await eventually(lambda: len(slow.presence) == 3)
    peer.send(Publish("a", b"1", qos, packet_id=1))
    await eventually(lambda: "sync begins" in slow.events)
    assert await peer.silent()
    assert await listener.silent()
    assert slow.messages() == []
    # What comes meanwhile joins the next group.
    one = door.stats()["penstock_door_unsynced_bytes"]
    peer.send(*[Publish("a", b"2", 1, packet_id=n) for n in range(2, 12)])
    await eventually(lambda: door.stats()["penstock_door_unsynced_bytes"] == 11 * one)
    slow.gate.set()
    kind = Kind.PUBACK if qos == 1 else Kind.PUBREC
    assert await peer.receive() == Ack(kind, 1)
    for number in range(2, 12):
        assert await peer.receive() == Ack(Kind.PUBACK, number)
    assert isinstance(await listener.receive(), Publish)
    assert slow.events[:3] == ["append", "sync begins", "sync"]
    assert slow.events.count("sync") == 2


@pytest.mark.parametrize("trouble", [DiskFull("no space"), NotConnected("disk is gone")])
async def test_a_disk_that_refuses_stops_the_flow_and_recovery_answers_all(
    open_door: OpenDoor,
    meet: Meet,
    call: Meet,
    journal: Journal,
    trouble: Exception,
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = await open_door()
    peer = await meet(door, "one")
    other = await meet(door, "two")
    journal.trouble = trouble
    with caplog.at_level(logging.WARNING, "penstock.door"):
        peer.send(Publish("a", b"1", 1, packet_id=1))
        await eventually(lambda: journal.refusals > 3)
        other.send(Publish("a", b"2", 1, packet_id=1))
        late = await call(door)
        late.send(Connect("late"))
        assert await peer.silent()
        assert await other.silent()
        assert await late.silent()
        assert door.stats()["penstock_door_stalled"] == 1
        assert len(caplog.records) == 1
        assert "acknowledged" in caplog.text
        journal.trouble = None
        assert await peer.receive() == Ack(Kind.PUBACK, 1)
        assert await other.receive() == Ack(Kind.PUBACK, 1)
        assert await late.receive() == Connack()
    assert len(caplog.records) == 2
    assert door.stats()["penstock_door_stalled"] == 0
    assert sorted(m.payload for m in journal.messages()) == [b"1", b"2"]


async def test_a_full_disk_ends_nobody_for_silence(
    open_door: OpenDoor, meet: Meet, journal: Journal, clock: object
) -> None:
    door = await open_door()
    peer = await meet(door, keep_alive_s=10)
    journal.trouble = DiskFull("no space")
    peer.send(Publish("a", b"1", 1, packet_id=1))
    await eventually(lambda: journal.refusals > 0)
    clock.advance(100)  # type: ignore[attr-defined]
    door.tick()
    journal.trouble = None
    assert await peer.receive() == Ack(Kind.PUBACK, 1)
    door.tick()
    await peer.publish("a", b"2", 1)


async def test_closing_with_a_full_disk_gives_up_without_acknowledging(
    open_door: OpenDoor, meet: Meet, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.door.CLOSE_TIMEOUT_S", 0.05)
    door = await open_door()
    peer = await meet(door)
    journal.trouble = DiskFull("no space")
    peer.send(Publish("a", b"1", 1, packet_id=1))
    await eventually(lambda: journal.refusals > 0)
    await door.close()
    assert await peer.reader.read() == b""
    assert journal.messages() == []


async def test_more_unsynced_bytes_than_allowed_stop_the_reading(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    slow = SlowJournal()
    journal.sync = slow.sync  # type: ignore[method-assign]
    journal.append = slow.append  # type: ignore[method-assign]
    door = await open_door(max_unsynced_bytes=65_536)
    peer = await meet(door)
    total = 400
    for number in range(1, total + 1):
        peer.send(Publish("a", b"x" * 50_000, 1, packet_id=number))
    await eventually(lambda: door.stats()["penstock_door_unsynced_bytes"] > 65_536)
    await asyncio.sleep(0.1)
    assert door.stats()["penstock_door_unsynced_bytes"] < 2_000_000
    slow.gate.set()
    for number in range(1, total + 1):
        assert await peer.receive() == Ack(Kind.PUBACK, number)
    assert len(slow.messages()) == total


async def test_who_reads_the_log_is_subscribed_when_all_of_before_is_in_it(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    slow = SlowJournal()
    journal.sync = slow.sync  # type: ignore[method-assign]
    journal.append = slow.append  # type: ignore[method-assign]
    door = await open_door()
    asks = {Property.USER_PROPERTY: (("penstock-offset", ""),)}
    sender, reader, plain = [
        await meet(door, name, 5, properties=asks if name == "reader" else {})
        for name in ("sender", "reader", "plain")
    ]
    sender.send(Publish("a", b"1", 1, packet_id=1))
    await eventually(lambda: "sync begins" in slow.events)
    assert await plain.subscribe("a", 1) == Suback(1, (1,))
    answer = asyncio.ensure_future(reader.subscribe("a", 1))
    await asyncio.sleep(0.05)
    assert not answer.done()
    slow.gate.set()
    assert await answer == Suback(1, (1,))
    assert [message.payload for message in slow.messages()] == [b"1"]
    sender.send(Publish("a", b"2", 1, packet_id=2))
    message = await reader.receive()
    assert isinstance(message, Publish)
    assert message.payload == b"2"
