"""Ids of observations: they follow from the identity and lead back to it (decision 14).

A number where the identity fits into 53 bits, so that every reader of JSON keeps it exact; a text
elsewhere. An identity has exactly one id of this form, and whatever is not the id of an identity
is refused. When an Observation moves and keeps its id, a later one at the identity it left has the
first free of further texts: `7-1767225600000000-0-2`, then `-3` (see `observation_rows.believed`).
"""

from __future__ import annotations

import re
from math import isqrt
from typing import cast

import numpy as np
import pyarrow as pa

from penstock.core.entities import Identity
from penstock.core.errors import NotFound

#: Ids that are numbers are below this.
_LIMIT = 1 << 53
_SECOND, _MS = 1_000_000, 1_000
_SECOND_BITS, _MS_BITS = 32, 41
#: Codes that fit beside a time in seconds, and beside one in milliseconds.
_SECOND_CODES = 1 << (52 - _SECOND_BITS)
_MS_CODES = 1 << (52 - _MS_BITS)
#: Larger datastreams and features have no code that fits.
_PAIRED = 1 << 20
_MAX_INT64 = 2**63 - 1
_TEXT = re.compile(r"(-?[0-9]{1,19})-(-?[0-9]{1,19})(?:-(-?[0-9]{1,19})(?:-([0-9]{1,9}))?)?")
#: Number of the second Observation at one identity, the first with a further id.
SECOND = 2


def id_of(identity: Identity) -> int | str:
    """Return the id of an observation."""
    code = _code(identity.datastream, identity.feature)
    if code is not None:
        second, rest = divmod(identity.time_us, _SECOND)
        if not rest and 0 <= second < 1 << _SECOND_BITS and code < _SECOND_CODES:
            return (code << _SECOND_BITS | second) << 1
        ms, rest = divmod(identity.time_us, _MS)
        if not rest and 0 <= ms < 1 << _MS_BITS and code < _MS_CODES:
            return (code << _MS_BITS | ms) << 1 | 1
    return _text(identity)


def further_id(identity: Identity, number: int) -> str:
    """Return the id of a later observation at an identity; `number` is 2 for the second one."""
    return f"{identity.datastream}-{identity.time_us}-{identity.feature}-{number}"


def ids_of(table: pa.Table) -> list[int | str]:
    """Return the ids of rows in `core.observation.SCHEMA`."""
    datastream = table["datastream"].to_numpy()
    feature = table["feature"].to_numpy()
    time = table["time"].cast(pa.int64()).to_numpy()
    small = (datastream >= 0) & (datastream < _PAIRED) & (feature >= 0) & (feature < _PAIRED)
    d, f = np.where(small, datastream, 0), np.where(small, feature, 0)
    pair = (d + f) * (d + f + 1) // 2 + f
    code = np.where(f == 0, 2 * d, 2 * pair + 1)
    second, ms = time // _SECOND, time // _MS
    by_second = small & (second * _SECOND == time) & (code < _SECOND_CODES)
    by_second &= (second >= 0) & (second < 1 << _SECOND_BITS)
    by_ms = small & ~by_second & (ms * _MS == time) & (code < _MS_CODES)
    by_ms &= (ms >= 0) & (ms < 1 << _MS_BITS)
    code = np.where(by_second | by_ms, code, 0)
    number = np.where(
        by_second, (code << _SECOND_BITS | second) << 1, (code << _MS_BITS | ms) << 1 | 1
    )
    ids = cast("list[int | str]", number.tolist())
    for at in np.flatnonzero(~(by_second | by_ms)).tolist():
        ids[at] = _text(Identity(int(datastream[at]), int(time[at]), int(feature[at])))
    return ids


def identity_of(id_: int | str) -> Identity:
    """Return the identity that an id stands for.

    Raises:
        NotFound: It is not the id of any observation.
    """
    identity, number = _of_number(id_) if isinstance(id_, int) else _of_text(id_)
    if identity is None or id_ != (
        id_of(identity) if number is None else further_id(identity, number)
    ):
        msg = f"there is no Observation with id {id_!r}"
        raise NotFound(msg)
    return identity


def quoted(id_: int | str) -> str:
    """Return an id as it stands in addresses: `Observations(5)`, `Observations('5-1')`."""
    return str(id_) if isinstance(id_, int) else "'" + id_.replace("'", "''") + "'"


def _code(datastream: int, feature: int) -> int | None:
    if not 0 <= datastream < _PAIRED or not 0 <= feature < _PAIRED:
        return None
    if not feature:
        return 2 * datastream
    both = datastream + feature
    return 2 * (both * (both + 1) // 2 + feature) + 1


def _of_code(code: int) -> tuple[int, int]:
    if not code & 1:
        return code >> 1, 0
    pair = code >> 1
    both = (isqrt(8 * pair + 1) - 1) // 2
    feature = pair - both * (both + 1) // 2
    return both - feature, feature


def _of_number(number: int) -> tuple[Identity | None, int | None]:
    if not 0 <= number < _LIMIT:
        return None, None
    bits, unit = (_MS_BITS, _MS) if number & 1 else (_SECOND_BITS, _SECOND)
    code, time = number >> (bits + 1), number >> 1 & ((1 << bits) - 1)
    datastream, feature = _of_code(code)
    return Identity(datastream, time * unit, feature), None


def _of_text(text: str) -> tuple[Identity | None, int | None]:
    found = _TEXT.fullmatch(text)
    if found is None:
        return None, None
    datastream, time_us, feature = (int(part or 0) for part in found.groups()[:3])
    if max(abs(datastream), abs(time_us), abs(feature)) > _MAX_INT64:
        return None, None
    number = None if found[4] is None else int(found[4])
    if number is not None and number < SECOND:
        return None, None
    return Identity(datastream, time_us, feature), number


def _text(identity: Identity) -> str:
    text = f"{identity.datastream}-{identity.time_us}"
    return f"{text}-{identity.feature}" if identity.feature else text
