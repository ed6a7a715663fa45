"""How a dead letter is kept: an MQTT 5 PUBLISH packet with topic and payload as they came.

What is known about it stands in user properties (OASIS MQTT 5.0, section 3.3.2.3.7): `reason`,
`codec`, `partition`, `offset`, `client`, `arrived`, and, if need be, `device` (which must be
enrolled first) and `previous` (the letter that it replaces after a replay failed).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from penstock.core.log import MQTT_5_0, Block
from penstock.core.publish import MAX_REMAINING_LENGTH, encode_length
from penstock.ingest.messages import Packets, locate

#: Longest reason kept, in characters.
MAX_REASON = 2000
_USER_PROPERTY = 0x26
_PAIR = struct.Struct("!BH")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could not become observations.

    Attributes:
        topic: Its topic.
        payload: Its payload.
        reason: What is wrong.
        codec: Who tried to read it.
        partition: Partition of the log that holds the message.
        offset: Its offset there.
        client: Who sent it.
        arrived_us: When it arrived.
        device: Device that has to be enrolled first, or "".
        previous: Box and offset of the letter that this one replaces, or "".
    """

    topic: str
    payload: bytes
    reason: str
    codec: str
    partition: str
    offset: int
    client: str
    arrived_us: int
    device: str = ""
    previous: str = ""


@lru_cache(4096)
def _property(name: str, value: str) -> bytes:
    key, raw = name.encode(), value.encode(errors="replace")[:65_535]
    return b"".join((_PAIR.pack(_USER_PROPERTY, len(key)), key, struct.pack("!H", len(raw)), raw))


def _number(name: bytes, value: int) -> bytes:
    raw = b"%d" % value
    return b"&%b%b%b%b" % (struct.pack("!H", len(name)), name, struct.pack("!H", len(raw)), raw)


def encode(letter: Letter) -> bytes:
    """Return the packet that keeps a letter."""
    properties = [
        _property("reason", letter.reason[:MAX_REASON]),
        _property("codec", letter.codec),
        _property("partition", letter.partition),
        _number(b"offset", letter.offset),
        _property("client", letter.client),
        _number(b"arrived", letter.arrived_us),
    ]
    if letter.device:
        properties.append(_property("device", letter.device))
    if letter.previous:
        properties.append(_property("previous", letter.previous))
    known = b"".join(properties)
    name = letter.topic.encode()
    length = encode_length(len(known))
    payload = letter.payload
    remaining = 2 + len(name) + len(length) + len(known) + len(payload)
    if remaining > MAX_REMAINING_LENGTH:  # the whole message is still in its own partition
        remaining, payload = remaining - len(payload), b""
    return b"".join(
        (b"\x30", encode_length(remaining), struct.pack("!H", len(name)), name, length, known,
         payload)
    )  # fmt: skip


def pack(letters: Iterable[Letter]) -> tuple[bytes, bytes]:
    """Return the packets of some letters, and where each ends, as `LogWriter.append` wants it."""
    packets = [encode(letter) for letter in letters]
    ends = np.cumsum([len(packet) for packet in packets])
    return b"".join(packets), ends.astype("<u4").tobytes()


def unpack(blocks: Sequence[Block]) -> list[tuple[int, Letter]]:
    """Return the letters in some blocks with their offsets."""
    if not blocks:
        return []
    counts = np.array([block.count for block in blocks], np.int64)
    packets = locate(blocks, counts)
    offsets = (n for block in blocks for n in range(block.offset, block.next_offset))
    return [(offset, _letter(packets, at)) for at, offset in enumerate(offsets)]


def _letter(packets: Packets, at: int) -> Letter:
    data = packets.data
    known: dict[str, str] = {}
    start, end = int(packets.properties_start[at]), int(packets.payload_start[at])
    while start < end and data[start] == _USER_PROPERTY:
        key, start = _text(data, start + 1)
        known[key], start = _text(data, start)
    return Letter(
        topic=data[packets.topic_start[at] : packets.topic_end[at]].decode(),
        payload=data[packets.payload_start[at] : packets.payload_end[at]],
        reason=known.get("reason", ""),
        codec=known.get("codec", ""),
        partition=known.get("partition", ""),
        offset=int(known.get("offset", "0")),
        client=known.get("client", ""),
        arrived_us=int(known.get("arrived", "0")),
        device=known.get("device", ""),
        previous=known.get("previous", ""),
    )


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end].decode(errors="replace"), end


#: Protocol level of the blocks that keep letters.
PROTOCOL = MQTT_5_0
