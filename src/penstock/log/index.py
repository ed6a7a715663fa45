"""A segment's sparse index: where some of its blocks are. It is a hint and can be rebuilt.

Entries of 32 bytes: offset of a block u64, its position in the file u64, the latest arrival of
any block before it i64, CRC-32 of these 24 bytes u32, zero u32.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_ENTRY = struct.Struct("<QQqII")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One entry: a block, its place, and the latest arrival before it."""

    offset: int
    position: int
    latest_us: int

    def encode(self) -> bytes:
        """Return the entry's bytes."""
        head = _ENTRY.pack(self.offset, self.position, self.latest_us, 0, 0)[:24]
        return head + struct.pack("<II", zlib.crc32(head), 0)


def read_index(path: Path) -> list[IndexEntry]:
    """Return the sound entries of an index file, in order; none if there is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    entries: list[IndexEntry] = []
    for at in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
        offset, position, latest, crc, _ = _ENTRY.unpack_from(data, at)
        if crc == zlib.crc32(data[at : at + 24]):
            entries.append(IndexEntry(offset, position, latest))
    return entries
