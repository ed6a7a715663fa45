"""Web socket frames (RFC 6455, section 5), as a client sends them and as a server does.

Free of sockets. MQTT is a stream of bytes to which frames mean nothing (MQTT 5.0, section 6), so
payloads are passed on as they come, also of a frame that is not all there yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

#: Most bytes of a control frame's payload.
MAX_CONTROL_BYTES = 125
_FINAL_BINARY = 0x82
_MASKED = 0x80


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Code(IntEnum):
    """Why a web socket is closed (section 7.4.1)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    TOO_BIG = 1009


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken rule, and how to close for it."""

    code: Code
    why: str


class FrameReader:
    """Takes the frames of one client.

    Args:
        max_bytes: Largest frame taken.
    """

    def __init__(self, max_bytes: int) -> None:
        #: Set when the client broke a rule; nothing is taken any more.
        self.problem: Problem | None = None
        self._max_bytes = max_bytes
        self._rest = b""
        #: Of the frame that is being read: what is to come, and the key as it goes on.
        self._missing = 0
        self._key = b""
        self._in_message = False
        self._controls: list[tuple[Opcode, bytes]] = []

    def take_controls(self) -> list[tuple[Opcode, bytes]]:
        """Return the control frames that came since the last time."""
        controls, self._controls = self._controls, []
        return controls

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return the payload in it."""
        if self.problem is not None:
            return b""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        payload: list[bytes] = []
        at = self._go_on(data, 0, payload) if self._missing else 0
        size = len(data)
        # The usual frame: whole, binary, shorter than 64 KiB.
        while not self._in_message and at + 6 <= size and data[at] == _FINAL_BINARY:
            length = data[at + 1]
            head = at + 2
            if length == 254:
                length = data[head] << 8 | data[head + 1]
                head += 2
            elif 0x80 <= length < 254:
                length &= 0x7F
            else:
                break
            stop = head + 4 + length
            if stop > size or length > self._max_bytes:
                break
            payload.append(unmask(data[head + 4 : stop], data[head : head + 4]))
            at = stop
        while at < size and self.problem is None:
            before = at
            at = self._take(data, at, payload)
            if at == before:
                break
        self._rest = data[at:] if self.problem is None else b""
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _go_on(self, data: bytes, at: int, payload: list[bytes]) -> int:
        """Take more of the frame that is being read, from `at`; return where it ends here."""
        piece = data[at : at + self._missing]
        payload.append(unmask(piece, self._key))
        self._missing -= len(piece)
        turn = len(piece) % 4
        self._key = self._key[turn:] + self._key[:turn]
        return at + len(piece)

    def _take(self, data: bytes, at: int, payload: list[bytes]) -> int:
        """Take one frame of any kind; return where it ends, or `at` if more must come first."""
        size = len(data)
        if at + 2 > size:
            return at
        first, second = data[at], data[at + 1]
        self.problem = self._check(first, second)
        if self.problem is not None:
            return at
        length, head = second & 0x7F, at + 2
        if length > MAX_CONTROL_BYTES:
            digits = 2 if length == 126 else 8
            if head + digits > size:
                return at
            length = int.from_bytes(data[head : head + digits], "big")
            head += digits
        if length > self._max_bytes:
            self.problem = Problem(
                Code.TOO_BIG, f"frame of {length} bytes; at most {self._max_bytes} are taken"
            )
            return at
        start = head + 4
        opcode = Opcode(first & 0x0F)
        if start > size or (opcode >= Opcode.CLOSE and start + length > size):
            return at
        key = data[head:start]
        if opcode >= Opcode.CLOSE:
            self._controls.append((opcode, unmask(data[start : start + length], key)))
            return start + length
        self._in_message = not first & 0x80
        self._missing, self._key = length, key
        return self._go_on(data, start, payload)

    def _check(self, first: int, second: int) -> Problem | None:
        opcode = first & 0x0F
        is_final = bool(first & 0x80)
        if first & 0x70:
            return Problem(Code.PROTOCOL_ERROR, "a reserved bit is set; no extension was agreed")
        if not second & _MASKED:
            return Problem(Code.PROTOCOL_ERROR, "a client's frames must be masked")
        if opcode == Opcode.TEXT:
            return Problem(Code.UNSUPPORTED_DATA, "MQTT goes in binary frames, not in text")
        if opcode in (Opcode.CLOSE, Opcode.PING, Opcode.PONG):
            if not is_final or second & 0x7F > MAX_CONTROL_BYTES:
                return Problem(Code.PROTOCOL_ERROR, "a control frame must be short and whole")
        elif opcode not in (Opcode.CONTINUATION, Opcode.BINARY):
            return Problem(Code.PROTOCOL_ERROR, f"there is no frame of type {opcode}")
        elif (opcode == Opcode.CONTINUATION) is not self._in_message:
            return Problem(Code.PROTOCOL_ERROR, "frames of two messages are mixed")
        return None


def unmask_slowly(payload: bytes, key: bytes) -> bytes:
    """Return a payload without its mask, or with it: the same operation (section 5.3)."""
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    whole = int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")
    return whole.to_bytes(size, "little")


unmask: Callable[[bytes, bytes], bytes] = unmask_slowly
with contextlib.suppress(ImportError):  # ten times as fast, where the library has its C part
    from websockets.speedups import apply_mask as unmask


def build(opcode: Opcode, payload: bytes) -> bytes:
    """Return a whole frame as a server sends it."""
    size = len(payload)
    if size <= MAX_CONTROL_BYTES:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload
