"""Puts the columns of `Readings` together."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

import numpy as np
import pyarrow as pa

from penstock.core.codec import Failure, Floats, Int32s, Readings

#: Longest name of a Thing or Datastream, in characters (`core.series.Series`).
MAX_NAME = 255


def name_problem(what: str, name: str, longest: int = MAX_NAME) -> str | None:
    """Return why `name` cannot name a Thing or Datastream, or None when it can."""
    if not name.strip():
        return f"{what} is empty; it needs 1 to {longest} characters"
    if len(name) > longest:
        return f"{what} has {len(name)} characters; at most {longest} are allowed"
    return None


def all_messages(count: int, messages: Sequence[int] | None) -> Int32s:
    """Return message numbers as a column; None means 0 to `count`."""
    if messages is None:
        return np.arange(count, dtype=np.int32)
    return np.array(messages, np.int32)


def nothing(failures: Sequence[Failure] = ()) -> Readings:
    """Return readings without a row."""
    return Readings(
        keys=(),
        series=np.zeros(0, np.int32),
        time_us=np.zeros(0, np.int64),
        number=np.zeros(0, np.float64),
        message=np.zeros(0, np.int32),
        failures=failures,
    )


def floats(numbers: Sequence[float]) -> tuple[Floats, list[int]]:
    """Return numbers as floats, and the rows whose integer is too large to be one."""
    try:
        return np.array(numbers, np.float64), []
    except OverflowError:
        wrong = []
        fitting = []
        for row, number in enumerate(numbers):
            try:
                fitting.append(float(number))
            except OverflowError:
                fitting.append(0.0)
                wrong.append(row)
        return np.array(fitting, np.float64), wrong


def without(readings: Readings, failures: Sequence[Failure]) -> Readings:
    """Return readings without any row of the messages that failed; keys not used fall away.

    Of several failures of one message the first is kept.
    """
    if not failures:
        return readings
    reasons: dict[int, Failure] = {}
    for failure in (*readings.failures, *failures):
        reasons.setdefault(failure.message, failure)
    keep = ~np.isin(readings.message, np.fromiter(reasons, np.int32))
    used, series = np.unique(readings.series[keep], return_inverse=True)
    mask = pa.array(keep)
    keys: list[Hashable] = [readings.keys[key] for key in used.tolist()]
    return dataclasses.replace(
        readings,
        keys=keys,
        series=series.astype(np.int32).reshape(-1),
        time_us=readings.time_us[keep],
        number=readings.number[keep],
        message=readings.message[keep],
        feature=None if readings.feature is None else readings.feature[keep],
        place=None if readings.place is None else readings.place[keep],
        failures=[reasons[message] for message in sorted(reasons)],
        **{
            name: column.filter(mask)
            for name in ("text", "end_time_us", "result_time_us", "parameters")
            if (column := getattr(readings, name)) is not None
        },
    )
