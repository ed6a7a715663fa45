"""From packets to bytes, for MQTT 3.1.1 and 5.0."""

from __future__ import annotations

from typing import assert_never

from penstock.core.log import MQTT_5_0
from penstock.door.fields import binary, encode_length, text, u16
from penstock.door.packets import (
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Publish,
    Request,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from penstock.door.properties import Kind, Properties, Property, encode_properties
from penstock.door.reasons import CONNACK_3_1_1, Reason

#: Longest reason that is told in words.
MAX_REASON_CHARACTERS = 300


def encode(packet: Packet, protocol: int) -> bytes:
    """Return the bytes of `packet` in this protocol version (`core.log.MQTT_*`)."""
    if isinstance(packet, Publish):
        return encode_publish(packet, protocol)
    five = protocol == MQTT_5_0
    match packet:
        case Connect():
            return _frame(Kind.CONNECT, 0, _connect(packet))
        case Connack():
            code = packet.reason if five else CONNACK_3_1_1.get(packet.reason, 3)
            body = bytes((packet.session_present, code)) + _properties(packet.properties, protocol)
            return _frame(Kind.CONNACK, 0, body)
        case Ack():
            return _ack(packet, five=five)
        case Subscribe():
            body = b"".join(
                text(request.filter) + bytes((_options(request, five=five),))
                for request in packet.requests
            )
            return _frame(Kind.SUBSCRIBE, 2, _head(packet, protocol) + body)
        case Suback():
            body = _head(packet, protocol) + bytes(packet.reasons)
            return _frame(Kind.SUBACK, 0, body)
        case Unsubscribe():
            body = b"".join(text(name) for name in packet.filters)
            return _frame(Kind.UNSUBSCRIBE, 2, _head(packet, protocol) + body)
        case Unsuback():
            reasons = bytes(packet.reasons) if five else b""
            return _frame(Kind.UNSUBACK, 0, _head(packet, protocol) + reasons)
        case Ping():
            return _frame(packet.kind, 0, b"")
        case Disconnect() | Auth():
            kind = Kind.DISCONNECT if isinstance(packet, Disconnect) else Kind.AUTH
            return _frame(kind, 0, _goodbye(packet) if five else b"")
        case _:
            assert_never(packet)


def encode_publish(packet: Publish, protocol: int) -> bytes:
    """Return the bytes of a PUBLISH."""
    name = text(packet.topic)
    parts = [name]
    if packet.qos:
        parts.append(u16(packet.packet_id))
    if protocol == MQTT_5_0:
        parts.append(encode_properties(packet.properties))
    parts.append(packet.payload)
    length = sum(map(len, parts))
    first = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
    return b"".join((bytes((first,)), encode_length(length), *parts))


def goodbye(reason: Reason, why: str, max_bytes: int) -> bytes:
    """Return a DISCONNECT with its reason in words, without them if the client takes less."""
    told = encode(Disconnect(reason, _in_words(why)), MQTT_5_0)
    return told if len(told) <= max_bytes else encode(Disconnect(reason), MQTT_5_0)


def refusal(reason: Reason, why: str, protocol: int, max_bytes: int) -> bytes:
    """Return a CONNACK that lets nobody in, with the reason in words where there is room."""
    told = encode(Connack(reason, properties=_in_words(why)), protocol)
    return told if len(told) <= max_bytes else encode(Connack(reason), protocol)


def _in_words(why: str) -> Properties:
    return {Property.REASON_STRING: why[:MAX_REASON_CHARACTERS]}


def _frame(kind: Kind, flags: int, body: bytes) -> bytes:
    return bytes((kind << 4 | flags,)) + encode_length(len(body)) + body


def _properties(properties: Properties, protocol: int) -> bytes:
    return encode_properties(properties) if protocol == MQTT_5_0 else b""


def _head(packet: Subscribe | Suback | Unsubscribe | Unsuback, protocol: int) -> bytes:
    return u16(packet.packet_id) + _properties(packet.properties, protocol)


def _connect(packet: Connect) -> bytes:
    flags = packet.clean_start << 1
    parts = [text("MQTT"), b"", u16(packet.keep_alive_s)]
    parts.append(_properties(packet.properties, packet.protocol))
    parts.append(text(packet.client))
    will = packet.will
    if will is not None:
        flags |= 4 | will.qos << 3 | will.retain << 5
        parts.append(_properties(will.properties, packet.protocol))
        parts += (text(will.topic), binary(will.payload))
    if packet.username is not None:
        flags |= 0x80
        parts.append(text(packet.username))
    if packet.password is not None:
        flags |= 0x40
        parts.append(binary(packet.password))
    parts[1] = bytes((packet.protocol, flags))
    return b"".join(parts)


def _ack(packet: Ack, *, five: bool) -> bytes:
    body = u16(packet.packet_id)
    if five and (packet.reason or packet.properties):
        body += bytes((packet.reason,))
        if packet.properties:
            body += encode_properties(packet.properties)
    return _frame(packet.kind, 2 if packet.kind is Kind.PUBREL else 0, body)


def _goodbye(packet: Disconnect | Auth) -> bytes:
    if packet.properties:
        return bytes((packet.reason,)) + encode_properties(packet.properties)
    return bytes((packet.reason,)) if packet.reason else b""


def _options(request: Request, *, five: bool) -> int:
    if not five:
        return request.qos
    options = request.qos | request.no_local << 2 | request.retain_as_published << 3
    return options | request.retain_handling << 4
