"""Packets survive the wire; what is not allowed is refused with the right reason."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.door.decoding import decode
from penstock.door.encoding import encode
from penstock.door.intake import frame
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
from penstock.door.properties import _TABLE, Kind, Property
from penstock.door.reasons import CONNACK_3_1_1, ProtocolViolation, Reason

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=20
).filter(lambda name: not name.startswith("$share"))
_bytes = st.binary(max_size=40)
_ids = st.integers(1, 65535)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.integers(0, 1),
    "u16": st.integers(0, 65535),
    "u16+": st.integers(1, 65535),
    "u32": st.integers(0, 2**32 - 1),
    "u32+": st.integers(1, 2**32 - 1),
    "text": _texts,
    "binary": _bytes,
    "pair": st.lists(st.tuples(_texts, _texts), min_size=1, max_size=3).map(tuple),
    "varint": st.integers(1, 268_435_455).map(lambda one: (one,)),
}


def _properties(kind: Kind, protocol: int) -> st.SearchStrategy[dict[int, Any]]:
    if protocol != 5:
        return st.just({})
    allowed = {
        key: _VALUES[wire]
        for key, (wire, places) in _TABLE.items()
        if kind in places and key != Property.TOPIC_ALIAS
    }
    if Property.RESPONSE_TOPIC in allowed:
        allowed[Property.RESPONSE_TOPIC] = _names
    return st.fixed_dictionaries({}, optional=allowed).map(_as_allowed)


def _as_allowed(properties: dict[int, Any]) -> dict[int, Any]:
    """Leave out data for an authentication that is not named."""
    if Property.AUTHENTICATION_METHOD not in properties:
        properties.pop(Property.AUTHENTICATION_DATA, None)
    return properties


def _acks(protocol: int) -> st.SearchStrategy[Ack]:
    kinds = st.sampled_from([Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP])
    reasons = st.sampled_from([0, 0x10, 0x80, 0x92]) if protocol == 5 else st.just(0)
    return kinds.flatmap(
        lambda kind: st.builds(Ack, st.just(kind), _ids, reasons, _properties(kind, protocol))
    )


def _publishes(protocol: int) -> st.SearchStrategy[Publish]:
    def build(qos: int, dup: bool, packet_id: int, **more: Any) -> Publish:
        return Publish(qos=qos, dup=dup and qos > 0, packet_id=packet_id if qos else 0, **more)

    return st.builds(
        build,
        qos=st.integers(0, 2),
        dup=st.booleans(),
        packet_id=_ids,
        topic=_names,
        payload=_bytes,
        retain=st.booleans(),
        properties=_properties(Kind.PUBLISH, protocol),
    )


def _connects(protocol: int) -> st.SearchStrategy[Connect]:
    wills = st.builds(
        Will, _names, _bytes, st.integers(0, 2), st.booleans(), _properties(Kind.WILL, protocol)
    )
    return st.builds(
        Connect,
        _texts,
        st.just(protocol),
        st.booleans(),
        st.integers(0, 65535),
        _texts,
        st.none() | _bytes,
        st.none() | wills,
        _properties(Kind.CONNECT, protocol),
    )


def _subscribes(protocol: int) -> st.SearchStrategy[Subscribe]:
    filters = _names | st.sampled_from(["#", "+", "a/+/b", "a/#", "+/+/#", "$share/g/a/#"])
    flags = st.booleans() if protocol == 5 else st.just(False)
    handling = st.integers(0, 2) if protocol == 5 else st.just(0)
    requests = st.builds(Request, filters, st.integers(0, 2), st.just(False), flags, handling)
    properties = _properties(Kind.SUBSCRIBE, protocol)
    return st.builds(
        Subscribe, _ids, st.lists(requests, min_size=1, max_size=4).map(tuple), properties
    )


def packets(protocol: int) -> st.SearchStrategy[Packet]:
    """Any packet of this protocol version."""
    codes = st.lists(st.sampled_from([0, 1, 2, 0x80]), max_size=4).map(tuple)
    reasons = st.sampled_from(list(Reason) if protocol == 5 else list(CONNACK_3_1_1)[:5])
    common = [
        _publishes(protocol),
        _connects(protocol),
        _subscribes(protocol),
        _acks(protocol),
        st.builds(Connack, reasons, st.booleans(), _properties(Kind.CONNACK, protocol)),
        st.builds(Suback, _ids, codes, _properties(Kind.SUBACK, protocol)),
        st.builds(
            Unsubscribe,
            _ids,
            st.lists(_names, min_size=1, max_size=3).map(tuple),
            _properties(Kind.UNSUBSCRIBE, protocol),
        ),
        st.builds(Ping, st.sampled_from([Kind.PINGREQ, Kind.PINGRESP])),
    ]
    if protocol == 5:
        reason = st.sampled_from([0, 4, 0x8B, 0x97])
        common += [
            st.builds(Unsuback, _ids, codes, _properties(Kind.UNSUBACK, 5)),
            st.builds(Disconnect, reason, _properties(Kind.DISCONNECT, 5)),
            st.builds(Auth, st.sampled_from([0, 0x18, 0x19]), _properties(Kind.AUTH, 5)),
        ]
    else:
        common += [st.builds(Unsuback, _ids), st.just(Disconnect())]
    return st.one_of(common)


def _through_the_wire(packet: Packet, protocol: int) -> Packet:
    data = encode(packet, protocol)
    body, stop = frame(data, 0, len(data), 1 << 28)
    assert stop == len(data)
    return decode(data[0], data[body:], protocol)


@given(packets(4))
def test_every_packet_of_mqtt_3_1_1_survives_the_wire(packet: Packet) -> None:
    assert _through_the_wire(packet, 4) == packet


@given(packets(5))
def test_every_packet_of_mqtt_5_survives_the_wire(packet: Packet) -> None:
    assert _through_the_wire(packet, 5) == packet


@given(st.sampled_from([4, 5]), st.integers(0, 255), st.binary(max_size=60))
def test_any_bytes_are_a_packet_or_a_violation(protocol: int, first: int, body: bytes) -> None:
    with suppress(ProtocolViolation):
        assert isinstance(encode(decode(first, body, protocol), protocol), bytes)


@given(st.sampled_from([4, 5]), st.data())
def test_a_packet_with_a_changed_byte_is_a_packet_or_a_violation(
    protocol: int, data: st.DataObject
) -> None:
    raw = bytearray(encode(data.draw(packets(protocol)), protocol))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    whole = bytes(raw)
    with suppress(ProtocolViolation):
        body, stop = frame(whole, 0, len(whole), 1 << 28)
        packet = decode(whole[0], whole[body:stop], protocol)
        assert isinstance(encode(packet, protocol), bytes)


@pytest.mark.parametrize(
    ("protocol", "raw", "reason"),
    [
        (4, "36 05 0001 61 0001", Reason.MALFORMED_PACKET),  # QoS 3
        (4, "38 03 0001 61", Reason.MALFORMED_PACKET),  # DUP at QoS 0
        (4, "32 05 0001 61 0000", Reason.PROTOCOL_ERROR),  # packet identifier 0
        (4, "30 03 0001 2b", Reason.TOPIC_NAME_INVALID),
        (4, "30 02 0000", Reason.TOPIC_NAME_INVALID),
        (4, "30 03 0001 ff", Reason.MALFORMED_PACKET),  # not UTF-8
        (4, "30 03 0001 00", Reason.MALFORMED_PACKET),  # NUL
        (4, "30 05 0003 eda080", Reason.MALFORMED_PACKET),  # a surrogate
        (4, "80 06 0001 0001 61 00", Reason.MALFORMED_PACKET),  # flags of SUBSCRIBE
        (4, "82 02 0001", Reason.PROTOCOL_ERROR),  # no filter
        (4, "82 06 0001 0001 61 03", Reason.MALFORMED_PACKET),  # QoS 3
        (4, "82 06 0001 0001 61 04", Reason.MALFORMED_PACKET),  # an MQTT 5.0 option
        (4, "82 08 0001 0003 612f23 00", None),
        (4, "82 08 0001 0003 23 2f 61 00", Reason.TOPIC_FILTER_INVALID),
        (4, "82 07 0001 0002 61 2b 00", Reason.TOPIC_FILTER_INVALID),
        (5, "30 06 0001 61 02 01 02", Reason.PROTOCOL_ERROR),  # payload format 2
        (5, "30 08 0001 61 04 01 00 01 00", Reason.PROTOCOL_ERROR),  # twice
        (5, "30 06 0001 61 02 7f 02", Reason.MALFORMED_PACKET),  # unknown property
        (5, "30 07 0001 61 03 13 0001", Reason.PROTOCOL_ERROR),  # belongs in CONNACK
        (5, "82 07 0001 00 0001 61 30", Reason.PROTOCOL_ERROR),  # retain handling 3
        (5, "82 0f 0001 00 0009 24 73 68 61 72 65 2f 67 2f 00", Reason.TOPIC_FILTER_INVALID),
        (4, "c0 01 00", Reason.MALFORMED_PACKET),
        (4, "00 00", Reason.MALFORMED_PACKET),
        (4, "f0 00", Reason.MALFORMED_PACKET),
        (4, "10 0c 0004 4d515454 04 03 0000 0000", Reason.MALFORMED_PACKET),
        (4, "10 0c 0004 4d515454 03 02 0000 0000", Reason.UNSUPPORTED_PROTOCOL_VERSION),
        (4, "10 0c 0004 4d515454 04 42 0000 0000", Reason.MALFORMED_PACKET),
    ],
)
def test_what_the_standard_forbids_is_refused_with_its_reason(
    protocol: int, raw: str, reason: Reason | None
) -> None:
    data = bytes.fromhex(raw)
    body, stop = frame(data, 0, len(data), 1 << 28)
    assert stop == len(data)
    if reason is None:
        decode(data[0], data[body:], protocol)
        return
    with pytest.raises(ProtocolViolation) as caught:
        decode(data[0], data[body:], protocol)
    assert caught.value.reason is reason


def test_a_remaining_length_of_five_bytes_is_malformed() -> None:
    with pytest.raises(ProtocolViolation, match="remaining length"):
        frame(b"\x30\xff\xff\xff\xff\x01", 0, 6, 1 << 30)


def test_a_packet_above_the_bound_is_refused_before_it_is_there() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        frame(b"\x30\xff\xff\x7f", 0, 4, 1024)
    assert caught.value.reason is Reason.PACKET_TOO_LARGE
