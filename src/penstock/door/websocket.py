"""MQTT over a web socket, as a layer between a connection and its socket (MQTT 5.0, section 6)."""

from __future__ import annotations

import asyncio
from typing import Any

from penstock.door.callers import caller_of
from penstock.door.frames import Code, FrameReader, Opcode, build
from penstock.door.layers import Layer
from penstock.door.mistakes import Mistakes, first_words
from penstock.door.settings import WebSocketSettings
from penstock.door.upgrade import HEAD_END, MAX_HEAD_BYTES, upgrade

_CAPITALS = range(ord("A"), ord("Z") + 1)


class WebSocketLayer(Layer):
    """One web socket, server side.

    Args:
        above: Gets the payloads of binary frames, as a stream.
        settings: Path and origins.
        mistakes: Where to say why a client did not get through.
        max_frame_bytes: Largest frame taken.
        max_unread_bytes: As in `Layer`.
    """

    def __init__(
        self,
        above: asyncio.Protocol,
        settings: WebSocketSettings,
        mistakes: Mistakes,
        *,
        max_frame_bytes: int,
        max_unread_bytes: int,
    ) -> None:
        super().__init__(above, max_unread_bytes)
        self._settings = settings
        self._mistakes = mistakes
        self._max_frame_bytes = max_frame_bytes
        self._head = b""
        self._frames: FrameReader | None = None
        self._close_code = Code.NORMAL

    def data_received(self, data: bytes) -> None:
        """Take the request, then the frames."""
        if self.ended:
            return
        if self._frames is None:
            data = self._agree(data)
            if self._frames is None:
                return
        payload = self._frames.feed(data)
        if payload:
            self.above.data_received(payload)
        self._obey(self._frames)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send as one frame."""
        if not self.ended and self._frames is not None:
            self.below.write(build(Opcode.BINARY, bytes(data)))

    def say_goodbye(self) -> None:
        """Send the close frame, or nothing to who is no web socket yet."""
        if self._frames is not None:
            self.below.write(build(Opcode.CLOSE, self._close_code.to_bytes(2, "big")))

    def _agree(self, data: bytes) -> bytes:
        """Take the request; return what came behind it."""
        head = self._head + data
        end = head.find(HEAD_END)
        if head[0] not in _CAPITALS:
            self._refuse(f"it spoke {first_words(head)}")
            self.abort()
            return b""
        if end < 0 and len(head) <= MAX_HEAD_BYTES:
            self._head = head
            return b""
        self._head = b""
        stop = end + len(HEAD_END)
        if end < 0 or stop > MAX_HEAD_BYTES:
            self._refuse(f"its request is longer than {MAX_HEAD_BYTES} bytes")
            self.abort()
            return b""
        answer, why = upgrade(head[:stop], self._settings)
        self.answer(answer)
        if why:
            self._refuse(why)
            self.end_soon()
            return b""
        self._frames = FrameReader(self._max_frame_bytes)
        return head[stop:]

    def _refuse(self, why: str) -> None:
        who = caller_of(self.below).who
        self._mistakes.report("websocket", f"{who} got no web socket: {why}")

    def _obey(self, frames: FrameReader) -> None:
        """Do what control frames ask for, and close for a broken rule."""
        controls = frames.take_controls()
        if self.ended:
            return
        if controls:
            pings = [payload for opcode, payload in controls if opcode is Opcode.PING]
            self.answer(b"".join(build(Opcode.PONG, payload) for payload in pings))
        for opcode, payload in controls:
            if opcode is Opcode.CLOSE:
                if len(payload) == 1:
                    self._close_code = Code.PROTOCOL_ERROR
                self.close()
        if frames.problem is not None and not self.ended:
            self._close_code = frames.problem.code
            self._refuse(frames.problem.why)
            self.end_soon()
