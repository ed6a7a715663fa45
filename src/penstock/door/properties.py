"""MQTT 5.0 properties (section 2.2.2): which there are, where they may stand, how they look."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from penstock.door.fields import Cursor, binary, encode_length, text, u16, u32
from penstock.door.reasons import ProtocolViolation, Reason, malformed, violation


class Kind(IntEnum):
    """MQTT control packet types; `WILL` stands for the properties of a will."""

    WILL = 0
    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Property(IntEnum):
    """Property identifiers."""

    PAYLOAD_FORMAT = 1
    MESSAGE_EXPIRY_S = 2
    CONTENT_TYPE = 3
    RESPONSE_TOPIC = 8
    CORRELATION_DATA = 9
    SUBSCRIPTION_IDENTIFIER = 11
    SESSION_EXPIRY_S = 17
    ASSIGNED_CLIENT_IDENTIFIER = 18
    SERVER_KEEP_ALIVE_S = 19
    AUTHENTICATION_METHOD = 21
    AUTHENTICATION_DATA = 22
    REQUEST_PROBLEM_INFORMATION = 23
    WILL_DELAY_S = 24
    REQUEST_RESPONSE_INFORMATION = 25
    RESPONSE_INFORMATION = 26
    SERVER_REFERENCE = 28
    REASON_STRING = 31
    RECEIVE_MAXIMUM = 33
    TOPIC_ALIAS_MAXIMUM = 34
    TOPIC_ALIAS = 35
    MAXIMUM_QOS = 36
    RETAIN_AVAILABLE = 37
    USER_PROPERTY = 38
    MAXIMUM_PACKET_BYTES = 39
    WILDCARD_AVAILABLE = 40
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 41
    SHARED_AVAILABLE = 42


#: Property to value: an int, a str or bytes; for `USER_PROPERTY` a tuple of (name, value)
#: pairs, for `SUBSCRIPTION_IDENTIFIER` a tuple of ints.
Properties = Mapping[int, Any]

#: No properties at all; shared, never changed.
NONE: Properties = {}

_P, _K = Property, Kind
_ACKS = (_K.PUBACK, _K.PUBREC, _K.PUBREL, _K.PUBCOMP)
_MESSAGE = (_K.PUBLISH, _K.WILL)
_ANSWERS = (_K.CONNACK, *_ACKS, _K.SUBACK, _K.UNSUBACK, _K.DISCONNECT, _K.AUTH)

#: Property -> (wire type, packets it may stand in); table 2-4.
_TABLE: dict[int, tuple[str, frozenset[Kind]]] = {
    _P.PAYLOAD_FORMAT: ("flag", frozenset(_MESSAGE)),
    _P.MESSAGE_EXPIRY_S: ("u32", frozenset(_MESSAGE)),
    _P.CONTENT_TYPE: ("text", frozenset(_MESSAGE)),
    _P.RESPONSE_TOPIC: ("text", frozenset(_MESSAGE)),
    _P.CORRELATION_DATA: ("binary", frozenset(_MESSAGE)),
    _P.SUBSCRIPTION_IDENTIFIER: ("varint", frozenset((_K.PUBLISH, _K.SUBSCRIBE))),
    _P.SESSION_EXPIRY_S: ("u32", frozenset((_K.CONNECT, _K.CONNACK, _K.DISCONNECT))),
    _P.ASSIGNED_CLIENT_IDENTIFIER: ("text", frozenset((_K.CONNACK,))),
    _P.SERVER_KEEP_ALIVE_S: ("u16", frozenset((_K.CONNACK,))),
    _P.AUTHENTICATION_METHOD: ("text", frozenset((_K.CONNECT, _K.CONNACK, _K.AUTH))),
    _P.AUTHENTICATION_DATA: ("binary", frozenset((_K.CONNECT, _K.CONNACK, _K.AUTH))),
    _P.REQUEST_PROBLEM_INFORMATION: ("flag", frozenset((_K.CONNECT,))),
    _P.WILL_DELAY_S: ("u32", frozenset((_K.WILL,))),
    _P.REQUEST_RESPONSE_INFORMATION: ("flag", frozenset((_K.CONNECT,))),
    _P.RESPONSE_INFORMATION: ("text", frozenset((_K.CONNACK,))),
    _P.SERVER_REFERENCE: ("text", frozenset((_K.CONNACK, _K.DISCONNECT))),
    _P.REASON_STRING: ("text", frozenset(_ANSWERS)),
    _P.RECEIVE_MAXIMUM: ("u16+", frozenset((_K.CONNECT, _K.CONNACK))),
    _P.TOPIC_ALIAS_MAXIMUM: ("u16", frozenset((_K.CONNECT, _K.CONNACK))),
    _P.TOPIC_ALIAS: ("u16", frozenset((_K.PUBLISH,))),
    _P.MAXIMUM_QOS: ("flag", frozenset((_K.CONNACK,))),
    _P.RETAIN_AVAILABLE: ("flag", frozenset((_K.CONNACK,))),
    _P.USER_PROPERTY: (
        "pair",
        frozenset((*_ANSWERS, *_MESSAGE, _K.CONNECT, _K.SUBSCRIBE, _K.UNSUBSCRIBE)),
    ),
    _P.MAXIMUM_PACKET_BYTES: ("u32+", frozenset((_K.CONNECT, _K.CONNACK))),
    _P.WILDCARD_AVAILABLE: ("flag", frozenset((_K.CONNACK,))),
    _P.SUBSCRIPTION_IDENTIFIER_AVAILABLE: ("flag", frozenset((_K.CONNACK,))),
    _P.SHARED_AVAILABLE: ("flag", frozenset((_K.CONNACK,))),
}


#: Most properties in one packet. They cost far more time than their bytes let expect, and everybody
#: waits meanwhile; a CONNECT is read before it is known who sends it.
MAX_PROPERTIES = 1_000


def decode_properties(cursor: Cursor, kind: Kind, most: int = MAX_PROPERTIES) -> Properties:
    """Read the property length and the properties of a packet of this kind.

    Raises:
        ProtocolViolation: They are malformed, not allowed there, or more than `most`.
    """
    length = cursor.varint()
    if not length:
        return NONE
    stop = cursor.at + length
    if stop > cursor.end:
        raise malformed("properties are longer than their packet")
    inner = Cursor(cursor.data, cursor.at, stop)
    cursor.at = stop
    found: dict[int, Any] = {}
    several: dict[int, list[Any]] = {}
    left = most
    while inner.left:
        left -= 1
        if left < 0:
            raise ProtocolViolation(
                Reason.QUOTA_EXCEEDED,
                f"{kind.name} has more than {most} properties; send what is long in the payload",
            )
        key = inner.varint()
        wire, places = _TABLE.get(key, ("", frozenset()))
        if not wire:
            raise malformed(f"property {key} does not exist")
        if kind not in places:
            raise violation(f"property {Property(key).name} is not allowed in {kind.name}")
        value = _read(inner, wire, key)
        if wire == "pair" or (wire == "varint" and kind is Kind.PUBLISH):
            several.setdefault(key, []).append(value)
        elif key in found:
            raise violation(f"property {Property(key).name} is given twice")
        else:
            found[key] = (value,) if wire == "varint" else value
    for key, values in several.items():
        found[key] = tuple(values)
    return found


def _read(cursor: Cursor, wire: str, key: int) -> Any:
    if wire == "text":
        return cursor.text()
    if wire == "binary":
        return cursor.binary()
    if wire == "pair":
        return (cursor.text(), cursor.text())
    if wire == "flag":
        value = cursor.u8()
        if value > 1:
            raise violation(f"property {Property(key).name} is {value}; it must be 0 or 1")
        return value
    if wire == "varint":
        value = cursor.varint()
    else:
        value = cursor.u32() if wire.startswith("u32") else cursor.u16()
    if not value and (wire == "varint" or wire.endswith("+")):
        raise violation(f"property {Property(key).name} must not be 0")
    return value


def encode_properties(properties: Properties) -> bytes:
    """Return the property length and the properties, in the order they are given."""
    if not properties:
        return b"\0"
    body = b"".join(_write(key, value) for key, value in properties.items())
    return encode_length(len(body)) + body


def _write(key: int, value: Any) -> bytes:
    wire = _TABLE[key][0]
    head = bytes((key,))
    if wire == "pair":
        return b"".join(head + text(name) + text(item) for name, item in value)
    if wire == "varint":
        return b"".join(head + encode_length(item) for item in value)
    if wire == "text":
        return head + text(value)
    if wire == "binary":
        return head + binary(value)
    if wire == "flag":
        return head + bytes((value,))
    return head + (u32(value) if wire.startswith("u32") else u16(value))
