"""SUBSCRIBE, UNSUBSCRIBE, filters and wills, by the statements of MQTT 5.0."""

from __future__ import annotations

import pytest
from tests.door.peer import Meet, Peer, eventually

from penstock.core.clock import ManualClock
from penstock.door import Door
from penstock.door.packets import (
    Disconnect,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from penstock.door.properties import Property
from penstock.door.reasons import Reason

requirement = pytest.mark.requirement

#: Packets that end the connection: statement, packet, reason.
BROKEN = [
    ("MQTT-3.8.1-1", "80 07 0001 00 0001 61 00", 0x81),
    ("MQTT-3.8.3-1", "82 07 0001 00 0001 ff 00", 0x81),
    ("MQTT-3.8.3-2", "82 03 0001 00", 0x82),
    ("MQTT-3.8.3-4", "82 0f 0001 00 0009 2473686172652f672f 04", 0x8F),
    ("MQTT-3.8.3-4", "82 10 0001 00 000a 2473686172652f672f61 04", 0x82),
    ("MQTT-3.8.3-5", "82 07 0001 00 0001 61 40", 0x81),
    ("QoS 3", "82 07 0001 00 0001 61 03", 0x81),
    ("retain handling 3", "82 07 0001 00 0001 61 30", 0x82),
    ("subscription identifier 0", "82 09 0001 02 0b00 0001 61 00", 0x82),
    ("two subscription identifiers", "82 0b 0001 04 0b010b02 0001 61 00", 0x82),
    ("MQTT-2.2.1-3", "82 07 0000 00 0001 61 00", 0x82),
    ("MQTT-4.7.1-1", "82 09 0001 00 0003 232f61 00", 0x8F),
    ("MQTT-4.7.1-1", "82 08 0001 00 0002 6123 00", 0x8F),
    ("MQTT-4.7.1-2", "82 08 0001 00 0002 612b 00", 0x8F),
    ("MQTT-4.7.3-1", "82 06 0001 00 0000 00", 0x8F),
    ("MQTT-4.8.2-1", "82 0e 0001 00 0008 2473686172652f2f 00", 0x8F),
    ("MQTT-4.8.2-2", "82 10 0001 00 000a 2473686172652f2b2f61 00", 0x8F),
    ("MQTT-3.10.1-1", "a0 06 0001 00 0001 61", 0x81),
    ("MQTT-3.10.3-1", "a2 06 0001 00 0001 ff", 0x81),
    ("MQTT-3.10.3-2", "a2 03 0001 00", 0x82),
]


async def got(peer: Peer) -> Publish:
    packet = await peer.receive()
    assert isinstance(packet, Publish)
    return packet


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


@requirement("MQTT-3.8.4-1", "MQTT-3.8.4-2", "MQTT-3.8.4-5", "MQTT-3.8.4-6", "MQTT-3.9.3-1")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_each_filter_is_answered_in_order(door: Door, meet: Meet, protocol: int) -> None:
    peer = await meet(door, protocol=protocol)
    peer.send(Subscribe(777, tuple(Request(f"t{qos}", qos) for qos in (2, 0, 1))))
    assert await peer.receive() == Suback(777, (2, 0, 1))


@requirement("MQTT-3.8.4-8")
@pytest.mark.parametrize("granted", [0, 1, 2])
async def test_a_message_comes_at_the_lower_qos(door: Door, meet: Meet, granted: int) -> None:
    peer, sender = await meet(door, "p"), await meet(door, "s")
    await peer.subscribe("t", granted)
    for qos in (0, 1, 2):
        await sender.publish("t", b"", qos)
    assert [(await got(peer)).qos for _ in range(3)] == [min(granted, qos) for qos in range(3)]


@requirement("MQTT-3.8.4-3")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_the_same_filter_replaces_the_subscription(
    door: Door, meet: Meet, protocol: int
) -> None:
    peer, sender = await meet(door, "p", protocol), await meet(door, "s")
    await sender.publish("t", b"kept", retain=True)
    for qos in (2, 0):
        assert await peer.subscribe("t", qos) == Suback(1, (qos,))
        assert (await got(peer)).payload == b"kept"
    await sender.publish("t", b"1", 1)
    assert await got(peer) == Publish("t", b"1")
    assert await peer.silent()


@requirement("MQTT-3.8.3-3")
async def test_no_local_keeps_ones_own_messages_away(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5)
    await peer.subscribe("t", 1, no_local=True)
    await peer.publish("t", b"own")
    await (await meet(door, "s")).publish("t", b"other")
    assert (await got(peer)).payload == b"other"


#: Filter, topics that match, topics that do not: the examples of section 4.7 and some more.
FILTERS = [
    ("sport/tennis/player1/#", ["sport/tennis/player1", "sport/tennis/player1/a/b"], ["sport/x"]),
    ("sport/#", ["sport", "sport/a"], ["sports", "/sport"]),
    ("#", ["a", "/", "a/b", "/a"], ["$SYSTEM/a", "$a"]),
    ("+", ["a"], ["/a", "a/b", "$a"]),
    ("+/+", ["/finance", "a/b"], ["a", "$a/b"]),
    ("/+", ["/finance", "/"], ["finance"]),
    ("sport/+", ["sport/", "sport/a"], ["sport", "sport/a/b"]),
    ("+/tennis/#", ["a/tennis", "/tennis/b"], ["$a/tennis"]),
    ("$a/#", ["$a", "$a/b"], ["a"]),
    ("$a/+", ["$a/b"], ["$a"]),
    ("ACCOUNTS", ["ACCOUNTS"], ["Accounts"]),
    ("a b/c", ["a b/c"], ["ab/c"]),
    ("a//b", ["a//b"], ["a/b"]),
]


@requirement("MQTT-3.3.2-3", "MQTT-4.7.1-1", "MQTT-4.7.1-2", "MQTT-4.7.2-1", "MQTT-4.7.3-4")
@pytest.mark.parametrize(("name", "matching", "others"), FILTERS)
async def test_filters_match_as_the_standard_shows(
    door: Door, meet: Meet, name: str, matching: list[str], others: list[str]
) -> None:
    peer, sender = await meet(door, "p"), await meet(door, "s")
    await peer.subscribe(name)
    for topic in (*others, *matching):
        await sender.publish(topic, b"")
    assert [(await got(peer)).topic for _ in matching] == matching


@requirement("MQTT-3.10.4-1", "MQTT-3.10.4-2", "MQTT-3.10.4-4", "MQTT-3.10.4-6", "MQTT-3.11.3-1")
async def test_unsubscribing_ends_exactly_that_filter(door: Door, meet: Meet) -> None:
    peer, sender = await meet(door, "p", 5), await meet(door, "s")
    await peer.subscribe("a/+")
    await peer.subscribe("a/#")
    peer.send(Unsubscribe(55, ("a/b", "a/+")))
    assert await peer.receive() == Unsuback(55, (Reason.NO_SUBSCRIPTION_EXISTED, Reason.SUCCESS))
    await sender.publish("a/b", b"")
    await sender.publish("a", b"")
    assert [(await got(peer)).topic for _ in range(2)] == ["a/b", "a"]


@requirement("MQTT-3.10.4-5")
async def test_mqtt_3_1_1_hears_of_every_unsubscribe(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 4)
    peer.send(Unsubscribe(55, ("never",)))
    assert await peer.receive() == Unsuback(55)


@requirement("MQTT-4.8.2-3")
async def test_a_shared_subscription_gives_each_message_to_one_member(
    door: Door, meet: Meet
) -> None:
    members = [await meet(door, f"m{n}", 5) for n in range(2)]
    for qos, member in enumerate(members):
        assert await member.subscribe("$share/group/t/+", qos) == Suback(1, (qos,))
    plain, sender = await meet(door, "plain"), await meet(door, "s")
    await plain.subscribe("t/1")
    for number in range(10):
        await sender.publish("t/1", b"%d" % number)
    heard = [[await got(member) for _ in range(5)] for member in members]
    assert {one.payload for some in heard for one in some} == {b"%d" % n for n in range(10)}
    assert [{one.qos for one in some} for some in heard] == [{0}, {1}]
    assert [(await got(plain)).payload for _ in range(10)] == [b"%d" % n for n in range(10)]


async def test_a_shared_subscription_gets_no_retained_messages(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p", 5)
    await peer.publish("t", b"1", retain=True)
    await peer.subscribe("$share/group/t")
    assert await peer.silent()


# Wills.


@requirement("MQTT-3.1.2-7", "MQTT-3.1.2-8", "MQTT-3.1.2-14", "MQTT-3.1.2-15", "MQTT-3.1.3-10")
@pytest.mark.parametrize("retain", [False, True])
async def test_a_will_is_published_with_its_properties(
    door: Door, meet: Meet, retain: bool
) -> None:
    watcher = await meet(door, "w", 5)
    await watcher.subscribe("will", 2, retain_as_published=True)
    given = {
        Property.CONTENT_TYPE: "text/plain",
        Property.USER_PROPERTY: (("b", "1"), ("a", "2")),
        Property.MESSAGE_EXPIRY_S: 60,
    }
    peer = await meet(door, "p", 5, will=Will("will", b"gone", 1, retain, given))
    peer.writer.close()
    heard = await got(watcher)
    assert (heard.payload, heard.qos, heard.retain) == (b"gone", 1, retain)
    assert heard.properties == given


@requirement("MQTT-3.14.4-3", "MQTT-3.1.2-10")
@pytest.mark.parametrize(
    ("reason", "published"), [(0x00, False), (0x04, True), (0x80, True), (0x97, True)]
)
async def test_only_a_normal_goodbye_takes_the_will_back(
    door: Door, meet: Meet, reason: int, published: bool
) -> None:
    watcher = await meet(door, "w", 5)
    await watcher.subscribe("will")
    peer = await meet(door, "p", 5, will=Will("will", b"gone"))
    peer.send(Disconnect(reason))
    assert await peer.is_closed()
    if published:
        assert (await got(watcher)).payload == b"gone"
    else:
        assert await watcher.silent()


@requirement("MQTT-3.1.2-8")
async def test_a_will_waits_for_its_delay_or_the_sessions_end(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    watcher = await meet(door, "w", 5)
    await watcher.subscribe("will/+")
    for name, delay_s, expiry_s in (("delay", 10, 100), ("end", 100, 20)):
        will = Will(f"will/{name}", b"", properties={Property.WILL_DELAY_S: delay_s})
        expiry = {Property.SESSION_EXPIRY_S: expiry_s}
        (await meet(door, name, 5, will=will, properties=expiry)).writer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    for seconds, topic in ((11, "will/delay"), (10, "will/end")):
        door.tick()
        assert await watcher.silent()
        clock.advance(seconds)
        door.tick()
        assert (await got(watcher)).topic == topic


@requirement("MQTT-3.1.3-9")
async def test_a_client_that_is_back_in_time_has_no_will_sent(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    watcher = await meet(door, "w", 5)
    await watcher.subscribe("will")
    will = Will("will", b"", properties={Property.WILL_DELAY_S: 10})
    more = {"will": will, "properties": {Property.SESSION_EXPIRY_S: 100}}
    (await meet(door, "p", 5, **more)).writer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    clock.advance(5)
    await meet(door, "p", 5, clean_start=False, **more)
    clock.advance(20)
    door.tick()
    assert await watcher.silent()
