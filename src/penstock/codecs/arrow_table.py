"""Reads the rows of one Arrow IPC stream; the columns are described in `arrow`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.codecs.columns import name_problem
from penstock.codecs.joined import JoinedJson
from penstock.codecs.time_columns import from_zone
from penstock.codecs.timestamps import zone_offset_us
from penstock.core.codec import Floats, Int32s, Int64s
from penstock.core.errors import CannotDecode
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.core.series import ObservationType

_EXPECTS = (
    "an Arrow IPC stream with the columns thing and name (or datastream), time, and number or text"
)
#: What pyarrow raises for bytes that are no stream, or whose parts do not fit together.
_BAD_ARROW = (pa.ArrowException, OSError, MemoryError, ValueError, TypeError, KeyError)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_NUMERIC = {ObservationType.MEASUREMENT, ObservationType.COUNT, ObservationType.TRUTH}
_OBJECTS = JoinedJson(dict[str, object], "a JSON object in each row of parameters")


class ArrowKey(NamedTuple):
    """What tells the series of a stream apart; a column left out or null is None."""

    datastream: int | None = None
    thing: str | None = None
    name: str | None = None
    unit: str | None = None
    observed_property: str | None = None
    observation_type: str | None = None
    sensor: str | None = None
    longitude: float | None = None
    latitude: float | None = None


_TYPES = {
    "datastream": pa.int64(),
    **dict.fromkeys(ArrowKey._fields[1:7], pa.string()),
    "longitude": pa.float64(),
    "latitude": pa.float64(),
    "number": pa.float64(),
    "text": pa.string(),
    "feature": pa.int64(),
    "parameters": pa.string(),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one stream, as in `Readings`; `codes` points into `keys`."""

    keys: Sequence[ArrowKey]
    codes: Int32s
    time_us: Int64s
    number: Floats
    text: pa.Array | None
    feature: Int64s
    end_time_us: pa.Array | None
    result_time_us: pa.Array | None
    parameters: pa.Array | None


def read_rows(payload: bytes, arrived_us: int, zone: tzinfo) -> Rows:
    """Return the rows of a stream.

    Raises:
        CannotDecode: It is not an Arrow stream, or a column or a value is wrong.
    """
    if not payload:
        raise CannotDecode(f"the payload is empty; expected {_EXPECTS}")
    try:
        return _read(_open(payload), arrived_us, zone)
    except _BAD_ARROW as problem:
        what = " ".join(str(problem).split())[:200]
        raise CannotDecode(f"not an Arrow IPC stream: {what}; expected {_EXPECTS}") from None


def _read(columns: dict[str, pa.Array], arrived_us: int, zone: tzinfo) -> Rows:
    rows = len(next(iter(columns.values()))) if columns else 0
    number, text = _results(columns)
    if columns.get("time") is None:
        time_us = np.full(rows, arrived_us)
    else:
        time_us = _times("time", columns["time"], zone, arrived_us)
    keys, codes = _series(columns, text)
    feature = pc.fill_null(columns["feature"], 0) if "feature" in columns else None
    if feature is not None and rows and pc.min(feature).as_py() < 0:
        raise CannotDecode("feature is negative; 0 or a positive id is allowed")
    return Rows(
        keys=keys,
        codes=codes,
        time_us=time_us,
        number=number,
        text=text,
        feature=np.zeros(rows, np.int64) if feature is None else feature.to_numpy(),
        end_time_us=_optional_times("end_time", columns, zone),
        result_time_us=_optional_times("result_time", columns, zone),
        parameters=_objects(columns.get("parameters")),
    )


def _open(payload: bytes) -> dict[str, pa.Array]:
    """Return the columns, each in one piece and of the type expected."""
    table = pa.ipc.open_stream(payload).read_all()
    table.validate(full=True)
    names = table.column_names
    unknown = set(names) - _TYPES.keys() - {"time", "end_time", "result_time"}
    if unknown or len(set(names)) < len(names):
        extra = ", ".join(sorted(unknown)[:5])[:100] or "one twice"
        raise CannotDecode(f"columns that are not known: {extra}; expected {_EXPECTS}")
    columns = {}
    for name in names:
        column = table.column(name).combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
        columns[name] = _cast(name, column)
    named = "datastream" in columns or ("thing" in columns and "name" in columns)
    if not named or not ("number" in columns or "text" in columns):
        raise CannotDecode(f"columns are missing; expected {_EXPECTS}")
    return columns


def _cast(name: str, column: pa.Array) -> pa.Array:
    wanted = _TYPES.get(name)
    given = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if wanted is None:
        if pa.types.is_timestamp(given):
            return column
        wanted = pa.int64()
    if pa.types.is_string(wanted):
        fits = pa.types.is_string(given) or pa.types.is_large_string(given)
        fits = fits or pa.types.is_string_view(given)
    else:
        fits = pa.types.is_integer(given)
        if pa.types.is_floating(wanted):
            fits = fits or pa.types.is_floating(given) or pa.types.is_boolean(given)
            fits = fits or pa.types.is_decimal(given)
    if not fits and not pa.types.is_null(given):
        kind = "time" if name not in _TYPES else str(wanted)
        raise CannotDecode(f"column {name} is {column.type}; expected {kind}")
    if name == "number" and pa.types.is_boolean(given):
        return column.cast(pa.bool_())
    try:
        return column.cast(wanted, safe=pa.types.is_integer(wanted))
    except _BAD_ARROW as problem:
        raise CannotDecode(f"column {name}: {' '.join(str(problem).split())[:200]}") from None


def _results(columns: dict[str, pa.Array]) -> tuple[Floats, pa.Array | None]:
    rows = len(next(iter(columns.values())))
    given = columns.get("number")
    if given is None:
        number = np.full(rows, np.nan)
    else:
        number = given.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if np.isinf(number).any():
        raise CannotDecode("number is infinite; finite numbers are allowed")
    text = columns.get("text")
    is_text: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = np.zeros(rows, np.bool_)
    if text is not None and text.null_count < rows:
        is_text = text.is_valid().to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(np.isnan(number) != is_text)
    if len(wrong):
        raise CannotDecode(
            f"row {wrong[0]} has both number and text, or neither; each row needs one of them"
        )
    return number, text if is_text.any() else None


def _times(name: str, column: pa.Array, zone: tzinfo, missing_us: int) -> Int64s:
    local = pa.types.is_timestamp(column.type) and column.type.tz is None
    per_second = _PER_SECOND[column.type.unit] if pa.types.is_timestamp(column.type) else 1_000_000
    filler = missing_us * per_second // 1_000_000
    ticks = np.asarray(pc.fill_null(column.cast(pa.int64()), filler), np.int64)
    low, high = (limit * per_second // 1_000_000 for limit in (MIN_TIME_US, MAX_TIME_US))
    if len(ticks) and (int(ticks.min()) < low or int(ticks.max()) >= high):
        raise CannotDecode(f"column {name} has a time outside the years 1 to 9999")
    scale = 1_000_000 // per_second
    times = ticks * scale if scale else ticks // (per_second // 1_000_000)
    if local and zone is not UTC:
        utc, certain = from_zone(times, zone)
        rest = np.flatnonzero(~np.broadcast_to(np.asarray(certain), times.shape))
        utc = np.array(utc)
        utc[rest] = [at - zone_offset_us(at, zone) for at in times[rest].tolist()]
        times = utc
        if len(times) and not (times.min() >= MIN_TIME_US and times.max() < MAX_TIME_US):
            raise CannotDecode(f"column {name} has a time outside the years 1 to 9999")
    if column.null_count:
        times[column.is_null().to_numpy(zero_copy_only=False)] = missing_us
    return times


def _optional_times(name: str, columns: dict[str, pa.Array], zone: tzinfo) -> pa.Array | None:
    column = columns.get(name)
    if column is None or column.null_count == len(column):
        return None
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    return pa.array(_times(name, column, zone, 0), pa.int64(), mask=nulls)


def _objects(column: pa.Array | None) -> pa.Array | None:
    if column is None or column.null_count == len(column):
        return None
    values = [value.encode() for value in column.drop_null().to_pylist()]
    if failures := _OBJECTS.decode(values).failures:
        raise CannotDecode(f"column parameters: {failures[0].reason}")
    return column


def _series(columns: dict[str, pa.Array], text: pa.Array | None) -> tuple[list[ArrowKey], Int32s]:
    """Return the distinct keys and which one each row has."""
    parts = {name: columns[name] for name in ArrowKey._fields if name in columns}
    rows = len(next(iter(columns.values())))
    if "datastream" in parts:
        parts = {"datastream": parts["datastream"]}
    else:
        parts["observation_type"] = _types(columns, text, rows)
    codes = np.zeros(rows, np.int32)
    found: list[dict[str, object]] = [{}]
    for name, column in parts.items():
        encoded = column.dictionary_encode(null_encoding="encode")
        values = encoded.dictionary.to_pylist()
        own = encoded.indices.to_numpy()
        pairs = pa.array(codes.astype(np.int64) * len(values) + own).dictionary_encode()
        codes = pairs.indices.to_numpy()
        found = [
            found[pair // len(values)] | {name: values[pair % len(values)]}
            for pair in pairs.dictionary.to_pylist()
        ]
    keys = [ArrowKey(**part) for part in found] if rows else []  # type: ignore[arg-type]
    for key in keys:
        _check(key)
    return keys, codes


def _types(columns: dict[str, pa.Array], text: pa.Array | None, rows: int) -> pa.Array:
    truths = "number" in columns and pa.types.is_boolean(columns["number"].type)
    number = ObservationType.TRUTH if truths else ObservationType.MEASUREMENT
    if text is None:
        implied = pa.repeat(pa.scalar(str(number)), rows)
    else:
        implied = pc.if_else(text.is_valid(), str(ObservationType.CATEGORY), str(number))
    stated = columns.get("observation_type")
    if stated is None:
        return implied
    numeric = pc.is_in(stated, pa.array([str(kind) for kind in _NUMERIC]))
    if text is not None and pc.any(pc.and_(numeric, text.is_valid())).as_py():
        raise CannotDecode("a row has a text, but its observation_type is a number's")
    return pc.coalesce(stated, implied)


def _check(key: ArrowKey) -> None:
    if key.datastream is not None:
        if key.datastream < 1:
            raise CannotDecode(f"datastream {key.datastream} is not a positive id")
        return
    problem = name_problem("thing", key.thing or "") or name_problem("name", key.name or "")
    if problem:
        raise CannotDecode(problem)
    if key.observation_type not in set(ObservationType):
        allowed = ", ".join(ObservationType)
        shown = (key.observation_type or "")[:60]
        raise CannotDecode(f"observation_type {shown!r} is not known; allowed are {allowed}")
    for what, value, limit in (("longitude", key.longitude, 180), ("latitude", key.latitude, 90)):
        if value is not None and not abs(value) <= limit:
            raise CannotDecode(f"{what} {value} is not within {-limit} and {limit} degrees")
