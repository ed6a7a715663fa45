"""What clients experience: messages, sessions, wills, retained messages, bounds."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, eventually

from penstock.core.clock import ManualClock
from penstock.core.errors import Bug, ConfigError
from penstock.core.log import MQTT_3_1_1
from penstock.door import Door, DoorSettings, User
from penstock.door.auth import hash_password
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


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_a_message_reaches_the_log_and_the_subscriber(
    door: Door, meet: Meet, journal: Journal, protocol: int, qos: int
) -> None:
    listener = await meet(door, "listener", protocol)
    assert await listener.subscribe("plant/+", 2) == Suback(1, (2,))
    sender = await meet(door, "sender", protocol)
    await sender.publish("plant/1", b"42", qos)

    got = await listener.receive()
    assert isinstance(got, Publish)
    assert (got.topic, got.payload, got.qos) == ("plant/1", b"42", qos)
    assert [(m.topic, m.payload, m.qos) for m in journal.messages()] == [("plant/1", b"42", qos)]
    assert journal.blocks()[0].client == "sender"
    assert journal.blocks()[0].protocol == protocol


async def test_a_qos_2_message_is_logged_once_though_it_is_sent_twice(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peer = await meet(door)
    peer.send(Publish("a", b"1", 2, packet_id=3))
    assert await peer.receive() == Ack(Kind.PUBREC, 3)
    peer.send(Publish("a", b"1", 2, dup=True, packet_id=3))
    assert await peer.receive() == Ack(Kind.PUBREC, 3)
    peer.send(Ack(Kind.PUBREL, 3))
    assert await peer.receive() == Ack(Kind.PUBCOMP, 3)
    await peer.publish("a", b"2", 2, packet_id=3)
    assert [m.payload for m in journal.messages()] == [b"1", b"2"]


async def test_a_qos_2_identifier_is_remembered_over_a_reconnect(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peer = await meet(door, clean_start=False)
    peer.send(Publish("a", b"1", 2, packet_id=3))
    assert await peer.receive() == Ack(Kind.PUBREC, 3)
    await peer.close()
    again = await meet(door, clean_start=False)
    again.send(Publish("a", b"1", 2, dup=True, packet_id=3))
    assert await again.receive() == Ack(Kind.PUBREC, 3)
    assert len(journal.messages()) == 1


async def test_one_turn_of_many_sockets_is_one_sync(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peers = [await meet(door, f"peer-{n}") for n in range(5)]
    burst = [Publish("a", b"x", 1, packet_id=n) for n in range(1, 101)]
    for peer in peers:
        peer.send(*burst)
    for peer in peers:
        for number in range(1, 101):
            assert await peer.receive() == Ack(Kind.PUBACK, number)
    assert len(journal.messages()) == 500
    assert journal.events.count("sync") <= 25
    stats = door.stats()
    assert stats["penstock_door_messages_total"] == 500
    assert stats["penstock_door_connections"] == 5


async def test_a_ping_is_answered(door: Door, meet: Meet) -> None:
    peer = await meet(door)
    peer.send(Ping())
    assert await peer.receive() == Ping(Kind.PINGRESP)


async def test_unsubscribing_ends_delivery(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    await peer.subscribe("a")
    peer.send(Unsubscribe(2, ("a", "b")))
    assert await peer.receive() == Unsuback(2, (0, Reason.NO_SUBSCRIPTION_EXISTED))
    await peer.publish("a", b"", 1)
    assert await peer.silent()


async def test_retained_messages_greet_new_subscribers_and_can_be_cleared(
    door: Door, meet: Meet
) -> None:
    sender = await meet(door, "sender")
    await sender.publish("state/a", b"on", 1, retain=True)
    await sender.publish("state/b", b"off", 2, retain=True)
    listener = await meet(door, "listener")
    listener.send(Subscribe(1, (Request("state/#", 1),)))
    assert await listener.receive() == Suback(1, (1,))
    found = [await listener.receive(), await listener.receive()]
    assert {(m.topic, m.payload, m.qos, m.retain) for m in found if isinstance(m, Publish)} == {
        ("state/a", b"on", 1, True),
        ("state/b", b"off", 1, True),
    }
    await sender.publish("state/a", b"", 1, retain=True)
    await sender.publish("state/b", b"", 1, retain=True)
    later = await meet(door, "later")
    await later.subscribe("state/#")
    assert await later.silent()


async def test_retain_handling_and_retain_as_published(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    await peer.publish("a", b"kept", 1, retain=True)
    await peer.subscribe("a", retain_handling=2)
    assert await peer.silent(0.05)
    await peer.subscribe("a", retain_handling=1)
    assert await peer.silent(0.05)
    await peer.subscribe("a", retain_handling=0, retain_as_published=True)
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.retain
    peer.send(Publish("a", b"new", 0, retain=True))
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.retain
    await peer.subscribe("a", retain_handling=2)
    peer.send(Publish("a", b"new", 0, retain=True))
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert not got.retain


async def test_no_local_keeps_own_messages_away(door: Door, meet: Meet) -> None:
    peer = await meet(door, "one", 5)
    other = await meet(door, "two", 5)
    await peer.subscribe("a", no_local=True)
    await peer.publish("a", b"mine", 1)
    await other.publish("a", b"yours", 1)
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"yours"


async def test_overlapping_subscriptions_give_one_message_with_all_identifiers(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, protocol=5)
    await peer.subscribe("a/#", 0, properties={Property.SUBSCRIPTION_IDENTIFIER: (7,)})
    await peer.subscribe("a/+", 1, properties={Property.SUBSCRIPTION_IDENTIFIER: (300,)})
    peer.send(Publish("a/b", b"x", 1, packet_id=9))
    first, second = await peer.receive(), await peer.receive()
    got = first if isinstance(first, Publish) else second
    assert isinstance(got, Publish)
    assert got.qos == 1
    assert set(got.properties[Property.SUBSCRIPTION_IDENTIFIER]) == {7, 300}


async def test_a_shared_subscription_hands_each_message_to_one_member(
    door: Door, meet: Meet
) -> None:
    one = await meet(door, "one", 5)
    two = await meet(door, "two", 5)
    for peer in (one, two):
        await peer.subscribe("$share/team/work", 0)
    sender = await meet(door, "sender", 5)
    for number in range(4):
        await sender.publish("work", bytes([number]), 1)
    for peer in (one, two):
        got = [await peer.receive(), await peer.receive()]
        assert len({m.payload for m in got if isinstance(m, Publish)}) == 2
        assert await peer.silent(0.05)


async def test_properties_pass_through_and_others_do_not(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    await peer.subscribe("a")
    passed = {
        Property.PAYLOAD_FORMAT: 1,
        Property.CONTENT_TYPE: "text/plain",
        Property.RESPONSE_TOPIC: "back",
        Property.CORRELATION_DATA: b"7",
        Property.USER_PROPERTY: (("k", "v"), ("k", "w")),
    }
    more = {**passed, Property.TOPIC_ALIAS: 1, Property.MESSAGE_EXPIRY_S: 30}
    peer.send(Publish("a", b"x", properties=more))
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.properties == {**passed, Property.MESSAGE_EXPIRY_S: 30}


async def test_an_offline_session_gets_what_it_missed(door: Door, meet: Meet) -> None:
    peer = await meet(door, "sleeper", clean_start=False)
    assert peer.connack == Connack()
    await peer.subscribe("a", 1)
    peer.send(Disconnect())
    assert await peer.is_closed()
    sender = await meet(door, "sender")
    await sender.publish("a", b"qos 0 is not kept", 0)
    for number in range(3):
        await sender.publish("a", bytes([number]), 1)

    again = await meet(door, "sleeper", clean_start=False)
    assert again.connack == Connack(session_present=True)
    for number in range(3):
        got = await again.receive()
        assert isinstance(got, Publish)
        assert (got.payload, got.dup) == (bytes([number]), False)
        again.send(Ack(Kind.PUBACK, got.packet_id))
    assert await again.silent(0.05)


async def test_what_was_not_acknowledged_comes_again_with_the_same_identifier(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, "p", clean_start=False)
    await peer.subscribe("#", 2)
    sender = await meet(door, "sender")
    await sender.publish("a", b"1", 1)
    await sender.publish("a", b"2", 2)
    first = [await peer.receive(), await peer.receive()]
    assert isinstance(first[1], Publish)
    peer.send(Ack(Kind.PUBREC, first[1].packet_id))
    assert await peer.receive() == Ack(Kind.PUBREL, first[1].packet_id)
    await peer.close()
    again = await meet(door, "p", clean_start=False)
    assert isinstance(first[0], Publish)
    repeated = await again.receive()
    assert isinstance(repeated, Publish)
    assert (repeated.packet_id, repeated.dup) == (first[0].packet_id, True)
    assert await again.receive() == Ack(Kind.PUBREL, first[1].packet_id)


async def test_a_clean_start_forgets_the_session(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", clean_start=False)
    await peer.subscribe("a", 1)
    await peer.close()
    sender = await meet(door, "sender")
    await sender.publish("a", b"1", 1)
    again = await meet(door, "p", clean_start=True)
    assert again.connack == Connack()
    assert await again.silent(0.05)


async def test_a_session_ends_when_its_time_is_over(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    keep = {Property.SESSION_EXPIRY_S: 60}
    peer = await meet(door, "p", 5, properties=keep)
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    clock.advance(59)
    door.tick()
    assert door.stats()["penstock_door_sessions"] == 1
    clock.advance(2)
    door.tick()
    assert door.stats()["penstock_door_sessions"] == 0


async def test_a_goodbye_may_change_how_long_the_session_lasts(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5, properties={Property.SESSION_EXPIRY_S: 60})
    peer.send(Disconnect(0, {Property.SESSION_EXPIRY_S: 0}))
    assert await peer.is_closed()
    assert door.stats()["penstock_door_sessions"] == 0
    other = await meet(door, "q", 5)
    other.send(Disconnect(0, {Property.SESSION_EXPIRY_S: 60}))
    assert await other.receive() == Disconnect(Reason.PROTOCOL_ERROR)


async def test_a_second_connection_takes_over(door: Door, meet: Meet) -> None:
    old = await meet(door, "p", 5)
    new = await meet(door, "p", 5)
    assert await old.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
    assert await old.is_closed()
    await new.publish("a", b"", 1)


async def test_a_will_is_published_when_a_client_vanishes(
    door: Door, meet: Meet, journal: Journal
) -> None:
    listener = await meet(door, "listener")
    await listener.subscribe("last/#", 1)
    peer = await meet(door, "p", will=Will("last/words", b"gone", 1, retain=True))
    peer.writer.transport.abort()
    got = await listener.receive()
    assert isinstance(got, Publish)
    assert (got.topic, got.payload, got.qos) == ("last/words", b"gone", 1)
    assert [m.topic for m in journal.messages()] == ["last/words"]
    late = await meet(door, "late")
    await late.subscribe("last/words")
    got = await late.receive()
    assert isinstance(got, Publish)
    assert got.retain


async def test_no_will_is_published_after_a_goodbye(door: Door, meet: Meet) -> None:
    listener = await meet(door, "listener")
    await listener.subscribe("last/#", 1)
    peer = await meet(door, "p", will=Will("last/words", b"gone"))
    peer.send(Disconnect())
    assert await peer.is_closed()
    assert await listener.silent()


async def test_a_delayed_will_waits_and_a_return_prevents_it(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    listener = await meet(door, "listener")
    await listener.subscribe("last/#", 1)
    will = Will("last/words", b"gone", properties={Property.WILL_DELAY_S: 10})
    keep = {Property.SESSION_EXPIRY_S: 60}
    more = {"will": will, "properties": keep, "clean_start": False}
    for _ in range(2):
        peer = await meet(door, "p", 5, **more)
        await peer.close()
        await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
        clock.advance(9)
        door.tick()
    assert await listener.silent(0.05)
    clock.advance(2)
    door.tick()
    got = await listener.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"gone"


async def test_a_silent_client_is_ended_after_one_and_a_half_keep_alives(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    peer = await meet(door, "p", 5, keep_alive_s=10)
    clock.advance(14)
    door.tick()
    peer.send(Ping())
    assert await peer.receive() == Ping(Kind.PINGRESP)
    clock.advance(16)
    door.tick()
    assert await peer.receive() == Disconnect(Reason.KEEP_ALIVE_TIMEOUT)


async def test_an_expired_message_is_not_delivered(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    keep = {Property.SESSION_EXPIRY_S: 600}
    peer = await meet(door, "p", 5, properties=keep)
    await peer.subscribe("a", 1)
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    sender = await meet(door, "sender", 5)
    await sender.publish("a", b"short", 1, properties={Property.MESSAGE_EXPIRY_S: 5})
    await sender.publish("a", b"long", 1, properties={Property.MESSAGE_EXPIRY_S: 50})
    clock.advance(20)
    again = await meet(door, "p", 5, clean_start=False, properties=keep)
    got = await again.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"long"
    assert got.properties[Property.MESSAGE_EXPIRY_S] == 30


async def test_at_most_the_receive_maximum_is_in_flight_to_a_client(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5, properties={Property.RECEIVE_MAXIMUM: 2})
    await peer.subscribe("a", 1)
    sender = await meet(door, "sender")
    for number in range(3):
        await sender.publish("a", bytes([number]), 1)
    first = await peer.receive()
    await peer.receive()
    assert await peer.silent(0.05)
    assert isinstance(first, Publish)
    peer.send(Ack(Kind.PUBACK, first.packet_id))
    third = await peer.receive()
    assert isinstance(third, Publish)
    assert third.payload == b"\2"


async def test_who_asks_for_it_learns_where_each_message_is_in_the_log(
    door: Door, meet: Meet, journal: Journal
) -> None:
    name = "penstock-offset"
    asked = {Property.USER_PROPERTY: ((name, ""),)}
    peer = await meet(door, "p", 5, properties=asked)
    other = await meet(door, "other", 5)
    await peer.subscribe("a/#", 1)
    await other.subscribe("a/#", 1)
    sender = await meet(door, "sender", 5)
    # What the door tells of them has a place in the log too, but none in this journal.
    await eventually(lambda: len(journal.presence) == 4)
    pairs = (("name", "value"), (name, "99999"))
    sender.send(
        Publish("b", b"not for them", 1, packet_id=1),
        Publish("a/b", b"0", 0, properties={Property.USER_PROPERTY: pairs}),
        Publish("a/b", b"1", 1, packet_id=2),
        Publish("a/c", b"2", 1, packet_id=3, properties={Property.USER_PROPERTY: pairs}),
    )
    got = [await peer.receive() for _ in range(3)]
    plain = [await other.receive() for _ in range(3)]
    at = {message.payload: index for index, message in enumerate(journal.messages())}
    for message, given in zip(got, [pairs[:1], (), pairs[:1]], strict=True):
        assert isinstance(message, Publish)
        expected = (*given, (name, str(at[message.payload])))
        assert message.properties[Property.USER_PROPERTY] == expected
    told = [m.properties.get(Property.USER_PROPERTY) for m in plain if isinstance(m, Publish)]
    assert told == [pairs, None, pairs]


async def test_a_client_above_our_receive_maximum_is_ended(open_door: OpenDoor, meet: Meet) -> None:
    door = await open_door(receive_maximum=3)
    peer = await meet(door, protocol=5)
    assert peer.connack.properties[Property.RECEIVE_MAXIMUM] == 3
    peer.send(*[Publish("a", b"", 2, packet_id=n) for n in range(1, 6)])
    while not isinstance(got := await peer.receive(), Disconnect):
        pass
    assert got == Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)


async def test_nothing_larger_than_a_client_takes_is_sent_to_it(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5, properties={Property.MAXIMUM_PACKET_BYTES: 64})
    await peer.subscribe("a", 1)
    sender = await meet(door, "sender")
    await sender.publish("a", b"x" * 64, 1)
    await sender.publish("a", b"small", 1)
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"small"


async def test_topic_aliases_are_used_towards_clients_that_take_them(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, "p", 5, properties={Property.TOPIC_ALIAS_MAXIMUM: 1})
    await peer.subscribe("#")
    for topic in ("a", "a", "b"):
        peer.send(Publish(topic, b""))
    got = [await peer.receive() for _ in range(3)]
    assert [(m.topic, m.properties) for m in got if isinstance(m, Publish)] == [
        ("a", {Property.TOPIC_ALIAS: 1}),
        ("", {Property.TOPIC_ALIAS: 1}),
        ("b", {}),
    ]


async def test_a_client_without_a_name_gets_one(door: Door, meet: Meet, call: Meet) -> None:
    peer = await meet(door, "", 5)
    assert peer.connack.properties[Property.ASSIGNED_CLIENT_IDENTIFIER].startswith("auto-")
    await meet(door, "", 4)
    refused = await call(door)
    refused.send(Connect("", clean_start=False))
    assert await refused.receive() == Connack(Reason.CLIENT_IDENTIFIER_NOT_VALID)
    assert await refused.is_closed()


async def test_passwords_are_checked(open_door: OpenDoor, call: Meet, meet: Meet) -> None:
    users = (User(name="pump", password_hash=hash_password("open sesame")),)
    door = await open_door(users=users)
    for protocol, name, password in [
        (4, "pump", b"wrong"),
        (5, "nobody", b"open sesame"),
        (5, None, None),
    ]:
        peer = await call(door, protocol)
        peer.send(Connect("p", protocol, username=name, password=password))
        assert await peer.receive() == Connack(Reason.BAD_USER_NAME_OR_PASSWORD)
        assert await peer.is_closed()
    # The second time the check is quick, and what comes behind CONNECT is not lost.
    for _ in range(2):
        peer = await call(door)
        peer.send(
            Connect("p", username="pump", password=b"open sesame"),
            Publish("a", b"", 1, packet_id=5),
        )
        assert await peer.receive() == Connack()
        assert await peer.receive() == Ack(Kind.PUBACK, 5)


async def test_a_taken_port_is_explained(door: Door, journal: Journal) -> None:
    second = Door(DoorSettings(port=door.address[1]), journal, ManualClock())
    with pytest.raises(ConfigError, match=r"door\.port"):
        await second.start()


def test_a_door_that_was_not_started_has_no_address(journal: Journal) -> None:
    with pytest.raises(Bug):
        _ = Door(DoorSettings(), journal, ManualClock()).address


async def test_closing_acknowledges_and_says_goodbye(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peer = await meet(door, protocol=5, will=Will("w", b""))
    peer.send(Publish("a", b"1", 1, packet_id=1))
    await eventually(lambda: door.stats()["penstock_door_messages_total"] == 1)
    await door.close()
    assert await peer.receive() == Ack(Kind.PUBACK, 1)
    assert await peer.receive() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert await peer.is_closed()
    assert [m.topic for m in journal.messages()] == ["a"]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*door.address)


async def test_a_packet_in_many_small_pieces_arrives_whole(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peer = await meet(door)
    sock = peer.writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    big = bytes(range(256)) * 4096
    raw = b"\x32" + b"\x85\x80\x40" + b"\0\1a\0\1" + big
    for at in range(0, len(raw), 65_537):
        peer.raw(raw[at : at + 65_537])
        await peer.writer.drain()
        await asyncio.sleep(0)
    assert await peer.receive() == Ack(Kind.PUBACK, 1)
    assert journal.messages()[0].payload == big


async def test_a_goodbye_behind_requests_counts_though_the_connection_is_gone(
    door: Door, journal: Journal, meet: Meet
) -> None:
    will = Will("will", b"gone")
    await meet(door, "device", will=will)
    (connection,) = door._connections
    packets = [
        Unsubscribe(1, ("a",)),
        Unsubscribe(2, ("b",)),
        Publish("last", b"1", 0),
        Disconnect(),
    ]
    connection.data_received(b"".join(encode(packet, MQTT_3_1_1) for packet in packets))
    assert connection._transport is not None
    connection._transport.close()  # as a layer does when the same read says that it is over
    await eventually(lambda: not door._connections)
    await door.commit.drain()
    assert [message.topic for message in journal.messages()] == ["last"]
