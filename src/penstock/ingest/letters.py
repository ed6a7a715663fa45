"""How a dead letter is kept: an MQTT 5 PUBLISH packet with topic and payload as they came.

What is known about it stands in user properties (OASIS MQTT 5.0, section 3.3.2.3.7): `offset` and
`arrived`, both always 20 characters, then, if the letter replaces another one after a replay
failed, `previous`, always 25, then `reason`, `codec`, `partition`, `client`, and, if it must be
enrolled first, `device`. What follows the numbers is often the same for many letters, so it is
cached.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

import msgspec
import numpy as np

from penstock.core.log import MQTT_5_0, Block
from penstock.core.publish import MAX_REMAINING_LENGTH, encode_length
from penstock.ingest.messages import locate

#: Longest reason kept, in characters.
MAX_REASON = 2000
#: Protocol level of the blocks that keep letters.
PROTOCOL = MQTT_5_0

_NUMBERS = b"&\x00\x06offset\x00\x14%020d&\x00\x07arrived\x00\x14%020d"
_NUMBERS_LENGTH = len(_NUMBERS % (0, 0))
_OFFSET = slice(_NUMBERS.index(b"%"), _NUMBERS.index(b"%") + 20)
_ARRIVED = slice(_NUMBERS_LENGTH - 20, _NUMBERS_LENGTH)
_PREVIOUS = b"&\x00\x08previous\x00\x19"
_PREVIOUS_LENGTH = len(_PREVIOUS) + 25
_USER_PROPERTY = _NUMBERS[0]
_LENGTH = struct.Struct("!H").pack
#: Variable byte integers, ready made.
_VARINTS = tuple(map(encode_length, range(4096)))


class Letter(msgspec.Struct, frozen=True):
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
        previous: The letter that this one replaces, as `previous` writes it, or "".
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


def previous(box: str, offset: int) -> str:
    """Return how a letter names the one that it replaces: a box of 4 letters, and an offset."""
    return f"{box}:{offset:020d}"


def _varint(value: int) -> bytes:
    return _VARINTS[value] if value < len(_VARINTS) else encode_length(value)


def _property(name: bytes, value: str) -> bytes:
    raw = value.encode(errors="replace")[:65_535]
    return b"".join((b"&", _LENGTH(len(name)), name, _LENGTH(len(raw)), raw))


@lru_cache(4096)
def _texts(reason: str, codec: str, partition: str, client: str, device: str) -> bytes:
    """Return the properties that many letters have in common."""
    known = [
        _property(b"reason", reason[:MAX_REASON]),
        _property(b"codec", codec),
        _property(b"partition", partition),
        _property(b"client", client),
    ]
    if device:
        known.append(_property(b"device", device))
    return b"".join(known)


def encode(letter: Letter) -> bytes:
    """Return the packet that keeps a letter."""
    numbers = _NUMBERS % (letter.offset, letter.arrived_us)
    texts = _texts(letter.reason, letter.codec, letter.partition, letter.client, letter.device)
    if letter.previous:
        texts = b"".join((_PREVIOUS, letter.previous.encode(), texts))
    name, payload = letter.topic.encode(), letter.payload
    known = _varint(len(numbers) + len(texts))
    length = 2 + len(name) + len(known) + len(numbers) + len(texts)
    if length + len(payload) > MAX_REMAINING_LENGTH:
        payload = b""  # the whole message is still in its own partition
    return b"".join(
        (b"\x30", _varint(length + len(payload)), _LENGTH(len(name)), name, known, numbers, texts,
         payload)
    )  # fmt: skip


def pack(letters: Sequence[Letter]) -> tuple[bytes, bytes]:
    """Return the packets of some letters, and where each ends, as `LogWriter.append` wants it."""
    packets = list(map(encode, letters))
    ends = np.fromiter(accumulate(map(len, packets)), "<u4", len(packets))
    return b"".join(packets), ends.tobytes()


def unpack(blocks: Sequence[Block]) -> list[tuple[int, Letter]]:
    """Return the letters in some blocks with their offsets."""
    if not blocks:
        return []
    packets = locate(blocks, np.array([block.count for block in blocks], np.int64))
    data = packets.data
    found = []
    for offset, topic_start, topic_end, start, end, last in zip(
        (n for block in blocks for n in range(block.offset, block.next_offset)),
        packets.topic_start.tolist(),
        packets.topic_end.tolist(),
        packets.properties_start.tolist(),
        packets.payload_start.tolist(),
        packets.payload_end.tolist(),
        strict=True,
    ):
        numbers = data[start : start + _NUMBERS_LENGTH]
        texts, replaced = start + _NUMBERS_LENGTH, ""
        if data.startswith(_PREVIOUS, texts):
            texts += _PREVIOUS_LENGTH
            replaced = data[texts - 25 : texts].decode()
        known = _read_texts(data[texts:end])
        letter = Letter(
            data[topic_start:topic_end].decode(),
            data[end:last],
            known["reason"],
            known["codec"],
            known["partition"],
            int(numbers[_OFFSET]),
            known["client"],
            int(numbers[_ARRIVED]),
            known.get("device", ""),
            replaced,
        )
        found.append((offset, letter))
    return found


@lru_cache(4096)
def _read_texts(data: bytes) -> Mapping[str, str]:
    known: dict[str, str] = {}
    start = 0
    while start < len(data) and data[start] == _USER_PROPERTY:
        key, start = _text(data, start + 1)
        known[key], start = _text(data, start)
    return known


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end].decode(errors="replace"), end
