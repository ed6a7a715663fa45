"""`$SYS/broker/...`: figures by the names that users of Mosquitto know."""

from __future__ import annotations

from tests.door.peer import Journal, Meet, OpenDoor, Peer

import penstock
from penstock.core.clock import ManualClock
from penstock.door import Door
from penstock.door.packets import Publish


async def figures(peer: Peer, count: int) -> dict[str, str]:
    found = {}
    for _ in range(count):
        packet = await peer.receive()
        assert isinstance(packet, Publish)
        assert not packet.qos
        found[packet.topic.removeprefix("$SYS/broker/")] = packet.payload.decode()
    return found


#: How many figures there are.
ALL = 17


async def test_the_figures_are_there_from_the_start_and_change_with_the_interval(
    door: Door, meet: Meet, journal: Journal, clock: ManualClock
) -> None:
    peer = await meet(door, "p", 5)
    await peer.subscribe("$SYS/broker/#")
    first = await figures(peer, ALL)
    assert first["version"] == f"penstock {penstock.__version__}"
    assert first["uptime"] == "0 seconds"
    await peer.publish("t", b"123", retain=True)
    await peer.subscribe("$share/g/t")
    sender = await meet(door, "s")
    await sender.publish("t", b"4")
    assert isinstance(await peer.receive(), Publish)
    clock.advance(9)
    door.tick()
    assert await peer.silent()
    clock.advance(1)
    door.tick()
    told = await figures(peer, ALL - 3)
    assert (
        told.items()
        >= {
            "uptime": "10 seconds",
            "clients/connected": "2",
            "clients/total": "2",
            "clients/maximum": "2",
            "messages/received": "2",
            "messages/sent": f"{ALL + 1}",
            "subscriptions/count": "2",
            "shared_subscriptions/count": "1",
            "retained messages/count": "1",
        }.items()
    )
    assert int(told["bytes/received"]) > 20
    assert int(told["bytes/sent"]) > 20
    assert all(not m.topic.startswith("$") for m in journal.messages())


async def test_a_late_subscriber_gets_them_retained(door: Door, meet: Meet) -> None:
    peer = await meet(door, "p")
    await peer.subscribe("$SYS/broker/version")
    got = await peer.receive()
    assert isinstance(got, Publish)
    assert got.retain


async def test_an_interval_of_zero_means_none(open_door: OpenDoor, meet: Meet) -> None:
    door = await open_door(sys_interval_s=0)
    peer = await meet(door, "p")
    await peer.subscribe("$SYS/broker/#")
    assert await peer.silent()
