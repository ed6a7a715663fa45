"""Replays and devices that were deleted: what a device sent before that does not bring it back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from penstock.core.series import Series
from penstock.ingest.decoding import Part, Rejected, rows_of
from penstock.ingest.messages import Batch

#: When devices were deleted, by system and name, microseconds UTC.
Deleted: TypeAlias = Mapping[tuple[int, str], int]


def without_deleted(
    batch: Batch,
    parts: Sequence[Part],
    deleted: Deleted,
    describe: Callable[[str, Hashable], Series],
) -> tuple[list[Part], list[Rejected]]:
    """Leave out rows of devices that were deleted after their message arrived.

    Returns:
        What is left, without keys that have no row any more, and the messages left out.
    """
    kept: list[Part] = []
    rejected: dict[int, Rejected] = {}
    for part in parts:
        series = [_series(part, key, describe) for key in part.readings.keys]
        until_us = np.array(
            [deleted.get((one.system, one.thing), 0) if one else 0 for one in series], np.int64
        )
        late = batch.arrived_us[part.message] < until_us[part.readings.series]
        if not late.any():
            kept.append(part)
            continue
        for row in np.flatnonzero(late).tolist():
            message, one = int(part.message[row]), series[int(part.readings.series[row])]
            reason = f"device {'' if one is None else one.thing[:80]!r} was deleted after this came"
            rejected.setdefault(message, Rejected(message, part.codec, reason))
        rows = np.flatnonzero(~late)
        if len(rows):
            readings = rows_of(part.readings, rows)
            used, at = np.unique(readings.series, return_inverse=True)
            readings = replace(
                readings,
                keys=[readings.keys[key] for key in used.tolist()],
                series=at.astype(np.int32),
            )
            kept.append(Part(part.codec, readings, part.message[rows]))
    return kept, list(rejected.values())


def _series(
    part: Part, key: Hashable, describe: Callable[[str, Hashable], Series]
) -> Series | None:
    try:
        return describe(part.codec, key)
    except Exception:  # enrolment says what is wrong with it
        return None
