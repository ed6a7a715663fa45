"""An MQTT 3.1.1 client for devices: publishes a batch with one write, and can listen.

paho-mqtt sends some 10,000 QoS 1 messages per second; the travellers alone make 60,000.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable, Sequence

import msgspec

from penstock.core.errors import ConfigError, InvalidInput, NotConnected
from penstock.core.publish import encode_length, encode_publish
from penstock.simulators.message import Message

#: Seconds without anything sent after which the broker may close the connection.
KEEP_ALIVE_S = 60
#: Seconds that a broker may take to accept a connection.
CONNECT_TIMEOUT_S = 10.0
#: Seconds between attempts to connect again: first, and at most.
RETRY_S = (0.1, 5.0)

#: Takes topic and payload of a message.
Hear = Callable[[str, bytes], None]

_REFUSED = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not allow the client id",
    3: "it is not available now",
    4: "user name or password is wrong; see --username and --password",
    5: "the client is not authorised; see --username and --password",
}


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """Where to publish and as whom."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(
        cls, address: str, username: str | None = None, password: str | None = None
    ) -> Broker:
        """Read `HOST:PORT`, `HOST` or `[IPv6]:PORT`.

        Raises:
            ConfigError: It is none of these.
        """
        host, colon, port = address.rpartition(":")
        if not colon or address.endswith("]"):
            host, port = address, "1883"
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
            msg = f"broker {address!r} is not HOST:PORT; an example is 127.0.0.1:1883"
            raise ConfigError(msg)
        host = host.removeprefix("[").removesuffix("]")
        return cls(host=host, port=int(port), username=username, password=password)

    def __str__(self) -> str:
        """Return `HOST:PORT`."""
        return f"{self.host}:{self.port}"


class Connection:
    """One client of the broker. Keeps what is not acknowledged and sends it again.

    Args:
        broker: Where to.
        client_id: Unique at the broker.
        qos: 0, 1 or 2.
        window: Most messages that wait for their acknowledgement.
    """

    def __init__(self, broker: Broker, client_id: str, qos: int, window: int) -> None:
        if qos not in {0, 1, 2}:
            msg = f"QoS {qos} does not exist; 0, 1 and 2 do"
            raise ConfigError(msg)
        if not 1 <= window <= 60_000:
            msg = f"window of {window} messages is not possible; 1 to 60000 is"
            raise ConfigError(msg)
        self.sent = 0
        self.acked = 0
        self.reconnects = 0
        self._broker = broker
        self._client_id = client_id
        self._qos = qos
        self._window = window
        self._waiting: dict[int, bytes] = {}
        self._released: set[int] = set()
        self._next_id = 1
        self._topics: dict[str, bytes] = {}
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._wanted: dict[str, None] = {}
        self._hear: Hear = _ignore

    def listen(self, topics: Sequence[str], hear: Hear) -> None:
        """Subscribe to these topics too, whenever connected; to be called before `open`.

        `hear` is called with topic and payload, in the event loop. A message may come twice.
        """
        self._wanted.update(dict.fromkeys(topics))
        self._hear = hear

    @property
    def in_flight(self) -> int:
        """How many messages wait for their acknowledgement."""
        return len(self._waiting)

    @property
    def is_connected(self) -> bool:
        """Whether the broker accepted the connection and has not closed it."""
        return self._connected.is_set()

    async def open(self) -> None:
        """Connect; from then on connect again by itself until `close`.

        Raises:
            NotConnected: The broker cannot be reached or refuses; nothing was started.
        """
        await self._connect()
        self._task = asyncio.create_task(self._run())

    async def send(self, messages: Sequence[Message]) -> None:
        """Send messages; waits while the window is full or the broker is away."""
        at = 0
        while at < len(messages):
            await self._connected.wait()
            room = self._window - len(self._waiting)
            if room <= 0:
                self._changed.clear()
                await self._changed.wait()
                continue
            part = messages[at : at + room]
            at += len(part)
            writer = self._writer
            packets = self._packets(part)
            self.sent += len(part)
            if writer is not None:
                writer.write(packets)
                try:
                    await writer.drain()
                except ConnectionError:
                    continue  # kept in `_waiting`: goes out again when connected

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged and return whether it is."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Disconnect. Does not wait for acknowledgements. Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        writer, self._writer = self._writer, None
        if writer is not None:
            if self._connected.is_set():
                writer.write(b"\xe0\x00")
            self._connected.clear()
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def _packets(self, messages: Sequence[Message]) -> bytes:
        if self._qos == 0:
            packets = [encode_publish(m.topic, m.payload, retain=m.retain) for m in messages]
            self.acked += len(packets)
            return b"".join(packets)
        topics, waiting, first = self._topics, self._waiting, 0x30 | self._qos << 1
        packets = []
        for message in messages:
            topic = topics.get(message.topic)
            if topic is None:
                topic = topics[message.topic] = _topic(message.topic)
            length = len(topic) + 2 + len(message.payload)
            number = self._take_id()
            packet = b"".join(
                (
                    bytes((first | message.retain,)),
                    encode_length(length),
                    topic,
                    number.to_bytes(2, "big"),
                    message.payload,
                )
            )
            waiting[number] = packet
            packets.append(packet)
        return b"".join(packets)

    def _take_id(self) -> int:
        number = self._next_id
        while number in self._waiting:
            number = number % 65_535 + 1
        self._next_id = number % 65_535 + 1
        return number

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                self._reader, writer = await asyncio.open_connection(
                    self._broker.host, self._broker.port
                )
                writer.write(_connect_packet(self._broker, self._client_id))
                answer = await self._reader.readexactly(4)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            reason = str(error) or "it does not answer"
            msg = f"broker {self._broker} cannot be reached: {reason}; is it running there?"
            raise NotConnected(msg) from error
        if answer[:2] != b"\x20\x02" or answer[3]:
            writer.close()
            reason = _REFUSED.get(answer[3], f"code {answer[3]}")
            msg = f"broker {self._broker} refuses the connection: {reason}"
            raise NotConnected(msg)
        self._writer = writer
        if self._wanted:
            writer.write(self._subscribe_packet())
        self._resend(writer)
        self._connected.set()

    def _subscribe_packet(self) -> bytes:
        # The acknowledgement of a SUBSCRIBE is no acknowledgement of a message: any id will do.
        body = (1).to_bytes(2, "big") + b"".join(_topic(one) + b"\x01" for one in self._wanted)
        return b"\x82" + encode_length(len(body)) + body

    def _resend(self, writer: asyncio.StreamWriter) -> None:
        for number, packet in self._waiting.items():
            if number in self._released:
                writer.write(b"\x62\x02" + number.to_bytes(2, "big"))
            else:
                writer.write(bytes((packet[0] | 0x08,)) + packet[1:])

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self._read()
            self._connected.clear()
            if self._writer is not None:
                self._writer.close()
            await self._reconnect()

    async def _reconnect(self) -> None:
        delay, most = RETRY_S
        while True:
            await asyncio.sleep(delay)
            try:
                await self._connect()
            except NotConnected:
                delay = min(2 * delay, most)
            else:
                self.reconnects += 1
                return

    async def _read(self) -> None:
        rest = b""
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S / 2):
                    data = await self._reader.read(65_536)
            except TimeoutError:
                if self._writer is not None:
                    self._writer.write(b"\xc0\x00")
                continue
            if not data:
                return
            rest = self._acknowledge(rest + data)

    def _acknowledge(self, data: bytes) -> bytes:
        """Take acknowledgements off `data` and return what is not complete yet."""
        at, waiting, before = 0, self._waiting, len(self._waiting)
        while (frame := _frame(data, at)) is not None:
            kind, (body, end) = data[at], frame
            if kind in {0x40, 0x70}:
                number = data[body] << 8 | data[body + 1]
                waiting.pop(number, None)
                self._released.discard(number)
            elif kind == 0x50:
                self._released.add(data[body] << 8 | data[body + 1])
                if self._writer is not None:
                    self._writer.write(b"\x62\x02" + data[body : body + 2])
            elif kind & 0xF0 == 0x30:
                self._receive(kind >> 1 & 3, data[body:end])
            at = end
        if len(waiting) != before:
            self.acked += before - len(waiting)
            self._changed.set()
        return data[at:]

    def _receive(self, qos: int, packet: bytes) -> None:
        """Hand on a message, and acknowledge it; nobody here asks for more than QoS 1."""
        behind = 2 + int.from_bytes(packet[:2], "big")
        topic = packet[2:behind].decode(errors="replace")
        if qos:
            if self._writer is not None:
                self._writer.write(b"\x40\x02" + packet[behind : behind + 2])
            behind += 2
        self._hear(topic, packet[behind:])


def _frame(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the body of the packet at `at` begins and ends; None when it is incomplete."""
    length = shift = 0
    body = at + 1
    while True:
        if body >= len(data):
            return None
        digit = data[body]
        body += 1
        length |= (digit & 0x7F) << shift
        if not digit & 0x80:
            break
        shift += 7
    return (body, body + length) if body + length <= len(data) else None


def _ignore(_: str, __: bytes) -> None:
    """Nobody listens."""


def _topic(topic: str) -> bytes:
    name = topic.encode()
    if not name or len(name) > 65_535 or any(c in topic for c in "+#\0"):
        msg = (
            f"topic {topic[:80]!r} cannot be published to; it must have 1 to 65535 bytes and "
            "none of '+', '#' and NUL"
        )
        raise InvalidInput(msg)
    return struct.pack("!H", len(name)) + name


def _connect_packet(broker: Broker, client_id: str) -> bytes:
    flags, fields = 0x02, [client_id]
    if broker.username is not None:
        flags |= 0x80
        fields.append(broker.username)
        if broker.password is not None:
            flags |= 0x40
            fields.append(broker.password)
    body = b"\x00\x04MQTT\x04" + struct.pack("!BH", flags, KEEP_ALIVE_S)
    for text in fields:
        body += struct.pack("!H", len(text.encode())) + text.encode()
    return b"\x10" + encode_length(len(body)) + body
