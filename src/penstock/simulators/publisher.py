"""Publishing for many devices: a connection for each, up to a limit."""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Sequence
from typing import Annotated, Self

import msgspec

from penstock.core.clock import Clock, SystemClock
from penstock.simulators.message import Message, Obedience
from penstock.simulators.mqtt import Broker, Connection


class PublisherSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How simulated devices publish."""

    qos: Annotated[int, msgspec.Meta(ge=0, le=2, description="MQTT quality of service.")] = 1
    window: Annotated[
        int,
        msgspec.Meta(ge=1, le=60_000, description="Most unacknowledged messages of a device."),
    ] = 8_192
    max_connections: Annotated[
        int,
        msgspec.Meta(ge=1, description="Devices beyond this number share connections."),
    ] = 200
    client_suffix: Annotated[
        str | None,
        msgspec.Meta(
            description="What follows the device's name in its client id, so that two runs do "
            "not push each other off the broker; None draws it by lot."
        ),
    ] = None


class Publisher:
    """Sends messages of many devices, each in the order given."""

    def __init__(self, broker: Broker, settings: PublisherSettings | None = None) -> None:
        self._broker = broker
        self._settings = settings or PublisherSettings()
        suffix = self._settings.client_suffix
        self._suffix = f"-{secrets.token_hex(3)}" if suffix is None else suffix
        self._connections: dict[str, Connection] = {}
        self._shared: list[Connection] = []
        self._replies: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Return itself; `open` connects."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def open(
        self,
        devices: Sequence[str],
        obedience: Obedience | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Connect the devices, and let them listen if they obey.

        Raises:
            NotConnected: The broker cannot be reached or refuses.
        """
        settings = self._settings
        for device in devices[: settings.max_connections]:
            connection = Connection(
                self._broker, device + self._suffix, settings.qos, settings.window
            )
            self._connections[device] = connection
            self._shared.append(connection)
        if obedience is not None:
            self._listen(devices, obedience, clock or SystemClock())
        for connection in self._shared:
            await connection.open()

    def _listen(self, devices: Sequence[str], obedience: Obedience, clock: Clock) -> None:
        def hear(topic: str, payload: bytes) -> None:
            said = obedience.obey(topic, payload, clock.now_us())
            if said:
                reply = asyncio.create_task(self.send(said))
                self._replies.add(reply)
                reply.add_done_callback(self._replies.discard)

        for device in devices:
            self._of(device).listen(obedience.subscriptions(device), hear)

    async def send(self, batch: Sequence[Message]) -> None:
        """Send a batch; waits while too much is unacknowledged or the broker is away."""
        parts: dict[str, list[Message]] = {}
        for message in batch:
            parts.setdefault(message.device, []).append(message)
        for device, part in parts.items():
            await self._of(device).send(part)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged and return whether it is."""
        done = await asyncio.gather(*(one.drain(timeout_s) for one in self._shared))
        return all(done)

    async def close(self) -> None:
        """Disconnect all. Safe to call twice."""
        for reply in list(self._replies):
            reply.cancel()
        await asyncio.gather(*(one.close() for one in self._shared))

    @property
    def sent(self) -> int:
        """Messages handed to the broker, without those sent again."""
        return sum(one.sent for one in self._shared)

    @property
    def acked(self) -> int:
        """Messages that the broker acknowledged; at QoS 0 those sent."""
        return sum(one.acked for one in self._shared)

    @property
    def reconnects(self) -> int:
        """How often a connection was lost and made again."""
        return sum(one.reconnects for one in self._shared)

    @property
    def connected(self) -> int:
        """How many connections stand now."""
        return sum(one.is_connected for one in self._shared)

    def _of(self, device: str) -> Connection:
        connection = self._connections.get(device)
        if connection is None:
            index = zlib.crc32(device.encode()) % len(self._shared)
            connection = self._connections[device] = self._shared[index]
        return connection
