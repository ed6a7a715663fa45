"""The bulk splitter against `core.publish.parse_publish`, one packet at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.log import MQTT_3_1_1, MQTT_5_0, Block
from penstock.core.publish import encode_length, parse_publish
from penstock.door.encoding import encode_publish
from penstock.door.packets import Publish
from penstock.door.properties import Property
from penstock.ingest.messages import split
from penstock.ingest.routes import TopicTable
from penstock.ingest.settings import DEFAULT_ROUTES

TOPICS = st.text("ab/$ {}\u00e9\u20ac\U0001f600", min_size=1)


@st.composite
def packets(draw, protocol):
    """Draw a PUBLISH packet with any QoS, flags, property length and payload length."""
    topic = draw(TOPICS).encode()
    size = draw(st.sampled_from([0, 1, 5, 60, 127, 128, 200, 16_383, 16_384]))
    payload = draw(st.binary(max_size=8)).ljust(size, b"x")
    qos = draw(st.integers(0, 2))
    body = len(topic).to_bytes(2, "big") + topic
    if qos:
        body += draw(st.binary(min_size=2, max_size=2))
    if protocol == MQTT_5_0:
        properties = b"\x26" * draw(st.sampled_from([0, 1, 127, 128, 300, 16_384]))
        body += encode_length(len(properties)) + properties
    body += payload
    head = 0x30 | qos << 1 | draw(st.sampled_from([0, 1, 8, 9]))
    return bytes((head,)) + encode_length(len(body)) + body


@st.composite
def runs(draw):
    """Draw blocks as a log holds them: offsets ascend, with a gap now and then."""
    offset = draw(st.integers(0, 10**12))
    out = []
    for number in range(draw(st.integers(1, 4))):
        protocol = draw(st.sampled_from([MQTT_3_1_1, MQTT_5_0]))
        parts = draw(st.lists(packets(protocol), min_size=1, max_size=5))
        ends = np.cumsum([len(p) for p in parts]).astype("<u4").tobytes()
        arrived_us = draw(st.integers(0, 2**53))
        out.append(
            (Block(offset, len(parts), arrived_us, f"c{number}", protocol, b"".join(parts), ends),
             parts)
        )  # fmt: skip
        offset += len(parts) + draw(st.sampled_from([0, 0, 3]))
    return out


@given(runs())
def test_splitting_in_bulk_equals_parsing_one_by_one(drawn):
    blocks = [block for block, _ in drawn]
    batch = split("door", blocks, TopicTable(DEFAULT_ROUTES, 100))
    expected = [
        (
            *parse_publish(part, block.protocol),
            block.arrived_us + at,
            block.client,
            block.offset + at,
        )
        for block, parts in drawn
        for at, part in enumerate(parts)
    ]
    got = [
        (batch.topics[i].name, batch.payloads[i], int(batch.arrived_us[i]), batch.client(i),
         int(batch.offsets[i]))
        for i in range(len(batch))
    ]  # fmt: skip
    assert got == expected
    assert batch.next_offset == blocks[-1].next_offset


@given(runs(), st.data())
def test_a_range_gives_exactly_the_messages_in_it(drawn, data):
    blocks = [block for block, _ in drawn]
    first, last = blocks[0].offset, blocks[-1].next_offset
    start = data.draw(st.integers(first, last - 1))
    end = data.draw(st.integers(start + 1, last))
    table = TopicTable(DEFAULT_ROUTES, 100)
    everything = split("door", blocks, table)
    some = split("door", blocks, table, start, end)
    wanted = [i for i, offset in enumerate(everything.offsets) if start <= offset < end]
    assert some.offsets.tolist() == [int(everything.offsets[i]) for i in wanted]
    assert list(some.payloads) == [everything.payloads[i] for i in wanted]
    assert [some.client(i) for i in range(len(some))] == [everything.client(i) for i in wanted]
    assert some.next_offset == end


def test_messages_of_one_topic_share_its_route_and_fields():
    packet = b"\x30\x0d\x00\x0bmovements/7"
    ends = (15).to_bytes(4, "little") + (30).to_bytes(4, "little")
    batch = split("d", [Block(0, 2, 0, "c", 4, packet * 2, ends)], TopicTable(DEFAULT_ROUTES, 100))
    assert batch.topics[0] is batch.topics[1]
    assert batch.topics[0].fields == {"sensor": "7"}


PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        Property.PAYLOAD_FORMAT: st.integers(0, 1),
        Property.MESSAGE_EXPIRY_S: st.integers(0, 2**32 - 1),
        Property.CONTENT_TYPE: st.text("ab", max_size=200),
        Property.RESPONSE_TOPIC: st.sampled_from(["a/b", "x" * 300]),
        Property.CORRELATION_DATA: st.binary(max_size=300),
        Property.USER_PROPERTY: st.just((("a", "b"), ("", "\u20ac"))),
    },
)


@given(st.lists(PROPERTIES, min_size=1, max_size=4), st.randoms())
def test_correlation_data_is_found_among_all_other_properties(given_properties, chance):
    packets = []
    for properties in given_properties:
        names = list(properties)
        chance.shuffle(names)
        shuffled = {name: properties[name] for name in names}
        packets.append(encode_publish(Publish("t", b"p", properties=shuffled), MQTT_5_0))
    ends = np.cumsum([len(p) for p in packets]).astype("<u4").tobytes()
    block = Block(7, len(packets), 0, "c", MQTT_5_0, b"".join(packets), ends)
    batch = split("door", [block], TopicTable(DEFAULT_ROUTES, 100), from_offset=8)
    wanted = [one.get(Property.CORRELATION_DATA, b"") for one in given_properties[1:]]
    assert [batch.correlation(at) for at in range(len(batch))] == wanted
