"""The data types that MQTT packets are made of (section 1.5): integers, strings, binary."""

from __future__ import annotations

from penstock.core.publish import encode_length
from penstock.door.reasons import malformed

__all__ = ["Cursor", "binary", "encode_length", "text", "u16", "u32"]


class Cursor:
    """Reads fields from one packet's body, front to back.

    Every method raises `ProtocolViolation` (malformed packet) when the field is cut off or
    not allowed.
    """

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self.end - self.at

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        stop = self.at + count
        if stop > self.end:
            raise malformed(f"packet ends {stop - self.end} bytes too early")
        chunk = self.data[self.at : stop]
        self.at = stop
        return chunk

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(self.left)

    def u8(self) -> int:
        """Return one byte."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return a big-endian 16-bit integer."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """Return a big-endian 32-bit integer."""
        return int.from_bytes(self.take(4), "big")

    def varint(self) -> int:
        """Return a variable byte integer of at most four bytes."""
        value = 0
        for shift in (0, 7, 14, 21):
            digit = self.u8()
            value |= (digit & 0x7F) << shift
            if not digit & 0x80:
                if shift and not digit:
                    raise malformed("variable byte integer is longer than needed")
                return value
        raise malformed("variable byte integer is longer than four bytes")

    def binary(self) -> bytes:
        """Return bytes with a 16-bit length before them."""
        return self.take(self.u16())

    def text(self) -> str:
        """Return a UTF-8 string with a 16-bit length before it."""
        return decode_text(self.binary())

    def done(self) -> None:
        """Check that nothing is left."""
        if self.left:
            raise malformed(f"packet has {self.left} bytes too many")


def decode_text(raw: bytes) -> str:
    """Return MQTT text: well-formed UTF-8 without NUL (section 1.5.4)."""
    try:
        value = raw.decode()
    except UnicodeDecodeError as error:
        raise malformed(f"text is not UTF-8: {raw[:40]!r}") from error
    if "\0" in value:
        raise malformed("text holds NUL, which MQTT forbids")
    return value


def u16(value: int) -> bytes:
    """Return a big-endian 16-bit integer."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Return a big-endian 32-bit integer."""
    return value.to_bytes(4, "big")


def binary(value: bytes) -> bytes:
    """Return bytes with a 16-bit length before them."""
    return len(value).to_bytes(2, "big") + value


def text(value: str) -> bytes:
    """Return UTF-8 with a 16-bit length before it."""
    return binary(value.encode())
