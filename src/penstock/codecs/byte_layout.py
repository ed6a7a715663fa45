"""Payloads that a program wrote are alike byte by byte: cutting and checking them in columns.

Used by the codecs with the most traffic to leave the JSON parser out. Whoever uses it checks all
that JSON demands, and leaves every payload that differs in any way to the parser.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.codec import Floats, Int64s

Characters = npt.NDArray[np.uint8]

#: Offsets of Arrow texts are 32-bit.
MAX_BYTES = 2**31 - 1
_ZERO, _NINE = ord("0"), ord("9")
#: Bit that makes a letter of ASCII a small one.
_LOWER = 0x20


class Pieces:
    """A buffer cut into records of as many pieces each, one after the other without a gap.

    Args:
        data: The buffer, at most `MAX_BYTES` long.
        ends: Where each piece of a record ends, for all records; the last end of one record is
            where the next begins. Ascending within and across records; the caller sees to that.
    """

    def __init__(self, data: bytes, ends: Sequence[Int64s]) -> None:
        width = len(ends)
        count = len(ends[0])
        offsets = np.zeros(width * count + 1, np.int32)
        for at, end in enumerate(ends, 1):
            offsets[at::width] = end
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        self._pieces = pa.Array.from_buffers(pa.binary(), width * count, buffers)
        self._rows = np.arange(0, width * count, width, dtype=np.int32)

    def column(self, which: int) -> pa.Array:
        """Return one piece of each record, as bytes."""
        return self._pieces.take(pa.array(self._rows + np.int32(which)))


def all_are(texts: pa.Array, wanted: bytes) -> bool:
    """Tell whether all texts are `wanted`."""
    if not len(texts):
        return True
    whole = matrix(texts, len(wanted))
    return whole is not None and bool((whole == np.frombuffer(wanted, np.uint8)).all())


def matrix(texts: pa.Array, width: int) -> Characters | None:
    """Return texts of one length as rows of characters, or None when their lengths differ."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if data is None or (np.diff(ends) != width).any():
        return None
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].reshape(len(texts), width)


def read_numbers(texts: pa.Array) -> Floats | None:
    """Return texts as numbers, or None when one is not a JSON number (RFC 8259 section 6).

    The conversion refuses all but: signs and zeros in front, points without digits, nan, inf. Those
    are looked for here.
    """
    _, offsets, data = texts.buffers()
    if data is None:
        return None
    characters = np.frombuffer(data, np.uint8)
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    start, last = bounds[:-1], characters[bounds[1:] - 1]
    if (bounds[1:] <= start).any():
        return None
    start = start + (characters[start] == ord("-"))
    first = characters[np.minimum(start, len(characters) - 1)]
    second = characters[np.minimum(start + 1, len(characters) - 1)]
    second_is_digit = (start + 1 < bounds[1:]) & (second >= _ZERO) & (second <= _NINE)
    digits = (first >= _ZERO) & (first <= _NINE) & (last >= _ZERO) & (last <= _NINE)
    if not (digits & ~((first == _ZERO) & second_is_digit)).all():
        return None
    exponent = np.flatnonzero((characters | np.uint8(_LOWER)) == ord("e"))
    if (characters[exponent - 1] == ord(".")).any():
        return None
    try:
        value = texts.cast(pa.string()).cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return value if np.isfinite(value).all() else None
