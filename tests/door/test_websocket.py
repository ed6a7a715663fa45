"""MQTT over web sockets, plain and with TLS."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.door.peer import PATIENCE_S, Journal, Meet, OpenDoor, Peer, eventually
from tests.door.pki import new_pki
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from penstock.core.clock import ManualClock
from penstock.core.errors import ConfigError, DiskFull
from penstock.door import Door, DoorSettings
from penstock.door.decoding import decode
from penstock.door.encoding import encode
from penstock.door.intake import frame
from penstock.door.listeners import Listeners
from penstock.door.packets import Ack, Connack, Connect, Disconnect, Ping, Publish
from penstock.door.properties import Kind
from penstock.door.reasons import Reason
from penstock.door.settings import TlsSettings, WebSocketSettings
from penstock.door.upgrade import is_allowed, upgrade

WEB = WebSocketSettings(port=0)


class WebPeer(Peer):
    """A client on a web socket, with the library's client side in between."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: int
    ) -> None:
        super().__init__(reader, writer, protocol)
        self.web: ClientProtocol
        self.answer: Response | None = None
        self.frames: list[Frame] = []
        self.stream = b""

    async def upgrade(self, uri: str, **headers: str) -> None:
        offered = headers.pop("subprotocol", "mqtt")
        self.web = ClientProtocol(
            parse_uri(uri), subprotocols=[Subprotocol(offered)] if offered else None
        )
        request = self.web.connect()
        for name, value in headers.items():
            request.headers[name.replace("_", "-")] = value
        self.web.send_request(request)
        self._push()
        while self.answer is None and not self.reader.at_eof():
            await self.pull()

    def _push(self) -> None:
        for data in self.web.data_to_send():
            if data:
                self.writer.write(data)

    async def pull(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            data = await self.reader.read(65536)
        if data:
            self.web.receive_data(data)
        else:
            self.web.receive_eof()
        for event in self.web.events_received():
            if isinstance(event, Response):
                self.answer = event
            elif isinstance(event, Frame):
                self.frames.append(event)
                if event.opcode is Opcode.BINARY:
                    self.stream += bytes(event.data)

    def raw(self, data: bytes) -> None:
        self.web.send_binary(data)
        self._push()

    async def receive(self) -> Any:
        while True:
            data = self.stream
            if len(data) >= 2:
                body, stop = frame(data, 0, len(data), 1 << 28)
                if body and stop <= len(data):
                    self.stream = data[stop:]
                    return self.without_words(decode(data[0], data[body:stop], self.protocol))
            if self.reader.at_eof():
                raise asyncio.IncompleteReadError(data, None)
            await self.pull()

    async def close_code(self) -> int:
        """Wait for the door to close, and return why."""
        while not self.reader.at_eof():
            await self.pull()
        assert self.web.close_rcvd is not None
        return self.web.close_rcvd.code


Call = Callable[..., Awaitable[WebPeer]]


@pytest.fixture
async def call_web() -> AsyncIterator[Call]:
    """Open web sockets; they are closed at the end."""
    peers: list[WebPeer] = []

    async def call_one(
        door: Door, protocol: int = 4, path: str = "/mqtt", **headers: str
    ) -> WebPeer:
        host, port = door.addresses["ws"]
        peer = WebPeer(*await asyncio.open_connection(host, port), protocol)
        peers.append(peer)
        await peer.upgrade(f"ws://{host}:{port}{path}", **headers)
        return peer

    yield call_one
    for peer in peers:
        await peer.close()


async def greet(peer: Peer, client: str = "web", **more: Any) -> None:
    peer.send(Connect(client, peer.protocol, **more))
    connack = await peer.receive()
    assert isinstance(connack, Connack)
    assert not connack.reason


async def test_messages_go_both_ways_whatever_their_size(
    open_door: OpenDoor, call_web: Call, meet: Meet, journal: Journal
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door)
    assert peer.web.subprotocol == "mqtt"
    await greet(peer)
    await peer.subscribe("a", 1)
    payload = bytes(range(256)) * 4000
    await peer.publish("b", payload, 1)
    await peer.publish("c", b"", 2)
    assert [message.payload for message in journal.messages()] == [payload, b""]
    other = await meet(door, "other")
    await other.publish("a", payload, 1)
    got = await peer.receive()
    assert got.payload == payload


async def test_packets_may_share_frames_and_span_them(
    open_door: OpenDoor, call_web: Call, journal: Journal
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door)
    data = encode(Connect("c", 4), 4) + b"".join(
        encode(Publish("a", bytes([number]), 1, packet_id=number), 4) for number in range(1, 101)
    )
    for size in (1, 2, 3, 5, 8, 13, 21, 34, 1000):
        piece, data = data[:size], data[size:]
        peer.web.send_binary(piece, fin=False)
        peer.web.send_continuation(b"", fin=True)
        peer.web.send_ping(b"between")
    peer.raw(data)
    assert isinstance(await peer.receive(), Connack)
    for number in range(1, 101):
        assert await peer.receive() == Ack(Kind.PUBACK, number)
    assert [message.payload[0] for message in journal.messages()] == list(range(1, 101))
    assert [bytes(f.data) for f in peer.frames if f.opcode is Opcode.PONG] == [b"between"] * 9


async def test_frames_right_behind_the_request_are_taken(open_door: OpenDoor) -> None:
    door = await open_door(websocket=WEB)
    host, port = door.addresses["ws"]
    peer = WebPeer(*await asyncio.open_connection(host, port), 4)
    web = peer.web = ClientProtocol(parse_uri(f"ws://{host}/mqtt"), subprotocols=["mqtt"])  # type: ignore[list-item]
    web.send_request(web.connect())
    request = b"".join(web.data_to_send())
    hello = Frame(Opcode.BINARY, encode(Connect("eager", 4), 4)).serialize(mask=True)
    for byte in request[:-5]:
        peer.writer.write(bytes([byte]))
        await asyncio.sleep(0)
    peer.writer.write(request[-5:] + hello)
    assert isinstance(await peer.receive(), Connack)
    await peer.close()


@pytest.mark.parametrize(
    ("path", "headers", "status", "says"),
    [
        ("/", {}, 404, "connect to '/mqtt'"),
        ("/mqtt", {"subprotocol": ""}, 400, "must offer the subprotocol 'mqtt'"),
        ("/mqtt", {"subprotocol": "mqttv3.1"}, 400, "must offer the subprotocol 'mqtt'"),
        ("/mqtt", {"Origin": "https://evil.example"}, 403, "may not connect here"),
        ("/mqtt", {"Origin": "null"}, 403, "may not connect here"),
    ],
)
async def test_a_request_that_is_refused_says_what_is_allowed(
    open_door: OpenDoor,
    call_web: Call,
    path: str,
    headers: dict[str, str],
    status: int,
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door, path=path, **headers)
    while not peer.reader.at_eof():
        await peer.pull()
    assert peer.answer is not None
    assert peer.answer.status_code == status
    assert says in bytes(peer.answer.body or b"").decode()
    assert "got no web socket: " in caplog.text
    peer.writer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)


async def test_the_path_may_be_set_and_carry_a_query(open_door: OpenDoor, call_web: Call) -> None:
    door = await open_door(websocket=WebSocketSettings(port=0, path="/ws"))
    peer = await call_web(door, path="/ws?x=1")
    await greet(peer)


async def test_plain_http_is_told_that_it_needs_a_web_socket(open_door: OpenDoor) -> None:
    door = await open_door(websocket=WEB)
    reader, writer = await asyncio.open_connection(*door.addresses["ws"])
    writer.write(b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
    assert answer.startswith(b"HTTP/1.1 426 ")
    writer.close()


REQUEST = (
    b"GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Origin: http://localhost\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


@given(st.lists(st.tuples(st.integers(0, len(REQUEST) - 5), st.binary(max_size=3)), max_size=4))
def test_any_request_gets_an_answer(changes: list[tuple[int, bytes]]) -> None:
    head = REQUEST
    for at, instead in changes:
        head = head[:at] + instead + head[at + 1 :]
    answer, why = upgrade(head, WEB)
    assert answer.startswith(b"HTTP/1.1 101 ") is not bool(why)
    if head == REQUEST:
        assert not why


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://localhost:8080", "localhost:9001", True),
        ("https://192.168.1.9", "192.168.1.9:9001", True),
        ("http://[::1]:8080", "[::1]:9001", True),
        ("http://127.0.0.1:8080", "localhost:9001", False),
        ("http://evil.example", "evil.example:9001", False),
        ("http://evil.example", "localhost:9001", False),
        ("https://plant.example", "door.example", True),
        ("http://plant.example", "door.example", False),
        ("https://plant.example.evil", "door.example", False),
        ("null", "localhost", False),
        ("", "", False),
        ("http://[", "[", False),
    ],
)
def test_only_known_pages_may_connect(origin: str, host: str, allowed: bool) -> None:
    settings = WebSocketSettings(allowed_origins=("https://plant.example",))
    assert is_allowed(origin, host, settings) is allowed
    assert is_allowed(origin, host, WebSocketSettings(allowed_origins=("*",)))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("81 85 00000000 68656c6c6f", 1003),
        ("82 01 61", 1002),
        ("82 ff 0000000001000001 00000000", 1009),
    ],
)
async def test_a_broken_frame_ends_its_connection_with_its_code(
    open_door: OpenDoor, call_web: Call, meet: Meet, raw: str, code: int
) -> None:
    door = await open_door(websocket=WEB)
    other = await meet(door, "other")
    peer = await call_web(door)
    await greet(peer)
    peer.writer.write(bytes.fromhex(raw))
    assert await peer.close_code() == code
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    await other.publish("a", b"", 1)


async def test_a_client_s_close_is_answered_and_counts_as_leaving(
    open_door: OpenDoor, call_web: Call
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door)
    await greet(peer)
    peer.web.send_close(1001)
    peer._push()
    assert await peer.close_code() == 1000
    await eventually(lambda: door.stats()["penstock_door_sessions"] == 0)


async def test_an_mqtt_violation_is_answered_before_the_web_socket_closes(
    open_door: OpenDoor, call_web: Call
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door, 5)
    await greet(peer)
    peer.raw(bytes.fromhex("f000"))
    assert await peer.receive() == Disconnect(Reason.PROTOCOL_ERROR)
    assert await peer.close_code() == 1000


async def test_the_door_says_goodbye_through_the_web_socket(
    open_door: OpenDoor, call_web: Call
) -> None:
    door = await open_door(websocket=WEB)
    peer = await call_web(door, 5)
    await greet(peer)
    await door.close()
    assert await peer.receive() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert await peer.close_code() == 1000


async def test_who_never_finishes_the_request_is_bounded_and_times_out(
    open_door: OpenDoor, call_web: Call, meet: Meet, clock: ManualClock
) -> None:
    door = await open_door(websocket=WEB, max_pending_connections=5, connect_timeout_s=2)
    busy = await meet(door, "busy")
    silent = []
    for number in range(30):
        reader, writer = await asyncio.open_connection(*door.addresses["ws"])
        writer.write(b"GET /mqtt HTTP/1.1\r\nHost: x\r\n"[: 1 + number])
        silent.append(Peer(reader, writer, 4))
    await eventually(lambda: door.stats()["penstock_door_rejected_total"] == 25)
    await busy.publish("a", b"", 1)
    clock.advance(3)
    door.tick()
    for peer in silent:
        assert await peer.is_closed()
        await peer.close()
    await greet(await call_web(door))


@pytest.mark.parametrize(
    "sent",
    [b"GET /" + b"x" * 20_000, b"\x10\x0d\x00\x04MQTT", b"\x16\x03\x01", b"GET / HTTP/9\r\n\r\n"],
)
async def test_what_is_no_request_is_closed(open_door: OpenDoor, sent: bytes) -> None:
    door = await open_door(websocket=WEB)
    reader, writer = await asyncio.open_connection(*door.addresses["ws"])
    writer.write(sent)
    peer = Peer(reader, writer, 4)
    assert await peer.is_closed()
    await peer.close()
    await eventually(lambda: door.stats()["penstock_door_connections"] == 0)


async def test_a_ping_flood_that_is_never_read_is_cut_off(
    open_door: OpenDoor, call_web: Call, meet: Meet
) -> None:
    door = await open_door(websocket=WEB, max_outbound_bytes=65_536)
    peer = await call_web(door)
    await greet(peer)
    other = await meet(door, "other")
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 2000
    with suppress(ConnectionError):
        for _ in range(400):
            if door.stats()["penstock_door_connections"] == 1:
                break
            peer.writer.write(pings)
            await asyncio.wait_for(peer.writer.drain(), PATIENCE_S)
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    await other.publish("a", b"", 1)


async def test_a_full_disk_stops_reading_through_the_web_socket(
    open_door: OpenDoor, call_web: Call, journal: Journal
) -> None:
    door = await open_door(websocket=WEB, max_unsynced_bytes=65_536)
    peer = await call_web(door)
    await greet(peer)
    journal.trouble = DiskFull("full")
    for number in range(1, 201):
        peer.send(Publish("a", b"x" * 60_000, 1, packet_id=number))
    await eventually(lambda: journal.refusals > 3)
    unsynced = door.stats()["penstock_door_unsynced_bytes"]
    await eventually(lambda: journal.refusals > 6)
    assert door.stats()["penstock_door_unsynced_bytes"] == unsynced < 3_000_000
    journal.trouble = None
    for number in range(1, 201):
        assert (await peer.receive()).packet_id == number


async def test_a_slow_reader_loses_qos_0_messages_and_keeps_its_web_socket(
    open_door: OpenDoor, meet: Meet, call_web: Call
) -> None:
    door = await open_door(websocket=WEB, max_outbound_bytes=65_536)
    slow = await call_web(door)
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


async def test_web_sockets_go_through_tls(
    open_door: OpenDoor, tmp_path: Path, journal: Journal
) -> None:
    pki = new_pki(tmp_path)
    door = await open_door(
        tls=TlsSettings(port=0, **pki.server()), websocket=WebSocketSettings(tls_port=0)
    )
    assert set(door.addresses) == {"mqtt", "mqtts", "wss"}
    host, port = door.addresses["wss"]
    peer = WebPeer(*await asyncio.open_connection(host, port, ssl=pki.trusting()), 5)
    await peer.upgrade(f"wss://{host}:{port}/mqtt")
    await greet(peer)
    await peer.publish("a", b"x" * 300_000, 1)
    assert len(journal.messages()[0].payload) == 300_000
    await door.close()
    assert await peer.receive() == Disconnect(Reason.SERVER_SHUTTING_DOWN)
    assert await peer.close_code() == 1000
    await peer.close()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"websocket": WebSocketSettings(tls_port=0)}, "needs a certificate"),
        ({"websocket": WebSocketSettings(port=70_000)}, "70000 is no port"),
    ],
)
def test_what_cannot_work_is_refused(
    settings: dict[str, Any], message: str, journal: Journal, clock: ManualClock
) -> None:
    with pytest.raises(ConfigError, match=message):
        Door(DoorSettings(**settings), journal, clock)


def test_a_web_socket_that_others_reach_needs_accounts() -> None:
    assert not Listeners(DoorSettings(websocket=WEB)).is_exposed
    world = WebSocketSettings(port=0, host="0.0.0.0")
    assert Listeners(DoorSettings(websocket=world)).is_exposed


async def test_random_frames_never_hurt_another(
    open_door: OpenDoor, meet: Meet, call_web: Call
) -> None:
    door = await open_door(websocket=WEB)
    other = await meet(door, "other")
    trouble: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: trouble.append(context))
    chance = random.Random(5)
    for number in range(60):
        peer = await call_web(door)
        data = bytearray(
            Frame(Opcode.BINARY, encode(Connect(f"f{number}", 4), 4)).serialize(mask=True)
            + Frame(Opcode.PING, b"x").serialize(mask=True)
            + Frame(Opcode.BINARY, encode(Publish("a", b"x", 1, packet_id=1), 4)).serialize(
                mask=True
            )
        )
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        peer.writer.write(bytes(data))
        peer.writer.write_eof()
        assert await Peer.is_closed(peer)
        await other.publish("a", b"", 1)
    await eventually(lambda: door.stats()["penstock_door_connections"] == 1)
    assert not trouble
