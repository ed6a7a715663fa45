"""Whatever is appended, cut or flipped: what was durable is read, and nothing wrong is."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.errors import Corrupt
from penstock.core.log import Block
from penstock.log import LogSettings, SegmentLog
from penstock.log.folder import PartitionFolder
from penstock.log.form import (
    SegmentHeader,
    decode_block,
    decode_segment_header,
    encode_block_header,
)
from penstock.testing.log_contract import read_all, run_of_messages

#: Memory, where there is some for files: syncing is not what is tested here.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
SMALL = LogSettings(segment_bytes=4096, index_bytes=512, room_bytes=300, max_bytes=None)

payload_runs = st.lists(st.binary(max_size=700), min_size=1, max_size=4)
steps = st.lists(st.one_of(payload_runs, st.sampled_from(["sync", "reopen"])), max_size=25)


def scan(log: SegmentLog) -> tuple[list[Block], int]:
    """Read everything; return the blocks and how often damage was reported."""
    reader, blocks, reports = log.reader("door"), [], 0
    while True:
        try:
            more = reader.read()
        except Corrupt:
            reports += 1
            continue
        if not more:
            reader.close()
            return blocks, reports
        blocks += more


def build(directory: Path, runs: list[list[bytes]]) -> list[Block]:
    """Write one synced block for each run; return the blocks."""
    log = SegmentLog(directory, SMALL)
    writer = log.writer("door")
    blocks = []
    for i, payloads in enumerate(runs):
        packets, ends = run_of_messages(*payloads)
        offset = writer.append(f"c{i}", 4, i, packets, ends)
        writer.sync()
        blocks.append(Block(offset, len(payloads), i, f"c{i}", 4, packets, ends))
    log.close()
    return blocks


@settings(max_examples=50, deadline=None)
@given(steps)
def test_any_order_of_appends_syncs_and_reopenings_reads_back_what_was_synced(
    todo: list[list[bytes] | str],
) -> None:
    with TemporaryDirectory(dir=FAST) as directory:
        log = SegmentLog(Path(directory), SMALL)
        writer, reader = log.writer("door"), log.reader("door")
        appended: list[Block] = []
        durable, seen = 0, []
        for step in todo:
            if step == "reopen":
                writer.close()
                writer = log.writer("door")
                durable = len(appended)
            elif step == "sync":
                writer.sync()
                durable = len(appended)
            else:
                packets, ends = run_of_messages(*step)
                at = writer.append("ü", 5, len(appended), packets, ends)
                appended.append(Block(at, len(step), len(appended), "ü", 5, packets, ends))
            seen += read_all(reader, max_bytes=900)
            assert seen == appended[:durable]
        log.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(payload_runs, min_size=1, max_size=8), st.data())
def test_a_log_cut_anywhere_keeps_every_block_before_the_cut(
    runs: list[list[bytes]], data: st.DataObject
) -> None:
    with TemporaryDirectory(dir=FAST) as directory:
        blocks = build(Path(directory), runs)
        folder = PartitionFolder(Path(directory) / "door")
        last = folder.segment(folder.bases()[-1])
        size = last.stat().st_size
        cut = data.draw(st.integers(0, size), label="cut")
        whole = last.read_bytes()
        garbage = data.draw(st.binary(max_size=40), label="garbage")
        last.write_bytes(whole[:cut] + garbage)
        kept, at = [b for b in blocks if b.offset < int(last.stem)], 48
        for block in blocks[len(kept) :]:
            at += 36 + len(block.client) + len(block.ends) + len(block.packets)
            if at > cut:
                break
            kept.append(block)

        log = SegmentLog(Path(directory), SMALL)
        writer = log.writer("door")
        # No offset that was durable is given again, whatever the disk lost.
        assert writer.end_offset == blocks[-1].next_offset
        packets, ends = run_of_messages(b"new")
        offset = writer.append("new", 4, 9, packets, ends)
        writer.sync()
        found, reports = scan(log)
        assert found == [*kept, Block(offset, 1, 9, "new", 4, packets, ends)]
        assert reports == (len(kept) < len(blocks))
        log.close()


@settings(max_examples=50, deadline=None)
@given(st.lists(payload_runs, min_size=2, max_size=8), st.data())
def test_any_flipped_bit_in_a_segment_is_noticed_and_costs_little(
    runs: list[list[bytes]], data: st.DataObject
) -> None:
    with TemporaryDirectory(dir=FAST) as directory:
        blocks = build(Path(directory), runs)
        folder = PartitionFolder(Path(directory) / "door")
        base = data.draw(st.sampled_from(folder.bases()), label="segment")
        content = bytearray(folder.segment(base).read_bytes())
        bit = data.draw(st.integers(0, len(content) * 8 - 1), label="bit")
        content[bit // 8] ^= 1 << bit % 8
        folder.segment(base).write_bytes(content)

        log = SegmentLog(Path(directory), SMALL)
        found, reports = scan(log)
        assert reports == 1
        assert all(block in blocks for block in found)
        lost = [block for block in blocks if block not in found]
        if bit // 8 >= 48:
            assert len(lost) == 1
        else:
            later = [b for b in folder.bases() if b > base]
            end = later[0] if later else blocks[-1].next_offset
            assert lost == [b for b in blocks if base <= b.offset < end]

        # And a writer that comes back loses nothing more.
        log.writer("door").close()
        assert scan(log)[0] == found
        log.close()


@given(
    client=st.text(max_size=20).map(lambda text: text.encode(errors="replace")),
    runs=payload_runs,
    offset=st.integers(0, 2**63),
    arrived_us=st.integers(-(2**63), 2**63 - 1),
    protocol=st.integers(0, 255),
    salt=st.integers(0, 2**32 - 1),
    before=st.binary(max_size=9),
)
def test_a_block_survives_its_encoding(
    client: bytes,
    runs: list[bytes],
    offset: int,
    arrived_us: int,
    protocol: int,
    salt: int,
    before: bytes,
) -> None:
    packets, ends = run_of_messages(*runs)
    head = encode_block_header(salt, offset, arrived_us, protocol, client, packets, ends)
    data = before + head + client + ends + packets
    expected = Block(offset, len(runs), arrived_us, client.decode(), protocol, packets, ends)
    assert decode_block(data, len(before), salt) == (expected, len(data))
    assert decode_block(data[:-1], len(before), salt) is None
    assert decode_block(data, len(before), salt ^ 1) is None


@given(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 48 * 8 - 1),
)
def test_a_segment_header_survives_its_encoding_and_no_flipped_bit_passes(
    base: int, created_us: int, latest_us: int, salt: int, bit: int
) -> None:
    header = SegmentHeader(base, created_us, latest_us, salt)
    data = bytearray(header.encode())
    assert decode_segment_header(bytes(data)) == header
    data[bit // 8] ^= 1 << bit % 8
    assert decode_segment_header(bytes(data)) is None
