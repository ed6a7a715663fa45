"""Reads a log with nothing but what docs/formats/log.md says; this file must not import the log's
own code for that."""

import re
import zlib
from pathlib import Path

import pytest

from penstock.log import LogSettings, SegmentLog
from penstock.testing.log_contract import run_of_messages

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats" / "log.md"


def unsigned(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def signed(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little", signed=True)


def read_segment(data: bytes, end_offset: int) -> tuple[dict[str, int], list[tuple[object, ...]]]:
    assert data[:8] == b"PNSTKLOG"
    assert unsigned(data, 8, 2) == 1
    assert unsigned(data, 10, 2) == unsigned(data, 44, 4) == 0
    assert unsigned(data, 40, 4) == zlib.crc32(data[:40])
    salt, base = unsigned(data, 12, 4), unsigned(data, 16, 8)
    blocks: list[tuple[object, ...]] = []
    at, offset = 48, base
    while offset < end_offset:
        assert data[at : at + 4] == b"PBlk"
        length, count = unsigned(data, at + 8, 4), unsigned(data, at + 12, 4)
        assert unsigned(data, at + 4, 4) == zlib.crc32(data[at + 8 : at + length], salt)
        assert unsigned(data, at + 16, 8) == offset
        assert data[at + 33] == 0
        name = unsigned(data, at + 34, 2)
        ends = at + 36 + name
        packets = ends + 4 * count
        client = data[at + 36 : ends].decode()
        assert unsigned(data, packets - 4, 4) == at + length - packets
        blocks.append(
            (
                offset,
                signed(data, at + 24),
                data[at + 32],
                client,
                [unsigned(data, ends + 4 * i, 4) for i in range(count)],
                data[packets : at + length],
            )
        )
        at, offset = at + length, offset + count
    assert not any(data[at:])
    return {"base": base, "created": signed(data, 24), "latest": signed(data, 32)}, blocks


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = SegmentLog(tmp_path, LogSettings(segment_bytes=4096, index_bytes=512, room_bytes=700))
    writer = log.writer("door")
    for i in range(40):
        packets, ends = run_of_messages(*[bytes(i * 10 + j) for j in range(i % 3 + 1)])
        writer.append(f"gerät-{i}", 4 + i % 2, 1_000_000 + i, packets, ends)
        writer.sync()
    log.reader("door", "ingest").commit(17)
    # The writer is still open, so the room ahead is there.
    return tmp_path / "door"


def test_every_segment_and_block_reads_as_the_document_says(folder: Path) -> None:
    mark = (folder / "durable").read_bytes()
    durable = unsigned(mark, 0, 8)
    paths = sorted(folder.glob("*.seg"))
    bases = [int(path.stem) for path in paths]
    blocks: list[tuple[object, ...]] = []
    latest = -(2**63)
    for path, end in zip(paths, [*bases[1:], durable], strict=True):
        assert re.fullmatch(r"\d{20}\.seg", path.name)
        header, found = read_segment(path.read_bytes(), end)
        assert header["base"] == int(path.stem)
        assert header["latest"] == latest
        latest = 1_000_000 + len(blocks) + len(found) - 1
        blocks += found
    expected, offset = [], 0
    for i in range(40):
        count = i % 3 + 1
        packets, ends = run_of_messages(*[bytes(i * 10 + j) for j in range(count)])
        marks = [unsigned(ends, 4 * j, 4) for j in range(count)]
        expected.append((offset, 1_000_000 + i, 4 + i % 2, f"gerät-{i}", marks, packets))
        offset += count
    assert blocks == expected
    assert durable == offset


def test_the_mark_reads_as_the_document_says(folder: Path) -> None:
    mark = (folder / "durable").read_bytes()
    assert len(mark) == 32
    words = [unsigned(mark, at, 8) for at in (0, 8, 16, 24)]
    assert words[0] ^ words[1] == 2**64 - 1
    last = max(folder.glob("*.seg"))
    assert words[2] == int(last.stem)
    data = last.read_bytes()
    assert 48 < words[3] < len(data)
    assert not any(data[words[3] :])


def test_the_index_reads_as_the_document_says(folder: Path) -> None:
    paths = sorted(folder.glob("*.idx"))
    assert paths
    for path in paths:
        segment = path.with_suffix(".seg").read_bytes()
        index = path.read_bytes()
        assert len(index) % 32 == 0
        for at in range(0, len(index), 32):
            entry = index[at : at + 32]
            assert unsigned(entry, 24, 4) == zlib.crc32(entry[:24])
            assert unsigned(entry, 28, 4) == 0
            position = unsigned(entry, 8, 8)
            assert segment[position : position + 4] == b"PBlk"
            assert unsigned(segment, position + 16, 8) == unsigned(entry, 0, 8)
            assert signed(entry, 16) == signed(segment, position + 24) - 1


def test_a_committed_position_reads_as_the_document_says(folder: Path) -> None:
    data = (folder / "readers" / "ingest").read_bytes()
    assert len(data) == 20
    assert data[:8] == b"PNSTKPOS"
    assert unsigned(data, 8, 8) == 17
    assert unsigned(data, 16, 4) == zlib.crc32(data[:16])


def test_the_document_names_every_magic() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for magic in ("PNSTKLOG", "PBlk", "PNSTKPOS"):
        assert magic in text
