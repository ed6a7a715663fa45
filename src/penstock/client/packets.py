"""MQTT 5.0 packets as a client needs them: bytes out, and received bytes cut into packets.

OASIS MQTT 5.0, sections 2 and 3. QoS 0 and 1; nothing here touches the network.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from penstock.core.errors import NotConnected
from penstock.core.publish import encode_length

CONNACK, PUBLISH, PUBACK, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 11, 13, 14

PINGREQ = b"\xc0\x00"
GOODBYE = b"\xe0\x00"

#: Properties by identifier: how many bytes the value has; "text", "pair", "varint" otherwise.
_PROPERTIES: dict[int, int | str] = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
    **dict.fromkeys((0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F), "text"),
    0x0B: "varint",
    0x26: "pair",
}
SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, REASON_STRING, ASSIGNED_ID = 0x13, 0x21, 0x1F, 0x12
RESPONSE_TOPIC, CORRELATION = 0x08, 0x09
_USER_PROPERTY = 0x26
#: Name of Penstock's user property with a message's place in the log, and where it is found.
_OFFSET = b"penstock-offset"
OFFSET = -1

#: What reason codes from 0x80 on mean (section 2.4), for people.
REASONS = {
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "not possible here",
    0x84: "it does not speak MQTT 5.0",
    0x85: "the client's name is not allowed",
    0x86: "user name or key is wrong",
    0x87: "not allowed",
    0x88: "it is not available now",
    0x89: "it is busy",
    0x8A: "banned",
    0x8B: "it shuts down",
    0x8C: "bad authentication method",
    0x8D: "it heard nothing for too long",
    0x8E: "another client came with the same name",
    0x8F: "not a topic filter",
    0x90: "not a topic that can be published to",
    0x93: "too many messages at once",
    0x95: "the message is too large",
    0x96: "too many messages in a time",
    0x97: "quota exceeded",
    0x98: "ended by an administrator",
    0x99: "the payload is not what it says",
}


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet from the server."""

    kind: int
    flags: int
    packet_id: int = 0
    reason: int = 0
    topic: str = ""
    payload: bytes = b""
    session_present: bool = False
    properties: dict[int, int | bytes] = field(default_factory=dict)

    @property
    def offset(self) -> int | None:
        """Place in the platform's log, if it says so."""
        found = self.properties.get(OFFSET)
        return found if isinstance(found, int) else None

    @property
    def why(self) -> str:
        """The reason for a person."""
        said = self.properties.get(REASON_STRING)
        text = REASONS.get(self.reason, f"reason 0x{self.reason:02x}")
        return f"{text} ({said.decode(errors='replace')})" if isinstance(said, bytes) else text


def connect(
    client_id: str,
    *,
    username: str,
    password: str,
    keep_alive_s: int,
    session_expiry_s: int,
    receive_maximum: int,
    clean_start: bool,
    wants_offsets: bool = False,
) -> bytes:
    """Return a CONNECT packet; Penstock then says the offset of each message, if wanted."""
    flags = 0x02 if clean_start else 0
    content = _text(client_id)
    if username:
        flags |= 0x80
        content += _text(username)
    if password:
        flags |= 0x40
        content += _text(password)
    properties = struct.pack("!BIBH", 0x11, session_expiry_s, RECEIVE_MAXIMUM, receive_maximum)
    if wants_offsets:
        properties += bytes((_USER_PROPERTY,)) + _text(_OFFSET.decode()) + _text("")
    head = b"\x00\x04MQTT\x05" + struct.pack("!BH", flags, keep_alive_s)
    return _packet(0x10, head + encode_length(len(properties)) + properties + content)


def publish(record: bytes, packet_id: int) -> bytes:
    """Return a QoS 1 PUBLISH packet of a record: its topic with length, and the payload."""
    split = 2 + (record[0] << 8 | record[1])
    length = encode_length(len(record) + 3)
    identifier = packet_id.to_bytes(2, "big")
    return b"".join((b"\x32", length, record[:split], identifier, b"\x00", record[split:]))


def record(topic: str, payload: bytes) -> bytes:
    """Return topic and payload in the form that is kept and that `publish` takes."""
    return _text(topic) + payload


def split_record(kept: bytes) -> tuple[str, bytes]:
    """Return topic and payload of a record."""
    split = 2 + (kept[0] << 8 | kept[1])
    return kept[2:split].decode(), kept[split:]


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it is kept until it is consumed; `offset` is its place in the log, if known."""

    topic: str
    payload: bytes
    offset: int | None = None
    qos: int = 0


def received(packet: Packet) -> bytes:
    """Return a PUBLISH packet in the form that is kept, from which `split_received` reads it."""
    topic = packet.topic
    if packet.offset is not None:
        # No topic has a NUL. One that has no room for more comes without its offset.
        stamped = f"{packet.offset} {packet.flags >> 1 & 3}\0{topic}"
        topic = stamped if len(stamped.encode()) <= 0xFFFF else topic
    return record(topic, packet.payload)


def split_received(kept: bytes) -> Received:
    """Return what `received` kept."""
    topic, payload = split_record(kept)
    stamp, nul, name = topic.partition("\0")
    if not nul:
        return Received(topic, payload)
    offset, _, qos = stamp.partition(" ")
    return Received(name, payload, int(offset), int(qos))


def subscribe(packet_id: int, filters: Sequence[str]) -> bytes:
    """Return a SUBSCRIBE packet, QoS 1 each."""
    content = b"".join(_text(one) + b"\x01" for one in filters)
    return _packet(0x82, struct.pack("!HB", packet_id, 0) + content)


def unsubscribe(packet_id: int, filters: Sequence[str]) -> bytes:
    """Return an UNSUBSCRIBE packet."""
    return _packet(0xA2, struct.pack("!HB", packet_id, 0) + b"".join(map(_text, filters)))


def puback(packet_id: int) -> bytes:
    """Return a PUBACK packet."""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


class Cutter:
    """Cuts received bytes into packets."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take bytes and give the packets that are complete.

        Raises:
            NotConnected: The bytes are not MQTT.
        """
        self._bytes += data
        held = bytes(self._bytes)
        at = 0
        try:
            while (end := _end(held, at)) is not None:
                start, stop = end
                if stop > len(held):
                    break
                yield _read(held[at], held[start:stop])
                at = stop
        except (IndexError, struct.error, KeyError, UnicodeDecodeError) as error:
            raise NotConnected(f"what the server sends is not MQTT 5.0: {error!r}") from error
        finally:
            del self._bytes[:at]


def _end(held: bytes, at: int) -> tuple[int, int] | None:
    """Return where the content of the packet at `at` begins and ends; None when not known yet."""
    length = shift = 0
    for place in range(at + 1, min(at + 5, len(held))):
        digit = held[place]
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return place + 1, place + 1 + length
    if len(held) - at >= 5:
        raise IndexError("length of more than four bytes")
    return None


def _read(head: int, content: bytes) -> Packet:
    kind, flags = head >> 4, head & 0x0F
    if kind == PUBACK:
        packet_id = content[0] << 8 | content[1]
        if len(content) == 2:
            return Packet(kind, flags, packet_id)
        return Packet(
            kind,
            flags,
            packet_id,
            content[2],
            properties=_properties(content, 3)[0] if len(content) > 3 else {},
        )
    if kind == PUBLISH:
        return _read_publish(flags, content)
    if kind == CONNACK:
        properties, _ = _properties(content, 2)
        present = bool(content[0] & 1)
        return Packet(kind, flags, 0, content[1], session_present=present, properties=properties)
    if kind in {SUBACK, UNSUBACK}:
        properties, at = _properties(content, 2)
        worst = max(content[at:], default=0)
        return Packet(
            kind, flags, content[0] << 8 | content[1], worst, "", content[at:], False, properties
        )
    if kind == DISCONNECT:
        reason = content[0] if content else 0
        properties = _properties(content, 1)[0] if len(content) > 1 else {}
        return Packet(kind, flags, 0, reason, properties=properties)
    return Packet(kind, flags)


def _read_publish(flags: int, content: bytes) -> Packet:
    at = 2 + (content[0] << 8 | content[1])
    topic = content[2:at].decode()
    packet_id = 0
    if flags & 0x06:
        packet_id = content[at] << 8 | content[at + 1]
        at += 2
    properties: dict[int, int | bytes] = {}
    if content[at]:
        properties, at = _properties(content, at)
    else:
        at += 1
    return Packet(PUBLISH, flags, packet_id, 0, topic, content[at:], False, properties)


def _properties(content: bytes, at: int) -> tuple[dict[int, int | bytes], int]:
    length, at = _varint(content, at)
    end = at + length
    found: dict[int, int | bytes] = {}
    while at < end:
        name = content[at]
        form = _PROPERTIES[name]
        at += 1
        if isinstance(form, int):
            found[name] = int.from_bytes(content[at : at + form], "big")
            at += form
        elif form == "varint":
            found[name], at = _varint(content, at)
        elif form == "pair":
            key, at = _binary(content, at)
            value, at = _binary(content, at)
            if key == _OFFSET and value.isdigit():
                found[OFFSET] = int(value)
        else:
            found[name], at = _binary(content, at)
    return found, end


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        digit = content[at]
        at += 1
        value |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return value, at


def _binary(content: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + (content[at] << 8 | content[at + 1])
    return content[at + 2 : end], end


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(head: int, content: bytes) -> bytes:
    return bytes((head,)) + encode_length(len(content)) + content
