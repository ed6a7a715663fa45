"""MQTT PUBLISH packets: the form in which every message is kept in the log.

OASIS MQTT 3.1.1 and 5.0, section 3.3. Free of numpy and Arrow, because the front door uses it.
"""

from __future__ import annotations

import struct

from penstock.core.errors import InvalidInput

#: Largest remaining length that MQTT can express (section 2.2.3 / 2.1.4), in bytes.
MAX_REMAINING_LENGTH = 268_435_455
#: Longest topic in UTF-8 bytes (section 1.5.3 / 1.5.4).
MAX_TOPIC_BYTES = 65_535


def encode_length(length: int) -> bytes:
    """Return `length` as an MQTT variable byte integer (1 to 4 bytes)."""
    if length < 128:
        return bytes((length,))
    out = bytearray()
    while True:
        length, digit = divmod(length, 128)
        out.append(digit | 0x80 if length else digit)
        if not length:
            return bytes(out)


def encode_publish(topic: str, payload: bytes, *, retain: bool = False) -> bytes:
    """Return a QoS 0 PUBLISH packet in MQTT 3.1.1 form.

    Raises:
        InvalidInput: The topic is empty, too long or holds a wildcard or NUL, or the payload
            is larger than MQTT can carry.
    """
    name = topic.encode()
    if not name or len(name) > MAX_TOPIC_BYTES or any(c in topic for c in "+#\0"):
        msg = (
            f"topic {topic[:80]!r} cannot be published to; it must have 1 to {MAX_TOPIC_BYTES} "
            "bytes and none of '+', '#' and NUL"
        )
        raise InvalidInput(msg)
    remaining = 2 + len(name) + len(payload)
    if remaining > MAX_REMAINING_LENGTH:
        msg = f"payload of {len(payload)} bytes is too large; MQTT carries up to 256 MiB"
        raise InvalidInput(msg)
    head = b"\x31" if retain else b"\x30"
    return b"".join((head, encode_length(remaining), struct.pack("!H", len(name)), name, payload))


def parse_publish(packet: bytes, protocol: int) -> tuple[str, bytes]:
    """Return topic and payload of one complete PUBLISH packet.

    The packet was checked when it was accepted, so this trusts its lengths.
    """
    at = 1
    while packet[at] & 0x80:
        at += 1
    at += 1
    end = at + 2 + int.from_bytes(packet[at : at + 2], "big")
    topic = packet[at + 2 : end].decode()
    if packet[0] & 0x06:
        end += 2
    if protocol == 5:
        length = shift = 0
        while True:
            digit = packet[end]
            end += 1
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        end += length
    return topic, packet[end:]


#: Properties of a PUBLISH of MQTT 5.0 (section 3.3.2.3): bytes of the value, 0 for a length before
#: it, -1 for two of these, -2 for a variable byte integer.
_VALUE_BYTES = {1: 1, 2: 4, 3: 0, 8: 0, 9: 0, 11: -2, 35: 2, 38: -1}
_CORRELATION_DATA = 9


def correlation_of(properties: bytes) -> bytes:
    """Return the correlation data among the properties of a PUBLISH; empty if there is none.

    The packet was checked when it was accepted, so this trusts its lengths.
    """
    at = 0
    while at < len(properties):
        kind = properties[at]
        at += 1
        size = _VALUE_BYTES.get(kind)
        if size is None:
            return b""
        if size == -2:
            while properties[at] & 0x80:
                at += 1
            at += 1
        for _ in range(2 if size == -1 else size == 0):
            length = int.from_bytes(properties[at : at + 2], "big")
            at += 2 + length
        if kind == _CORRELATION_DATA:
            return properties[at - length : at]
        at += max(size, 0)
    return b""
