"""The bytes of a segment file: its header and its blocks, as docs/formats/log.md specifies them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.core.log import Block

#: First bytes of every segment file.
SEGMENT_MAGIC = b"PNSTKLOG"
#: First bytes of every block.
BLOCK_MAGIC = b"PBlk"
#: Version of the format that this module writes; it reads no other.
FORMAT_VERSION = 1
#: `latest_us` of a partition's first segment: before every time.
NO_TIME_US = -(2**63)
#: Longest client identifier, in UTF-8 bytes.
MAX_CLIENT_BYTES = 65_535

_SEGMENT = struct.Struct("<8sHHIQqqII")
_BLOCK = struct.Struct("<4sIIIQqBBH")
_CHECKED = struct.Struct("<IIQqBBH")

#: Size of a segment's header, in bytes.
SEGMENT_HEADER_BYTES = _SEGMENT.size
#: Size of a block's header, in bytes.
BLOCK_HEADER_BYTES = _BLOCK.size


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a segment file says about itself.

    Attributes:
        base: Offset of its first message.
        created_us: When it was begun, microseconds UTC.
        latest_us: Latest arrival in all segments before it.
        salt: Start value of the checksums of its blocks. It is random, so bytes of another file,
            or a block that somebody put into a payload, never pass for a block of this one.
    """

    base: int
    created_us: int
    latest_us: int
    salt: int

    def encode(self) -> bytes:
        """Return the header's bytes."""
        fields = (SEGMENT_MAGIC, FORMAT_VERSION, 0, self.salt, self.base)
        times = (self.created_us, self.latest_us)
        head = _SEGMENT.pack(*fields, *times, 0, 0)
        return _SEGMENT.pack(*fields, *times, zlib.crc32(head[:40]), 0)


def decode_segment_header(data: bytes) -> SegmentHeader | None:
    """Return the header that `data` begins with, or None when it is not a sound one."""
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, version, flags, salt, base, created, latest, crc, zero = _SEGMENT.unpack_from(data)
    if magic != SEGMENT_MAGIC or version != FORMAT_VERSION or flags or zero:
        return None
    if crc != zlib.crc32(data[:40]):
        return None
    return SegmentHeader(base, created, latest, salt)


def encode_block_header(
    salt: int,
    offset: int,
    arrived_us: int,
    protocol: int,
    client: bytes,
    packets: bytes,
    ends: bytes,
) -> bytes:
    """Return the header of the block that `client`, `ends` and `packets` follow, in this order."""
    name = len(client)
    length = BLOCK_HEADER_BYTES + name + len(ends) + len(packets)
    checked = _CHECKED.pack(length, len(ends) >> 2, offset, arrived_us, protocol, 0, name)
    crc = zlib.crc32(client, zlib.crc32(checked, salt))
    crc = zlib.crc32(packets, zlib.crc32(ends, crc))
    return b"PBlk" + crc.to_bytes(4, "little") + checked


def block_length(data: bytes, at: int) -> int | None:
    """Return how long the block whose header is at `at` says it is; None if it is no header."""
    if len(data) - at < BLOCK_HEADER_BYTES:
        return None
    magic, _, length, count, _, _, _, _, name = _BLOCK.unpack_from(data, at)
    if magic != BLOCK_MAGIC or not count or length < BLOCK_HEADER_BYTES + name + 4 * count:
        return None
    return int(length)


def decode_block(data: bytes, at: int, salt: int) -> tuple[Block, int] | None:
    """Return the block at `at` and where it ends; None if it is incomplete or not sound."""
    size = len(data)
    if size - at < BLOCK_HEADER_BYTES:
        return None
    magic, crc, length, count, offset, arrived, protocol, _, name = _BLOCK.unpack_from(data, at)
    ends_at = at + BLOCK_HEADER_BYTES + name
    packets_at = ends_at + 4 * count
    end = at + length
    if magic != BLOCK_MAGIC or not count or end > size or packets_at > end:
        return None
    if zlib.crc32(memoryview(data)[at + 8 : end], salt) != crc:
        return None
    client = data[at + BLOCK_HEADER_BYTES : ends_at].decode(errors="replace")
    packets, ends = data[packets_at:end], data[ends_at:packets_at]
    return Block(offset, count, arrived, client, protocol, packets, ends), end


def sound_blocks(data: bytes, at: int, salt: int) -> Iterator[tuple[int, Block, int]]:
    """Yield where each sound block from `at` on begins, the block, and where it ends.

    Bytes that are no sound block are skipped up to the next one.
    """
    while True:
        found = decode_block(data, at, salt)
        if found is None:
            at = data.find(BLOCK_MAGIC, at + 1)
            if at < 0:
                return
        else:
            yield at, *found
            at = found[1]
