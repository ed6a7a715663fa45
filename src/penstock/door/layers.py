"""A layer between a connection and its socket: TLS, web socket, or one on top of the other.

To what is below it is a protocol, to what is above it a transport. The connection is there from
the first moment, so that every bound on connections holds for those too that never get through.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

#: A client that does not take our goodbye within this time is cut off.
GOODBYE_S = 1.0


class Layer(asyncio.Transport, asyncio.Protocol):
    """Passes everything on; a kind of layer changes what it must.

    Args:
        above: The protocol that uses this as its transport.
        max_unread_bytes: What the layer itself answers (to pings, say) may wait unread up to this;
            a client that lets it grow further is cut off.
    """

    def __init__(self, above: asyncio.Protocol, max_unread_bytes: int) -> None:
        super().__init__()
        self.above = above
        self.ended = False
        self._max_unread_bytes = max_unread_bytes
        self._below: asyncio.Transport | None = None

    @property
    def below(self) -> asyncio.Transport:
        """The transport that this layer uses."""
        if self._below is None:
            raise ConnectionError("the connection was not made yet")
        return self._below

    # What the transport below calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._below = cast("asyncio.Transport", transport)
        self.above.connection_made(self)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self.ended = True
        self.above.connection_lost(error)

    def pause_writing(self) -> None:
        """Take note that the client reads too slowly."""
        self.above.pause_writing()

    def resume_writing(self) -> None:
        """Take note that the client reads again."""
        self.above.resume_writing()

    # What the protocol above calls.

    def is_closing(self) -> bool:
        """Say whether nothing can be sent any more."""
        return self.ended or self.below.is_closing()

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        self.below.pause_reading()

    def resume_reading(self) -> None:
        """Read from the socket again."""
        self.below.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say how much may wait unread; a layer keeps nothing back itself."""
        self.below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait unread."""
        return self.below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the layers below know."""
        return self.below.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send."""
        raise NotImplementedError

    def say_goodbye(self) -> None:
        """Send what the peer must be sent before the end."""
        raise NotImplementedError

    def write_eof(self) -> None:
        """Say goodbye and send no more; what still comes is thrown away."""
        self._finish()
        if not self.below.is_closing():
            self.below.write_eof()

    def close(self) -> None:
        """Say goodbye and close."""
        self._finish()
        self.below.close()

    def abort(self) -> None:
        """Close at once."""
        self.ended = True
        self.below.abort()

    # For the layers.

    def answer(self, data: bytes) -> None:
        """Send what the layer itself has to say."""
        if not data or self.below.is_closing():
            return
        self.below.write(data)
        if self.below.get_write_buffer_size() > self._max_unread_bytes:
            self.abort()

    def end_soon(self) -> None:
        """Say goodbye, and let the client read it before closing: unread input would cut it off."""
        self.write_eof()
        asyncio.get_running_loop().call_later(GOODBYE_S, self.below.abort)

    def _finish(self) -> None:
        if not self.ended:
            self.ended = True
            if not self.below.is_closing():
                self.say_goodbye()
