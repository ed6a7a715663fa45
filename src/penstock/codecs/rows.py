"""Rows one by one, for the payload families where each row may be different."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.codec import Failure, Floats, Readings
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType


class Result(NamedTuple):
    """A result as it is stored, and its kind."""

    number: float
    text: str | None
    kind: ObservationType


class Row(NamedTuple):
    """One result and where it belongs; the columns of `Readings`."""

    key: Hashable
    time_us: int
    number: float
    text: str | None = None
    feature: int = 0
    end_time_us: int | None = None
    result_time_us: int | None = None
    parameters: str | None = None
    place: tuple[float, float] | None = None


def result_of(value: object, what: str = "result") -> Result:
    """Return how a JSON value is stored.

    Raises:
        CannotDecode: There is no value, or it is too large for a number.
    """
    if isinstance(value, bool):
        return Result(float(value), None, ObservationType.TRUTH)
    if isinstance(value, (int, float)):
        try:
            return Result(float(value), None, ObservationType.MEASUREMENT)
        except OverflowError:
            raise CannotDecode(f"{what} is too large a number; up to 1.8e308 is allowed") from None
    if isinstance(value, str):
        return Result(math.nan, value, ObservationType.CATEGORY)
    if value is None:
        raise CannotDecode(f"{what} is missing; it can be a number, true, false, text or JSON")
    return Result(math.nan, json_text(value), ObservationType.COMPLEX)


def json_text(value: object, *, ordered: bool = False) -> str:
    """Return a value as compact JSON; `ordered` sorts the members of objects.

    Raises:
        CannotDecode: It cannot be written as JSON again.
    """
    try:
        return msgspec.json.encode(value, order="deterministic" if ordered else None).decode()
    except (RecursionError, OverflowError):
        reason = "a value is nested too deeply, or is an integer of more than 64 bits"
        raise CannotDecode(reason) from None


def read_each(
    numbers: Sequence[int], read: Callable[[int], Sequence[Row]], failures: Sequence[Failure]
) -> Readings:
    """Return the rows that `read` gives for each message number.

    Args:
        numbers: The messages to read, ascending.
        read: Gives the rows of one message; raises `CannotDecode` when it is wrong.
        failures: Of other messages.
    """
    rows: list[Row] = []
    message: list[int] = []
    failed = list(failures)
    for number in numbers:
        try:
            found = read(number)
        except CannotDecode as problem:
            failed.append(Failure(number, str(problem)))
            continue
        rows += found
        message += [number] * len(found)
    failed.sort(key=lambda failure: failure.message)
    return _columns(rows, message, failed)


def _columns(rows: Sequence[Row], message: Sequence[int], failures: Sequence[Failure]) -> Readings:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(Row._fields)
    keys, times, numbers, texts, features, ends, result_times, parameters, places = columns
    index = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    return Readings(
        keys=list(index),
        series=np.array([index[key] for key in keys], np.int32),
        time_us=np.array(times, np.int64),
        number=np.array(numbers, np.float64),
        message=np.array(message, np.int32),
        text=_optional(texts, pa.string()),
        feature=np.array(features, np.int64) if any(features) else None,
        end_time_us=_optional(ends, pa.int64()),
        result_time_us=_optional(result_times, pa.int64()),
        parameters=_optional(parameters, pa.string()),
        place=_places(places),
        failures=failures,
    )


def _optional(values: Sequence[object], kind: pa.DataType) -> pa.Array | None:
    if all(value is None for value in values):
        return None
    return pa.array(values, kind)


def _places(places: Sequence[tuple[float, float] | None]) -> Floats | None:
    if all(place is None for place in places):
        return None
    return np.array([place or (math.nan, math.nan) for place in places])
