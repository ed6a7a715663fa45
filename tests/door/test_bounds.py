"""Nobody can fill the memory or hurt another: floods, slow readers, malformed input."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, eventually

from penstock.core.clock import ManualClock
from penstock.door.encoding import encode
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
from penstock.door.reasons import Reason


async def test_more_connections_than_allowed_are_closed(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(max_connections=3)
    peers = [await meet(door, f"p{n}") for n in range(3)]
    extra = await call(door)
    assert await extra.is_closed()
    assert door.stats()["penstock_door_rejected_total"] == 1
    await peers[0].publish("a", b"", 1)
    await peers[0].close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 2)
    await meet(door, "again")


async def test_a_flood_of_silent_connections_is_bounded_and_times_out(
    open_door: OpenDoor, meet: Meet, call: Meet, clock: ManualClock
) -> None:
    door = await open_door(max_pending_connections=5, connect_timeout_s=2)
    busy = await meet(door, "busy")
    silent = [await call(door) for _ in range(50)]
    await eventually(lambda: door.stats()["penstock_door_rejected_total"] == 45)
    await busy.publish("a", b"", 1)
    clock.advance(3)
    door.tick()
    for peer in silent:
        assert await peer.is_closed()
    await meet(door, "welcome")


async def test_a_slow_qos_0_reader_loses_messages_and_keeps_its_connection(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    door = await open_door(max_outbound_bytes=65_536)
    slow = await meet(door, "slow")
    await slow.subscribe("a")
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    sender = await meet(door, "sender")
    dropped = "penstock_door_subscriber_dropped_total"
    for _ in range(2000):
        await sender.publish("a", b"x" * 16_000, 1)
        if door.stats()[dropped] > 10:
            break
    assert door.stats()[dropped] > 10
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    slow.send(Ping())
    while not isinstance(await slow.receive(), Ping):
        pass


async def test_a_slow_qos_1_reader_with_a_full_queue_is_ended(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door(max_queued_messages=10)
    keep = {Property.RECEIVE_MAXIMUM: 5, Property.SESSION_EXPIRY_S: 60}
    slow = await meet(door, "slow", 5, properties=keep)
    await slow.subscribe("a", 1)
    sender = await meet(door, "sender")
    for number in range(16):
        await sender.publish("a", bytes([number]), 1)
    for number in range(5):
        got = await slow.receive()
        assert isinstance(got, Publish)
        assert got.payload == bytes([number])
    assert await slow.receive() == Disconnect(Reason.QUOTA_EXCEEDED)
    # What fitted the queue still arrives.
    again = await meet(door, "slow", 5, properties=keep, clean_start=False)
    seen = []
    for _ in range(15):
        got = await again.receive()
        assert isinstance(got, Publish)
        seen.append(got.payload[0])
        again.send(Ack(Kind.PUBACK, got.packet_id))
    assert seen == list(range(15))


async def test_the_queue_of_an_absent_client_is_bounded_in_bytes(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door(max_queued_bytes=2500)
    peer = await meet(door, "p", clean_start=False)
    await peer.subscribe("a", 1)
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    sender = await meet(door, "sender")
    for _ in range(5):
        await sender.publish("a", b"x" * 1000, 1)
    assert door.stats()["penstock_door_subscriber_dropped_total"] == 3


async def test_a_client_that_never_reads_its_answers_is_cut_off(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door(max_outbound_bytes=65_536)
    peer = await meet(door)
    (connection,) = door._connections
    assert connection._transport is not None
    sock = connection._transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    answers = encode(Publish("a", b"", 1, packet_id=1), 4) * 20_000
    for _ in range(100):
        peer.raw(answers)
        await asyncio.sleep(0.001)
        if door.stats()["penstock_door_connections"] == 0:
            break
    await eventually(lambda: door.stats()["penstock_door_sessions"] == 0)


async def test_sessions_and_subscriptions_are_bounded(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(max_sessions=1, max_subscriptions=2)
    peer = await meet(door, "one", 5)
    peer.send(Subscribe(1, tuple(Request(name) for name in "abc")))
    assert await peer.receive() == Suback(1, (0, 0, Reason.QUOTA_EXCEEDED))
    extra = await call(door, 5)
    extra.send(Connect("two", 5))
    assert await extra.receive() == Connack(Reason.QUOTA_EXCEEDED)


async def test_subscriptions_of_one_session_that_one_topic_matches_are_bounded(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(max_overlapping_subscriptions=2)
    peer = await meet(door, "one", 5)
    names = ("a/+", "b/+", "c/+", "a/b", "+/b", "$share/x/a/b", "#")
    peer.send(Subscribe(1, tuple(Request(name) for name in names)))
    too_many = Reason.QUOTA_EXCEEDED
    assert await peer.receive() == Suback(1, (0, 0, 0, 0, too_many, too_many, too_many))
    assert door.stats()["penstock_door_over_quota_total"] == 3
    # What is taken back makes room.
    peer.send(Unsubscribe(2, ("a/b",)))
    assert await peer.receive() == Unsuback(2, (0,))
    peer.send(Subscribe(3, (Request("#"), Request("+/b"))))
    assert await peer.receive() == Suback(3, (0, too_many))


async def test_an_oversize_packet_ends_its_connection_only(open_door: OpenDoor, meet: Meet) -> None:
    door = await open_door(max_packet_bytes=1024)
    other = await meet(door, "other")
    for packet in (b"\x30\xff\xff\xff\x7f", encode(Publish("a", b"x" * 1100), 5)):
        peer = await meet(door, "p", 5)
        assert peer.connack.properties[Property.MAXIMUM_PACKET_BYTES] == 1024
        peer.raw(packet)
        assert await peer.receive() == Disconnect(Reason.PACKET_TOO_LARGE)
        assert await peer.is_closed()
    await other.publish("a", b"", 1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("30 04 0001 2b 00", Reason.TOPIC_NAME_INVALID),
        ("36 06 0001 61 0001 00", Reason.MALFORMED_PACKET),
        ("30 07 0000 03 23 0009 78", Reason.PROTOCOL_ERROR),
        ("10 0f 0004 4d515454 05 02 0000 00 0002 6162", Reason.PROTOCOL_ERROR),
        ("f0 00", Reason.PROTOCOL_ERROR),
        ("90 04 0001 00 00", Reason.PROTOCOL_ERROR),
        ("30 06 0001 61 02 0b 05", Reason.PROTOCOL_ERROR),
        ("30 ff ff ff ff 01", Reason.MALFORMED_PACKET),
        ("a0 00", Reason.MALFORMED_PACKET),
        ("0f 00", Reason.MALFORMED_PACKET),
    ],
)
async def test_a_broken_rule_ends_the_connection_with_its_reason(
    open_door: OpenDoor, meet: Meet, raw: str, reason: Reason
) -> None:
    door = await open_door(max_topic_aliases=9)
    other = await meet(door, "other")
    peer = await meet(door, "p", 5)
    peer.raw(bytes.fromhex(raw))
    assert await peer.receive() == Disconnect(reason)
    assert await peer.is_closed()
    assert door.stats()["penstock_door_protocol_violations_total"] == 1
    await other.publish("a", b"", 1)


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("10 0c 0004 4d515454 09 02 0000 0000", "20 02 00 01"),
        ("10 0e 0006 4d51497364 70 03 02 0000 0000", "20 02 00 01"),
        ("32 05 0001 61 0001", ""),
        ("c0 00", ""),
        ("10 ff ff 7f 00 04", ""),
        ("16 03 01 00 a5 01 00", ""),
        ("47 45 54 20 2f 20", ""),
    ],
)
async def test_who_does_not_begin_with_a_good_connect_is_turned_away(
    open_door: OpenDoor, call: Meet, raw: str, answer: str
) -> None:
    door = await open_door()
    peer = await call(door)
    peer.raw(bytes.fromhex(raw))
    async with asyncio.timeout(10):
        assert await peer.reader.read() == bytes.fromhex(answer)


async def test_random_bytes_never_hurt_the_door_or_another_client(
    open_door: OpenDoor, meet: Meet, call: Meet, journal: Journal
) -> None:
    door = await open_door()
    other = await meet(door, "other", 5)
    chance = random.Random(7)
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    good = [
        encode(Publish("a/b", b"payload", 1, packet_id=3), 5),
        encode(Subscribe(3, (Request("a/#", 1),)), 5),
        encode(Ack(Kind.PUBREL, 3), 5),
        encode(Ping(), 5),
    ]
    for number in range(150):
        protocol = chance.choice((4, 5))
        peer = await call(door, protocol)
        data = bytearray(encode(Connect(f"fuzz-{number % 7}", protocol), protocol))
        for _ in range(chance.randrange(6)):
            data += chance.choice(good)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if number % 5 == 0:
            data = bytearray(chance.randbytes(chance.randrange(1, 200)))
        for at in range(0, len(data), 17):
            peer.raw(bytes(data[at : at + 17]))
            await asyncio.sleep(0)
        await peer.close()
        if number % 10 == 0:
            await other.publish("still/here", b"", 1)
    assert trouble == []
    for message in journal.messages():
        assert message.topic


async def test_any_mutation_of_good_packets_ends_at_most_its_own_connection(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door()
    chance = random.Random(11)
    pairs = {Property.USER_PROPERTY: (("a", "b"),), Property.CORRELATION_DATA: b"zz"}
    seeds = [
        encode(packet, 5)
        for packet in (
            Publish("a/b", b"x", 1, packet_id=1, properties=pairs),
            Publish("a/b", b"x", 2, retain=True, packet_id=2),
            Subscribe(1, (Request("a/#", 2), Request("$share/g/+/b", 1))),
            Unsubscribe(2, ("a/#",)),
            Ack(Kind.PUBREL, 2),
            Disconnect(4, {Property.SESSION_EXPIRY_S: 3}),
        )
    ]
    witness = await meet(door, "witness", 5)
    for number in range(400):
        data = bytearray(b"".join(chance.choices(seeds, k=chance.randint(1, 5))))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            data[at : at + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
            data = data or bytearray(b"\0")
        peer = await call(door, 5)
        keep = chance.choice([{}, {Property.SESSION_EXPIRY_S: 30, Property.RECEIVE_MAXIMUM: 2}])
        client = chance.choice("xyz")
        peer.raw(encode(Connect(client, 5, clean_start=False, properties=keep), 5) + bytes(data))
        if number % 20 == 0:
            await witness.publish("witness", b"", 1)
        await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    await witness.publish("witness", b"", 1)
    whole = door.quotas.whole
    sessions = list(door.broker._sessions.values())
    assert whole.connections.used == 1
    assert whole.sessions.used == len(sessions)
    assert whole.subscriptions.used == sum(len(one.subscriptions) for one in sessions)
    held = sum(len(o.message.payload) + 256 for one in sessions for o in one.open_messages())
    assert whole.queued_bytes.used == held


async def test_sessions_taken_over_in_a_loop_leave_one_behind(
    open_door: OpenDoor, call: Meet
) -> None:
    door = await open_door()
    will = Will("w", b"x" * 1000, 1, True, {Property.WILL_DELAY_S: 5})
    keep = {Property.SESSION_EXPIRY_S: 100}
    for _ in range(300):
        peer = await call(door, 5)
        peer.send(Connect("same", 5, clean_start=False, properties=keep, will=will))
        assert isinstance(await peer.receive(), Connack)
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    assert door.quotas.whole.connections.used == door.quotas.whole.sessions.used == 1
    assert len(door.broker.retained) == 0


async def test_more_properties_or_filters_than_allowed_end_the_connection(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door()
    many = {Property.USER_PROPERTY: (("", ""),) * 1_001}
    stranger = await call(door, 5)
    stranger.send(Connect("stranger", 5, properties=many))
    assert await stranger.is_closed()
    for packet in (
        Publish("a", b"", 1, packet_id=1, properties=many),
        Subscribe(1, (Request("a"),) * 2_001),
        Unsubscribe(1, ("a",) * 2_001),
    ):
        peer = await meet(door, "p", 5)
        peer.send(packet)
        assert await peer.receive() == Disconnect(Reason.QUOTA_EXCEEDED)
    few = {Property.USER_PROPERTY: (("k", "v"),) * 1_000}
    peer = await meet(door, "p", 5)
    peer.send(Publish("a", b"", 1, packet_id=1, properties=few))
    assert await peer.receive() == Ack(Kind.PUBACK, 1)


async def test_a_filter_that_is_named_often_brings_what_is_retained_once(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door()
    peer = await meet(door, "p", 5)
    await peer.publish("a", b"kept", 1, retain=True)
    for handling, count in ((1, 1), (1, 0), (0, 1)):
        peer.send(Subscribe(1, (Request("#", retain_handling=handling),) * 500))
        assert await peer.receive() == Suback(1, (0,) * 500)
        peer.send(Ping(Kind.PINGREQ))
        got = [await peer.receive() for _ in range(count + 1)]
        assert [one.payload for one in got if isinstance(one, Publish)] == [b"kept"] * count


async def test_others_have_their_turn_between_the_subscriptions_of_one(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door()
    greedy, other = await meet(door, "greedy", 5), await meet(door, "other", 5)
    asked = 0
    subscribe = door.broker.subscribe

    def counting(*given: object) -> int:
        nonlocal asked
        asked += 1
        return subscribe(*given)  # type: ignore[arg-type]

    door.broker.subscribe = counting  # type: ignore[method-assign]
    greedy.send(*(Subscribe(1 + number, (Request("#"),)) for number in range(500)))
    greedy.send(Publish("a", b"last", 0))
    other.send(Ping(Kind.PINGREQ))
    assert await other.receive() == Ping(Kind.PINGRESP)
    assert asked < 500
    assert [await greedy.receive() for _ in range(500)] == [Suback(1 + n, (0,)) for n in range(500)]
    last = await greedy.receive()
    assert isinstance(last, Publish)
    assert last.payload == b"last"
