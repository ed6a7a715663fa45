"""What came by HTTP reaches subscribers: live, after a crash, and only those who may have it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.door.peer import Journal as LogJournal
from tests.door.peer import Meet, Peer, eventually

from penstock.core.access import digest
from penstock.core.clock import ManualClock
from penstock.core.errors import Corrupt
from penstock.core.log import MQTT_3_1_1
from penstock.core.organisation import Client, Company, Key, Organisation, System
from penstock.core.publish import encode_publish
from penstock.door import Door, DoorSettings
from penstock.door.journal import Journal
from penstock.door.packets import Ack, Publish
from penstock.door.posted import Source
from penstock.door.properties import Kind, Property
from penstock.log import MemoryLog

LASTING: dict[str, Any] = {
    "protocol": 5,
    "clean_start": False,
    "properties": {Property.SESSION_EXPIRY_S: 3600},
}
TOPIC = "pump/1/level"


class House:
    """A door beside a log into which others write."""

    def __init__(self, folder: Path, clock: ManualClock) -> None:
        self.folder = folder
        self.clock = clock
        self.log = MemoryLog()
        self.writer = self.log.writer("hub")
        self.own = LogJournal()
        self.doors: list[Door] = []
        #: What the log says of its end, if that is not the truth.
        self.seeming_end: int | None = None

    def end(self) -> int:
        return self.writer.durable_offset if self.seeming_end is None else self.seeming_end

    async def open(self, organisation: Path | None = None, **settings: Any) -> Door:
        source = Source(self.log.reader("hub"), self.end)
        door = Door(
            DoorSettings(port=0, **settings),
            self.own,
            self.clock,
            journal=Journal(self.folder),
            organisation=organisation,
            posted=source,
        )
        await door.start()
        self.doors.append(door)
        return door

    def post(self, *messages: tuple[str, bytes], client: str = "http") -> None:
        """Put messages into the hub's part of the log, together."""
        packets = [encode_publish(topic, payload) for topic, payload in messages]
        ends, at = b"", 0
        for packet in packets:
            at += len(packet)
            ends += at.to_bytes(4, "little")
        self.writer.append(client, MQTT_3_1_1, 0, b"".join(packets), ends)
        self.writer.sync()


@pytest.fixture
async def house(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr("penstock.door.posted.START_S", 0.01)
    house = House(tmp_path / "door", clock)
    yield house
    for door in house.doors:
        await door.close()


async def payload(peer: Peer) -> bytes:
    """Return the payload of the next message, and acknowledge it."""
    message = await peer.receive()
    assert isinstance(message, Publish)
    if message.qos == 1:
        peer.send(Ack(Kind.PUBACK, message.packet_id))
    return message.payload


def waiting(door: Door, client: str) -> int:
    """Return how many messages a client has not acknowledged."""
    session = door.broker.session_of(client)
    assert session is not None
    return len(list(session.open_messages()))


async def test_a_subscriber_gets_it_as_from_a_client_and_not_retained(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    peer = await meet(door, "reader", 5)
    await peer.subscribe("pump/+/level", 1, retain_as_published=True, no_local=True)
    house.post((TOPIC, b"1"), ("pump/1/heat", b"no"), (TOPIC, b"2"))
    message = await peer.receive()
    assert message == Publish(TOPIC, b"1", 1, packet_id=message.packet_id)
    assert (await peer.receive()).payload == b"2"
    late = await meet(door, "late")
    await late.subscribe("#")
    assert await late.silent()
    assert door.counts.posted == 2
    assert house.own.blocks() == []


async def test_nothing_is_read_while_nobody_subscribes(house: House, meet: Meet) -> None:
    door = await house.open()
    reader = house.log.reader("hub")
    reads: list[int] = []
    read = reader.read
    door._source.reader.read = lambda size: reads.append(size) or read(size)  # type: ignore[union-attr,method-assign]
    counts = await meet(door, "counts")
    await counts.subscribe("$SYS/#")
    house.post((TOPIC, b"before"))
    await asyncio.sleep(0.05)
    assert not reads
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    await eventually(lambda: len(reads) > 1)
    await peer.close()
    await eventually(lambda: not door.broker.is_listened_to)
    seen = len(reads)
    await asyncio.sleep(0.05)
    assert len(reads) == seen


async def test_who_subscribes_first_gets_nothing_of_before(house: House, meet: Meet) -> None:
    door = await house.open()
    for time in range(3):
        house.post((TOPIC, b"before"))
        peer = await meet(door, f"reader-{time}")
        await peer.subscribe("#")
        house.post((TOPIC, b"after"))
        assert await payload(peer) == b"after"
        await peer.close()
        await eventually(lambda: not door.broker.is_listened_to)


async def test_a_session_keeps_it_while_its_client_is_away(house: House, meet: Meet) -> None:
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe(TOPIC, 1)
    await peer.close()
    house.post((TOPIC, b"1"), (TOPIC, b"2"))
    await eventually(lambda: door.counts.posted == 2)
    peer = await meet(door, "reader", **LASTING)
    assert [await payload(peer) for _ in range(2)] == [b"1", b"2"]


async def test_the_door_goes_on_where_it_was_when_it_ended(house: House, meet: Meet) -> None:
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe(TOPIC, 1)
    house.post((TOPIC, b"1"))
    assert await payload(peer) == b"1"
    await eventually(lambda: waiting(door, "reader") == 0)
    await door.close()
    house.post((TOPIC, b"2"))
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    house.post((TOPIC, b"3"))
    assert [await payload(peer) for _ in range(2)] == [b"2", b"3"]
    assert await peer.silent()


async def test_after_a_crash_each_is_in_the_queue_once(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe(TOPIC, 1)
    await peer.close()
    house.post((TOPIC, b"1"))
    await eventually(lambda: waiting(door, "reader") == 1 and not door.commit.is_busy)
    assert door._journal is not None
    monkeypatch.setattr(door._journal, "write", lambda _changes: None)
    house.post((TOPIC, b"2"))
    await eventually(lambda: waiting(door, "reader") == 2)
    monkeypatch.setattr("penstock.door.door.CLOSE_TIMEOUT_S", 0.1)
    await door.close()
    house.post((TOPIC, b"3"))
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    assert [await payload(peer) for _ in range(3)] == [b"1", b"2", b"3"]
    assert await peer.silent()


async def test_a_log_that_begins_anew_is_followed_from_its_end(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.posted.ANOTHER_LOG_S", 0.02)
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe(TOPIC, 1)
    house.post(*((TOPIC, b"%d" % number) for number in range(5)))
    assert [await payload(peer) for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
    await eventually(lambda: waiting(door, "reader") == 0)
    await door.close()
    house.log = MemoryLog()
    house.writer = house.log.writer("hub")
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await eventually(lambda: door.broker.keeper.posted_offset == 0)
    house.post((TOPIC, b"new"))
    assert await payload(peer) == b"new"


async def test_an_end_that_seems_too_small_after_a_power_loss_doubles_nothing(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe(TOPIC, 1)
    house.post((TOPIC, b"1"))
    assert await payload(peer) == b"1"
    await eventually(lambda: waiting(door, "reader") == 0)
    await door.close()
    house.seeming_end = 0
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    house.seeming_end = None
    house.post((TOPIC, b"2"))
    assert await payload(peer) == b"2"
    await peer.close()


async def test_many_are_handed_on_in_pieces(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.posted.PIECE_MESSAGES", 10)
    door = await house.open()
    peer = await meet(door, "reader", **LASTING)
    await peer.subscribe("#", 1)
    sizes: list[int] = []
    hand_on = door.broker.hand_on
    monkeypatch.setattr(door.broker, "hand_on", lambda m: (sizes.append(len(m)), hand_on(m)))
    house.post(*((TOPIC, b"%d" % number) for number in range(95)))
    assert [await payload(peer) for _ in range(95)] == [b"%d" % number for number in range(95)]
    assert sizes == [10] * 9 + [5]


@pytest.mark.parametrize("fails", [False, True])
async def test_it_stops_when_handing_on_ends_the_last_subscriber(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    door = await house.open()
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    calls: list[int] = []

    def hand_on(messages: list[Any]) -> None:
        calls.append(len(messages))
        assert door.broker.on_listened is not None
        door.broker.on_listened(False)
        if fails:
            raise OSError

    monkeypatch.setattr(door.broker, "hand_on", hand_on)
    house.post((TOPIC, b"1"))
    await eventually(lambda: bool(calls))
    assert door._posted is not None
    assert door._posted._timer is None


async def test_an_end_that_cannot_be_told_ends_no_connection(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.posted.TROUBLE_S", 0.01)
    door = await house.open()
    assert door._posted is not None
    told: list[int] = []

    def end() -> int:
        told.append(1)
        if len(told) < 3:
            raise FileNotFoundError
        return house.writer.durable_offset

    monkeypatch.setattr(door._posted, "_source", Source(door._posted._source.reader, end))
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    await eventually(lambda: len(told) == 3)
    house.post((TOPIC, b"1"))
    assert await payload(peer) == b"1"


async def test_one_that_clients_could_not_send_is_not_handed_on(house: House, meet: Meet) -> None:
    door = await house.open(max_packet_bytes=2_000)
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    house.post((TOPIC, b"x" * 3_000), (TOPIC, b"1"))
    assert await payload(peer) == b"1"


async def test_trouble_with_reading_does_not_hurt_the_door(
    house: House, meet: Meet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.door.posted.TROUBLE_S", 0.01)
    door = await house.open()
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    assert door._source is not None
    reader = door._source.reader
    read, troubles = reader.read, [Corrupt("some are gone"), OSError("no such device")]

    def trouble(size: int) -> Any:
        if troubles:
            raise troubles.pop()
        return read(size)

    monkeypatch.setattr(reader, "read", trouble)
    house.post((TOPIC, b"1"))
    assert await payload(peer) == b"1"
    assert not troubles


async def test_topics_of_the_door_and_of_sensorthings_are_not_handed_on(
    house: House, meet: Meet
) -> None:
    door = await house.open()
    peer = await meet(door, "reader")
    await peer.subscribe("#")
    await peer.subscribe("$SYS/penstock/#")
    levels = "/".join("x" * 200)
    house.post(
        ("v1.1/Observations", b"{}"),
        ("import/sensorthings", b"arrow"),
        ("com.acme.hall.north/import/sensorthings", b"arrow"),
        ("$SYS/penstock/wanted", b"{}"),
        (levels, b"deep"),
        ("plant/line/import/sensorthings", b"a device's own"),
        (TOPIC, b"1"),
    )
    assert await payload(peer) == b"a device's own"
    assert await payload(peer) == b"1"


async def test_those_who_may_not_receive_a_topic_do_not(
    house: House, meet: Meet, tmp_path: Path
) -> None:
    organisation = Organisation(
        accounts=True,
        companies=(Company(id=1, name="default"), Company(id=2, name="com.acme")),
        systems=(
            System(id=1, company=1, name="default"),
            System(id=2, company=2, name="com.acme.hall.north"),
            System(id=3, company=2, name="com.acme.hall.south"),
        ),
        clients=(Client(id=1, system=2, name="north"), Client(id=2, system=3, name="south")),
        keys=(
            Key(id=1, digest=digest("north"), client=1),
            Key(id=2, digest=digest("south"), client=2),
        ),
    )
    file = tmp_path / "access.json"
    file.write_bytes(msgspec.json.encode(organisation))
    door = await house.open(file)
    peers = {
        name: await meet(door, name, username=name, password=name.encode())
        for name in ("north", "south")
    }
    for peer in peers.values():
        await peer.subscribe("#", 1)
    house.post(("com.acme.hall.north/pump", b"n"), ("com.acme.hall.south/pump", b"s"))
    assert await payload(peers["north"]) == b"n"
    assert await payload(peers["south"]) == b"s"
    for peer in peers.values():
        assert await peer.silent()
