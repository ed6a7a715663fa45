"""PUBLISH and its answers, by the statements of MQTT 5.0."""

from __future__ import annotations

from typing import Any

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, Peer

from penstock.core.clock import ManualClock
from penstock.door import Door
from penstock.door.packets import Ack, Disconnect, Publish, Request, Subscribe
from penstock.door.properties import Kind, Property
from penstock.door.reasons import Reason

requirement = pytest.mark.requirement


async def got(peer: Peer) -> Publish:
    packet = await peer.receive()
    assert isinstance(packet, Publish)
    return packet


#: Packets of a connected MQTT 5.0 client that end its connection: statement, packet, reason.
BROKEN = [
    ("MQTT-3.3.1-2", "38 04 0001 61 00", 0x81),
    ("MQTT-3.3.1-4", "36 06 0001 61 0001 00", 0x81),
    ("MQTT-2.2.1-3", "32 06 0001 61 0000 00", 0x82),
    ("MQTT-3.3.2-1", "30 04 0001 ff 00", 0x81),
    ("MQTT-1.5.4-1", "30 06 0003 eda080 00", 0x81),
    ("MQTT-1.5.4-2", "30 04 0001 00 00", 0x81),
    ("MQTT-3.3.2-2", "30 06 0003 612f2b 00", 0x90),
    ("MQTT-4.7.0-1", "30 06 0003 612f23 00", 0x90),
    ("MQTT-4.7.3-1", "30 03 0000 00", 0x90),
    ("MQTT-3.3.2-8", "30 07 0001 61 03 230000", 0x94),
    ("MQTT-3.3.2-9", "30 07 0001 61 03 23ffff", 0x94),
    ("an alias that was never given", "30 06 0000 03 230005", 0x82),
    ("MQTT-3.3.2-14", "30 08 0001 61 04 08000123", 0x90),
    ("MQTT-3.3.4-6", "30 06 0001 61 02 0b01", 0x82),
    ("payload format 2", "30 06 0001 61 02 0102", 0x82),
    ("two payload formats", "30 08 0001 61 04 0100 0100", 0x82),
    ("a property of other packets", "30 07 0001 61 03 210001", 0x82),
    ("no such property", "30 06 0001 61 02 7f00", 0x81),
    ("properties cut off", "30 05 0001 61 02 01", 0x81),
    ("MQTT-1.5.5-1", "30 05 0001 61 80 00", 0x81),
    ("MQTT-3.6.1-1", "60 02 0001", 0x81),
    ("MQTT-2.1.3-1", "41 02 0001", 0x81),
    ("MQTT-2.1.3-1", "c1 00", 0x81),
    ("MQTT-3.14.1-1", "e1 00", 0x81),
    ("MQTT-3.15.1-1", "f1 00", 0x81),
    ("packet type 0", "00 00", 0x81),
    ("PINGRESP from a client", "d0 00", 0x82),
    ("remaining length of five bytes", "30 ff ff ff ff 01", 0x81),
]


@requirement("MQTT-4.13.1-1")
@pytest.mark.parametrize(
    ("raw", "reason"), [pytest.param(*rest, marks=requirement(name)) for name, *rest in BROKEN]
)
async def test_a_broken_packet_ends_the_connection_with_its_reason(
    door: Door, meet: Meet, raw: str, reason: int
) -> None:
    peer = await meet(door, protocol=5)
    peer.raw(bytes.fromhex(raw))
    assert await peer.receive() == Disconnect(Reason(reason))
    assert await peer.is_closed()


@requirement("MQTT-4.3.2-2", "MQTT-4.3.2-4", "MQTT-4.3.3-8", "MQTT-2.2.1-5", "MQTT-4.5.0-1")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_each_qos_has_its_exchange(
    door: Door, meet: Meet, journal: Journal, protocol: int
) -> None:
    peer = await meet(door, protocol=protocol)
    for qos in (0, 1, 2):
        more = {"packet_id": 40 + qos} if qos else {}
        await peer.publish("t", b"%d" % qos, qos, **more)
    assert [m.payload for m in journal.messages()] == [b"0", b"1", b"2"]


@requirement("MQTT-4.3.3-10", "MQTT-4.3.3-12")
async def test_a_qos_2_message_that_comes_again_is_passed_on_once(door: Door, meet: Meet) -> None:
    listener = await meet(door, "l")
    await listener.subscribe("t", 0)
    peer = await meet(door, protocol=5)
    for dup in (False, True):
        peer.send(Publish("t", b"1", 2, dup=dup, packet_id=7))
        assert await peer.receive() == Ack(Kind.PUBREC, 7)
    peer.send(Ack(Kind.PUBREL, 7))
    assert await peer.receive() == Ack(Kind.PUBCOMP, 7)
    peer.send(Ack(Kind.PUBREL, 7))
    assert await peer.receive() == Ack(Kind.PUBCOMP, 7, Reason.PACKET_IDENTIFIER_NOT_FOUND)
    await peer.publish("t", b"2", 2, packet_id=7)
    assert [(await got(listener)).payload for _ in range(2)] == [b"1", b"2"]


@requirement("MQTT-3.3.1-1", "MQTT-3.3.1-3")
async def test_dup_is_not_passed_on(door: Door, meet: Meet) -> None:
    listener, peer = await meet(door, "l"), await meet(door)
    await listener.subscribe("t", 1)
    peer.send(Publish("t", b"1", 1, dup=True, packet_id=1))
    assert not (await got(listener)).dup


PROPERTIES: list[tuple[str, int, Any]] = [
    ("MQTT-3.3.2-4", Property.PAYLOAD_FORMAT, 1),
    ("MQTT-3.3.2-15", Property.RESPONSE_TOPIC, "answers/7"),
    ("MQTT-3.3.2-16", Property.CORRELATION_DATA, b"\0\xff"),
    ("MQTT-3.3.2-20", Property.CONTENT_TYPE, "text/plain"),
    ("MQTT-3.3.2-17", Property.USER_PROPERTY, (("b", "1"), ("a", "2"), ("b", "1"), ("", ""))),
]


@pytest.mark.parametrize(
    ("key", "value"), [pytest.param(*rest, marks=requirement(name)) for name, *rest in PROPERTIES]
)
@requirement("MQTT-3.3.2-18")
@pytest.mark.parametrize("qos", [0, 1])
async def test_properties_are_passed_on_unaltered(
    door: Door, meet: Meet, key: int, value: Any, qos: int
) -> None:
    listener, old = await meet(door, "l", 5), await meet(door, "o", 4)
    await listener.subscribe("t", 1)
    await old.subscribe("t", 1)
    await (await meet(door, "p", 5)).publish("t", b"x", qos, properties={key: value})
    assert (await got(listener)).properties == {key: value}
    assert (await got(old)).properties == {}


@requirement("MQTT-1.5.4-3")
async def test_a_byte_order_mark_is_kept(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    await peer.subscribe("\ufeffa")
    await peer.publish("\ufeffa", b"1", 0)
    assert (await got(peer)).topic == "\ufeffa"


@requirement("MQTT-3.3.2-7", "MQTT-3.3.2-10")
async def test_an_alias_stands_for_its_topic_on_its_connection_only(
    door: Door, meet: Meet, journal: Journal
) -> None:
    peer, listener = await meet(door, "a", 5), await meet(door, "l", 5)
    await listener.subscribe("#")
    for topic in ("one", "", "two", ""):
        await peer.publish(topic, topic.encode(), 1, properties={Property.TOPIC_ALIAS: 64})
    heard = [await got(listener) for _ in range(4)]
    assert [one.topic for one in heard] == ["one", "one", "two", "two"]
    assert all(not one.properties for one in heard)
    assert [one.topic for one in journal.messages()] == ["one", "one", "two", "two"]
    other = await meet(door, "b", 5)
    other.send(Publish("", b"", properties={Property.TOPIC_ALIAS: 64}))
    assert await other.receive() == Disconnect(Reason.PROTOCOL_ERROR)


@requirement("MQTT-3.3.2-11", "MQTT-3.1.2-26")
async def test_aliases_are_given_up_to_the_clients_maximum(door: Door, meet: Meet) -> None:
    listener = await meet(door, "l", 5, properties={Property.TOPIC_ALIAS_MAXIMUM: 2})
    await listener.subscribe("#", 1)
    sender = await meet(door, "s")
    for topic in ("a", "b", "c", "a", "c"):
        await sender.publish(topic, b"", 0)
    heard = [await got(listener) for _ in range(5)]
    assert [(one.topic, one.properties.get(Property.TOPIC_ALIAS)) for one in heard] == [
        ("a", 1),
        ("b", 2),
        ("c", None),
        ("", 1),
        ("c", None),
    ]


async def test_a_qos_2_message_has_its_topic_beside_the_alias(door: Door, meet: Meet) -> None:
    listener = await meet(door, "l", 5, properties={Property.TOPIC_ALIAS_MAXIMUM: 2})
    await listener.subscribe("#", 2)
    sender = await meet(door, "s")
    for qos in (1, 2, 1):
        await sender.publish("a", b"", qos)
    heard = [await got(listener) for _ in range(3)]
    assert [one.topic for one in heard] == ["a", "a", ""]
    assert {one.properties[Property.TOPIC_ALIAS] for one in heard} == {1}


@requirement("MQTT-3.1.2-27")
async def test_a_client_that_takes_no_aliases_gets_none(door: Door, meet: Meet) -> None:
    listener = await meet(door, "l", 5)
    await listener.subscribe("#")
    sender = await meet(door, "s")
    for _ in range(2):
        await sender.publish("a", b"", 0)
        assert await got(listener) == Publish("a", b"")


@requirement("MQTT-3.1.2-24", "MQTT-3.1.2-25")
@pytest.mark.parametrize("qos", [0, 1])
async def test_a_message_too_large_for_a_client_is_as_if_it_had_it(
    door: Door, meet: Meet, qos: int
) -> None:
    limits = {Property.MAXIMUM_PACKET_BYTES: 60, Property.TOPIC_ALIAS_MAXIMUM: 5}
    listener = await meet(door, "l", 5, properties={**limits, Property.RECEIVE_MAXIMUM: 1})
    await listener.subscribe("t", qos)
    sender = await meet(door, "s", 5)
    await sender.publish("t", bytes(60), qos)
    await sender.publish("t", b"small", qos)
    heard = await got(listener)
    # The alias that the large one would have brought is not taken as known.
    assert (heard.topic, heard.payload) == ("t", b"small")


@requirement("MQTT-3.3.2-6")
async def test_message_expiry_counts_down_while_a_message_waits(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    kept = {Property.SESSION_EXPIRY_S: 1000}
    listener = await meet(door, "l", 5, properties=kept)
    await listener.subscribe("t", 1)
    listener.send(Disconnect())
    assert await listener.is_closed()
    sender = await meet(door, "s", 5)
    await sender.publish("t", b"short", properties={Property.MESSAGE_EXPIRY_S: 10})
    await sender.publish("t", b"long", properties={Property.MESSAGE_EXPIRY_S: 100})
    clock.advance(30)
    listener = await meet(door, "l", 5, clean_start=False, properties=kept)
    heard = await got(listener)
    assert (heard.payload, heard.properties) == (b"long", {Property.MESSAGE_EXPIRY_S: 70})
    assert await listener.silent()


@requirement("MQTT-3.3.2-5")
async def test_a_retained_message_expires(door: Door, meet: Meet, clock: ManualClock) -> None:
    peer = await meet(door, "p", 5)
    expiry = {Property.MESSAGE_EXPIRY_S: 10}
    await peer.publish("t", b"1", retain=True, properties=expiry)
    clock.advance(4)
    await peer.subscribe("t")
    assert (await got(peer)).properties == {Property.MESSAGE_EXPIRY_S: 6}
    clock.advance(7)
    await peer.subscribe("t")
    assert await peer.silent()


@requirement("MQTT-3.3.1-5", "MQTT-3.3.1-6", "MQTT-3.3.1-7", "MQTT-3.3.1-8")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_a_topic_keeps_its_last_retained_message(
    door: Door, meet: Meet, protocol: int
) -> None:
    peer = await meet(door, "p", protocol)
    await peer.publish("t", b"1", retain=True)
    await peer.publish("t", b"2", retain=True)
    await peer.publish("t", b"3")
    await peer.subscribe("t", 1)
    heard = await got(peer)
    assert (heard.payload, heard.retain, heard.qos) == (b"2", True, 1)
    await (await meet(door, "q", protocol)).publish("t", b"", retain=True)
    assert (await got(peer)).payload == b""
    await peer.subscribe("t")
    assert await peer.silent()


@requirement("MQTT-3.3.1-9", "MQTT-3.3.1-10", "MQTT-3.3.1-11", "MQTT-3.8.4-4")
async def test_retain_handling_says_when_retained_messages_come(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5)
    await peer.publish("t", b"1", retain=True)
    for handling, first, second in ((0, True, True), (1, True, False), (2, False, False)):
        listener = await meet(door, f"l{handling}", 5)
        for wanted in (first, second):
            await listener.subscribe("t", retain_handling=handling)
            if wanted:
                assert (await got(listener)).retain
            assert await listener.silent()


@requirement("MQTT-3.3.1-12", "MQTT-3.3.1-13")
async def test_retain_is_passed_on_as_published_only_to_who_asked(door: Door, meet: Meet) -> None:
    plain, asked = await meet(door, "plain", 5), await meet(door, "asked", 5)
    await plain.subscribe("t")
    await asked.subscribe("t", retain_as_published=True)
    await (await meet(door, "p")).publish("t", b"1", retain=True)
    assert not (await got(plain)).retain
    assert (await got(asked)).retain


@requirement("MQTT-3.3.4-2", "MQTT-3.3.4-3", "MQTT-3.3.4-4")
async def test_overlapping_subscriptions_give_one_copy_with_all_identifiers(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, "p", 5)
    for identifier, name, qos in ((7, "a/#", 0), (300_000, "a/+", 2), (0, "+/b", 1)):
        known = {Property.SUBSCRIPTION_IDENTIFIER: (identifier,)} if identifier else {}
        await peer.subscribe(name, qos, properties=known)
    await (await meet(door, "s")).publish("a/b", b"1", 2)
    heard = await got(peer)
    assert heard.qos == 2
    assert sorted(heard.properties[Property.SUBSCRIPTION_IDENTIFIER]) == [7, 300_000]
    assert await peer.silent()


@requirement("MQTT-3.3.4-7", "MQTT-4.9.0-1")
@pytest.mark.parametrize("qos", [1, 2])
async def test_more_than_our_receive_maximum_ends_the_connection(
    open_door: OpenDoor, meet: Meet, qos: int
) -> None:
    door = await open_door(receive_maximum=8)
    peer = await meet(door, "p", 5)
    peer.send(*[Publish("t", b"", qos, packet_id=n) for n in range(1, 10)])
    while isinstance(packet := await peer.receive(), Ack):
        pass
    assert packet == Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)


@requirement("MQTT-3.3.4-7")
async def test_releases_behind_too_many_messages_do_not_make_it_right(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door(receive_maximum=8)
    peer = await meet(door, "p", 5)
    messages = [Publish("t", b"", 2, packet_id=n) for n in range(1, 10)]
    peer.send(*messages, *[Ack(Kind.PUBREL, n) for n in range(1, 10)])
    while isinstance(packet := await peer.receive(), Ack):
        pass
    assert packet == Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)


async def test_a_client_that_reads_late_still_gets_our_last_words(
    open_door: OpenDoor, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.parting.GOODBYE_S", 0.05)
    door = await open_door(receive_maximum=200)
    peer = await meet(door, "p", 5)
    peer.send(*[Publish("t", b"", 2, packet_id=n) for n in range(1, 202)])
    # It answers what it reads, one by one, long after the door has closed its side.
    while isinstance(packet := await peer.receive(), Ack):
        peer.send(Ack(Kind.PUBREL, packet.packet_id))
        await peer.silent(0.002)
    assert packet == Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)


@requirement("MQTT-3.3.4-9", "MQTT-4.9.0-2", "MQTT-4.9.0-3", "MQTT-3.3.4-10")
async def test_a_clients_receive_maximum_is_kept(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5, properties={Property.RECEIVE_MAXIMUM: 2})
    await peer.subscribe("t", 2)
    sender = await meet(door, "s")
    for number in range(5):
        await sender.publish("t", b"%d" % number, 1 + number % 2)
    first, second = await got(peer), await got(peer)
    assert await peer.silent()
    await sender.publish("t", b"at once", 0)
    assert (await got(peer)).payload == b"at once"
    peer.send(Ack(Kind.PUBACK, first.packet_id))
    third = await got(peer)
    assert await peer.silent()
    # PUBREC with success is no end of the exchange, PUBREC with an error is.
    peer.send(Ack(Kind.PUBREC, second.packet_id))
    assert await peer.receive() == Ack(Kind.PUBREL, second.packet_id)
    assert await peer.silent()
    peer.send(Ack(Kind.PUBCOMP, second.packet_id))
    fourth = await got(peer)
    assert (third.qos, fourth.qos) == (1, 2)
    peer.send(Ack(Kind.PUBREC, fourth.packet_id, Reason.UNSPECIFIED_ERROR))
    assert (await got(peer)).payload == b"4"


@requirement("MQTT-4.6.0-5", "MQTT-4.6.0-6")
async def test_messages_keep_their_order(door: Door, meet: Meet) -> None:
    peer, sender = await meet(door, "p", 5), await meet(door, "s", 5)
    peer.send(Subscribe(1, (Request("t", 1),)))
    await peer.receive()
    sender.send(*[Publish("t", b"%d" % n, 1, packet_id=n) for n in range(1, 200)])
    for number in range(1, 200):
        heard = await got(peer)
        assert heard.payload == b"%d" % number
        peer.send(Ack(Kind.PUBACK, heard.packet_id))
