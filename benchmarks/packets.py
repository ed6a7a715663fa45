"""MQTT packets made ahead: a CONNECT, and rings of PUBLISH whose time stamps move on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from penstock.core.publish import encode_length

_STAMP = re.compile(rb"(?<!\d)\d{13}(?!\d)")


def _packet(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + encode_length(len(body)) + body


def connect_packet(client: str, protocol: int = 4, key: str = "") -> bytes:
    """Return a CONNECT with a clean session, no keep-alive, and a key if there is one."""
    properties = b"\0" if protocol == 5 else b""
    flags = 0xC2 if key else 2
    head = b"\0\4MQTT" + bytes((protocol, flags, 0, 0)) + properties
    texts = (client, "key", key) if key else (client,)
    return _packet(0x10, head + b"".join(_text(text) for text in texts))


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2, "big") + raw


@dataclass
class Ring:
    """Prebuilt PUBLISH packets with identifiers 1 to `count`, and the PUBACKs they will get."""

    data: np.ndarray
    ends: np.ndarray
    acks: bytes
    stamps: np.ndarray
    times_ms: np.ndarray
    turn_ms: int

    @property
    def count(self) -> int:
        """Packets in the ring."""
        return len(self.ends)

    def write_times(self, first: int, stop: int, times_ms: np.ndarray) -> None:
        """Put new time stamps into packets `first` to `stop`."""
        if not len(self.stamps):
            return
        where = self.stamps[first:stop]
        left = times_ms
        for place in range(12, -1, -1):
            left, digit = np.divmod(left, 10)
            self.data[where + place] = digit + 48

    def turn(self, number: int) -> None:
        """Move all time stamps on for this turn."""
        self.write_times(0, self.count, self.times_ms + number * self.turn_ms)


def build_ring(messages: Sequence[tuple[str, bytes]], protocol: int) -> Ring:
    """Build the packets; at most 65,535, since each needs its own identifier."""
    data = bytearray()
    ends, stamps, times = [], [], []
    properties = b"\0" if protocol == 5 else b""
    for number, (topic, payload) in enumerate(messages, 1):
        name = topic.encode()
        head = len(name).to_bytes(2, "big") + name + number.to_bytes(2, "big") + properties
        packet = _packet(0x32, head + payload)
        found = _STAMP.search(payload)
        if found:
            stamps.append(len(data) + len(packet) - len(payload) + found.start())
            times.append(int(found[0]))
        data += packet
        ends.append(len(data))
    # Nobody subscribes; in MQTT 5.0 a server says so (0x10).
    before, behind = (b"\x40\x03", b"\x10") if protocol == 5 else (b"\x40\x02", b"")
    acks = b"".join(
        before + number.to_bytes(2, "big") + behind for number in range(1, len(ends) + 1)
    )
    if len(stamps) != len(ends):
        stamps, times = [], []
    moved = np.array(times, dtype=np.int64)
    step_ms = int(moved.max() - moved.min()) + 1 if times else 0
    return Ring(
        np.frombuffer(data, dtype=np.uint8),
        np.array(ends, dtype=np.int64),
        acks,
        np.array(stamps, dtype=np.int64),
        moved,
        step_ms,
    )
