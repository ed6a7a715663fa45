"""Features of interest that messages describe in place become those of the catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.codec import Int64s
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.ingest.decoding import Part
from penstock.ingest.tenancy import Owned

#: Member of `parameters` that says what the feature is while the catalog has none.
MEMBER = "FeatureOfInterest"
#: Descriptions in their systems.
_Described = tuple[int, str]


class Described:
    """Puts ids of features in the place of descriptions. Safe to call again for the same messages.

    Args:
        ask: Finds or creates features; see `Catalog.describe_features`.
        max_features: Features remembered.
    """

    def __init__(
        self, ask: Callable[[Sequence[_Described]], Sequence[int]], *, max_features: int
    ) -> None:
        self._ask = ask
        self._max_features = max_features
        self._ids: dict[_Described, int] = {}

    def forget(self) -> None:
        """Ask the catalog again for every feature."""
        self._ids.clear()

    def resolve(self, parts: Sequence[Part], ids: Sequence[Int64s]) -> list[Part]:
        """Return what codecs read with the features of the catalog.

        Args:
            parts: What codecs read.
            ids: Datastream of each row; rows without one describe nothing.
        """
        wanted: dict[int, dict[int, _Described]] = {}
        for at, (part, rows) in enumerate(zip(parts, ids, strict=True)):
            if part.readings.described:
                wanted[at] = _rows(part, rows)
        if not wanted:
            return list(parts)
        self._learn({one for told in wanted.values() for one in told.values()})
        found = list(parts)
        for at, told in wanted.items():
            known = {row: id_ for row, one in told.items() if (id_ := self._ids[one])}
            if known:
                found[at] = _with_features(parts[at], known)
        return found

    def _learn(self, wanted: set[_Described]) -> None:
        if len(self._ids) + len(wanted) > self._max_features:
            self._ids.clear()
        new = sorted(wanted - self._ids.keys())
        if new:
            self._ids.update(zip(new, self._ask(new), strict=True))


def _rows(part: Part, ids: Int64s) -> dict[int, _Described]:
    """Return what rows that are kept describe."""
    readings = part.readings
    is_told = np.isin(readings.message, np.fromiter(readings.described, np.int64))
    found: dict[int, _Described] = {}
    for row in np.flatnonzero(is_told & (ids != 0)).tolist():
        key = readings.keys[int(readings.series[row])]
        system = key.system if isinstance(key, Owned) else DEFAULT_SYSTEM
        found[row] = (system, readings.described[int(readings.message[row])])
    return found


def _with_features(part: Part, known: dict[int, int]) -> Part:
    readings = part.readings
    assert readings.feature is not None
    assert readings.parameters is not None
    feature, parameters = readings.feature.copy(), readings.parameters.to_pylist()
    for row, id_ in known.items():
        feature[row] = id_
        rest = msgspec.json.decode(parameters[row])
        del rest[MEMBER]
        parameters[row] = msgspec.json.encode(rest).decode() if rest else None
    held = pa.array(parameters, pa.string())
    return replace(part, readings=replace(readings, feature=feature, parameters=held))
