"""What goes out to one client: gathered in a turn of the event loop, and written in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from penstock.door.stats import Stats

#: More than this is written at once, so that a client that reads too slowly is noticed.
FLUSH_BYTES = 65_536


class Outlet:
    """Writes to one transport.

    Args:
        transport: Where to.
        loop: The event loop.
        counts: Where the bytes are counted.
        written: Called after each write with the bytes that the client has not read yet.
    """

    __slots__ = (
        "_bytes",
        "_counts",
        "_is_closed",
        "_loop",
        "_packets",
        "_transport",
        "_written",
        "is_sealed",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        counts: Stats,
        written: Callable[[int], None],
    ) -> None:
        #: Whether the CONNACK waits for the disk, and everything else for the CONNACK.
        self.is_sealed = False
        self._transport = transport
        self._loop = loop
        self._counts = counts
        self._written = written
        self._packets: list[bytes] = []
        self._bytes = 0
        self._is_closed = False

    def put(self, packet: bytes) -> None:
        """Take a packet; it is written at the end of this turn, or at once if there is much."""
        if self._is_closed or self._transport.is_closing():
            return
        if not self._packets:
            self._loop.call_soon(self.flush)
        self._packets.append(packet)
        self._bytes += len(packet)
        if self._bytes > FLUSH_BYTES:
            self.flush()

    def seal(self) -> None:
        """Keep everything back."""
        self.is_sealed = True

    def unseal(self, first: bytes) -> None:
        """Let out what was kept back, behind this packet."""
        self.is_sealed = False
        later, self._packets, self._bytes = self._packets, [], 0
        for packet in (first, *later):
            self.put(packet)

    def flush(self) -> None:
        """Write what was taken."""
        if not self._packets or self.is_sealed or self._transport.is_closing():
            return
        data = b"".join(self._packets)
        self._packets.clear()
        self._bytes = 0
        self._counts.sent_bytes += len(data)
        self._transport.write(data)
        self._written(self._transport.get_write_buffer_size())

    def close(self) -> None:
        """Write what was taken, and take nothing more."""
        self.flush()
        self._is_closed = True
