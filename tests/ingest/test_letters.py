from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.log import Block
from penstock.core.publish import parse_publish
from penstock.ingest import letters
from penstock.ingest.letters import Letter, encode, pack, previous, unpack

TEXT = st.text("aZ/ .{}'\"\n\u00e9\u20ac\U0001f600&", max_size=40)
LETTERS = st.builds(
    Letter,
    topic=TEXT.filter(bool),
    payload=st.binary(max_size=300),
    reason=TEXT,
    codec=TEXT,
    partition=TEXT,
    offset=st.integers(0, 2**63),
    client=TEXT,
    arrived_us=st.integers(-(2**62), 2**62),
    device=TEXT,
    previous=st.sampled_from(["", previous("dead", 17), previous("held", 0)]),
)


@given(st.lists(LETTERS, min_size=1, max_size=6), st.integers(0, 1000))
def test_letters_come_back_as_they_were(written, offset):
    packets, ends = pack(written)
    block = Block(offset, len(written), 0, "ingest", letters.PROTOCOL, packets, ends)
    assert unpack([block]) == list(enumerate(written, offset))


@given(LETTERS)
def test_a_letter_is_an_mqtt_packet_with_the_message_as_it_came(letter):
    assert parse_publish(encode(letter), letters.PROTOCOL) == (letter.topic, letter.payload)


def test_an_endless_reason_is_cut():
    letter = Letter("a", b"", "x" * 100_000, "c", "door", 0, "me", 0)
    packets, ends = pack([letter])
    ((_, found),) = unpack([Block(0, 1, 0, "ingest", letters.PROTOCOL, packets, ends)])
    assert found.reason == "x" * letters.MAX_REASON
