"""What clients find again after the door ended: sessions, messages, retained messages, wills."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.door.peer import Journal as LogJournal
from tests.door.peer import Meet, Peer, eventually

from penstock.core.clock import ManualClock
from penstock.core.errors import DiskFull
from penstock.door import Door, DoorSettings
from penstock.door import commit as commit_module
from penstock.door.journal import TABLES, Journal
from penstock.door.message import Message
from penstock.door.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Ping,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from penstock.door.properties import Kind, Property
from penstock.log import MemoryLog

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

    def forget_unsynced(self) -> None:
        """Lose what a crash loses."""
        kept = self.blocks()
        self.log, self.trouble = MemoryLog(), None
        self.writer = self.log.writer("door")
        for one in kept:
            self.writer.append(one.client, one.protocol, one.arrived_us, one.packets, one.ends)
        self.writer.sync()

    def sync(self) -> int:
        if self.trouble is not None:
            self.refusals += 1
            raise self.trouble
        return self.writer.sync()


class House:
    """A door that can lose its memory: only what is on disk outlives `crash`."""

    def __init__(
        self, folder: Path, log: Log, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.monkeypatch = monkeypatch
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
        with self.monkeypatch.context() as patch:
            patch.setattr("penstock.door.door.CLOSE_TIMEOUT_S", 0.1)
            await door.close()

    async def restart(self, **settings: Any) -> Door:
        await self.crash()
        return await self.open(**settings)


@pytest.fixture
async def house(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr(commit_module, "RETRY_S", 0.01)
    monkeypatch.setattr("penstock.door.connection.GOODBYE_S", 0.02)
    monkeypatch.setattr("penstock.door.parting.GOODBYE_S", 0.02)
    house = House(tmp_path / "door", Log(), clock, monkeypatch)
    yield house
    house.log.trouble = None
    for door in house.doors:
        await door.close()


async def saved(door: Door) -> None:
    """Let the door take its look at the clock, and wait until all is written."""
    await eventually(lambda: not door.commit.is_busy)
    door.tick()
    keeper = door.broker.keeper
    await eventually(lambda: keeper.is_idle and not door.commit.is_busy)


async def _leave(door: Door, peer: Peer, client: str) -> None:
    """Break a connection, and wait until the door has noticed."""
    session = door.broker.session_of(client)
    assert session is not None
    await peer.close()
    await eventually(lambda: session.link is None)


async def _heard(peer: Peer) -> None:
    """Wait until the door has taken what the client sent, and see that it has nothing to say."""
    peer.send(Ping(Kind.PINGREQ))
    assert await peer.receive() == Ping(Kind.PINGRESP)


async def _got(peer: Peer, count: int) -> list[Publish]:
    """Take messages and go through their exchanges."""
    found: list[Publish] = []
    released = 0
    while len(found) < count or released < sum(message.qos == 2 for message in found):
        packet = await peer.receive()
        if isinstance(packet, Ack):
            assert packet.kind is Kind.PUBREL
            released += 1
            peer.send(Ack(Kind.PUBCOMP, packet.packet_id))
            continue
        assert isinstance(packet, Publish)
        found.append(packet)
        if packet.qos:
            kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
            peer.send(Ack(kind, packet.packet_id))
    return found


async def test_a_session_its_subscriptions_and_what_waits_are_there_again(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    given = {Property.SUBSCRIPTION_IDENTIFIER: (7,)}
    assert await listener.subscribe("plant/+", 2, properties=given) == Suback(1, (2,))
    await _leave(door, listener, "listener")
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


async def test_options_of_subscriptions_are_there_again(house: House, meet: Meet) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("own/#", 1, no_local=True)
    await listener.subscribe("kept", 1, retain_as_published=True)
    await listener.subscribe("$share/team/work", 1)
    await listener.subscribe("gone", 1)
    listener.send(Unsubscribe(1, ("gone",)))
    assert await listener.receive() == Unsuback(1, (0,))

    door = await house.restart()
    again = await meet(door, "listener", **LASTING)
    await again.publish("own/1", b"not for me")
    other = await meet(door, "other", 5)
    await other.publish("gone", b"nor this")
    await other.publish("own/1", b"1")
    await other.publish("kept", b"2", retain=True)
    await other.publish("work", b"3")
    got = await _got(again, 3)
    assert [(m.payload, m.retain) for m in got] == [(b"1", False), (b"2", True), (b"3", False)]
    await _heard(again)


async def test_retained_messages_are_there_again_until_they_expire(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    sender = await meet(door, "sender", 5)
    said = {Property.CONTENT_TYPE: "text/plain", Property.MESSAGE_EXPIRY_S: 100}
    await sender.publish("a", b"old", retain=True)
    await sender.publish("a", b"new", 2, retain=True)
    await sender.publish("b", b"soon over", retain=True, properties=said)
    await sender.publish("c", b"taken back", retain=True)
    await sender.publish("c", b"", retain=True)
    await sender.publish("d", b"unacknowledged", 0, retain=True)
    await _heard(sender)
    await eventually(lambda: not door.commit.is_busy)

    house.clock.advance(60)
    door = await house.restart()
    peer = await meet(door, "one", 5)
    await peer.subscribe("#", 2)
    found = {m.topic: m for m in await _got(peer, 3)}
    assert {name: (m.payload, m.qos, m.retain) for name, m in found.items()} == {
        "a": (b"new", 2, True),
        "b": (b"soon over", 1, True),
        "d": (b"unacknowledged", 0, True),
    }
    assert found["b"].properties == {**said, Property.MESSAGE_EXPIRY_S: 40}
    await _heard(peer)
    house.clock.advance(60)
    door = await house.restart()
    assert len(door.broker.retained) == 2


async def test_what_was_in_flight_is_sent_again_with_its_packet_identifier(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 2)
    sender = await meet(door, "sender")
    for number in range(1, 4):
        await sender.publish("a", b"%d" % number, 2)
    messages = [await listener.receive() for _ in range(3)]
    ids = [m.packet_id for m in messages if isinstance(m, Publish)]
    listener.send(Ack(Kind.PUBREC, ids[0]), Ack(Kind.PUBREC, ids[1]))
    assert await listener.receive() == Ack(Kind.PUBREL, ids[0])
    assert await listener.receive() == Ack(Kind.PUBREL, ids[1])
    listener.send(Ack(Kind.PUBCOMP, ids[0]))
    await _heard(listener)
    await saved(door)

    door = await house.restart()
    again = await meet(door, "listener", **LASTING)
    assert await again.receive() == Ack(Kind.PUBREL, ids[1])
    third = await again.receive()
    assert isinstance(third, Publish)
    assert (third.payload, third.packet_id, third.dup) == (b"3", ids[2], True)
    again.send(Ack(Kind.PUBCOMP, ids[1]), Ack(Kind.PUBREC, ids[2]))
    assert await again.receive() == Ack(Kind.PUBREL, ids[2])
    again.send(Ack(Kind.PUBCOMP, ids[2]))
    await _heard(again)
    await saved(door)
    assert _rows(house, "outbound") == _rows(house, "messages") == []


async def test_messages_keep_their_order_and_their_first_dup_flag(house: House, meet: Meet) -> None:
    door = await house.open(max_inflight=2)
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 1)
    sender = await meet(door, "sender")
    for number in range(4):
        await sender.publish("a", b"%d" % number)
    for _ in range(2):
        assert isinstance(await listener.receive(), Publish)
    await _leave(door, listener, "listener")
    await saved(door)

    door = await house.restart(max_inflight=10)
    again = await meet(door, "listener", **LASTING)
    got = await _got(again, 4)
    assert [m.payload for m in got] == [b"0", b"1", b"2", b"3"]
    assert [m.dup for m in got] == [True, True, False, False]
    await (await meet(door, "sender")).publish("a", b"4")
    assert (await _got(again, 1))[0].packet_id not in {m.packet_id for m in got}


async def test_a_qos_2_message_sent_again_after_a_crash_is_not_logged_again(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    peer = await meet(door, "peer", **LASTING)
    peer.send(Publish("a", b"1", 2, packet_id=3), Publish("a", b"2", 2, packet_id=4))
    assert await peer.receive() == Ack(Kind.PUBREC, 3)
    assert await peer.receive() == Ack(Kind.PUBREC, 4)
    peer.send(Ack(Kind.PUBREL, 4))
    assert await peer.receive() == Ack(Kind.PUBCOMP, 4)

    door = await house.restart()
    again = await meet(door, "peer", **LASTING)
    again.send(Publish("a", b"1", 2, dup=True, packet_id=3))
    assert await again.receive() == Ack(Kind.PUBREC, 3)
    again.send(Publish("a", b"new", 2, packet_id=4))
    assert await again.receive() == Ack(Kind.PUBREC, 4)
    again.send(Ack(Kind.PUBREL, 3))
    assert await again.receive() == Ack(Kind.PUBCOMP, 3)
    assert [m.payload for m in house.log.messages() if m.topic == "a"] == [b"1", b"2", b"new"]


async def test_what_the_journal_has_and_the_log_has_not_is_undone(house: House, meet: Meet) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 2)
    sender = await meet(door, "sender", **LASTING)
    await sender.publish("a", b"1", 2)
    assert (await _got(listener, 1))[0].payload == b"1"
    await _heard(listener)
    await saved(door)
    # The journal is written before the log, and the log refuses: then the door dies.
    house.log.trouble = DiskFull("no space")
    sender.send(Publish("a", b"2", 2, packet_id=9))
    await eventually(lambda: house.log.refusals > 0)
    assert [row[1] for row in _rows(house, "inbound")] == [9]
    assert len(_rows(house, "outbound")) == 1
    await house.crash()
    house.log.forget_unsynced()

    door = await house.open()
    again = await meet(door, "listener", **LASTING)
    await _heard(again)
    sender = await meet(door, "sender", **LASTING)
    sender.send(Publish("a", b"2", 2, dup=True, packet_id=9))
    assert await sender.receive() == Ack(Kind.PUBREC, 9)
    assert [m.payload for m in await _got(again, 1)] == [b"2"]
    assert [m.payload for m in house.log.messages() if m.topic == "a"] == [b"1", b"2"]


async def test_a_log_that_lost_messages_does_not_take_the_sessions_with_it(
    house: House, meet: Meet, caplog: pytest.LogCaptureFixture
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 1)
    await _leave(door, listener, "listener")
    await (await meet(door, "sender")).publish("a", b"1")
    # Another group, so that the journal knows that the message was in the log.
    await (await meet(door, "another", **LASTING)).subscribe("b", 1)
    await house.crash()
    house.log = Log()
    for _ in range(2):
        door = await house.open()
        assert door.broker.session_of("listener").queued == 1  # type: ignore[union-attr]
        await saved(door)
        await house.crash()
    assert caplog.text.count("messages were removed from it") == 1


async def test_sessions_end_in_time_though_the_door_was_away(house: House, meet: Meet) -> None:
    door = await house.open()
    for client, expiry_s in (("short", 100), ("long", 1000)):
        about = LASTING | {"properties": {Property.SESSION_EXPIRY_S: expiry_s}}
        peer = await meet(door, client, **about)
        peer.send(Disconnect())
        await peer.is_closed()
    await saved(door)
    house.clock.advance(60)
    door = await house.restart()
    house.clock.advance(60)
    door.tick()
    assert door.broker.session_of("short") is None
    assert door.broker.session_of("long") is not None
    await saved(door)
    assert [row[1] for row in _rows(house, "sessions")] == ["long"]


@pytest.mark.parametrize("jump_s", [-50 * 365 * DAY_S, 50 * 365 * DAY_S])
async def test_a_wall_clock_that_jumps_ends_no_session(
    house: House, meet: Meet, jump_s: int
) -> None:
    door = await house.open()
    peer = await meet(door, "kept", clean_start=False)
    peer.send(Disconnect())
    await peer.is_closed()
    await saved(door)
    await house.crash()
    house.clock = ManualClock(house.clock.now_us() + jump_s * 1_000_000)
    door = await house.open()
    door.tick()
    assert door.broker.session_of("kept") is not None


async def test_a_crash_starts_the_expiry_of_who_was_connected(house: House, meet: Meet) -> None:
    door = await house.open()
    await meet(door, "here", **LASTING)
    await eventually(lambda: not door.broker.keeper.is_unsaved)
    house.clock.advance(DAY_S)
    door = await house.restart()
    house.clock.advance(3599)
    door.tick()
    assert door.broker.session_of("here") is not None
    house.clock.advance(2)
    door.tick()
    assert door.broker.session_of("here") is None


def _will(topic: str, delay_s: int = 0) -> Will:
    return Will(topic, b"gone", 1, True, {Property.WILL_DELAY_S: delay_s} if delay_s else {})


async def test_wills_are_sent_after_a_crash_unless_the_client_is_back(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    await meet(door, "plain", 5, will=_will("w/plain"))
    await meet(door, "later", **LASTING, will=_will("w/later", 100))
    await meet(door, "back", **LASTING, will=_will("w/back", 100))
    leaver = await meet(door, "polite", **LASTING, will=_will("w/polite"))
    leaver.send(Disconnect())
    await leaver.is_closed()
    away = await meet(door, "away", **LASTING, will=_will("w/away", 100))
    await away.close()
    await eventually(lambda: len(door._connections) == 3)
    await saved(door)
    house.clock.advance(60)

    door = await house.restart()
    assert [m.topic for m in await _retained(house, door, 1)] == ["w/plain"]
    await meet(door, "back", **LASTING)
    house.clock.advance(50)
    door.tick()
    assert [m.topic for m in await _retained(house, door, 2)] == ["w/away", "w/plain"]
    house.clock.advance(51)
    door.tick()
    names = [m.topic for m in await _retained(house, door, 3)]
    assert names == ["w/away", "w/later", "w/plain"]
    house.clock.advance(1000)
    door.tick()
    await saved(door)
    # Each was sent once, and another crash sends none again.
    await house.restart()
    logged = [m for m in house.log.messages() if m.topic.startswith("w/")]
    assert sorted(m.topic for m in logged) == names
    assert {m.payload for m in logged} == {b"gone"}


async def test_a_will_of_a_session_that_ended_survives_until_it_is_on_disk(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    peer = await meet(door, "peer", 5, will=_will("w"))
    house.log.trouble = DiskFull("no space")
    await peer.close()
    await eventually(lambda: house.log.refusals > 0)
    await house.crash()
    house.log.forget_unsynced()
    door = await house.open()
    assert [m.topic for m in await _retained(house, door, 1)] == ["w"]
    await saved(door)
    assert _rows(house, "sessions") == []


async def test_sessions_that_do_not_last_leave_nothing_in_the_journal(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", 5)
    await listener.subscribe("#", 2)
    sender = await meet(door, "sender")
    await sender.publish("a", b"1", 2)
    await _got(listener, 1)
    assert door.broker.keeper.is_idle
    assert not any(_rows(house, name) for name in ("sessions", "outbound", "inbound", "messages"))


async def test_a_clean_start_forgets_on_disk_too(house: House, meet: Meet) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 1)
    await _leave(door, listener, "listener")
    await (await meet(door, "sender")).publish("a", b"1")
    await meet(door, "listener", 5)
    door = await house.restart()
    assert door.broker.session_of("listener") is None
    for name in ("sessions", "subscriptions", "outbound", "messages"):
        assert _rows(house, name) == []


async def test_a_session_that_comes_back_not_to_last_is_not_kept(house: House, meet: Meet) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 1)
    await _leave(door, listener, "listener")
    await (await meet(door, "sender")).publish("a", b"1")
    again = await meet(door, "listener", 5, clean_start=False)
    assert again.connack.session_present  # type: ignore[attr-defined]
    assert [m.payload for m in await _got(again, 1)] == [b"1"]
    door = await house.restart()
    assert door.broker.session_of("listener") is None


async def test_what_a_member_of_a_share_did_not_take_goes_to_another(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    one = await meet(door, "one", **LASTING)
    await one.subscribe("$share/team/work", 1)
    await _leave(door, one, "one")
    sender = await meet(door, "sender")
    for number in range(4):
        await sender.publish("work", b"%d" % number)
    door = await house.restart()
    two = await meet(door, "two", **LASTING)
    await two.subscribe("$share/team/work", 1)
    await meet(door, "one", 5)  # a clean start ends the session that has the messages
    assert [m.payload for m in await _got(two, 4)] == [b"0", b"1", b"2", b"3"]


async def test_nothing_is_promised_while_the_journal_refuses(
    house: House, meet: Meet, call: Meet, caplog: pytest.LogCaptureFixture
) -> None:
    door = await house.open()
    listener = await meet(door, "listener", **LASTING)
    journal = door._journal
    assert journal is not None
    write, refusals = journal.write, []

    def refuse(_changes: object) -> None:
        refusals.append(1)
        raise DiskFull("no space left for the door's journal")

    await eventually(lambda: not door.commit.is_busy)
    journal.write = refuse  # type: ignore[method-assign]
    listener.send(Subscribe(5, (Request("a", 1),)))
    await eventually(lambda: len(refusals) > 2)
    late = await call(door, 5)
    late.send(Connect("late", **LASTING))
    assert await listener.silent()
    assert await late.silent()
    assert door.stats()["penstock_door_stalled"] == 1
    assert "journal" in caplog.text
    journal.write = write  # type: ignore[method-assign]
    assert await listener.receive() == Suback(5, (1,))
    assert isinstance(await late.receive(), Connack)
    assert door.stats()["penstock_door_stalled"] == 0
    door = await house.restart()
    assert set(door.broker.session_of("listener").subscriptions) == {"a"}  # type: ignore[union-attr]


async def test_a_connack_comes_before_everything_else(house: House, call: Meet) -> None:
    door = await house.open()
    peer = await call(door, 5)
    peer.send(Connect("eager", **LASTING), Ping(Kind.PINGREQ), Subscribe(1, (Request("a", 1),)))
    assert isinstance(await peer.receive(), Connack)
    assert await peer.receive() == Ping(Kind.PINGRESP)
    assert await peer.receive() == Suback(1, (1,))


async def test_bounds_hold_after_a_restart(house: House, meet: Meet) -> None:
    door = await house.open(max_queued_messages=3)
    listener = await meet(door, "listener", **LASTING)
    await listener.subscribe("a", 1)
    await _leave(door, listener, "listener")
    sender = await meet(door, "sender")
    for number in range(2):
        await sender.publish("a", b"%d" % number)
    door = await house.restart(max_queued_messages=3)
    sender = await meet(door, "sender")
    for number in range(2, 5):
        await sender.publish("a", b"%d" % number)
    again = await meet(door, "listener", **LASTING)
    assert [m.payload for m in await _got(again, 3)] == [b"0", b"1", b"2"]
    await _heard(again)


def _rows(house: House, name: str) -> list[tuple[Any, ...]]:
    journal = house.doors[-1]._journal
    assert journal is not None
    table = next(table for table in TABLES if table.name == name)
    return list(journal.rows(table))


async def _retained(house: House, door: Door, count: int) -> list[Message]:
    await eventually(lambda: len(door.broker.retained) == count)
    found = door.broker.retained.match("w/#", house.clock.monotonic_s())
    return sorted(found, key=lambda message: message.topic)


async def test_what_waited_through_a_crash_still_knows_its_place_in_the_log(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    asked = {**LASTING, "properties": {**LASTING["properties"]}}
    asked["properties"][Property.USER_PROPERTY] = (("penstock-offset", ""),)
    peer = await meet(door, "p", **asked)
    await peer.subscribe("a", 1)
    await _leave(door, peer, "p")
    sender = await meet(door, "sender")
    await sender.publish("a", b"kept", 1)
    (offset,) = [n for n, one in enumerate(house.log.messages()) if one.payload == b"kept"]
    door = await house.restart()
    (got,) = await _got(await meet(door, "p", **asked), 1)
    assert got.properties[Property.USER_PROPERTY] == (("penstock-offset", str(offset)),)


async def test_a_message_with_more_properties_than_are_taken_now_is_restored(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    many = {Property.USER_PROPERTY: (("k", "v"),) * 1_500}
    packet = Publish("old", b"1", 0, retain=True, properties=many)
    door.broker.keeper.retained("old", Message(packet, "device", 0.0))
    door.commit.nudge()
    await saved(door)
    door = await house.restart()
    peer = await meet(door, "reader", 5)
    await peer.subscribe("old")
    async with asyncio.timeout(10):
        assert b"old" in await peer.reader.read(1_000)
