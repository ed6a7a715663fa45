"""Web socket frames: read like the library reads them, however the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as LibraryOpcode
from websockets.protocol import Protocol, Side

from penstock.door import frames
from penstock.door.frames import Code, FrameReader, Opcode, build, unmask_slowly

LONG = bytes(range(256)) * 257
#: Lengths around the places where the length is written in another way.
payloads = st.one_of(
    st.binary(max_size=140), st.integers(65_530, 65_540).map(lambda size: LONG[:size])
)


@st.composite
def messages(draw: st.DrawFn) -> list[Frame]:
    """One binary message in one frame or several, with control frames between them."""
    pieces = draw(st.lists(payloads, min_size=1, max_size=4))
    found = []
    for number, piece in enumerate(pieces):
        opcode = LibraryOpcode.CONT if number else LibraryOpcode.BINARY
        found.append(Frame(opcode, piece, fin=number == len(pieces) - 1))
        if draw(st.booleans()):
            kind = draw(st.sampled_from([LibraryOpcode.PING, LibraryOpcode.PONG]))
            found.append(Frame(kind, draw(st.binary(max_size=125))))
    return found


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def serialize(frame: Frame) -> bytes:
    return bytes(frame.serialize(mask=True))


@given(st.data(), st.lists(messages(), max_size=3))
def test_however_bytes_are_cut_payload_and_controls_are_the_same(
    data: st.DataObject, sent: list[list[Frame]]
) -> None:
    whole = [frame for message in sent for frame in message]
    raw = b"".join(map(serialize, whole))
    reader = FrameReader(1 << 20)
    payload, controls = b"", []
    for piece in data.draw(cuts(raw)):
        payload += reader.feed(piece)
        controls += reader.take_controls()
    assert reader.problem is None
    kinds = (LibraryOpcode.BINARY, LibraryOpcode.CONT)
    assert payload == b"".join(bytes(frame.data) for frame in whole if frame.opcode in kinds)
    assert controls == [
        (Opcode(frame.opcode), bytes(frame.data)) for frame in whole if frame.opcode not in kinds
    ]


@given(st.data(), st.binary(min_size=1, max_size=80))
def test_any_bytes_are_judged_as_the_library_judges_them(data: st.DataObject, raw: bytes) -> None:
    library = Protocol(Side.SERVER, max_size=(None, 4096))
    library.receive_data(raw)
    taken = []
    for event in library.events_received():
        assert isinstance(event, Frame)
        if event.opcode is LibraryOpcode.CLOSE:
            break
        taken.append(event)
    reader = FrameReader(4096)
    payload, controls = b"", []
    for piece in data.draw(cuts(raw)):
        payload += reader.feed(piece)
        controls += reader.take_controls()
    if any(frame.opcode is LibraryOpcode.TEXT for frame in taken):
        assert reader.problem is not None
        assert reader.problem.code is Code.UNSUPPORTED_DATA
        return
    if any(opcode is Opcode.CLOSE for opcode, _ in controls):
        return  # nothing after it counts
    kinds = (LibraryOpcode.BINARY, LibraryOpcode.CONT)
    # Ours passes on what has come of a frame that is not all there yet.
    assert payload.startswith(b"".join(bytes(f.data) for f in taken if f.opcode in kinds))
    assert controls == [(Opcode(f.opcode), bytes(f.data)) for f in taken if f.opcode not in kinds]
    if library.parser_exc is not None:
        assert reader.problem is not None


@given(payloads)
def test_the_library_reads_what_we_build(payload: bytes) -> None:
    library = Protocol(Side.CLIENT)
    library.receive_data(build(Opcode.BINARY, payload))
    (event,) = library.events_received()
    assert isinstance(event, Frame)
    assert (event.opcode, bytes(event.data)) == (LibraryOpcode.BINARY, payload)


@given(st.binary(max_size=2000), st.binary(min_size=4, max_size=4))
def test_unmasking_is_the_same_with_and_without_the_library(payload: bytes, key: bytes) -> None:
    assert unmask_slowly(payload, key) == frames.unmask(payload, key)
    assert unmask_slowly(unmask_slowly(payload, key), key) == payload


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("81 80 00000000", Code.UNSUPPORTED_DATA),
        ("82 01 61", Code.PROTOCOL_ERROR),
        ("c2 80 00000000", Code.PROTOCOL_ERROR),
        ("83 80 00000000", Code.PROTOCOL_ERROR),
        ("80 80 00000000", Code.PROTOCOL_ERROR),
        ("02 80 00000000 82 80 00000000", Code.PROTOCOL_ERROR),
        ("09 80 00000000", Code.PROTOCOL_ERROR),
        ("89 fe 0080 00000000", Code.PROTOCOL_ERROR),
        ("82 fe 1001 00000000", Code.TOO_BIG),
        ("82 ff ffffffffffffffff 00000000", Code.TOO_BIG),
    ],
)
def test_a_broken_rule_has_its_code(raw: str, code: Code) -> None:
    reader = FrameReader(4096)
    assert reader.feed(bytes.fromhex(raw)) == b""
    assert reader.problem is not None
    assert reader.problem.code is code
    assert reader.feed(bytes.fromhex("82 81 00000000 61")) == b""


def test_what_came_before_a_broken_rule_counts() -> None:
    reader = FrameReader(4096)
    assert reader.feed(bytes.fromhex("82 81 00000000 61  81 80 00000000")) == b"a"
    assert reader.problem is not None
