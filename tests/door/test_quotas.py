"""Nobody uses up for all what there is only so much of: two companies, one of them greedy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.door.peer import Meet, OpenDoor, Peer, eventually
from tests.door.people import CAR, HALL, KEYS, leave, two_companies

from penstock.core.clock import ManualClock
from penstock.core.organisation import Organisation
from penstock.door import Door
from penstock.door.packets import (
    Ack,
    Connack,
    Connect,
    Disconnect,
    Publish,
    Request,
    Suback,
    Subscribe,
)
from penstock.door.properties import Kind, Property
from penstock.door.quotas import Share
from penstock.door.reasons import Reason

OVER = "penstock_door_over_quota_total"
DROPPED = "penstock_door_subscriber_dropped_total"
KEEP = {Property.SESSION_EXPIRY_S: 3600}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return leave(two_companies(), tmp_path / "access.json")


@pytest.fixture
def come(call: Meet) -> Meet:
    """Come in with one of the keys, or not; `peer.connack` is the answer."""

    async def come_in(door: Door, name: str, client: str, protocol: int = 5, **more: Any) -> Peer:
        peer = await call(door, protocol)
        shown = {"username": "any", "password": KEYS[name].encode()}
        peer.send(Connect(client, protocol, **shown, **more))
        connack = await peer.receive()
        assert isinstance(connack, Connack)
        peer.connack = connack  # type: ignore[attr-defined]
        return peer

    return come_in


def reason(peer: Peer) -> int:
    return peer.connack.reason  # type: ignore[attr-defined, no-any-return]


async def test_a_company_that_takes_all_connections_leaves_some_to_others(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_connections=16, account_share=1)
    reasons = [reason(await come(door, "car", f"car-{n}")) for n in range(12)]
    assert reasons == [Reason.SUCCESS] * 8 + [Reason.QUOTA_EXCEEDED] * 4
    assert door.stats()[OVER] == 4
    assert [reason(await come(door, "hall", f"hall-{n}")) for n in range(4)] == [Reason.SUCCESS] * 4


async def test_an_account_leaves_some_to_the_others_of_its_company(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_connections=16)
    reasons = [reason(await come(door, "car", f"car-{n}")) for n in range(5)]
    assert reasons == [Reason.SUCCESS] * 4 + [Reason.QUOTA_EXCEEDED]
    assert reason(await come(door, "writer", "w")) == Reason.SUCCESS


async def test_mqtt_3_1_1_is_told_that_the_server_is_unavailable(
    open_door: OpenDoor, file: Path, call: Meet
) -> None:
    door = await open_door(file, max_connections=4)
    for answer in (0, 3):
        peer = await call(door)
        peer.send(Connect(f"c{answer}", username="x", password=KEYS["car"].encode()))
        data = await peer.reader.readexactly(4)
        assert data[3] == answer


async def test_who_is_at_the_bound_takes_over_its_own_session(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_connections=16)
    peers = [await come(door, "car", f"car-{n}") for n in range(4)]
    for _ in range(20):
        assert reason(await come(door, "car", "car-0")) == Reason.SUCCESS
    assert reason(await come(door, "car", "car-9")) == Reason.QUOTA_EXCEEDED
    assert await peers[0].is_closed()
    await eventually(lambda: door.stats()["penstock_door_connections"] <= 5)
    for peer in peers[1:]:
        await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] <= 2)
    assert reason(await come(door, "car", "car-9")) == Reason.SUCCESS


async def test_sessions_that_are_kept_are_counted_over_restarts_of_their_clients(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_sessions=16, account_share=1)
    for number in range(9):
        peer = await come(door, "car", f"c{number}", properties=KEEP)
        assert reason(peer) == (Reason.SUCCESS if number < 8 else Reason.QUOTA_EXCEEDED)
        await peer.close()
    assert reason(await come(door, "hall", "h", properties=KEEP)) == Reason.SUCCESS
    # A session that ends makes room.
    gone = await come(door, "car", "c3")
    await gone.close()
    await eventually(lambda: door.stats()["penstock_door_sessions"] == 8)
    assert reason(await come(door, "car", "new", properties=KEEP)) == Reason.SUCCESS


async def test_subscriptions_of_all_sessions_of_a_company_are_bounded_together(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_all_subscriptions=20, account_share=1)
    one, two = await come(door, "car", "one"), await come(door, "car", "two")
    for peer, granted in ((one, 7), (two, 3)):
        requests = tuple(Request(f"{CAR}/{n}") for n in range(7))
        peer.send(Subscribe(1, requests))
        reasons = (0,) * granted + (Reason.QUOTA_EXCEEDED,) * (7 - granted)
        assert await peer.receive() == Suback(1, reasons)
    hall = await come(door, "hall", "h")
    assert await hall.subscribe(f"{HALL}/#") == Suback(1, (0,))
    await one.close()
    await eventually(lambda: door.stats()["penstock_door_sessions"] == 2)
    assert await two.subscribe(f"{CAR}/more") == Suback(1, (0,))


async def test_retained_messages_of_one_company_do_not_push_out_anothers(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_retained=8, account_share=1)
    car, hall = await come(door, "car", "c"), await come(door, "hall", "h")
    for number in range(6):
        await car.publish(f"{CAR}/{number}", b"x", retain=True)
    assert len(door.broker.retained) == 4
    await hall.publish(f"{HALL}/state", b"on", retain=True)
    assert isinstance(await hall.subscribe(f"{HALL}/#"), Suback)
    got = await hall.receive()
    assert isinstance(got, Publish)
    assert got.payload == b"on"
    assert door.stats()[OVER] == 2
    # What is taken back makes room.
    await car.publish(f"{CAR}/0", b"", retain=True)
    await car.publish(f"{CAR}/9", b"x", retain=True)
    assert len(door.broker.retained) == 5


async def test_retained_bytes_are_shared_too(open_door: OpenDoor, file: Path, come: Meet) -> None:
    door = await open_door(file, max_retained_bytes=4000, account_share=1)
    car, hall = await come(door, "car", "c"), await come(door, "hall", "h")
    for number in range(3):
        await car.publish(f"{CAR}/{number}", b"x" * 1000, retain=True)
    await hall.publish(f"{HALL}/state", b"x" * 1000, retain=True)
    assert len(door.broker.retained) == 3


async def test_a_full_queue_of_one_company_leaves_anothers_alone(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_all_queued_bytes=40_000, account_share=1)
    for name, system in (("car", CAR), ("hall", HALL)):
        away = await come(door, name, f"{name}-away", properties=KEEP)
        await away.subscribe(f"{system}/#", 1)
        await away.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    car, hall = await come(door, "car", "c"), await come(door, "hall", "h")
    for _ in range(30):
        await car.publish(f"{CAR}/a", b"x" * 744)
    assert door.stats()[DROPPED] == 10
    assert door.stats()[OVER] == 10
    for _ in range(5):
        await hall.publish(f"{HALL}/a", b"x" * 744)
    assert door.stats()[DROPPED] == 10
    # What is taken makes room.
    back = await come(door, "car", "car-away", properties=KEEP, clean_start=False)
    for _ in range(20):
        got = await back.receive()
        assert isinstance(got, Publish)
        back.send(Ack(Kind.PUBACK, got.packet_id))
    await eventually(lambda: door.quotas.whole.queued_bytes.used == 5000)


async def test_who_never_acknowledges_is_the_one_that_is_sent_away(
    open_door: OpenDoor, file: Path, come: Meet
) -> None:
    door = await open_door(file, max_all_queued_bytes=40_000, account_share=1)
    lazy, hall = await come(door, "car", "lazy"), await come(door, "hall", "h")
    await lazy.subscribe(f"{CAR}/#", 1)
    await hall.subscribe(f"{HALL}/#", 1)
    car = await come(door, "car", "c")
    for _ in range(21):
        await car.publish(f"{CAR}/a", b"x" * 744)
    for _ in range(20):
        assert isinstance(await lazy.receive(), Publish)
    assert await lazy.receive() == Disconnect(Reason.QUOTA_EXCEEDED)
    hall.send(Publish(f"{HALL}/a", b"x", 1, packet_id=1))
    assert {type(await hall.receive()), type(await hall.receive())} == {Ack, Publish}
    await eventually(lambda: door.quotas.whole.queued_bytes.used == 257)


async def test_one_company_alone_can_have_everything(
    open_door: OpenDoor, tmp_path: Path, come: Meet
) -> None:
    people = two_companies()
    only = msgspec.structs.replace(
        people, clients=tuple(one for one in people.clients if one.system == 2)
    )
    door = await open_door(leave(only, tmp_path / "one.json"), max_connections=6, account_share=1)
    assert [reason(await come(door, "car", f"c{n}")) for n in range(6)] == [0] * 6


async def test_sessions_from_before_the_first_user_are_counted_from_then_on(
    open_door: OpenDoor, tmp_path: Path, meet: Meet
) -> None:
    file = leave(Organisation(), tmp_path / "access.json")
    door = await open_door(file)
    peer = await meet(door, "old", 5, properties=KEEP)
    await peer.subscribe("a", 1)
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    leave(two_companies(), file)
    door.look()
    session = door.broker.session_of("old")
    assert session is not None
    assert session.allowance is not door.quotas.whole
    assert session.allowance.sessions.used == session.allowance.subscriptions.used == 1
    whole = door.quotas.whole
    assert (whole.sessions.used, whole.subscriptions.used) == (1, 1)


async def test_silent_connections_from_one_address_do_not_lock_out_another(
    open_door: OpenDoor, call: Meet, clock: ManualClock
) -> None:
    door = await open_door(max_pending_connections=4)
    silent = [await call(door)]
    await eventually(lambda: len(door._pending) == 1)
    clock.advance(1)
    silent += [await call(door) for _ in range(3)]
    await eventually(lambda: len(door._pending) == 4)
    reader, writer = await asyncio.open_connection(*door.address, local_addr=("127.0.0.2", 0))
    neighbour = Peer(reader, writer, 5)
    neighbour.send(Connect("neighbour", 5))
    connack = await neighbour.receive()
    assert isinstance(connack, Connack)
    assert connack.reason == Reason.SUCCESS
    assert await silent[0].is_closed()
    assert all(not peer.reader.at_eof() for peer in silent[1:])
    await neighbour.close()
    # One more from the crowd itself is turned away, as before.
    await eventually(lambda: len(door._pending) == 3)
    await call(door)
    await eventually(lambda: len(door._pending) == 4)
    assert await (await call(door)).is_closed()


async def test_silent_connections_do_not_lock_out_their_own_address(
    open_door: OpenDoor, meet: Meet, call: Meet, clock: ManualClock
) -> None:
    door = await open_door(max_pending_connections=4)
    silent = [await call(door) for _ in range(4)]
    await eventually(lambda: len(door._pending) == 4)
    # Not yet: devices that all come at once do not push each other out.
    assert await (await call(door)).is_closed()
    clock.advance(1)
    peer = await meet(door, "mine")
    await peer.publish("a", b"", 1)
    await eventually(lambda: len(door._pending) == 3)
    assert [one.reader.at_eof() for one in silent].count(True) <= 1
    assert await silent[0].is_closed()


@given(st.lists(st.integers(0, 3), max_size=200), st.integers(1, 50), st.sampled_from([0.5, 0.9]))
def test_whoever_comes_last_finds_something_and_nobody_gets_more_than_there_is(
    wishes: list[int], most: int, fraction: float
) -> None:
    root = Share(most)
    parts = [Share(0, root, lambda: fraction) for _ in range(4)]
    for wish in wishes:
        if parts[wish].has_room():
            parts[wish].take()
    assert root.used == sum(part.used for part in parts) <= most
    late = Share(0, root, lambda: fraction)
    assert late.has_room() is (root.used < most)
    if root.used < most:
        assert all(part.used <= part.limit or part.used < most for part in parts)
    for part in parts:
        part.take(-part.used)
    assert root.used == 0
