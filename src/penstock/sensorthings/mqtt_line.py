"""The hub's line to the door for notifications: what is wanted comes in, what is told goes out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import msgspec

from penstock.client.packets import (
    CONNACK,
    PINGREQ,
    PUBACK,
    PUBLISH,
    RECEIVE_MAXIMUM,
    Cutter,
    Packet,
    connect,
    puback,
    publish,
    record,
    subscribe,
)
from penstock.core.errors import NotConnected
from penstock.core.listening import PLATFORM_CLIENT
from penstock.core.things_topics import WANTED

_log = logging.getLogger(__name__)

#: Name of the connection; what it publishes is handed on by the door and logged by nobody.
CLIENT = f"{PLATFORM_CLIENT}/things"
#: Seconds between attempts to connect: first, and at most.
RETRY_S = (0.1, 2.0)
KEEP_ALIVE_S = 30
#: Messages that the door has not taken yet.
MAX_OPEN = 1000
_PIECE = 262_144


class _Told(msgspec.Struct):
    """What the door says about what is wanted; see `door.wanted`."""

    all: list[str] | None = None
    add: list[str] = []
    remove: list[str] = []


class ThingsLine:
    """Keeps a connection to the door. Everything happens in one event loop.

    Args:
        address: Asked before every attempt; None when it is not known yet.
        secret: Password of the platform's own connections.
        on_wanted: Called with the topics that somebody listens to, whenever they change.
    """

    def __init__(
        self,
        address: Callable[[], tuple[str, int] | None],
        secret: str,
        on_wanted: Callable[[frozenset[str]], None],
    ) -> None:
        self._address = address
        self._secret = secret
        self._on_wanted = on_wanted
        self._wanted: set[str] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._next_id = 0
        self._open: set[int] = set()
        self._window = MAX_OPEN
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Connect, and again whenever the connection ends; until cancelled."""
        pause_s = RETRY_S[0]
        while True:
            try:
                if await self._serve():
                    pause_s = RETRY_S[0]
            except (OSError, NotConnected, asyncio.IncompleteReadError) as error:
                _log.debug("the line for notifications broke: %s", error)
            except Exception:
                _log.exception("the line for notifications broke; this is a bug, please report it")
            finally:
                self._gone()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_S[1])

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Hand topics and payloads to the door; what it has not taken when it goes is lost.

        Waits while the door has too much that it did not take.
        """
        for at in range(0, len(messages), 100):
            while self._writer is not None and len(self._open) >= self._window:
                self._moved.clear()
                await self._moved.wait()
            if self._writer is None:
                return
            packets = [self._packet(*message) for message in messages[at : at + 100]]
            self._writer.write(b"".join(packets))
            await self._writer.drain()

    def _packet(self, topic: str, payload: bytes) -> bytes:
        self._next_id = self._next_id % 65_535 + 1
        while self._next_id in self._open:
            self._next_id = self._next_id % 65_535 + 1
        self._open.add(self._next_id)
        return publish(record(topic, payload), self._next_id)

    async def _serve(self) -> bool:
        address = self._address()
        if address is None:
            return False
        reader, writer = await asyncio.open_connection(*address)
        pinging = asyncio.ensure_future(_ping(writer))
        try:
            writer.write(
                connect(
                    CLIENT,
                    username=PLATFORM_CLIENT if self._secret else "",
                    password=self._secret,
                    keep_alive_s=KEEP_ALIVE_S,
                    session_expiry_s=0,
                    receive_maximum=1000,
                    clean_start=True,
                )
            )
            cutter = Cutter()
            while data := await reader.read(_PIECE):
                for packet in cutter.feed(data):
                    self._take(packet, writer)
                self._moved.set()
        finally:
            pinging.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return True

    def _take(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        if packet.kind == CONNACK:
            if packet.reason >= 0x80:
                _log.warning("the door refuses the line for notifications: %s", packet.why)
                raise NotConnected(packet.why)
            self._window = min(MAX_OPEN, int(packet.properties.get(RECEIVE_MAXIMUM, 65_535)))
            self._writer = writer
            writer.write(subscribe(1, [WANTED]))
        elif packet.kind == PUBACK:
            self._open.discard(packet.packet_id)
        elif packet.kind == PUBLISH and packet.topic == WANTED:
            if packet.packet_id:
                writer.write(puback(packet.packet_id))
            self._learn(msgspec.json.decode(packet.payload, type=_Told))

    def _learn(self, told: _Told) -> None:
        if told.all is not None:
            self._wanted = set(told.all)
        self._wanted |= set(told.add)
        self._wanted -= set(told.remove)
        self._on_wanted(frozenset(self._wanted))

    def _gone(self) -> None:
        self._writer = None
        self._open.clear()
        self._moved.set()
        if self._wanted:
            self._wanted.clear()
            self._on_wanted(frozenset())


async def _ping(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S * 0.8)
        writer.write(PINGREQ)
