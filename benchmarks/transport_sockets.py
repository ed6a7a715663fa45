"""TLS and web sockets for the load generator, behind the few methods of a socket that it uses."""

from __future__ import annotations

import base64
import os
import socket
import ssl
from typing import Any

import numpy as np
from benchmarks.packets import Ring


class TlsSocket:
    """A TLS socket that does not block, and gives all that has come at once."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._sock.fileno()

    def setblocking(self, on: bool) -> None:
        """Wait or not."""
        self._sock.setblocking(on)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self._sock.sendall(data)

    def send(self, data: memoryview) -> int:
        """Send what goes, a record at a time."""
        sent = 0
        try:
            while sent < len(data):
                sent += self._sock.send(data[sent : sent + 16_384])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            if not sent:
                raise BlockingIOError from None
        return sent

    def recv(self, size: int) -> bytes:
        """Return what has come."""
        if self._sock.getblocking():
            return self._sock.recv(size)
        chunks: list[bytes] = []
        try:
            while chunk := self._sock.recv(16_384):
                chunks.append(chunk)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            if not chunks:
                raise BlockingIOError from None
        return b"".join(chunks)

    def close(self) -> None:
        """Close."""
        self._sock.close()


class WebSocket:
    """A web socket: what is sent is framed already, what comes is taken out of its frames."""

    def __init__(self, sock: Any, host: str) -> None:
        self._sock = sock
        self._raw = b""
        self._plain = b""
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            f"GET /mqtt HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: mqtt\r\n\r\n".encode()
        )
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(4096)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(answer.decode())

    def fileno(self) -> int:
        """Return what a selector waits for."""
        return self._sock.fileno()

    def setblocking(self, on: bool) -> None:
        """Wait or not."""
        self._sock.setblocking(on)

    def sendall(self, data: bytes) -> None:
        """Send one packet in a frame."""
        self._sock.sendall(_frame(data))

    def send(self, data: memoryview) -> int:
        """Send frames."""
        return self._sock.send(data)

    def recv(self, size: int) -> bytes:
        """Return the payload that has come."""
        while not self._plain:
            chunk = self._sock.recv(1 << 20)
            if not chunk:
                return b""
            self._take(chunk)
        plain, self._plain = self._plain[:size], self._plain[size:]
        return plain

    def _take(self, chunk: bytes) -> None:
        data = self._raw + chunk
        at, parts = 0, []
        while at + 10 <= len(data) or (at + 2 <= len(data) and data[at + 1] < 126):
            length, head = data[at + 1], at + 2
            if length >= 126:
                digits = 2 if length == 126 else 8
                length = int.from_bytes(data[head : head + digits], "big")
                head += digits
            if head + length > len(data):
                break
            parts.append(data[head : head + length])
            at = head + length
        self._raw = data[at:]
        self._plain += b"".join(parts)

    def close(self) -> None:
        """Close."""
        self._sock.close()


def open_socket(transport: str, host: str, port: int, ca: str) -> Any:
    """Connect as `mqtt`, `mqtts`, `ws` or `wss`."""
    sock: Any = socket.create_connection((host, port), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if transport in ("mqtts", "wss"):
        context = ssl.create_default_context(cafile=ca)
        sock = TlsSocket(context.wrap_socket(sock, server_hostname=host))
    return WebSocket(sock, host) if transport in ("ws", "wss") else sock


def framed(ring: Ring) -> Ring:
    """Put every packet of a ring into a frame of its own, as clients do.

    The mask is 0, so that time stamps can be written into the payload; to the receiver it is a
    mask like any other.
    """
    data = bytearray()
    ends, moved = [], []
    start = 0
    raw = ring.data.tobytes()
    for end in ring.ends.tolist():
        frame = _frame(raw[start:end])
        moved.append(len(data) + len(frame) - end)
        data += frame
        ends.append(len(data))
        start = end
    stamps = ring.stamps + np.array(moved, dtype=np.int64) if len(ring.stamps) else ring.stamps
    new = np.frombuffer(data, dtype=np.uint8)
    return Ring(new, np.array(ends, dtype=np.int64), ring.acks, stamps, ring.times_ms, ring.turn_ms)


def _frame(packet: bytes) -> bytes:
    size = len(packet)
    head = bytes((0x82, 0x80 | size)) if size < 126 else b"\x82\xfe" + size.to_bytes(2, "big")
    return head + bytes(4) + packet
