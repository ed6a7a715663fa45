"""A power loss: of what was not synced, any sector may be on the disk, and any old mark."""

import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.errors import Corrupt
from penstock.core.log import Block
from penstock.log import LogSettings, SegmentLog, segment
from penstock.testing.log_contract import append_messages, payloads_of

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
SMALL = LogSettings(segment_bytes=6000, index_bytes=512, room_bytes=1500, max_bytes=None)
#: What a disk writes as a whole, in bytes.
SECTOR = 512

batches = st.lists(st.lists(st.integers(0, 1200), min_size=1, max_size=4), min_size=1, max_size=5)


class PowerLoss(Exception):
    """The sync did not come to its end."""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def blocks_of(log: SegmentLog) -> list[Block]:
    reader, found = log.reader("door"), []
    while True:
        with contextlib.suppress(Corrupt):
            more = reader.read()
            if not more:
                reader.close()
                return found
            found += more


def any_sectors(old: bytes, new: bytes, data: st.DataObject) -> bytes:
    """Return a file of the old or the new size whose sectors are old or new ones."""
    size = data.draw(st.sampled_from(sorted({len(old), len(new)})), label="size")
    sectors = []
    for at in range(0, size, SECTOR):
        end = min(at + SECTOR, size)
        versions = {old[at:end].ljust(end - at, b"\0"), new[at:end].ljust(end - at, b"\0")}
        sectors.append(data.draw(st.sampled_from(sorted(versions)), label=f"sector at {at}"))
    return b"".join(sectors)


@settings(max_examples=60, deadline=None)
@given(batches, st.lists(st.integers(0, 1200), min_size=1, max_size=5), st.data())
def test_what_was_synced_survives_and_no_offset_means_two_messages(
    synced: list[list[int]], torn: list[int], data: st.DataObject
) -> None:
    with TemporaryDirectory(dir=FAST) as directory:
        # Given batches that were synced, and one that was not
        folder = Path(directory) / "door"
        log = SegmentLog(Path(directory), SMALL)
        writer = log.writer("door")
        sizes = [size for batch in [*synced, torn] for size in batch]
        number = 0
        marks = [bytes(32)]
        for batch in synced:
            for size in batch:
                append_messages(writer, b"%d" % number + bytes(size), arrived_us=number)
                number += 1
            writer.sync()
            marks.append((folder / "durable").read_bytes())
        durable = blocks_of(log)
        before = contents(folder)
        for size in torn:
            append_messages(writer, b"%d" % number + bytes(size), arrived_us=number)
            number += 1
        crash = mock.patch.object(segment, "_fdatasync", side_effect=PowerLoss)
        with crash, mock.patch.object(segment.SegmentFile, "cut", return_value=True):
            with contextlib.suppress(PowerLoss):
                writer.sync()
            after = contents(folder)
            with contextlib.suppress(PowerLoss):
                writer.close()
        # When the disk keeps any of its sectors, and any mark that ever was
        for name, new in after.items():
            if name.endswith(".seg"):
                kept = any_sectors(before.get(name, new[:48]), new, data)
                (folder / name).write_bytes(kept)
        (folder / "durable").write_bytes(data.draw(st.sampled_from(marks), label="mark"))
        # Then everything synced is there, nothing wrong is, and offsets go on behind it
        log = SegmentLog(Path(directory), SMALL)
        writer = log.writer("door")
        assert writer.end_offset >= len(durable)
        offset = append_messages(writer, b"new")
        writer.sync()
        found = blocks_of(log)
        assert found[: len(durable)] == durable
        assert [block.offset for block in found] == sorted({block.offset for block in found})
        for block in found[len(durable) : -1]:
            payload = b"%d" % block.offset + bytes(sizes[block.offset])
            assert payloads_of([block]) == [payload]
            assert block.arrived_us == block.offset < offset
        assert found[-1].offset == offset
        log.close()
