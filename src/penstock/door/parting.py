"""The end of a connection after our last words: the client is to have them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.door.layers import GOODBYE_S

if TYPE_CHECKING:
    from penstock.door.connection import Connection
    from penstock.door.door import Door

#: A client that goes on sending after our goodbye is cut off after this time.
LAST_GOODBYE_S = 120.0


class Goodbye:
    """Cuts a client off once it has had time to read our last words.

    A client that still sends, or still reads what waits for it, is on the way to them: cutting it
    off would take them from it. It has `LAST_GOODBYE_S` at most, one that does nothing `GOODBYE_S`.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection, door: Door) -> None:
        self._transport = transport
        self._connection = connection
        self._door = door
        self._unread = transport.get_write_buffer_size()
        self._looks_left = round(LAST_GOODBYE_S / GOODBYE_S)

    def begin(self) -> None:
        """Look again in a moment."""
        self._door.loop.call_later(GOODBYE_S, self._look)

    def _look(self) -> None:
        transport, connection = self._transport, self._connection
        if transport.is_closing() and connection.is_gone:
            return
        unread = transport.get_write_buffer_size()
        moves = connection.still_speaks or unread < self._unread
        self._unread, connection.still_speaks = unread, False
        self._looks_left -= 1
        if moves and self._looks_left > 0 and not self._door.is_closing:
            self.begin()
        else:
            transport.abort()
