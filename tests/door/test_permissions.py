"""Who comes in, and what they may do there: the organisation's rules at the door."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.door.peer import Journal, Meet, OpenDoor, Peer, eventually
from tests.door.people import CAR, HALL, KEYS, key, leave, share_all, two_companies

from penstock.core.clock import ManualClock
from penstock.core.organisation import Organisation
from penstock.door import Door, User
from penstock.door.auth import hash_password
from penstock.door.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Ping,
    Publish,
    Suback,
    Will,
)
from penstock.door.properties import Kind, Property
from penstock.door.reasons import Reason

DENIED = "penstock_door_messages_denied_total"
REFUSED = "penstock_door_sign_ins_refused_total"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return leave(two_companies(), tmp_path / "access.json")


@pytest.fixture
async def door(open_door: OpenDoor, file: Path) -> Door:
    return await open_door(file, internal_secret="inside")


@pytest.fixture
def come(meet: Meet, door: Door) -> Meet:
    """Come in with one of the keys; the client identifier is the same unless given."""

    async def come_in(name: str, client: str = "", protocol: int = 5, **more: Any) -> Peer:
        shown = {"username": "any", "password": KEYS[name].encode()} | more
        return await meet(door, client or name, protocol, **shown)

    return come_in


async def is_here(peer: Peer) -> bool:
    """Say whether nothing else came before the answer to a ping."""
    peer.send(Ping())
    return await peer.receive() == Ping(Kind.PINGRESP)


async def refusal(call: Meet, door: Door, protocol: int = 5, **shown: Any) -> Connack:
    peer = await call(door, protocol)
    peer.send(Connect("c", protocol, **shown))
    connack = await peer.receive()
    assert isinstance(connack, Connack)
    if connack.reason:
        assert await peer.is_closed()
    return connack


# Who comes in.


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize(
    ("username", "password"),
    [
        (None, None),
        ("sue", None),
        ("sue", b""),
        ("sue", b"wrong"),
        ("nobody", b"wrong"),
        ("bob", b"pw"),
        ("car", b"key-of-cat"),
        ("car", b"\xff\xfe"),
        ("$penstock", b"wrong"),
    ],
)
async def test_every_wrong_sign_in_gets_the_same_answer(
    open_door: OpenDoor,
    call: Meet,
    file: Path,
    protocol: int,
    username: str | None,
    password: bytes | None,
) -> None:
    if username is None and password is not None and protocol == 4:
        pytest.skip("MQTT 3.1.1 has no password without a name")
    door = await open_door(file)
    connack = await refusal(call, door, protocol, username=username, password=password)
    assert connack == Connack(Reason.BAD_USER_NAME_OR_PASSWORD)
    assert door.stats()[REFUSED] == 1


@pytest.mark.parametrize("username", [None, "", "SN-4711", "sue"])
async def test_a_key_is_enough_whatever_name_comes_with_it(
    door: Door, call: Meet, username: str | None
) -> None:
    shown = {"username": username, "password": KEYS["car"].encode()}
    assert not (await refusal(call, door, **shown)).reason


async def test_users_come_in_with_their_password(
    open_door: OpenDoor, call: Meet, tmp_path: Path
) -> None:
    hashed = hash_password("open sesame")
    people = two_companies()
    users = tuple(msgspec.structs.replace(user, password_hash=hashed) for user in people.users)
    file = leave(two_companies(users=users), tmp_path / "access.json")
    door = await open_door(file)
    for name, is_in in (("sue", True), (" SUE ", True), ("bob", False), ("sue", True)):
        connack = await refusal(call, door, username=name, password=b"open sesame")
        assert bool(connack.reason) is not is_in


async def test_too_many_wrong_passwords_are_not_checked_but_the_right_one_known_is(
    open_door: OpenDoor, call: Meet, clock: ManualClock
) -> None:
    door = await open_door(users=(User(name="pump", password_hash=hash_password("right")),))
    assert not (await refusal(call, door, username="pump", password=b"right")).reason
    answers = [
        (await refusal(call, door, username="pump", password=b"wrong %d" % n)).reason
        for n in range(7)
    ]
    assert answers == [Reason.BAD_USER_NAME_OR_PASSWORD] * 5 + [Reason.SERVER_BUSY] * 2
    assert not (await refusal(call, door, username="pump", password=b"right")).reason
    clock.advance(60)
    again = await refusal(call, door, username="pump", password=b"wrong")
    assert again.reason is Reason.BAD_USER_NAME_OR_PASSWORD


async def test_many_who_come_with_one_password_at_once_all_get_in(
    open_door: OpenDoor, call: Meet
) -> None:
    door = await open_door(users=(User(name="pump", password_hash=hash_password("right")),))
    shown = {"username": "pump", "password": b"right"}

    async def come_in(number: int) -> Connack:
        peer = await call(door)
        peer.send(Connect(f"c{number}", 4, **shown))
        answer = await peer.receive()
        assert isinstance(answer, Connack)
        return answer

    assert await asyncio.gather(*map(come_in, range(60))) == [Connack()] * 60


async def test_without_an_organisation_everybody_may_do_everything(
    open_door: OpenDoor, meet: Meet, tmp_path: Path
) -> None:
    for file in (tmp_path / "none.json", leave(Organisation(), tmp_path / "access.json")):
        door = await open_door(file)
        peer = await meet(door, protocol=5, username="x", password=b"y")
        assert await peer.subscribe("#", 1) == Suback(1, (1,))
        assert await peer.subscribe("$SYS/#", 1) == Suback(1, (1,))
        await peer.publish("a", b"1", 0)
        assert isinstance(await peer.receive(), Publish)


async def test_an_organisation_that_cannot_be_read_lets_nobody_in(
    open_door: OpenDoor, call: Meet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "access.json"
    file.write_text('{"accounts": fal')
    door = await open_door(file)
    assert (await refusal(call, door)).reason is Reason.BAD_USER_NAME_OR_PASSWORD
    assert "cannot be read" in caplog.text
    leave(Organisation(), file)
    assert not (await refusal(call, door)).reason
    file.write_text("also wrong")
    assert not (await refusal(call, door)).reason, "what was known holds"


# What they may publish.


@pytest.mark.parametrize(
    ("name", "topic", "may"),
    [
        ("car", f"{CAR}/hall/temperature", True),
        ("car", f"{CAR}.int/engine", True),
        ("car", "race/7/car1", True),
        ("car", f"{HALL}/hall/temperature", False),
        ("car", f"{HALL}.ext", False),
        ("car", "hall/temperature", False),
        ("car", "race/7/car2", False),
        ("car", "$other/x", False),
        ("reader", f"{CAR}/x", False),
        ("writer", f"{CAR}/x", True),
        ("held", f"{CAR}/held/x", True),
        ("held", f"{CAR}/x", False),
        ("sue", f"{CAR}/x", True),
        ("sue", f"{HALL}/x", False),
        ("hall", f"{HALL}/x", True),
        ("hall", f"{CAR}/x", False),
    ],
)
async def test_who_may_publish_where(
    come: Meet, journal: Journal, door: Door, name: str, topic: str, may: bool
) -> None:
    five, three = await come(name, "five"), await come(name, "three", 4)
    for qos, kind in ((0, None), (1, Kind.PUBACK), (2, Kind.PUBREC)):
        for peer in (five, three):
            peer.send(Publish(topic, b"1", qos, packet_id=qos))
            if kind is not None:
                reason = Reason.NOT_AUTHORIZED if peer is five and not may else Reason.SUCCESS
                assert await peer.receive() == Ack(kind, qos, reason)
    assert await is_here(five)
    assert await is_here(three)
    assert [message.topic for message in journal.messages()] == [topic] * (6 if may else 0)
    assert door.stats()[DENIED] == (0 if may else 6)


async def test_a_message_that_may_not_be_is_not_retained_either(come: Meet, door: Door) -> None:
    peer = await come("car")
    peer.send(Publish(f"{HALL}/x", b"1", 1, retain=True, packet_id=1))
    assert await peer.receive() == Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED)
    peer.send(Publish(f"{HALL}/x", b"", 1, retain=True, packet_id=2))
    assert await peer.receive() == Ack(Kind.PUBACK, 2, Reason.NOT_AUTHORIZED)
    assert not len(door.broker.retained)


async def test_a_topic_alias_hides_nothing(come: Meet, journal: Journal) -> None:
    peer = await come("car")
    alias = {Property.TOPIC_ALIAS: 1}
    peer.send(Publish(f"{HALL}/x", b"1", 1, packet_id=1, properties=alias))
    assert await peer.receive() == Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED)
    peer.send(Publish("", b"1", 1, packet_id=2, properties=alias))
    assert await peer.receive() == Ack(Kind.PUBACK, 2, Reason.NOT_AUTHORIZED)
    peer.send(Publish(f"{CAR}/x", b"2", 1, packet_id=3, properties=alias))
    assert await peer.receive() == Ack(Kind.PUBACK, 3)
    assert [message.payload for message in journal.messages()] == [b"2"]


async def test_refusals_are_logged_but_not_each(
    come: Meet, caplog: pytest.LogCaptureFixture
) -> None:
    peer = await come("car")
    for _ in range(50):
        peer.send(Publish(f"{HALL}/x", b"1"))
        assert await is_here(peer)
    assert caplog.text.count(f"may not publish to '{HALL}/x'") == 1


# What they receive.


async def test_a_wide_filter_gives_only_what_one_may_receive(
    come: Meet, door: Door, call: Meet
) -> None:
    car, hall, writer = await come("car"), await come("hall"), await come("writer")
    for peer in (car, hall):
        assert await peer.subscribe("#", 1) == Suback(1, (1,))
        assert await peer.subscribe("+/+", 1) == Suback(1, (1,))
    assert await writer.subscribe("#") == Suback(1, (Reason.NOT_AUTHORIZED,))
    await writer.publish(f"{CAR}/x", b"of the car")
    got = await car.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"of the car"
    assert await is_here(hall)


@pytest.mark.parametrize(
    ("name", "wanted", "may"),
    [
        ("car", f"{CAR}/#", True),
        ("car", f"$share/g/{CAR}/#", True),
        ("car", "race/+/+", True),
        ("car", f"{HALL}/#", False),
        ("car", f"$share/g/{HALL}/#", False),
        ("car", "hall/#", False),
        ("car", "$SYS/#", False),
        ("car", "$share/g/$SYS/#", False),
        ("held", f"{CAR}/held/#", True),
        ("held", f"{CAR}/other/#", False),
        ("writer", f"{CAR}/#", False),
        ("sue", f"{CAR}.int/#", True),
        ("sue", f"{HALL}.int/#", False),
    ],
)
async def test_who_may_subscribe_to_what(come: Meet, name: str, wanted: str, may: bool) -> None:
    five, three = await come(name, "five"), await come(name, "three", 4)
    assert await five.subscribe(wanted) == Suback(1, (0 if may else Reason.NOT_AUTHORIZED,))
    assert await three.subscribe(wanted) == Suback(1, (0 if may else 0x80,))


async def test_retained_messages_are_for_those_who_may_receive_them(come: Meet) -> None:
    car, hall = await come("car"), await come("hall")
    await car.publish(f"{CAR}/x", b"car", 1, retain=True)
    await hall.publish(f"{HALL}/x", b"hall", 1, retain=True)
    for peer, payload in ((car, b"car"), (hall, b"hall")):
        await peer.subscribe("#")
        got = await peer.receive()
        assert isinstance(got, Publish)
        assert got.payload == payload
        assert await is_here(peer)


async def test_what_was_granted_is_received_until_it_expires(
    come: Meet, file: Path, door: Door, clock: ManualClock
) -> None:
    car, hall = await come("car"), await come("hall")
    assert await hall.subscribe(f"{CAR}/#", 1) == Suback(1, (Reason.NOT_AUTHORIZED,))
    leave(two_companies(grants=(share_all(2, 3, clock.now_us() + 60_000_000),)), file)
    door.look()
    assert await hall.subscribe(f"{CAR}/#", 1) == Suback(1, (1,))
    await car.publish(f"{CAR}/x", b"shared")
    got = await hall.receive()
    assert isinstance(got, Publish)
    hall.send(Ack(Kind.PUBACK, got.packet_id))
    hall.send(Publish(f"{CAR}/x", b"back", 1, packet_id=4))
    assert await hall.receive() == Ack(Kind.PUBACK, 4, Reason.NOT_AUTHORIZED)
    clock.advance(61)
    door.look()
    await car.publish(f"{CAR}/x", b"not shared")
    assert await is_here(hall)


async def test_what_a_clock_that_was_ahead_ended_is_granted_again_when_it_is_right(
    come: Meet, file: Path, door: Door, clock: ManualClock
) -> None:
    leave(two_companies(grants=(share_all(2, 3, clock.now_us() + 60_000_000),)), file)
    door.look()
    car, hall = await come("car"), await come("hall")
    assert await hall.subscribe(f"{CAR}/#", 1) == Suback(1, (1,))
    clock.jump(3600)
    door.look()
    await car.publish(f"{CAR}/x", b"not shared")
    assert await is_here(hall)
    clock.jump(-3600)
    door.look()
    await car.publish(f"{CAR}/x", b"shared")
    got = await hall.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"shared"


async def test_messages_that_waited_are_asked_about_again_at_delivery(
    come: Meet, file: Path, door: Door
) -> None:
    leave(two_companies(grants=(share_all(2, 3),)), file)
    kept = {"clean_start": False, "properties": {Property.SESSION_EXPIRY_S: 600}}
    hall = await come("hall", **kept)
    await hall.subscribe("#", 1)
    hall.send(Disconnect())
    assert await hall.is_closed()
    car = await come("car")
    await car.publish(f"{CAR}/x", b"for the hall, but late")
    leave(two_companies(), file)
    again = await come("hall", **kept)
    assert again.connack.session_present  # type: ignore[attr-defined]
    await again.publish(f"{HALL}/x", b"own", 0)
    got = await again.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"own"


async def test_shared_subscriptions_are_each_systems_own(
    come: Meet, door: Door, call: Meet, file: Path
) -> None:
    leave(two_companies(grants=(share_all(2, 3),)), file)
    car, hall = await come("car"), await come("hall")
    for peer in (car, hall):
        assert await peer.subscribe(f"$share/g/{CAR}/#", 1) == Suback(1, (1,))
    sender = await come("writer")
    for number in range(4):
        await sender.publish(f"{CAR}/x", b"%d" % number)
    for peer in (car, hall):
        got = []
        for _ in range(4):
            message = await peer.receive()
            assert isinstance(message, Publish)
            got.append(message.payload)
        assert got == [b"0", b"1", b"2", b"3"]


async def test_a_shared_message_goes_to_a_member_who_may_receive_it(come: Meet) -> None:
    all_of_it, held = await come("car"), await come("held")
    for peer in (all_of_it, held):
        assert await peer.subscribe("$share/g/#", 0) == Suback(1, (0,))
    sender = await come("writer")
    for _ in range(4):
        await sender.publish(f"{CAR}/not/held", b"")
        assert isinstance(await all_of_it.receive(), Publish)
    assert await is_here(held)


async def test_device_accounts_read_write_or_both(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    hashed = hash_password("pw")
    users = tuple(
        User(name=name, password_hash=hashed, access=name)  # type: ignore[arg-type]
        for name in ("read", "write", "readwrite")
    )
    door = await open_door(users=users)
    for name in ("read", "write", "readwrite"):
        peer = await meet(door, name, 5, username=name, password=b"pw")
        may_read, may_write = "read" in name, "write" in name
        reason = 0 if may_read else Reason.NOT_AUTHORIZED
        assert await peer.subscribe("other/#") == Suback(1, (reason,))
        peer.send(Publish(name, b"", 1, packet_id=1))
        answer = Reason.SUCCESS if may_write else Reason.NOT_AUTHORIZED
        assert await peer.receive() == Ack(Kind.PUBACK, 1, answer)
    assert [message.topic for message in journal.messages()] == ["write", "readwrite"]


# Wills.


async def test_a_will_to_a_foreign_topic_keeps_a_client_out(call: Meet, door: Door) -> None:
    shown = {"username": "x", "password": KEYS["car"].encode()}
    for protocol in (4, 5):
        will = Will(f"{HALL}/x", b"gone")
        assert await refusal(call, door, protocol, will=will, **shown) == Connack(
            Reason.NOT_AUTHORIZED
        )


@pytest.mark.parametrize("is_revoked", [False, True])
async def test_a_will_is_asked_about_again_when_it_is_due(
    come: Meet, door: Door, file: Path, clock: ManualClock, journal: Journal, is_revoked: bool
) -> None:
    will = Will(f"{CAR}/x", b"gone", properties={Property.WILL_DELAY_S: 10})
    peer = await come("car", will=will, properties={Property.SESSION_EXPIRY_S: 600})
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    if is_revoked:
        people = two_companies()
        leave(two_companies(clients=people.clients[1:], keys=people.keys[1:]), file)
        door.look()
    clock.advance(11)
    door.tick()
    await door.commit.drain()
    assert [message.payload for message in journal.messages()] == [b"gone"] * (not is_revoked)


# Taking back.


async def test_who_is_not_welcome_any_more_is_disconnected(
    come: Meet, door: Door, file: Path
) -> None:
    people = two_companies()
    car, reader, sue = await come("car"), await come("reader", protocol=4), await come("sue")
    leave(two_companies(keys=people.keys[1:]), file)
    door.look()
    assert await car.receive() == Disconnect(Reason.ADMINISTRATIVE_ACTION)
    assert await is_here(sue)
    disabled = tuple(msgspec.structs.replace(client, disabled=True) for client in people.clients)
    leave(two_companies(clients=disabled), file)
    door.look()
    assert await reader.is_closed()
    assert await is_here(sue)
    leave(two_companies(users=people.users[:1]), file)
    door.look()
    assert await sue.is_closed()
    assert door.stats()["penstock_door_connections_revoked_total"] == 3


async def test_a_changed_password_ends_connections_that_used_the_old_one(
    open_door: OpenDoor, meet: Meet, tmp_path: Path
) -> None:
    people = two_companies()

    def with_password(hashed: str) -> Organisation:
        sue = msgspec.structs.replace(people.users[1], password_hash=hashed)
        return two_companies(users=(people.users[0], sue))

    file = leave(with_password(hash_password("old")), tmp_path / "access.json")
    door = await open_door(file)
    peer = await meet(door, protocol=5, username="sue", password=b"old")
    with_key = await meet(door, "k", 5, username="sue", password=KEYS["sue"].encode())
    leave(with_password(hash_password("new")), file)
    door.look()
    assert await peer.receive() == Disconnect(Reason.ADMINISTRATIVE_ACTION)
    assert await is_here(with_key)


async def test_a_key_ends_when_it_expires(
    come: Meet, door: Door, file: Path, clock: ManualClock, call: Meet
) -> None:
    people = two_companies()
    short = key(1, "car", client=1)
    short = msgspec.structs.replace(short, expires_us=clock.now_us() + 60_000_000)
    leave(two_companies(keys=(short, *people.keys[1:])), file)
    car = await come("car")
    clock.advance(59)
    door.look()
    assert await is_here(car)
    clock.advance(1)
    door.look()
    assert await car.receive() == Disconnect(Reason.ADMINISTRATIVE_ACTION)
    shown = {"username": "x", "password": KEYS["car"].encode()}
    assert (await refusal(call, door, **shown)).reason is Reason.BAD_USER_NAME_OR_PASSWORD


async def test_rights_that_were_taken_away_end_for_connections_that_used_them(
    come: Meet, door: Door, file: Path, journal: Journal
) -> None:
    people = two_companies()
    car = await come("car")
    await car.subscribe(f"{CAR}/#")
    for _ in range(2):
        await car.publish(f"{CAR}/x", b"1", 0)
        assert isinstance(await car.receive(), Publish)
    nothing = msgspec.structs.replace(people.clients[0], may_read=False, may_write=False)
    leave(two_companies(clients=(nothing, *people.clients[1:])), file)
    door.look()
    car.send(Publish(f"{CAR}/x", b"2", 1, packet_id=1))
    assert await car.receive() == Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED)
    await (await come("writer")).publish(f"{CAR}/x", b"3")
    assert await is_here(car)
    assert [message.payload for message in journal.messages()] == [b"1", b"1", b"3"]


async def test_making_the_first_user_ends_connections_without_an_account(
    open_door: OpenDoor, meet: Meet, tmp_path: Path
) -> None:
    file = tmp_path / "access.json"
    door = await open_door(file)
    peer = await meet(door, protocol=5)
    leave(two_companies(), file)
    assert await peer.receive() == Disconnect(Reason.ADMINISTRATIVE_ACTION)


# Sessions.


async def test_nobody_takes_over_a_session_of_another_system(come: Meet) -> None:
    car, hall, sue = (
        await come("car", "same"),
        await come("hall", "same"),
        await come("sue", "same"),
    )
    for peer in (car, hall, sue):
        assert await is_here(peer)
    again = await come("reader", "same")
    assert await car.receive() == Disconnect(Reason.SESSION_TAKEN_OVER)
    for peer in (again, hall, sue):
        assert await is_here(peer)


async def test_a_session_kept_from_before_accounts_is_the_default_systems(
    open_door: OpenDoor, meet: Meet
) -> None:
    kept = {"clean_start": False, "properties": {Property.SESSION_EXPIRY_S: 600}}
    door = await open_door(users=(User(name="pump", password_hash=hash_password("pw")),))
    door.broker.restore_session("pump-1").expiry_s = 600
    door.broker.restore_session("pump-1").expires_at_s = door.clock.monotonic_s() + 600
    peer = await meet(door, "pump-1", 5, username="pump", password=b"pw", **kept)
    assert peer.connack.session_present  # type: ignore[attr-defined]


async def test_the_demos_devices_are_clients_of_the_default_system(
    door: Door, call: Meet, meet: Meet, journal: Journal
) -> None:
    shown = {"username": "$penstock-demo", "password": b"inside"}
    peer = await meet(door, "demo-1", 5, **shown)
    await peer.publish("sensor.A1.measurements", b"1")
    peer.send(Publish(f"{CAR}/x", b"2", 1, packet_id=1))
    assert await peer.receive() == Ack(Kind.PUBACK, 1, Reason.NOT_AUTHORIZED)
    assert len(journal.messages()) == 1
    wrong = await refusal(call, door, username="$penstock-demo", password=b"outside")
    assert wrong.reason is Reason.BAD_USER_NAME_OR_PASSWORD


async def test_a_key_that_is_none_any_more_costs_no_password_check(
    door: Door, monkeypatch: pytest.MonkeyPatch, call: Meet
) -> None:
    monkeypatch.setattr(door.sign_in, "slowly", None)
    for username in ("sue", "SN-4711"):
        connack = await refusal(call, door, username=username, password=b"pnk_was-revoked")
        assert connack.reason is Reason.BAD_USER_NAME_OR_PASSWORD


async def test_taking_back_reaches_topics_that_the_fast_path_knows(
    come: Meet, door: Door, file: Path, journal: Journal
) -> None:
    people = two_companies()
    car = await come("car", protocol=4)
    for number in range(3):
        await car.publish(f"{CAR}/quiet", b"%d" % number)
    reader = msgspec.structs.replace(people.clients[0], may_write=False)
    leave(two_companies(clients=(reader, *people.clients[1:])), file)
    door.look()
    for _ in range(3):
        await car.publish(f"{CAR}/quiet", b"x")
    assert [message.payload for message in journal.messages()] == [b"0", b"1", b"2"]
    assert door.stats()[DENIED] == 3


async def test_who_only_reads_along_gives_no_receipt_for_a_command(
    come: Meet, meet: Meet, door: Door, file: Path
) -> None:
    leave(two_companies(version=1, grants=[share_all(2, 3)]), file)
    door.look()
    hub = await meet(door, "$penstock/hub", 5, username="$penstock", password=b"inside")
    await hub.subscribe("$SYS/penstock/receipts/#", 0)
    car, hall = await come("car"), await come("hall")
    for peer in (hall, car):
        await peer.subscribe(f"{CAR}/commands", 1)
    asked = {Property.USER_PROPERTY: (("penstock-receipt", "task-1"),)}
    hub.send(Publish(f"{CAR}/commands", b"sleep", 1, packet_id=5, properties=asked))
    assert isinstance(await hub.receive(), Ack)
    for peer, gives_receipt in ((hall, False), (car, True)):
        got = await peer.receive()
        assert isinstance(got, Publish)
        peer.send(Ack(Kind.PUBACK, got.packet_id))
        assert await is_here(peer)
        if gives_receipt:
            receipt = await hub.receive()
            assert isinstance(receipt, Publish)
            assert msgspec.json.decode(receipt.payload)["client"] == "car"
        else:
            assert await hub.silent()


@pytest.mark.parametrize(
    ("name", "client", "wanted"),
    [
        ("car", "car", f"{CAR}/responses/car"),
        ("hall", "a/b +", f"{HALL}/responses/a%2Fb%20%2B"),
        ("writer", "w", None),
        ("held", "h", None),
        ("sue", "s", None),
    ],
)
async def test_who_asks_for_it_is_told_where_to_be_answered(
    come: Meet, name: str, client: str, wanted: str | None
) -> None:
    ask = {Property.REQUEST_RESPONSE_INFORMATION: 1}
    peer = await come(name, client, properties=ask)
    told = peer.connack.properties.get(Property.RESPONSE_INFORMATION)  # type: ignore[attr-defined]
    assert told == wanted
    if wanted is not None:
        await peer.subscribe(wanted, 1)
        peer.send(Publish(wanted, b"answer", 1, packet_id=1))
        assert {type(await peer.receive()), type(await peer.receive())} == {Ack, Publish}


async def test_where_to_be_answered_is_left_out_of_an_answer_too_large_for_the_client(
    come: Meet,
) -> None:
    ask = {Property.REQUEST_RESPONSE_INFORMATION: 1, Property.MAXIMUM_PACKET_BYTES: 100}
    peer = await come("car", "c" * 200, properties=ask)
    assert Property.RESPONSE_INFORMATION not in peer.connack.properties  # type: ignore[attr-defined]


async def test_who_does_not_ask_is_told_nothing_about_answers(come: Meet) -> None:
    for asked in ({}, {Property.REQUEST_RESPONSE_INFORMATION: 0}):
        peer = await come("car", properties=asked)
        assert Property.RESPONSE_INFORMATION not in peer.connack.properties  # type: ignore[attr-defined]


async def test_without_accounts_answers_go_to_the_default_systems_topics(
    open_door: OpenDoor, meet: Meet
) -> None:
    door = await open_door()
    peer = await meet(door, "x", 5, properties={Property.REQUEST_RESPONSE_INFORMATION: 1})
    told = peer.connack.properties[Property.RESPONSE_INFORMATION]  # type: ignore[attr-defined]
    assert told == "responses/x"
