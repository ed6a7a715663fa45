"""Who comes and goes is told through the log, and live to who subscribes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, Peer, eventually

from penstock.core.clock import ManualClock
from penstock.core.publish import parse_publish
from penstock.door import Door
from penstock.door.auth import Visitor, hash_password
from penstock.door.packets import Ack, Connack, Connect, Disconnect, Publish, Suback, Will
from penstock.door.properties import Kind, Property
from penstock.door.reasons import Reason
from penstock.door.settings import User

SECRET = "only the platform knows"


def told(journal: Journal) -> list[tuple[str, dict[str, Any]]]:
    """Return topic and content of everything the door told about its clients."""
    found = [parse_publish(packet, 4) for packet in journal.presence]
    return [(topic, json.loads(payload)) for topic, payload in found]


def moves(journal: Journal) -> list[tuple[str, bool, str]]:
    """Return who came and went, and why."""
    return [
        (about["client"], about["online"], about["reason"])
        for topic, about in told(journal)
        if topic.startswith("$SYS/penstock/clients/")
    ]


async def test_a_door_that_starts_says_so_before_anyone_is_in(
    door: Door, meet: Meet, journal: Journal, clock: ManualClock
) -> None:
    await meet(door)
    await eventually(lambda: len(told(journal)) == 2)
    assert told(journal)[0] == ("$SYS/penstock/door", {"started": clock.now_us()})


async def test_a_client_that_comes_and_says_goodbye_is_told_of(
    door: Door, meet: Meet, journal: Journal, clock: ManualClock
) -> None:
    peer = await meet(door, "pump/1 +#%é", keep_alive_s=30, username="ann", password=b"x")
    host, port = peer.writer.get_extra_info("sockname")
    peer.send(Disconnect())
    await eventually(lambda: len(told(journal)) == 3)
    topic, about = told(journal)[1]
    assert topic == "$SYS/penstock/clients/pump%2F1%20%2B%23%25%C3%A9"
    assert about == {
        "online": True,
        "at": clock.now_us(),
        "client": "pump/1 +#%é",
        "user": "ann",
        "system": 1,
        "reason": "connect",
        "keep_alive_s": 30,
        "address": f"{host}:{port}",
    }
    assert told(journal)[2] == (topic, about | {"online": False, "reason": "clean"})


async def test_every_way_to_go_has_its_word(
    open_door: OpenDoor, meet: Meet, journal: Journal, clock: ManualClock
) -> None:
    door = await open_door()
    (await meet(door, "broken")).writer.close()
    wilful = await meet(door, "wilful", 5)
    wilful.send(Disconnect(Reason.DISCONNECT_WITH_WILL))
    rude = await meet(door, "rude")
    rude.raw(b"\x10\x00")
    taken = await meet(door, "taken")
    await eventually(lambda: len(moves(journal)) == 7)
    await meet(door, "taken")
    assert await taken.is_closed()
    await meet(door, "silent", keep_alive_s=10)
    clock.advance(16)
    door.tick()
    await eventually(lambda: len(moves(journal)) == 11)
    await door.close()
    assert {(who, why) for who, online, why in moves(journal) if not online} == {
        ("broken", "error"),
        ("wilful", "will"),
        ("rude", "error"),
        ("taken", "takeover"),
        ("silent", "keep-alive"),
        ("taken", "shutdown"),
    }
    assert [online for who, online, _ in moves(journal) if who == "taken"] == [
        True,
        False,
        True,
        False,
    ]


async def test_coming_stands_before_the_data_and_going_behind_it(
    open_door: OpenDoor, call: Meet, journal: Journal
) -> None:
    order: list[str] = []
    door = await open_door()
    add = door.commit.add

    def note(entry: Any) -> None:
        order.append(entry.client)
        add(entry)

    door.commit.add = note  # type: ignore[method-assign]
    peer = await call(door)
    peer.send(Connect("quick"), Publish("a", b"1"), Disconnect())
    assert isinstance(await peer.receive(), Connack)
    assert await peer.is_closed()
    assert order == ["$penstock/door", "quick", "$penstock/door"]


async def test_subscribers_hear_of_it_live(door: Door, meet: Meet) -> None:
    watcher = await meet(door, "watcher")
    await watcher.subscribe("$SYS/penstock/clients/+")
    await meet(door, "a/b")
    heard = await watcher.receive()
    assert isinstance(heard, Publish)
    if heard.topic.endswith("/watcher"):  # its own coming may be on disk after it subscribed
        heard = await watcher.receive()
    assert isinstance(heard, Publish)
    assert heard.topic == "$SYS/penstock/clients/a%2Fb"
    assert json.loads(heard.payload)["online"] is True
    assert not heard.retain


async def test_a_wildcard_does_not_hear_of_it(door: Door, meet: Meet) -> None:
    watcher = await meet(door, "watcher")
    await watcher.subscribe("#")
    await meet(door, "other")
    assert await watcher.silent()


@pytest.mark.parametrize("topic", ["$SYS", "$SYS/", "$SYS/penstock/door", "$SYS/broker/uptime"])
async def test_clients_cannot_publish_to_sys(
    door: Door, meet: Meet, journal: Journal, topic: str
) -> None:
    five, three = await meet(door, "five", 5), await meet(door, "three")
    for peer, reason in ((five, Reason.NOT_AUTHORIZED), (three, Reason.SUCCESS)):
        peer.send(Publish(topic, b"lie", 1, packet_id=3))
        assert await peer.receive() == Ack(Kind.PUBACK, 3, reason)
    five.send(Publish(topic, b"lie", 0))
    await five.publish("$SYSTEM/ok", b"truth")
    assert [m.topic for m in journal.messages()] == ["$SYSTEM/ok"]


async def test_a_will_to_sys_is_refused(door: Door, call: Meet) -> None:
    peer = await call(door, 5)
    peer.send(Connect("liar", 5, will=Will("$SYS/penstock/door", b"{}")))
    assert await peer.receive() == Connack(Reason.NOT_AUTHORIZED)


# The platform's own connection.


async def internal(call: Meet, door: Door, client: str = "$penstock-hub", **more: Any) -> Peer:
    peer = await call(door, 5)
    more.setdefault("password", SECRET.encode())
    peer.send(Connect(client, 5, username="$penstock", **more))
    connack = await peer.receive()
    assert isinstance(connack, Connack)
    peer.connack = connack  # type: ignore[attr-defined]
    return peer


async def test_the_platform_may_subscribe_and_publish_whatever_the_rules(
    open_door: OpenDoor, meet: Meet, call: Meet, journal: Journal
) -> None:
    users = (User(name="ann", password_hash=hash_password("pw"), access="write"),)
    door = await open_door(users=users, internal_secret=SECRET)
    hub = await internal(call, door)
    assert await hub.subscribe("$SYS/penstock/#", 1) == Suback(1, (1,))
    await hub.publish("a", b"1")
    assert [m.topic for m in journal.messages()] == ["a"]
    hub.send(Publish("$SYS/penstock/door", b"{}", 1, packet_id=9))
    assert await hub.receive() == Ack(Kind.PUBACK, 9, Reason.NOT_AUTHORIZED)
    ann = await meet(door, "ann", 5, username="ann", password=b"pw")
    assert isinstance(await hub.receive(), Publish)
    assert await ann.subscribe("a") == Suback(1, (Reason.NOT_AUTHORIZED,))


async def test_the_platform_is_no_client_that_comes_and_goes(
    open_door: OpenDoor, meet: Meet, call: Meet, journal: Journal
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door, "")
    assert hub.connack.properties[Property.ASSIGNED_CLIENT_IDENTIFIER].startswith("$penstock-")  # type: ignore[attr-defined]
    hub.send(Disconnect())
    assert await hub.is_closed()
    await meet(door, "one")
    await eventually(lambda: len(told(journal)) == 2)
    assert moves(journal) == [("one", True, "connect")]


@pytest.mark.parametrize("secret", [SECRET, ""])
@pytest.mark.parametrize("password", [b"wrong", b"", None])
async def test_nobody_else_comes_in_as_the_platform(
    open_door: OpenDoor, call: Meet, secret: str, password: bytes | None
) -> None:
    door = await open_door(internal_secret=secret)
    peer = await internal(call, door, password=password)
    assert peer.connack.reason is Reason.BAD_USER_NAME_OR_PASSWORD  # type: ignore[attr-defined]


async def test_client_identifiers_of_the_platform_are_its_own(
    open_door: OpenDoor, call: Meet
) -> None:
    door = await open_door(internal_secret=SECRET)
    peer = await call(door, 5)
    peer.send(Connect("$penstock-hub", 5))
    assert await peer.receive() == Connack(Reason.CLIENT_IDENTIFIER_NOT_VALID)
    odd = await internal(call, door, "hub")
    assert odd.connack.reason is Reason.CLIENT_IDENTIFIER_NOT_VALID  # type: ignore[attr-defined]


# Receipts.


def command(qos: int, receipt: str = "task-7") -> Publish:
    asked = {Property.USER_PROPERTY: (("penstock-receipt", receipt),)}
    return Publish("pump/commands", b"sleep", qos, packet_id=5, properties=asked)


async def through(peer: Peer, qos: int, packet_id: int) -> None:
    """Take a message as its subscriber."""
    if qos == 1:
        peer.send(Ack(Kind.PUBACK, packet_id))
        return
    peer.send(Ack(Kind.PUBREC, packet_id))
    assert await peer.receive() == Ack(Kind.PUBREL, packet_id)
    peer.send(Ack(Kind.PUBCOMP, packet_id))


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
async def test_a_receipt_comes_when_the_device_has_acknowledged(
    open_door: OpenDoor, meet: Meet, call: Meet, clock: ManualClock, qos: int, protocol: int
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door)
    await hub.subscribe("$SYS/penstock/receipts/+")
    pump = await meet(door, "pump", protocol)
    await pump.subscribe("pump/commands", qos)
    hub.send(command(qos))
    got = await pump.receive()
    assert isinstance(got, Publish)
    if protocol == 5:
        assert got.properties == command(qos).properties
    assert isinstance(await hub.receive(), Ack)
    assert await hub.silent()
    await through(pump, qos, got.packet_id)
    receipt = await hub.receive()
    assert isinstance(receipt, Publish)
    assert receipt.topic == "$SYS/penstock/receipts/task-7"
    assert json.loads(receipt.payload) == {"client": "pump", "at": clock.now_us()}


async def test_a_receipt_comes_too_when_the_device_was_away(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door)
    await hub.subscribe("$SYS/penstock/receipts/+")
    pump = await meet(door, "pump", clean_start=False)
    await pump.subscribe("pump/commands", 1)
    pump.send(Disconnect())
    assert await pump.is_closed()
    hub.send(command(1))
    assert await hub.receive() == Ack(Kind.PUBACK, 5)
    assert await hub.silent()
    pump = await meet(door, "pump", clean_start=False)
    got = await pump.receive()
    assert isinstance(got, Publish)
    await through(pump, 1, got.packet_id)
    assert isinstance(await hub.receive(), Publish)


async def test_no_receipt_for_what_a_device_refuses_or_others_ask_for(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door)
    await hub.subscribe("$SYS/penstock/receipts/#")
    pump, other = await meet(door, "pump", 5), await meet(door, "other", 5)
    await pump.subscribe("pump/commands", 1)
    other.send(command(1))
    got = await pump.receive()
    assert isinstance(got, Publish)
    await through(pump, 1, got.packet_id)
    hub.send(command(1, "not/a/name"))
    got = await pump.receive()
    assert isinstance(got, Publish)
    await through(pump, 1, got.packet_id)
    hub.send(command(1))
    got = await pump.receive()
    assert isinstance(got, Publish)
    pump.send(Ack(Kind.PUBACK, got.packet_id, Reason.IMPLEMENTATION_SPECIFIC))
    assert [await hub.receive() for _ in range(2)] == [Ack(Kind.PUBACK, 5)] * 2
    assert await hub.silent()


def order(*clients: str) -> Publish:
    """Return a command for a device that may have these client identifiers."""
    asked = (("penstock-receipt", "t"), *(("penstock-receipt-from", one) for one in clients))
    properties = {Property.USER_PROPERTY: asked}
    return Publish("plant/pump/commands/heat", b"", 1, packet_id=5, properties=properties)


async def test_dashboards_that_see_everything_do_not_count_as_an_absent_device(
    open_door: OpenDoor, meet: Meet, call: Meet
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door)
    await hub.subscribe("$SYS/penstock/receipts/+")
    wide = ("#", "plant/#", "plant/+/commands/heat", "plant/pump/#", "+/+/+/+", "$share/g/#")
    dashboards = [await meet(door, f"dashboard-{n}", 5) for n in range(len(wide))]
    for dashboard, name in zip(dashboards, wide, strict=True):
        assert isinstance(await dashboard.subscribe(name, 1), Suback)
    hub.send(order("pump"))
    assert await hub.receive() == Ack(Kind.PUBACK, 5)
    assert not hub.is_heard
    for dashboard in dashboards:
        got = await dashboard.receive()
        assert isinstance(got, Publish)
        dashboard.send(Ack(Kind.PUBACK, got.packet_id))
    assert await hub.silent()


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("pump", "#"),
        ("gateway-7", "plant/+/commands/heat"),
        ("any", "plant/pump/commands/heat"),
        ("any", "plant/pump/commands/+"),
        ("any", "$share/pumps/plant/pump/commands/#"),
    ],
)
async def test_a_device_counts_by_its_client_or_by_what_it_asked_for(
    open_door: OpenDoor, meet: Meet, call: Meet, client: str, name: str
) -> None:
    door = await open_door(internal_secret=SECRET)
    hub = await internal(call, door)
    await hub.subscribe("$SYS/penstock/receipts/+")
    dashboard = await meet(door, "dashboard")
    await dashboard.subscribe("#", 1)
    device = await meet(door, client, 5, properties={Property.SESSION_EXPIRY_S: 60})
    await device.subscribe(name, 1)
    hub.send(order("pump", "gateway-7"))
    assert await hub.receive() == Ack(Kind.PUBACK, 5)
    assert hub.is_heard
    got = await device.receive()
    assert isinstance(got, Publish)
    device.send(Ack(Kind.PUBACK, got.packet_id))
    receipt = await hub.receive()
    assert isinstance(receipt, Publish)
    assert json.loads(receipt.payload)["client"] == client
    # Its session keeps the next one while it is away.
    await device.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 2)
    hub.send(order("pump", "gateway-7"))
    assert await hub.receive() == Ack(Kind.PUBACK, 5)
    assert hub.is_heard


async def test_ten_thousand_comings_cost_few_syncs(open_door: OpenDoor, journal: Journal) -> None:
    door = await open_door()
    from penstock.door.presence import Arrival

    syncs = door.stats()["penstock_door_syncs_total"]
    for number in range(10_000):
        door.presence.came(Arrival(Visitor(f"c{number}", None), 60, "127.0.0.1:1"))
    await eventually(lambda: len(journal.presence) == 10_001)
    await door.commit.drain()
    assert door.stats()["penstock_door_syncs_total"] - syncs <= 3
    assert door.stats()["penstock_door_messages_total"] == 0
