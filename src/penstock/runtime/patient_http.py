"""HTTP connections that end when nothing comes of them.

uvicorn waits for ever for the rest of a request, and a few thousand connections that send half of
one use up all open files.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

#: Time for the head of a request, from the connection or the last answer on, in seconds.
HEAD_S = 30.0
#: Silence in the middle of a body, in seconds.
BODY_S = 60.0
#: Time between two looks, in seconds.
LOOK_S = 5.0


class PatientHttp(H11Protocol):
    """Serves one connection, and closes it when its client is too slow."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._heard_s = self._headless_s = self.loop.time()
        self._unread = 0
        self._looking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._looking = self.loop.call_later(LOOK_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        before = self.cycle
        super().data_received(data)
        self._heard_s = self.loop.time()
        if self.cycle is not before:
            self._headless_s = self._heard_s

    def _look(self) -> None:
        now_s = self.loop.time()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            unread, before = self.transport.get_write_buffer_size(), self._unread
            self._unread = unread
            if unread and unread != before:
                self._headless_s = now_s  # the last answer is still being read
            is_over = now_s - self._headless_s > HEAD_S
        else:
            self._headless_s = now_s
            if self.flow.read_paused:
                self._heard_s = now_s  # it is us who do not read
            is_over = cycle.more_body and now_s - self._heard_s > BODY_S
        if is_over:
            self.transport.abort()
        else:
            self._looking = self.loop.call_later(LOOK_S, self._look)
