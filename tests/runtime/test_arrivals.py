"""The log read in order of arrival: nothing is left out, nothing comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.log import MQTT_3_1_1, MQTT_5_0
from penstock.core.platform import Arrival
from penstock.core.publish import encode_publish
from penstock.log.segments import SegmentLog
from penstock.log.settings import LogSettings
from penstock.runtime import arrivals
from penstock.runtime.arrivals import Arrivals


def _fill(log: SegmentLog, blocks: list[list[tuple[str, bytes]]]) -> list[Arrival]:
    writer = log.writer("door")
    found = []
    for number, block in enumerate(blocks):
        packets = b""
        ends = b""
        protocol = MQTT_5_0 if number % 2 else MQTT_3_1_1
        first, arrived_us = writer.end_offset, number * 1000
        for index, (topic, payload) in enumerate(block):
            packet = encode_publish(topic, payload)
            if protocol == MQTT_5_0:  # no properties
                cut = len(packet) - len(payload)
                packet = packet[:1] + bytes((packet[1] + 1,)) + packet[2:cut] + b"\0" + payload
            packets += packet
            ends += len(packets).to_bytes(4, "little")
            found.append(Arrival(first + index, topic, payload, arrived_us + index))
        writer.append("one", protocol, arrived_us, packets, ends)
        writer.sync()
    return found


_blocks = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["a", "b/c", "d"]), st.binary(max_size=50)),
        min_size=1,
        max_size=6,
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(blocks=_blocks, start=st.integers(0, 80), most=st.integers(1, 9), piece=st.integers(1, 400))
def test_pages_give_every_wanted_message_once(
    tmp_path_factory: pytest.TempPathFactory,
    blocks: list[list[tuple[str, bytes]]],
    start: int,
    most: int,
    piece: int,
) -> None:
    log = SegmentLog(tmp_path_factory.mktemp("log"))
    everything = _fill(log, blocks)
    reading = Arrivals(log, "door")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrivals, "PIECE_BYTES", piece)
        patch.setattr(arrivals, "MAX_READ_BYTES", piece)
        patch.setattr(arrivals, "MAX_ANSWER_BYTES", 60)
        got: list[Arrival] = []
        at = start
        while True:
            page = reading.read(at, lambda topic: topic != "d", most)
            assert len(page.items) <= most
            got += page.items
            if page.next >= page.end:
                break
            assert page.next > at
            at = page.next
    assert got == [one for one in everything if one.topic != "d" and one.offset >= start]
    assert (page.first, page.end) == (0, len(everything))
    log.close()


def test_what_the_log_has_dropped_is_told(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, max_bytes=4096))
    everything = _fill(log, [[("a", b"x" * 100)] for _ in range(200)])
    log.expire()
    page = Arrivals(log, "door").read(0, lambda _: True, 1)
    assert 0 < page.first == page.items[0].offset < 200
    assert page.items[0] == everything[page.first]
    nothing = Arrivals(log, "door").read(None, lambda _: True, 1)
    assert (nothing.items, nothing.next, nothing.end) == ((), 200, 200)
    assert Arrivals(log, "nobody").read(0, lambda _: True, 1).end == 0
    log.close()
