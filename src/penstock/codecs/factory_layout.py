"""Factory readings read by layout: when a batch is written alike, no JSON parser is needed.

`{"ts":1728979200123,"metadata":{M},"measurement":V}`, without blanks, with 13 digits of time and no
object within M. M is the same text in every reading of a sensor, so it is parsed once for each
sensor. Anything else is left to the JSON parser, so this may refuse freely but must never read what
JSON would not, nor differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penstock.codecs.byte_layout import MAX_BYTES, Pieces, all_are, matrix, read_numbers
from penstock.core.codec import Floats, Int32s, Int64s

_HEAD = b'{"ts":'
_DIGITS = 13
_BEFORE_METADATA = b',"metadata":'
_AFTER_METADATA = b',"measurement":'
_POWERS = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)
#: With more different metadata than one in so many readings, the parser is as fast.
_READINGS_PER_SENSOR = 4


class Rows(NamedTuple):
    """Readings in columns; `codes` points into `metadata`, the JSON of each sensor."""

    metadata: Sequence[bytes]
    codes: Int32s
    time_us: Int64s
    value: Floats


def read_layout(payloads: Sequence[bytes]) -> Rows | None:
    """Return the readings of a regular batch, or None when JSON must be parsed."""
    data = b"".join(payloads)
    if not data.startswith(_HEAD) or len(data) > MAX_BYTES:
        return None
    ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
    braces = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("}"))
    if len(braces) != 2 * len(payloads) or (braces[1::2] != ends - 1).any():
        return None
    starts = np.concatenate([[0], ends[:-1]])
    time_at = starts + len(_HEAD)
    metadata_at = time_at + _DIGITS + len(_BEFORE_METADATA)
    metadata_end = braces[::2] + 1
    value_at = metadata_end + len(_AFTER_METADATA)
    if (metadata_end <= metadata_at).any() or (value_at >= ends - 1).any():
        return None
    pieces = Pieces(
        data, (time_at, time_at + _DIGITS, metadata_at, metadata_end, value_at, ends - 1)
    )
    # The end of a reading and the head of the next are one piece.
    if not (
        all_are(pieces.column(0)[1:], b"}" + _HEAD)
        and all_are(pieces.column(2), _BEFORE_METADATA)
        and all_are(pieces.column(4), _AFTER_METADATA)
    ):
        return None
    time_us, value = _read_times(pieces), read_numbers(pieces.column(5))
    if time_us is None or value is None:
        return None
    encoded = pieces.column(3).dictionary_encode()
    if len(encoded.dictionary) * _READINGS_PER_SENSOR > len(payloads):
        return None
    return Rows(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(), time_us, value)


def _read_times(pieces: Pieces) -> Int64s | None:
    digits = matrix(pieces.column(1), _DIGITS)
    if digits is None or not ((digits - np.uint8(48)) <= 9).all() or (digits[:, 0] == 48).any():
        return None
    milliseconds = (digits.astype(np.int64) - 48) @ _POWERS
    return np.asarray(milliseconds * 1_000, np.int64)
