"""The folder of one partition: its segments, its readers' positions, its lock."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import zlib
from pathlib import Path

from penstock.core.errors import Conflict, InvalidInput
from penstock.log.form import SEGMENT_HEADER_BYTES, SegmentHeader, decode_segment_header

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POSITION = struct.Struct("<8sQI")
_POSITION_MAGIC = b"PNSTKPOS"


def checked_name(name: str, what: str) -> str:
    """Return `name` if it can be a file's name.

    Raises:
        InvalidInput: It cannot.
    """
    if not _NAME.fullmatch(name):
        msg = (
            f"{what} {name!r} is not a valid name; use 1 to 100 letters, digits, '.', '_' and "
            "'-', beginning with a letter or digit"
        )
        raise InvalidInput(msg)
    return name


def sync_directory(path: Path) -> None:
    """Force what a directory lists to disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class PartitionFolder:
    """Knows what lies where in a partition's folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mark = path / "durable"
        self.readers = path / "readers"

    def create(self) -> None:
        """Make the folder and force its entry to disk; does nothing if it is there."""
        if not self.readers.is_dir():
            self.readers.mkdir(parents=True, exist_ok=True)
            sync_directory(self.path)
            sync_directory(self.path.parent)

    def exists(self) -> bool:
        """Say whether a writer ever opened the partition."""
        return self.mark.exists()

    def segment(self, base: int) -> Path:
        """Return the path of the segment that begins at offset `base`."""
        return self.path / f"{base:020d}.seg"

    def index(self, base: int) -> Path:
        """Return the path of that segment's index."""
        return self.path / f"{base:020d}.idx"

    def bases(self) -> list[int]:
        """Return the base offsets of the segments that exist, ascending."""
        try:
            names = [path.name for path in self.path.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(n[:-4]) for n in names if n.endswith(".seg") and n[:-4].isdecimal())

    def header(self, base: int) -> SegmentHeader | None:
        """Return a segment's header; None if it is gone or not sound."""
        try:
            with self.segment(base).open("rb") as file:
                header = decode_segment_header(file.read(SEGMENT_HEADER_BYTES))
        except FileNotFoundError:
            return None
        return header if header and header.base == base else None

    def committed(self) -> dict[str, int]:
        """Return the committed position of every named reader; 0 where the file is damaged."""
        try:
            names = [path.name for path in self.readers.iterdir()]
        except FileNotFoundError:
            return {}
        return {n: self.read_position(n) or 0 for n in sorted(names) if not n.startswith(".")}

    def read_position(self, name: str) -> int | None:
        """Return a reader's committed position, or None if there is no sound one."""
        try:
            data = (self.readers / name).read_bytes()
        except FileNotFoundError:
            return None
        if len(data) != _POSITION.size:
            return None
        magic, offset, crc = _POSITION.unpack(data)
        return offset if magic == _POSITION_MAGIC and crc == zlib.crc32(data[:16]) else None

    def write_position(self, name: str, offset: int) -> None:
        """Replace a reader's committed position; after a crash it is the old or the new one."""
        data = _POSITION.pack(_POSITION_MAGIC, offset, 0)[:16]
        data += zlib.crc32(data).to_bytes(4, "little")
        new = self.readers / f".{name}"
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.readers / name)
        sync_directory(self.readers)

    def lock(self) -> int:
        """Become the partition's only writer until the returned file descriptor is closed.

        Raises:
            Conflict: Another one is.
        """
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            msg = (
                f"log partition {self.path.name!r} in {self.path.parent} has a writer; a "
                "partition has one at a time, so stop the other process first"
            )
            raise Conflict(msg) from None
        return fd
