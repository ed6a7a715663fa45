"""Packets are cut right however the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client import packets
from penstock.client.packets import PUBACK, PUBLISH, Cutter
from penstock.core.errors import NotConnected

STREAM = b"".join(
    [
        # CONNACK: session present, receive maximum 10, a user property, a reason string.
        b"\x20\x18\x01\x00\x15\x21\x00\x0a\x26\x00\x01k\x00\x01v\x1f\x00\x08all fine",
        packets.puback(7),
        # PUBACK with a reason and without properties; and with.
        b"\x40\x03\x00\x08\x87",
        b"\x40\x04\x00\x09\x10\x00",
        # PUBLISH, QoS 1, with a topic alias (2 bytes) and a payload of 200 bytes.
        b"\x32\xd5\x01\x00\x05a/b/c\x01\x02\x03\x23\x00\x05" + bytes(200),
        # PUBLISH, QoS 0.
        b"\x30\x07\x00\x01t\x00abc",
        b"\xe0\x01\x8b",
    ]
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_packets_do_not_depend_on_how_they_were_cut(places: list[int]) -> None:
    edges = [0, *sorted(places), len(STREAM)]
    cutter = Cutter()
    found = [
        packet for start, stop in pairwise(edges) for packet in cutter.feed(STREAM[start:stop])
    ]
    hello, first, second, third, large, small, goodbye = found
    assert hello.session_present
    assert hello.properties[packets.RECEIVE_MAXIMUM] == 10
    assert hello.why == "reason 0x00 (all fine)"
    assert (first.kind, first.packet_id, first.reason) == (PUBACK, 7, 0)
    assert (second.packet_id, second.reason, second.why) == (8, 0x87, "not allowed")
    assert (third.packet_id, third.reason) == (9, 0x10)
    assert (large.kind, large.topic, large.packet_id) == (PUBLISH, "a/b/c", 0x0102)
    assert large.payload == bytes(200)
    assert (small.topic, small.payload, small.packet_id) == ("t", b"abc", 0)
    assert goodbye.reason == 0x8B


@given(st.text(min_size=1, max_size=50), st.binary(max_size=3000), st.integers(1, 65_535))
def test_what_is_published_is_what_was_recorded(topic: str, payload: bytes, number: int) -> None:
    kept = packets.record(topic, payload)
    assert packets.split_record(kept) == (topic, payload)
    [packet] = Cutter().feed(packets.publish(kept, number))
    assert (packet.topic, packet.payload, packet.packet_id) == (topic, payload, number)


@pytest.mark.parametrize(
    "noise", [b"\x30\xff\xff\xff\xff\xff", b"\x40\x01\x00", b"\x20\x04\0\0\x01\x7f"]
)
def test_noise_is_an_error(noise: bytes) -> None:
    with pytest.raises(NotConnected, match=r"not MQTT 5\.0"):
        list(Cutter().feed(noise))
