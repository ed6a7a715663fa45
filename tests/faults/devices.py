"""Devices that keep what is not acknowledged and send it again, and remember what was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from penstock.core.publish import encode_length

#: Observation `n` of every device has the value `n` and this time plus `n` milliseconds.
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP_US = 1000
#: Most messages of one device that wait for their acknowledgement.
WINDOW = 400
#: Seconds between two attempts to connect.
RETRY_S = 0.05


def payload(number: int) -> bytes:
    moment = BEGIN + timedelta(microseconds=number * STEP_US)
    return json.dumps({"n": number, "timestamp": moment.isoformat()}).encode()


class Device:
    """What both kinds of device share: numbered observations, sent until acknowledged."""

    def __init__(self, name: str, rate: float) -> None:
        self.topic = f"faults/{name}"
        self.rate = rate
        self.sent = 0
        self.acknowledged: set[int] = set()
        self.resent = 0
        self.refused: list[str] = []
        self.is_draining = False
        self._stopped = False

    @property
    def waiting(self) -> int:
        return self.sent - len(self.acknowledged)

    async def run(self) -> None:
        while not self._stopped:
            with contextlib.suppress(OSError, EOFError):
                await self.session()
            await asyncio.sleep(RETRY_S)

    async def session(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self._stopped = True


class MqttDevice(Device):
    """Publishes with QoS 1 over one MQTT 3.1.1 connection after the other."""

    def __init__(self, name: str, port: Callable[[], int], rate: float) -> None:
        super().__init__(name, rate)
        self._port = port
        self._client = name.encode()
        self._unacknowledged: dict[int, int] = {}
        self._next_id = 1

    async def session(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port())
        try:
            head = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack("!H", len(self._client))
            body = head + self._client
            writer.write(b"\x10" + encode_length(len(body)) + body)
            answer = await asyncio.wait_for(reader.readexactly(4), 5)
            if answer != b"\x20\x02\x00\x00":
                self.refused.append(answer.hex())
                return
            self.resent += len(self._unacknowledged)
            again = (self._packet(*each, again=True) for each in self._unacknowledged.items())
            writer.write(b"".join(again))
            sending = asyncio.create_task(self._send(writer))
            try:
                await self._receive(reader)
            finally:
                sending.cancel()
        finally:
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        due, last = 0.0, loop.time()
        while not writer.transport.is_closing():
            await asyncio.sleep(0.01)
            now = loop.time()
            due, last = min(due + (now - last) * self.rate, 1000), now
            packets = []
            while due >= 1 and len(self._unacknowledged) < WINDOW and not self.is_draining:
                due -= 1
                while self._next_id in self._unacknowledged or self._next_id > 65535:
                    self._next_id = self._next_id % 65535 + 1
                self._unacknowledged[self._next_id] = self.sent
                packets.append(self._packet(self._next_id, self.sent))
                self.sent += 1
                self._next_id += 1
            if packets:
                writer.write(b"".join(packets))
            with contextlib.suppress(OSError):
                await writer.drain()

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        while True:
            first, length = await reader.readexactly(2)
            body = await reader.readexactly(length)
            if first == 0x40:
                number = self._unacknowledged.pop(int.from_bytes(body, "big"), None)
                if number is not None:
                    self.acknowledged.add(number)
            else:
                self.refused.append((bytes((first, length)) + body).hex())

    def _packet(self, packet_id: int, number: int, *, again: bool = False) -> bytes:
        topic = self.topic.encode()
        body = struct.pack("!H", len(topic)) + topic + struct.pack("!H", packet_id)
        body += payload(number)
        return (b"\x3a" if again else b"\x32") + encode_length(len(body)) + body


class HttpDevice(Device):
    """Posts one observation after the other, each until it is accepted."""

    def __init__(self, name: str, port: Callable[[], int], rate: float) -> None:
        super().__init__(name, rate)
        self._port = port
        self._current: int | None = None

    async def session(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port())
        try:
            while not self._stopped:
                if self._current is None:
                    await asyncio.sleep(1 / self.rate)
                    if self.is_draining:
                        continue
                    self._current = self.sent
                    self.sent += 1
                else:
                    self.resent += 1
                await asyncio.wait_for(self._post(reader, writer), 30)
        finally:
            writer.close()

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._current is not None
        body = payload(self._current)
        head = f"POST /api/v1/messages/{self.topic} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in answer.lower().split(b"\r\n")
            if line.startswith(b"content-length:")
        )
        await reader.readexactly(length)
        status = answer.split(b" ", 2)[1]
        if status.startswith(b"2"):
            self.acknowledged.add(self._current)
            self._current = None
            return
        if not status.startswith(b"5"):
            self.refused.append(answer.split(b"\r\n")[0].decode())
        await asyncio.sleep(RETRY_S)
