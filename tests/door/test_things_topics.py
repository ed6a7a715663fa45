"""Topics of the SensorThings API: what clients publish is asked, what the platform does is told."""

from __future__ import annotations

import json

from tests.door.peer import Journal, Meet, OpenDoor, Peer

from penstock.core.things_topics import WANTED, is_things_topic, split_things_topic, things_topic
from penstock.door.packets import Publish, Request, Suback, Subscribe

SECRET = "only the platform knows"
TOPIC = "v1.1/Datastreams(1)/Observations"


async def platform(open_door: OpenDoor, meet: Meet) -> tuple[Meet, Peer]:
    """Return what lets clients in, and the platform's own connection."""
    door = await open_door(internal_secret=SECRET)

    async def client(name: str) -> Peer:
        return await meet(door, name)

    own = await meet(door, "$penstock/things", username="$penstock", password=SECRET.encode())
    return client, own


async def received(peer: Peer) -> Publish:
    packet = await peer.receive()
    while not isinstance(packet, Publish):
        packet = await peer.receive()
    return packet


async def wanted(peer: Peer) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads((await received(peer)).payload)
    return found


async def test_a_request_is_logged_and_not_handed_on_and_its_answer_is_handed_on_and_not_logged(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    client, own = await platform(open_door, meet)
    listener, device = await client("listener"), await client("device")
    await listener.subscribe(TOPIC, 1)
    await listener.subscribe("hall/+", 1)
    await device.publish(TOPIC, b'{"result":1}')
    await device.publish("hall/lamp", b"on")
    assert (await received(listener)).topic == "hall/lamp"
    await own.publish(TOPIC, b'{"@iot.id":1,"result":1}')
    told = await received(listener)
    assert (told.topic, told.payload) == (TOPIC, b'{"@iot.id":1,"result":1}')
    assert [(one.topic, one.payload) for one in journal.messages()] == [
        (TOPIC, b'{"result":1}'),
        ("hall/lamp", b"on"),
    ]


async def test_a_retained_request_is_not_kept_for_subscribers(
    open_door: OpenDoor, meet: Meet, journal: Journal
) -> None:
    client, _ = await platform(open_door, meet)
    device, listener = await client("device"), await client("listener")
    await device.publish(TOPIC, b"1", retain=True)
    assert isinstance(await listener.subscribe(TOPIC), Suback)
    assert await listener.silent()
    assert len(journal.messages()) == 1


async def test_the_platform_learns_what_somebody_listens_to(
    open_door: OpenDoor, meet: Meet
) -> None:
    client, own = await platform(open_door, meet)
    first, second = await client("first"), await client("second")
    for name in (TOPIC, "v1.1/#", "v1.1/+", "hall/lamp", "$share/team/v1.1/Things"):
        await first.subscribe(name, 1)
    own.send(Subscribe(1, (Request(WANTED),), {}))
    assert await wanted(own) == {"all": [TOPIC, "v1.1/Things"]}
    await second.subscribe(TOPIC)
    await second.subscribe("v1.1/Things(1)?$select=name")
    assert await wanted(own) == {"add": ["v1.1/Things(1)?$select=name"]}
    await second.close()
    assert await wanted(own) == {"remove": ["v1.1/Things(1)?$select=name"]}
    await first.close()
    assert [await wanted(own), await wanted(own)] == [
        {"remove": [TOPIC]},
        {"remove": ["v1.1/Things"]},
    ]


def test_topics_are_told_from_others_and_taken_apart() -> None:
    system = "acme.hall.north.v1"
    for name, path in (("", "Things(1)/name"), (system, "Observations?$select=result")):
        topic = things_topic(name, path)
        assert is_things_topic(topic)
        assert split_things_topic(topic) == (name, path)
    for topic in ("v1.1", "v1x1/Things", "hall/v1.1/Things", "x/acme.hall.north.v1/v1.1/Things"):
        assert not is_things_topic(topic)
