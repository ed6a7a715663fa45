"""From bytes to packets, for MQTT 3.1.1 and 5.0, with every check the standards ask for."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.log import MQTT_3_1_1, MQTT_5_0
from penstock.door.fields import Cursor
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
    Will,
)
from penstock.door.properties import (
    MAX_PROPERTIES,
    NONE,
    Kind,
    Properties,
    Property,
    decode_properties,
)
from penstock.door.reasons import (
    CONNACK_3_1_1,
    ProtocolViolation,
    Reason,
    malformed,
    violation,
)
from penstock.door.topics import check_filter, check_topic

#: Most topic filters in one packet: each is checked and looked up while everybody waits.
MAX_FILTERS = 2_000
_FROM_3_1_1 = {code: reason for reason, code in reversed(CONNACK_3_1_1.items())}


def decode(first: int, body: bytes, protocol: int) -> Packet:
    """Return the packet whose fixed header begins with `first` and whose rest is `body`.

    Raises:
        ProtocolViolation: It is malformed or not allowed; `reason` says which.
    """
    kind = first >> 4
    if kind == Kind.PUBLISH:
        return decode_publish(first, body, protocol)
    wanted = 2 if kind in (Kind.PUBREL, Kind.SUBSCRIBE, Kind.UNSUBSCRIBE) else 0
    if kind == 0 or first & 0x0F != wanted:
        raise malformed(f"first byte 0x{first:02x} has wrong flags or no packet type")
    cursor = Cursor(body)
    packet = _DECODERS[Kind(kind)](cursor, Kind(kind), protocol)
    cursor.done()
    return packet


def decode_publish(
    first: int, body: bytes, protocol: int, max_properties: int = MAX_PROPERTIES
) -> Publish:
    """Return a PUBLISH. Its topic may be empty if a topic alias stands for it."""
    qos = first >> 1 & 3
    dup = bool(first & 8)
    if qos == 3 or (dup and not qos):
        raise malformed(f"PUBLISH has impossible flags 0x{first & 0x0F:x}")
    cursor = Cursor(body)
    topic = cursor.text()
    packet_id = _packet_id(cursor) if qos else 0
    properties = NONE
    if protocol == MQTT_5_0:
        properties = decode_properties(cursor, Kind.PUBLISH, max_properties)
    if topic or Property.TOPIC_ALIAS not in properties:
        check_topic(topic)
    _check_response_topic(properties)
    return Publish(topic, cursor.rest(), qos, bool(first & 1), dup, packet_id, properties)


def _check_response_topic(properties: Properties) -> None:
    """Check that one can answer to it (section 3.3.2.3.5)."""
    topic = properties.get(Property.RESPONSE_TOPIC)
    if topic is not None:
        check_topic(topic)


def _properties(cursor: Cursor, kind: Kind, protocol: int) -> Properties:
    return decode_properties(cursor, kind) if protocol == MQTT_5_0 else NONE


def _packet_id(cursor: Cursor) -> int:
    value = cursor.u16()
    if not value:
        raise violation("packet identifier is 0; it must be 1 to 65535")
    return value


def _connect(cursor: Cursor, _kind: Kind, _protocol: int) -> Connect:
    name = cursor.binary()
    protocol = cursor.u8()
    if name != b"MQTT" or protocol not in (MQTT_3_1_1, MQTT_5_0):
        raise ProtocolViolation(
            Reason.UNSUPPORTED_PROTOCOL_VERSION,
            f"protocol {name[:20]!r} level {protocol} is not spoken here; use MQTT 3.1.1 or 5.0",
        )
    flags = cursor.u8()
    if flags & 1:
        raise malformed("CONNECT has its reserved flag set")
    keep_alive_s = cursor.u16()
    properties = _properties(cursor, Kind.CONNECT, protocol)
    if Property.AUTHENTICATION_DATA in properties and (
        Property.AUTHENTICATION_METHOD not in properties
    ):
        raise violation("CONNECT has authentication data but no authentication method")
    client = cursor.text()
    will = _will(cursor, flags, protocol)
    username = cursor.text() if flags & 0x80 else None
    password = cursor.binary() if flags & 0x40 else None
    if password is not None and username is None and protocol == MQTT_3_1_1:
        raise malformed("CONNECT has a password but no user name")
    clean = bool(flags & 2)
    return Connect(client, protocol, clean, keep_alive_s, username, password, will, properties)


def _will(cursor: Cursor, flags: int, protocol: int) -> Will | None:
    qos = flags >> 3 & 3
    if not flags & 4:
        if flags & 0x38:
            raise malformed("CONNECT has will options but no will")
        return None
    if qos == 3:
        raise malformed("will has QoS 3")
    properties = _properties(cursor, Kind.WILL, protocol)
    _check_response_topic(properties)
    topic = cursor.text()
    check_topic(topic)
    return Will(topic, cursor.binary(), qos, bool(flags & 0x20), properties)


def _connack(cursor: Cursor, _kind: Kind, protocol: int) -> Connack:
    present = cursor.u8()
    code = cursor.u8()
    if present > 1:
        raise malformed("CONNACK has reserved flags set")
    if protocol == MQTT_5_0:
        return Connack(_reason(code), bool(present), decode_properties(cursor, Kind.CONNACK))
    return Connack(_FROM_3_1_1.get(code, Reason.SERVER_UNAVAILABLE), bool(present))


def _reason(code: int) -> Reason:
    try:
        return Reason(code)
    except ValueError:
        raise malformed(f"reason code 0x{code:02x} does not exist") from None


def _ack(cursor: Cursor, kind: Kind, protocol: int) -> Ack:
    packet_id = _packet_id(cursor)
    if protocol != MQTT_5_0 or not cursor.left:
        return Ack(kind, packet_id)
    reason = cursor.u8()
    properties = decode_properties(cursor, kind) if cursor.left else NONE
    return Ack(kind, packet_id, reason, properties)


def _bounded(count: int, kind: Kind) -> None:
    if count > MAX_FILTERS:
        raise ProtocolViolation(
            Reason.QUOTA_EXCEEDED,
            f"{kind.name} names more than {MAX_FILTERS} topic filters; send several packets",
        )


def _subscribe(cursor: Cursor, kind: Kind, protocol: int) -> Subscribe:
    packet_id = _packet_id(cursor)
    properties = _properties(cursor, kind, protocol)
    requests = []
    while cursor.left:
        requests.append(_request(cursor.text(), cursor.u8(), protocol))
        _bounded(len(requests), kind)
    if not requests:
        raise violation("SUBSCRIBE names no topic filter")
    return Subscribe(packet_id, tuple(requests), properties)


def _request(name: str, options: int, protocol: int) -> Request:
    check_filter(name)
    if options & (0xC0 if protocol == MQTT_5_0 else 0xFC) or options & 3 == 3:
        raise malformed(f"subscription options 0x{options:02x} have reserved bits set")
    request = Request(name, options & 3, bool(options & 4), bool(options & 8), options >> 4 & 3)
    if request.retain_handling == 3:
        raise violation("retain handling is 3; it must be 0, 1 or 2")
    if request.no_local and name.startswith("$share/"):
        raise violation("a shared subscription cannot be 'no local'")
    return request


def _suback(cursor: Cursor, kind: Kind, protocol: int) -> Suback:
    packet_id = _packet_id(cursor)
    properties = _properties(cursor, kind, protocol)
    return Suback(packet_id, tuple(cursor.rest()), properties)


def _unsubscribe(cursor: Cursor, kind: Kind, protocol: int) -> Unsubscribe:
    packet_id = _packet_id(cursor)
    properties = _properties(cursor, kind, protocol)
    filters = []
    while cursor.left:
        filters.append(cursor.text())
        check_filter(filters[-1])
        _bounded(len(filters), kind)
    if not filters:
        raise violation("UNSUBSCRIBE names no topic filter")
    return Unsubscribe(packet_id, tuple(filters), properties)


def _unsuback(cursor: Cursor, kind: Kind, protocol: int) -> Unsuback:
    packet_id = _packet_id(cursor)
    properties = _properties(cursor, kind, protocol)
    return Unsuback(packet_id, tuple(cursor.rest()), properties)


def _ping(_cursor: Cursor, kind: Kind, _protocol: int) -> Ping:
    return Ping(kind)


def _disconnect(cursor: Cursor, kind: Kind, protocol: int) -> Disconnect:
    if protocol != MQTT_5_0 or not cursor.left:
        return Disconnect()
    reason = cursor.u8()
    return Disconnect(reason, decode_properties(cursor, kind) if cursor.left else NONE)


def _auth(cursor: Cursor, kind: Kind, protocol: int) -> Auth:
    if protocol != MQTT_5_0:
        raise malformed("packet type 15 does not exist in MQTT 3.1.1")
    if not cursor.left:
        return Auth()
    reason = cursor.u8()
    return Auth(reason, decode_properties(cursor, kind) if cursor.left else NONE)


_DECODERS: dict[Kind, Callable[[Cursor, Kind, int], Packet]] = {
    Kind.CONNECT: _connect,
    Kind.CONNACK: _connack,
    Kind.PUBACK: _ack,
    Kind.PUBREC: _ack,
    Kind.PUBREL: _ack,
    Kind.PUBCOMP: _ack,
    Kind.SUBSCRIBE: _subscribe,
    Kind.SUBACK: _suback,
    Kind.UNSUBSCRIBE: _unsubscribe,
    Kind.UNSUBACK: _unsuback,
    Kind.PINGREQ: _ping,
    Kind.PINGRESP: _ping,
    Kind.DISCONNECT: _disconnect,
    Kind.AUTH: _auth,
}
