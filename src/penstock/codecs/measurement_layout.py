"""Arrays of samples read by layout: when all elements are built alike, no JSON parser is needed.

`[{"SerialNumber":"S","Timestamp":"T","Value":V},{...},...]`, with the same S in each element, in
this order and without blanks, is what a program that sends thousands of samples a second writes.
Each element then has ten quotation marks, which say where its T and V are; what lies between must
be the same bytes in every element. Anything else is left to the JSON parser, so this may refuse
freely but must never read what JSON would not, nor differently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.codecs.columns import name_problem
from penstock.core.codec import Floats, Int64s

Characters = npt.NDArray[np.uint8]

_MIDDLE = b'","Value":'
#: Quotation marks per element.
_MARKS = 10
#: Offsets of Arrow texts are 32-bit.
_MAX_BYTES = 2**31 - 1
#: Characters that stand at fixed places of an RFC 3339 time.
_SIGNS = ((4, ord("-")), (7, ord("-")), (10, ord("T")), (13, ord(":")), (16, ord(":")))
_NANO = pa.timestamp("ns", tz="UTC")
_ZERO, _NINE = ord("0"), ord("9")


class Samples(NamedTuple):
    """Samples of one sensor."""

    serial: str
    time_us: Int64s
    value: Floats


def read_layout(payload: bytes) -> Samples | None:
    """Return the samples of a regular array, or None when JSON must be parsed."""
    if not payload.startswith(b'[{"SerialNumber":"') or not payload.endswith(b"}]"):
        return None
    if len(payload) > _MAX_BYTES:
        return None
    data = np.frombuffer(payload, np.uint8)
    quotes = np.flatnonzero(data == ord('"'))
    if len(quotes) % _MARKS:
        return None
    marks = quotes.reshape(-1, _MARKS)
    serial = payload[marks[0, 2] + 1 : marks[0, 3]]
    if not _is_plain(serial):
        return None
    head = b'{"SerialNumber":"' + serial + b'","Timestamp":"'
    time_at, time_end, value_at = marks[:, 6] + 1, marks[:, 7], marks[:, 9] + 2
    value_end = np.append(marks[1:, 0] - len(b"},{"), len(payload) - len(b"}]"))
    if not payload.startswith(b"[" + head) or (value_end <= value_at).any():
        return None
    parts = _cut(payload, time_at, time_end, value_at, value_end)
    if not (_all_are(parts(0)[1:], b"}," + head) and _all_are(parts(2), _MIDDLE)):
        return None
    if not _are_times(data, time_at, time_end) or not _are_numbers(data, value_at, value_end):
        return None
    texts = parts(3)
    if _holds(texts, b".e") or _holds(texts, b".E"):
        return None
    try:
        value = texts.cast(pa.float64()).to_numpy()
        time_ns = parts(1).cast(_NANO).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return Samples(serial.decode(), time_ns // 1_000, value) if np.isfinite(value).all() else None


def _is_plain(serial: bytes) -> bool:
    """Tell whether a serial number means itself in JSON and can name a Thing."""
    if b"\\" in serial or not serial.isascii():
        return False
    text = serial.decode()
    return text.isprintable() and name_problem("SerialNumber", text) is None


def _cut(
    payload: bytes, time_at: Int64s, time_end: Int64s, value_at: Int64s, value_end: Int64s
) -> Callable[[int], pa.Array]:
    """Return what gives each fourth piece of the payload: 0 heads, 1 times, 2 middles, 3 values."""
    count = len(time_at)
    offsets = np.empty(4 * count + 1, np.int32)
    offsets[0] = 0
    offsets[1::4] = time_at
    offsets[2::4] = time_end
    offsets[3::4] = value_at
    offsets[4::4] = value_end
    pieces = pa.Array.from_buffers(
        pa.string(), 4 * count, [None, pa.py_buffer(offsets), pa.py_buffer(payload)]
    )
    rows = np.arange(0, 4 * count, 4, dtype=np.int32)
    return lambda which: pieces.take(pa.array(rows + np.int32(which)))


def _all_are(texts: pa.Array, wanted: bytes) -> bool:
    """Tell whether all texts are `wanted`; compares their bytes in one go."""
    buffers = texts.buffers()
    if buffers[2] is None or not len(texts):
        return not len(texts)
    first, last = np.frombuffer(buffers[1], np.int32)[[texts.offset, texts.offset + len(texts)]]
    if last - first != len(texts) * len(wanted):
        return False
    whole = np.frombuffer(buffers[2], np.uint8)[first:last].reshape(len(texts), len(wanted))
    return bool((whole == np.frombuffer(wanted, np.uint8)).all())


def _holds(texts: pa.Array, pattern: bytes) -> bool:
    """Tell whether the texts, one after the other, hold a pattern."""
    return pattern in texts.buffers()[2].to_pybytes()


def _are_times(data: Characters, start: Int64s, end: Int64s) -> bool:
    """Tell whether all begin like 2024-05-01T12:00:00 and end in Z; the cast sees to the digits."""
    if int((end - start).min()) < len("2024-05-01T12:00:00Z"):
        return False
    if not (data[end - 1] == ord("Z")).all():
        return False
    return all((data[start + at] == sign).all() for at, sign in _SIGNS)


def _are_numbers(data: Characters, start: Int64s, end: Int64s) -> bool:
    """Tell whether numbers begin and end as JSON demands: no +1, 01, .5 or 1."""
    first = data[start]
    start = start + (first == ord("-"))
    first, second, last = data[start], data[np.minimum(start + 1, end)], data[end - 1]
    leading_zero = (first == _ZERO) & (second >= _ZERO) & (second <= _NINE)
    digits = (first >= _ZERO) & (first <= _NINE) & (last >= _ZERO) & (last <= _NINE)
    return bool((digits & ~leading_zero).all())
