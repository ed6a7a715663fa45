"""CONNECT, CONNACK, DISCONNECT and AUTH, by the statements of MQTT 5.0."""

from __future__ import annotations

import pytest
from tests.door.peer import Meet, OpenDoor

from penstock.core.clock import ManualClock
from penstock.door import Door
from penstock.door.packets import Ack, Auth, Connack, Connect, Disconnect, Ping, Publish, Suback
from penstock.door.properties import Kind, Property
from penstock.door.reasons import Reason

requirement = pytest.mark.requirement


@requirement("MQTT-3.1.0-1")
@pytest.mark.parametrize("raw", ["c0 00", "30 03 0001 61", "20 02 00 00", "e0 00"])
async def test_the_first_packet_must_be_connect(door: Door, call: Meet, raw: str) -> None:
    peer = await call(door, 5)
    peer.raw(bytes.fromhex(raw))
    assert await peer.is_closed()


@requirement("MQTT-3.1.0-2")
async def test_a_second_connect_ends_the_connection(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    peer.send(Connect("peer", 5))
    assert await peer.receive() == Disconnect(Reason.PROTOCOL_ERROR)
    assert await peer.is_closed()


#: CONNECT packets that are refused: the statement, the packet, the reason.
REFUSED = [
    ("MQTT-3.1.2-1", "10 0c 0004 4d515455 05 02 0000 00 0000", 0x84),
    ("MQTT-3.1.2-2", "10 0c 0004 4d515454 06 02 0000 00 0000", 0x84),
]
#: CONNECT packets that break the rules so that nothing need be answered.
BROKEN = [
    ("MQTT-3.1.2-3", "10 0d 0004 4d515454 05 03 0000 00 0000"),
    ("MQTT-3.1.2-11", "10 0d 0004 4d515454 05 0a 0000 00 0000"),
    ("MQTT-3.1.2-12", "10 13 0004 4d515454 05 1e 0000 00 0000 00 0001 61 0000"),
    ("MQTT-3.1.2-13", "10 0d 0004 4d515454 05 22 0000 00 0000"),
    ("MQTT-3.1.3-4", "10 0e 0004 4d515454 05 02 0000 00 0001 ff"),
    ("MQTT-1.5.4-1", "10 10 0004 4d515454 05 02 0000 00 0003 eda080"),
    ("MQTT-1.5.4-2", "10 0e 0004 4d515454 05 02 0000 00 0001 00"),
    ("MQTT-2.1.3-1", "11 0d 0004 4d515454 05 02 0000 00 0000"),
    ("MQTT-3.1.2-16", "10 0f 0004 4d515454 05 02 0000 00 0000 0000"),
    ("session expiry twice", "10 17 0004 4d515454 05 02 0000 0a 1100000001 1100000001 0000"),
    ("receive maximum 0", "10 10 0004 4d515454 05 02 0000 03 210000 0000"),
    ("maximum packet size 0", "10 12 0004 4d515454 05 02 0000 05 2700000000 0000"),
    ("data without a method", "10 11 0004 4d515454 05 02 0000 04 16000100 0000"),
    ("a property of other packets", "10 10 0004 4d515454 05 02 0000 03 230001 0000"),
    ("no such property", "10 0f 0004 4d515454 05 02 0000 02 7f00 0000"),
]


@pytest.mark.parametrize(
    ("raw", "reason"), [pytest.param(*rest, marks=requirement(name)) for name, *rest in REFUSED]
)
async def test_a_protocol_that_is_not_spoken_is_refused(
    door: Door, call: Meet, raw: str, reason: int
) -> None:
    peer = await call(door, 5)
    peer.raw(bytes.fromhex(raw))
    # Answered in the oldest form, which every client understands.
    assert await peer.reader.readexactly(4) == bytes((0x20, 2, 0, 1))
    assert await peer.is_closed()


@pytest.mark.parametrize("raw", [pytest.param(raw, marks=requirement(n)) for n, raw in BROKEN])
async def test_a_broken_connect_ends_the_connection(door: Door, call: Meet, raw: str) -> None:
    peer = await call(door, 5)
    peer.raw(bytes.fromhex(raw))
    assert await peer.is_closed()
    assert door.broker.session_of("") is None
    assert door.stats()["penstock_door_sessions"] == 0


@requirement("MQTT-3.1.2-4", "MQTT-3.2.2-2")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_a_clean_start_forgets_the_session(door: Door, meet: Meet, protocol: int) -> None:
    kept = {Property.SESSION_EXPIRY_S: 100} if protocol == 5 else {}
    peer = await meet(door, "a", protocol, clean_start=False, properties=kept)
    await peer.subscribe("t", 1)
    peer.send(Disconnect())
    assert await peer.is_closed()
    peer = await meet(door, "a", protocol, clean_start=True, properties=kept)
    assert not peer.connack.session_present  # type: ignore[attr-defined]
    await (await meet(door, "b")).publish("t", b"1")
    assert await peer.silent()


@requirement("MQTT-3.1.2-5", "MQTT-3.1.2-6", "MQTT-3.2.2-3", "MQTT-3.1.2-23", "MQTT-4.4.0-1")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_a_session_is_resumed_with_what_waited(door: Door, meet: Meet, protocol: int) -> None:
    kept = {Property.SESSION_EXPIRY_S: 100} if protocol == 5 else {}
    peer = await meet(door, "a", protocol, clean_start=False, properties=kept)
    assert not peer.connack.session_present  # type: ignore[attr-defined]
    await peer.subscribe("t", 1)
    await (sender := await meet(door, "b")).publish("t", b"1")
    got = await peer.receive()
    assert isinstance(got, Publish)
    peer.send(Disconnect())
    assert await peer.is_closed()
    await sender.publish("t", b"2")
    peer = await meet(door, "a", protocol, clean_start=False, properties=kept)
    assert peer.connack.session_present  # type: ignore[attr-defined]
    again, new = await peer.receive(), await peer.receive()
    assert isinstance(again, Publish)
    assert isinstance(new, Publish)
    assert (again.dup, again.packet_id, again.payload) == (True, got.packet_id, b"1")
    assert (new.dup, new.payload) == (False, b"2")


@requirement("MQTT-3.1.2-23", "MQTT-4.1.0-2")
async def test_a_session_ends_when_its_time_is_over(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    kept = {Property.SESSION_EXPIRY_S: 100}
    peer = await meet(door, "a", 5, clean_start=False, properties=kept)
    peer.send(Disconnect())
    assert await peer.is_closed()
    clock.advance(101)
    door.tick()
    peer = await meet(door, "a", 5, clean_start=False, properties=kept)
    assert not peer.connack.session_present  # type: ignore[attr-defined]


async def test_disconnect_may_change_the_session_expiry(
    door: Door, meet: Meet, clock: ManualClock
) -> None:
    peer = await meet(door, "a", 5, properties={Property.SESSION_EXPIRY_S: 10})
    peer.send(Disconnect(0, {Property.SESSION_EXPIRY_S: 100}))
    assert await peer.is_closed()
    clock.advance(50)
    door.tick()
    peer = await meet(door, "a", 5, clean_start=False)
    assert peer.connack.session_present  # type: ignore[attr-defined]


@requirement("MQTT-3.14.2-2")
async def test_disconnect_cannot_make_a_session_last_that_was_not_to(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, "a", 5)
    peer.send(Disconnect(0, {Property.SESSION_EXPIRY_S: 100}))
    assert await peer.receive() == Disconnect(Reason.PROTOCOL_ERROR)


@requirement("MQTT-3.14.2-1")
@pytest.mark.parametrize("reason", [0x8B, 0x05, 0xFF])
async def test_disconnect_must_have_a_reason_that_clients_have(
    door: Door, meet: Meet, reason: int
) -> None:
    peer = await meet(door, "a", 5)
    peer.send(Disconnect(reason))
    assert await peer.receive() == Disconnect(Reason.PROTOCOL_ERROR)


@requirement("MQTT-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16")
async def test_a_client_without_identifier_is_given_one_of_its_own(door: Door, meet: Meet) -> None:
    first, second = await meet(door, "", 5), await meet(door, "", 5)
    names = {
        peer.connack.properties[Property.ASSIGNED_CLIENT_IDENTIFIER]  # type: ignore[attr-defined]
        for peer in (first, second)
    }
    assert len(names) == 2


@requirement("MQTT-3.1.3-8 (3.1.1)")
async def test_mqtt_3_1_1_without_identifier_needs_a_clean_session(door: Door, call: Meet) -> None:
    peer = await call(door, 4)
    peer.send(Connect("", 4, clean_start=False))
    assert await peer.receive() == Connack(Reason.CLIENT_IDENTIFIER_NOT_VALID)
    assert await peer.is_closed()


@requirement("MQTT-3.1.4-3")
async def test_a_client_that_connects_again_takes_over(door: Door, meet: Meet) -> None:
    first = await meet(door, "a", 5)
    second = await meet(door, "a", 5)
    assert await first.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
    assert await first.is_closed()
    second.send(Ping())
    assert await second.receive() == Ping(Kind.PINGRESP)


@requirement("MQTT-3.2.0-1", "MQTT-3.2.0-2")
async def test_connack_comes_first_and_once(door: Door, meet: Meet, call: Meet) -> None:
    kept = {Property.SESSION_EXPIRY_S: 100}
    peer = await meet(door, "a", 5, properties=kept)
    await peer.subscribe("t", 1)
    peer.send(Disconnect())
    assert await peer.is_closed()
    await (await meet(door, "b")).publish("t", b"1")
    peer = await call(door, 5)
    peer.send(Connect("a", 5, clean_start=False, properties=kept), Ping())
    assert isinstance(await peer.receive(), Connack)
    assert {type(await peer.receive()) for _ in range(2)} == {Publish, Ping}


@requirement("MQTT-3.1.2-21", "MQTT-3.2.2-21", "MQTT-3.1.2-22")
@pytest.mark.parametrize("wish", [0, 120])
async def test_a_keep_alive_of_the_server_is_told_and_kept(
    open_door: OpenDoor, meet: Meet, clock: ManualClock, wish: int
) -> None:
    door = await open_door(max_keep_alive_s=60)
    peer = await meet(door, "a", 5, keep_alive_s=wish)
    assert peer.connack.properties[Property.SERVER_KEEP_ALIVE_S] == 60  # type: ignore[attr-defined]
    clock.advance(89)
    door.tick()
    assert await peer.silent()
    clock.advance(2)
    door.tick()
    assert await peer.receive() == Disconnect(Reason.KEEP_ALIVE_TIMEOUT)


@requirement("MQTT-3.12.4-1")
@pytest.mark.parametrize("protocol", [4, 5])
async def test_a_ping_is_answered(door: Door, meet: Meet, protocol: int) -> None:
    peer = await meet(door, protocol=protocol)
    peer.send(Ping())
    assert await peer.receive() == Ping(Kind.PINGRESP)


@requirement("MQTT-4.12.0-1")
async def test_an_authentication_method_is_refused(door: Door, call: Meet) -> None:
    peer = await call(door, 5)
    peer.send(Connect("a", 5, properties={Property.AUTHENTICATION_METHOD: "SCRAM-SHA-256"}))
    assert await peer.receive() == Connack(Reason.BAD_AUTHENTICATION_METHOD)
    assert await peer.is_closed()


@requirement("MQTT-4.12.0-6")
async def test_auth_without_a_method_is_a_protocol_error(door: Door, meet: Meet) -> None:
    peer = await meet(door, protocol=5)
    peer.send(Auth(0x19, {Property.AUTHENTICATION_METHOD: "x"}))
    assert await peer.receive() == Disconnect(Reason.PROTOCOL_ERROR)


@requirement("MQTT-3.1.2-28")
async def test_no_response_information_unless_asked(door: Door, meet: Meet) -> None:
    peer = await meet(door, "a", 5)
    assert Property.RESPONSE_INFORMATION not in peer.connack.properties  # type: ignore[attr-defined]


@requirement("MQTT-3.1.2-29")
async def test_without_problem_information_acks_carry_no_reason_in_words(
    door: Door, meet: Meet
) -> None:
    peer = await meet(door, "a", 5, properties={Property.REQUEST_PROBLEM_INFORMATION: 0})
    peer.send(Publish("$SYS/x", b"", 1, packet_id=1))
    assert await peer.receive() == Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED)


async def test_a_reason_is_told_in_words(door: Door, meet: Meet) -> None:
    peer = await meet(door, "a", 5)
    peer.raw(bytes.fromhex("30 04 0001 23 00"))
    assert await peer.receive() == Disconnect(Reason.TOPIC_NAME_INVALID)
    assert "wildcards" in peer.why


@requirement("MQTT-3.2.2-19", "MQTT-3.14.2-3", "MQTT-3.1.2-24")
async def test_no_words_for_a_client_that_takes_only_small_packets(
    door: Door, meet: Meet, call: Meet
) -> None:
    small = {Property.MAXIMUM_PACKET_BYTES: 30}
    peer = await meet(door, "a", 5, properties=small)
    peer.raw(bytes.fromhex("30 04 0001 23 00"))
    assert await peer.receive() == Disconnect(Reason.TOPIC_NAME_INVALID)
    assert peer.why == ""
    peer = await call(door, 5)
    peer.send(Connect("a", 5, properties={**small, Property.AUTHENTICATION_METHOD: "x"}))
    assert await peer.receive() == Connack(Reason.BAD_AUTHENTICATION_METHOD)
    assert peer.why == ""


@requirement("MQTT-3.1.2-24")
async def test_an_answer_that_is_too_large_for_the_client_is_not_sent(
    door: Door, meet: Meet
) -> None:
    from penstock.door.packets import Request, Subscribe

    peer = await meet(door, "a", 5, properties={Property.MAXIMUM_PACKET_BYTES: 30})
    peer.send(Subscribe(1, tuple(Request(f"t/{n}") for n in range(40))))
    assert await peer.receive() == Disconnect(Reason.PACKET_TOO_LARGE)


async def test_what_we_offer_is_told(open_door: OpenDoor, meet: Meet) -> None:
    door = await open_door(receive_maximum=7, max_topic_aliases=5, max_packet_bytes=2048)
    peer = await meet(door, "a", 5, properties={Property.SESSION_EXPIRY_S: 0xFFFFFFFF})
    assert peer.connack.properties == {  # type: ignore[attr-defined]
        Property.MAXIMUM_PACKET_BYTES: 2048,
        Property.TOPIC_ALIAS_MAXIMUM: 5,
        Property.RECEIVE_MAXIMUM: 7,
        Property.SESSION_EXPIRY_S: 604_800,
    }


@requirement("MQTT-3.1.3-5")
async def test_a_long_client_identifier_is_taken(door: Door, meet: Meet) -> None:
    peer = await meet(door, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" * 4, 5)
    assert await peer.subscribe("t") == Suback(1, (0,))
