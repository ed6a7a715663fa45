"""MQTT over TLS, with and without client certificates."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.door.peer import Journal, Meet, OpenDoor, Peer, eventually
from tests.door.pki import Pki, new_pki

from penstock.core.clock import ManualClock
from penstock.core.errors import ConfigError, DiskFull
from penstock.core.log import MQTT_3_1_1
from penstock.door import Door, DoorSettings, User
from penstock.door.auth import hash_password
from penstock.door.encoding import encode
from penstock.door.packets import Ack, Connack, Connect, Disconnect, Ping, Publish, Suback
from penstock.door.properties import Kind
from penstock.door.reasons import Reason
from penstock.door.settings import TlsSettings

FAILURES = "penstock_door_tls_failures_total"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return new_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def tls(pki: Pki) -> TlsSettings:
    return TlsSettings(port=0, **pki.server())


CallTls = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def call_tls(pki: Pki) -> AsyncIterator[CallTls]:
    """Open TLS connections; they are closed at the end."""
    peers: list[Peer] = []

    async def call_one(
        door: Door, context: ssl.SSLContext | None = None, protocol: int = MQTT_3_1_1
    ) -> Peer:
        host, port = door.addresses["mqtts"]
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context or pki.trusting(), ssl_handshake_timeout=30
        )
        peers.append(Peer(reader, writer, protocol))
        return peers[-1]

    yield call_one
    for peer in peers:
        with suppress(ssl.SSLError):
            await peer.close()


async def greet(peer: Peer, client: str = "peer", **more: Any) -> Connack:
    peer.send(Connect(client, peer.protocol, **more))
    connack = await peer.receive()
    assert isinstance(connack, Connack)
    return connack


async def test_messages_go_both_ways_whatever_their_size(
    open_door: OpenDoor, call_tls: CallTls, tls: TlsSettings, journal: Journal
) -> None:
    door = await open_door(tls=tls)
    peer = await call_tls(door)
    assert not (await greet(peer)).reason
    await peer.subscribe("a", 1)
    payload = os.urandom(1_000_000)
    await peer.publish("b", payload, 1)
    await peer.publish("c", b"", 2)
    assert [message.payload for message in journal.messages()] == [payload, b""]
    other = await call_tls(door)
    await greet(other, "other")
    await other.publish("a", payload, 1)
    got = await peer.receive()
    assert got.payload == payload  # type: ignore[union-attr]


async def test_bytes_may_come_one_by_one(
    open_door: OpenDoor, pki: Pki, tls: TlsSettings, journal: Journal
) -> None:
    door = await open_door(tls=tls)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = pki.trusting().wrap_bio(incoming, outgoing, server_hostname="localhost")
    reader, writer = await asyncio.open_connection(*door.addresses["mqtts"])

    async def push() -> None:
        for byte in outgoing.read():
            writer.write(bytes([byte]))
            await asyncio.sleep(0)

    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            await push()
            incoming.write(await asyncio.wait_for(reader.read(65536), 90))
    peer = Peer(reader, writer, MQTT_3_1_1)
    client.write(encode(Connect("slow", 4), 4) + encode(Ping(), 4))
    await push()
    answer = b""
    while len(answer) < 6:
        incoming.write(await asyncio.wait_for(reader.read(65536), 90))
        try:
            answer += client.read(100)
        except ssl.SSLWantReadError:
            continue
    assert answer == bytes.fromhex("20020000 d000")
    await peer.close()


async def test_a_client_certificate_is_the_user_name_and_needs_no_password(
    open_door: OpenDoor, call_tls: CallTls, pki: Pki, journal: Journal
) -> None:
    secret = hash_password("secret")
    users = (
        User(name="admin", password_hash=secret),
        User(name="pump-7", password_hash=secret, access="read"),
    )
    door = await open_door(users=users, tls=TlsSettings(port=0, client_ca=pki.ca, **pki.server()))
    peer = await call_tls(door, pki.trusting(pki.client("pump-7")))
    assert not (await greet(peer, username="admin")).reason
    assert [c.who.username for c in door._connections if c.who] == ["pump-7"]
    assert await peer.subscribe("a") == Suback(1, (0,))
    peer.send(Publish("a", b"", 1, packet_id=1))
    assert await peer.receive() == Ack(Kind.PUBACK, 1)
    assert journal.messages() == []
    # A certificate of somebody who is not known is as good as none.
    stranger = await call_tls(door, pki.trusting(pki.client("pump-8")))
    assert (await greet(stranger)).reason == Reason.BAD_USER_NAME_OR_PASSWORD
    # Who shows none is asked for a password, as everywhere.
    bare = await call_tls(door)
    assert (await greet(bare, "bare")).reason == Reason.BAD_USER_NAME_OR_PASSWORD
    known = await call_tls(door)
    assert not (await greet(known, "known", username="admin", password=b"secret")).reason


async def test_the_certificate_can_come_on_top_of_a_password(
    open_door: OpenDoor, call_tls: CallTls, pki: Pki
) -> None:
    users = (User(name="admin", password_hash=hash_password("secret")),)
    settings = TlsSettings(
        port=0,
        client_ca=pki.ca,
        require_client_certificate=True,
        certificate_names_user=False,
        **pki.server(),
    )
    door = await open_door(users=users, tls=settings)
    context = pki.trusting(pki.client("pump-7"))
    peer = await call_tls(door, context)
    assert (await greet(peer)).reason == Reason.BAD_USER_NAME_OR_PASSWORD
    known = await call_tls(door, context)
    assert not (await greet(known, username="admin", password=b"secret")).reason


async def test_who_shows_no_certificate_or_a_foreign_one_is_told_and_turned_away(
    open_door: OpenDoor,
    call_tls: CallTls,
    pki: Pki,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = TlsSettings(
        port=0, client_ca=pki.ca, require_client_certificate=True, **pki.server()
    )
    door = await open_door(tls=settings)
    stranger = pki.trusting(new_pki(tmp_path / "other").client("pump-7"))
    for number, context in enumerate((pki.trusting(), stranger), 1):
        with pytest.raises((ssl.SSLError, ConnectionError)) as caught:  # noqa: PT012
            peer = await call_tls(door, context)  # TLS 1.3 tells the client after its handshake
            peer.send(Connect("c", 4))
            await asyncio.wait_for(peer.reader.readexactly(4), 90)
        assert isinstance(caught.value, ssl.SSLError), "the client was not told why"
        await eventually(lambda n=number: door.stats()[FAILURES] == n)
    assert "a client at 127.0.0.1 did not get in: the client showed no certificate" in caplog.text
    known = await call_tls(door, pki.trusting(pki.client("pump-7")))
    assert not (await greet(known)).reason


async def test_an_old_tls_version_is_refused(
    open_door: OpenDoor, call_tls: CallTls, pki: Pki
) -> None:
    door = await open_door(tls=TlsSettings(port=0, minimum_version="1.3", **pki.server()))
    context = pki.trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        await call_tls(door, context)
    await call_tls(door)


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("10 0d 0004 4d515454 04 02 003c 0001 61", "MQTT without TLS"),
        ("47 45 54 20 2f 20 48 54 54 50", "HTTP"),
        ("00 00 00 00", "something that is neither"),
    ],
)
async def test_plain_bytes_on_the_tls_port_are_named_and_closed(
    open_door: OpenDoor, tls: TlsSettings, sent: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = await open_door(tls=tls)
    reader, writer = await asyncio.open_connection(*door.addresses["mqtts"])
    writer.write(bytes.fromhex(sent))
    peer = Peer(reader, writer, MQTT_3_1_1)
    assert await peer.is_closed()
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)
    assert f"a client at 127.0.0.1 spoke {named}" in caplog.text


async def test_tls_on_the_plain_port_is_named_and_closed(
    open_door: OpenDoor, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    door = await open_door()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*door.address, ssl=pki.trusting())
    assert "spoke TLS where MQTT is due" in caplog.text


async def test_a_flood_of_wrong_clients_writes_one_line(
    open_door: OpenDoor, tls: TlsSettings, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    door = await open_door(tls=tls)

    async def knock() -> None:
        reader, writer = await asyncio.open_connection(*door.addresses["mqtts"])
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        peer = Peer(reader, writer, MQTT_3_1_1)
        assert await peer.is_closed()
        await peer.close()

    for _ in range(20):
        await knock()
    assert len(caplog.records) == 1
    clock.advance(11)
    await knock()
    assert "19 more like it" in caplog.records[-1].message


async def test_half_handshakes_are_bounded_and_time_out(
    open_door: OpenDoor,
    meet: Meet,
    call_tls: CallTls,
    pki: Pki,
    tls: TlsSettings,
    clock: ManualClock,
) -> None:
    door = await open_door(tls=tls, max_pending_connections=5, connect_timeout_s=2)
    busy = await meet(door, "busy")
    hello = _client_hello(pki)
    silent = []
    for number in range(40):
        reader, writer = await asyncio.open_connection(*door.addresses["mqtts"])
        writer.write(hello[: 1 + 7 * number])
        silent.append(Peer(reader, writer, MQTT_3_1_1))
    await eventually(lambda: door.stats()["penstock_door_rejected_total"] == 35)
    await busy.publish("a", b"", 1)
    clock.advance(3)
    door.tick()
    for peer in silent:
        assert await peer.is_closed()
        await peer.close()
    welcome = await call_tls(door)
    assert not (await greet(welcome, "welcome")).reason


async def test_random_bytes_in_a_handshake_never_hurt_another(
    open_door: OpenDoor, meet: Meet, pki: Pki, tls: TlsSettings
) -> None:
    door = await open_door(tls=tls)
    other = await meet(door, "other")
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    chance = random.Random(11)
    hello = _client_hello(pki)
    for _ in range(60):
        data = bytearray(hello)
        for _ in range(chance.randrange(1, 5)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        reader, writer = await asyncio.open_connection(*door.addresses["mqtts"])
        writer.write(bytes(data))
        writer.write_eof()
        peer = Peer(reader, writer, MQTT_3_1_1)
        assert await peer.is_closed()
        await peer.close()
        await other.publish("a", b"", 1)
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    assert not trouble


async def test_a_new_certificate_is_shown_without_dropping_anybody(
    open_door: OpenDoor, call_tls: CallTls, tmp_path: Path, clock: ManualClock
) -> None:
    old, new = new_pki(tmp_path / "old"), new_pki(tmp_path / "new")
    files = old.server()
    door = await open_door(tls=TlsSettings(port=0, **files))
    peer = await call_tls(door, old.trusting())
    await greet(peer)
    for name, file in new.server().items():
        replace(file, files[name])
    clock.advance(11)
    door.tick()
    fresh = await call_tls(door, new.trusting())
    assert not (await greet(fresh, "fresh")).reason
    with pytest.raises(ssl.SSLCertVerificationError):
        await call_tls(door, old.trusting())
    await peer.publish("a", b"still there", 1)


async def test_a_certificate_that_is_no_good_leaves_the_old_one_in_use(
    open_door: OpenDoor,
    call_tls: CallTls,
    pki: Pki,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine = new_pki(tmp_path / "mine")
    files = mine.server()
    door = await open_door(tls=TlsSettings(port=0, **files))
    replace(pki.server()["certificate"], files["certificate"])
    door.reload()
    assert "The certificate in use stays" in caplog.text
    assert "key values mismatch" in caplog.text
    peer = await call_tls(door, mine.trusting())
    assert not (await greet(peer)).reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"certificate": "absent.pem"}, "cannot read absent.pem"),
        ({"key": "k.pem"}, r"\[door.tls\] is set up, but has no `certificate`"),
        ({"certificate": "c", "require_client_certificate": True}, "no `client_ca`"),
    ],
)
async def test_what_cannot_work_is_refused_before_listening(
    settings: dict[str, Any], message: str, journal: Journal, clock: ManualClock
) -> None:
    with pytest.raises(ConfigError, match=message):
        await Door(
            DoorSettings(port=0, tls=TlsSettings(port=0, **settings)), journal, clock
        ).start()


def test_listening_to_the_world_needs_accounts_or_required_certificates(
    pki: Pki, journal: Journal, clock: ManualClock
) -> None:
    files = pki.server()
    open_house = TlsSettings(host="0.0.0.0", **files)
    optional = TlsSettings(host="0.0.0.0", client_ca=pki.ca, **files)
    required = TlsSettings(
        host="0.0.0.0", client_ca=pki.ca, require_client_certificate=True, **files
    )
    for settings, needs_accounts in (
        (DoorSettings(), False),
        (DoorSettings(host="0.0.0.0"), True),
        (DoorSettings(host="::"), True),
        (DoorSettings(host="example.org"), True),
        (DoorSettings(tls=open_house), True),
        (DoorSettings(tls=optional), True),
        (DoorSettings(tls=required), False),
        (DoorSettings(host="192.168.1.4", tls=required), True),
    ):
        assert Door(settings, journal, clock).permissions.has_accounts is needs_accounts


async def test_a_slow_reader_stops_the_flow_through_tls(
    open_door: OpenDoor, meet: Meet, call_tls: CallTls, tls: TlsSettings
) -> None:
    door = await open_door(tls=tls, max_outbound_bytes=65_536)
    slow = await call_tls(door)
    await greet(slow, "slow")
    await slow.subscribe("a")
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    sender = await meet(door, "sender")
    dropped = "penstock_door_subscriber_dropped_total"
    for _ in range(3000):
        await sender.publish("a", b"x" * 16_000, 1)
        if door.stats()[dropped] > 10:
            break
    assert door.stats()[dropped] > 10
    slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
    slow.send(Ping())
    while not isinstance(await slow.receive(), Ping):
        pass


async def test_a_full_disk_stops_reading_through_tls(
    open_door: OpenDoor, call_tls: CallTls, tls: TlsSettings, journal: Journal
) -> None:
    door = await open_door(tls=tls, max_unsynced_bytes=65_536)
    peer = await call_tls(door)
    await greet(peer)
    journal.trouble = DiskFull("full")
    payload = b"x" * 60_000
    for number in range(1, 201):
        peer.send(Publish("a", payload, 1, packet_id=number))
    await eventually(lambda: journal.refusals > 3)
    unsynced = door.stats()["penstock_door_unsynced_bytes"]
    await eventually(lambda: journal.refusals > 6)
    assert door.stats()["penstock_door_unsynced_bytes"] == unsynced < 3_000_000
    journal.trouble = None
    for number in range(1, 201):
        assert (await peer.receive()).packet_id == number  # type: ignore[union-attr]


async def test_the_door_says_goodbye_through_tls(
    open_door: OpenDoor, call_tls: CallTls, tls: TlsSettings
) -> None:
    door = await open_door(tls=tls)
    peer = await call_tls(door, protocol=5)
    await greet(peer)
    await door.close()
    assert await peer.receive() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert await asyncio.wait_for(peer.reader.read(), 90) == b""


def replace(new: str, old: str) -> None:
    """Put a file in another's place, as those who renew certificates do."""
    Path(new).replace(old)


def _client_hello(pki: Pki) -> bytes:
    outgoing = ssl.MemoryBIO()
    client = pki.trusting().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
