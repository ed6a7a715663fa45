"""Arrays of samples read by layout: when all elements are built alike, no JSON parser is needed.

`[{"SerialNumber":"S","Timestamp":"T","Value":V},{...},...]`, with the same S in each element, in
this order and without blanks, is what a program that sends thousands of samples a second writes.
The brace that opens an element and the Z that ends its T then say where T and V are; what lies
between must be the same bytes in every element. Anything else is left to the JSON parser, so this
may refuse freely but must never read what JSON would not, nor differently.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from penstock.codecs.byte_layout import MAX_BYTES, Characters, Pieces, all_are, read_numbers
from penstock.codecs.columns import name_problem
from penstock.core.codec import Floats, Int64s

_MIDDLE = b'","Value":'
_START = b'[{"SerialNumber":"'
#: Characters that stand at fixed places of an RFC 3339 time.
_SIGNS = ((4, ord("-")), (7, ord("-")), (10, ord("T")), (13, ord(":")), (16, ord(":")))
_NANO = pa.timestamp("ns", tz="UTC")


class Samples(NamedTuple):
    """Samples of one sensor."""

    serial: str
    time_us: Int64s
    value: Floats


def read_layout(payload: bytes) -> Samples | None:
    """Return the samples of a regular array, or None when JSON must be parsed."""
    if not payload.startswith(_START) or not payload.endswith(b"}]"):
        return None
    if len(payload) > MAX_BYTES:
        return None
    serial = payload[len(_START) : payload.find(b'"', len(_START))]
    if not _is_plain(serial):
        return None
    head = b'{"SerialNumber":"' + serial + b'","Timestamp":"'
    octets = np.frombuffer(payload, np.uint8)
    braces = _places(octets, "{", head.count(b"{"))
    zones = _places(octets, "Z", head.count(b"Z") + 1)
    if braces is None or zones is None or len(braces) != len(zones):
        return None
    start, time_end = braces[:, 0], zones[:, -1] + 1
    time_at = start + len(head)
    value_at = time_end + len(_MIDDLE)
    value_end = np.append(start[1:] - len(b"},"), len(payload) - len(b"}]"))
    if not payload.startswith(b"[" + head):
        return None
    if (time_end <= time_at).any() or (value_end <= value_at).any():
        return None
    pieces = Pieces(payload, (time_at, time_end, value_at, value_end))
    if not (all_are(pieces.column(0)[1:], b"}," + head) and all_are(pieces.column(2), _MIDDLE)):
        return None
    time_us, value = _read_times(pieces.column(1)), read_numbers(pieces.column(3))
    if time_us is None or value is None:
        return None
    return Samples(serial.decode(), time_us, value)


def _places(octets: Characters, sign: str, times: int) -> Int64s | None:
    """Return where a sign stands that each element has so many times, one row per element."""
    places = np.flatnonzero(octets == ord(sign))
    return None if len(places) % times else places.reshape(-1, times)


def _is_plain(serial: bytes) -> bool:
    """Tell whether a serial number means itself in JSON and can name a Thing."""
    if b"\\" in serial or not serial.isascii():
        return False
    text = serial.decode()
    return text.isprintable() and name_problem("SerialNumber", text) is None


def _read_times(texts: pa.Array) -> Int64s | None:
    """Return times like 2024-05-01T12:00:00.5Z; the conversion sees to the digits."""
    _, offsets, data = texts.buffers()
    if data is None:
        return None
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    characters = np.frombuffer(data, np.uint8)
    start, end = bounds[:-1], bounds[1:]
    if int((end - start).min()) < len("2024-05-01T12:00:00Z"):
        return None
    if not (characters[end - 1] == ord("Z")).all():
        return None
    if not all((characters[start + at] == sign).all() for at, sign in _SIGNS):
        return None
    try:
        nanos = texts.cast(pa.string()).cast(_NANO).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return np.asarray(nanos // 1_000, np.int64)
