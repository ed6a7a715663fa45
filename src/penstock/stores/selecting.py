"""Apply a `Selection` to a table in `SCHEMA`: filter, order, page, limit."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.selection import Selection

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Before and after every time that can be kept.
NEVER = np.iinfo(np.int64).min
LATEST = np.iinfo(np.int64).max
#: Nulls that are kept at hand.
_NULLS = 131_072


def int64s(column: pa.ChunkedArray | pa.Array) -> Int64s:
    """Return an integer or timestamp column without nulls as a numpy array, copying if needed."""
    if column.type != pa.int64():
        if pa.types.is_timestamp(column.type) and column.type.unit != "us":
            column = column.cast(pa.timestamp("us", column.type.tz))
        column = column.cast(pa.int64())
    found: Int64s = column.to_numpy()
    return found


def is_chosen(
    selection: Selection, datastream: Int64s, time: Int64s, feature: Int64s | None
) -> Bools | None:
    """Return which rows a selection chooses, before its limit; None means all.

    `feature` None stands for all zero.
    """
    tests: list[Bools] = []
    if selection.datastreams is not None:
        tests.append(is_among(datastream, selection.datastreams))
    if selection.features is not None:
        if feature is None:
            feature = np.zeros(len(time), np.int64)
        tests.append(is_among(feature, selection.features))
    if selection.start_us is not None:
        tests.append(time >= selection.start_us)
    if selection.end_us is not None:
        tests.append(time < selection.end_us)
    if selection.after is not None:
        tests.append(_is_behind(selection, datastream, time, feature))
    if not tests:
        return None
    chosen = tests[0]
    for test in tests[1:]:
        chosen = chosen & test
    return chosen


def is_among(ids: Int64s, wanted: tuple[int, ...]) -> Bools:
    """Return which ids are among those wanted."""
    found: Bools = (
        ids == wanted[0] if len(wanted) == 1 else np.isin(ids, np.array(wanted, np.int64))
    )
    return found


def order(table: pa.Table, *, descending: bool = False, limit: int | None = None) -> pa.Table:
    """Return the table ordered by (time, datastream, feature), its first `limit` rows."""
    time, datastream = int64s(table["time"]), int64s(table["datastream"])
    feature = int64s(table["feature"])
    if limit is not None and 0 < limit < len(time) // 4:
        table = table.filter(pa.array(_is_near_the_start(time, limit, descending=descending)))
        return order(table, descending=descending).slice(0, limit)
    index = order_of_time(datastream, time, feature)
    if index is None and not descending:
        return table if limit is None else table.slice(0, limit)
    if index is None:
        index = np.arange(len(time))
    if descending:
        index = index[::-1]
    if limit is not None:
        index = index[:limit]
    return take(table, index)


def order_of_time(datastream: Int64s, time: Int64s, feature: Int64s) -> Int64s | None:
    """Return the stable order by (time, datastream, feature); None when they are in it.

    Rows mostly come nearly in order of time, which one sort finds out soon; few share a time.
    """
    index = np.arange(len(time))
    if not (is_sorted := bool((time[1:] >= time[:-1]).all())):
        index = np.argsort(time, kind="stable")
    ordered = time if is_sorted else time[index]
    same = ordered[1:] == ordered[:-1]
    if same.any():
        tied = np.append(same, False)
        tied[1:] |= same
        rows = index[tied]
        by = np.lexsort((feature[rows], datastream[rows], time[rows]))
        is_sorted &= bool((by[1:] > by[:-1]).all())
        index[tied] = rows[by]
    return None if is_sorted else index


def order_of_identity(datastream: Int64s, time: Int64s, feature: Int64s) -> Int64s:
    """Return the stable order by (datastream, time, feature)."""
    index = np.argsort(time, kind="stable")
    index = index[sort_by(datastream[index])]
    if feature.any():
        series, at = datastream[index], time[index]
        same = (series[1:] == series[:-1]) & (at[1:] == at[:-1])
        if same.any():
            tied = np.append(same, False)
            tied[1:] |= same
            rows = index[tied]
            by = np.lexsort((feature[rows], time[rows], datastream[rows]))
            index[tied] = rows[by]
    return index


@functools.cache
def _some_nulls(kind: pa.DataType) -> pa.Array:
    return pa.nulls(_NULLS, kind)


def nulls(rows: int, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column without any value; all of them share their memory."""
    whole, rest = divmod(rows, _NULLS)
    some = _some_nulls(kind)
    return pa.chunked_array([*[some] * whole, some.slice(0, rest)], kind)


def cuts(datastream: Int64s, most: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of runs of whole datastreams, of up to `most` rows each.

    The ids are sorted. A datastream with more rows is a run of its own.
    """
    ends = np.append(np.flatnonzero(datastream[1:] != datastream[:-1]) + 1, len(datastream))
    at = 0
    while at < len(datastream):
        fitting = int(np.searchsorted(ends, at + most, "right")) - 1
        if fitting < 0 or ends[fitting] <= at:
            fitting += 1
        yield at, int(ends[fitting])
        at = int(ends[fitting])


def take(table: pa.Table, index: Int64s) -> pa.Table:
    """Return rows by index; columns without any value, which most are, cost nothing."""
    chosen = pa.array(index)
    columns = [
        nulls(len(index), column.type) if column.null_count == len(column) else column.take(chosen)
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _is_near_the_start(time: Int64s, limit: int, *, descending: bool) -> Bools:
    near: Bools
    if descending:
        near = time >= np.partition(time, len(time) - limit)[len(time) - limit]
    else:
        near = time <= np.partition(time, limit - 1)[limit - 1]
    return near


def _is_behind(
    selection: Selection, datastream: Int64s, time: Int64s, feature: Int64s | None
) -> Bools:
    after = selection.after
    assert after is not None
    if feature is None:
        feature = np.zeros(len(time), np.int64)
    same_time, same = time == after.time_us, datastream == after.datastream
    behind: Bools
    if selection.descending:
        behind = (time < after.time_us) | (same_time & (datastream < after.datastream))
        behind |= same_time & same & (feature < after.feature)
    else:
        behind = (time > after.time_us) | (same_time & (datastream > after.datastream))
        behind |= same_time & same & (feature > after.feature)
    return behind


def sort_by(datastream: Int64s) -> Int64s:
    """Return the stable order by datastream; ids that lie close together sort much faster."""
    if not len(datastream):
        return np.zeros(0, np.int64)
    low, high = int(datastream.min()), int(datastream.max())
    if high - low < 1 << 16:
        small = np.empty(len(datastream), np.uint16)
        np.subtract(datastream, low, out=small, casting="unsafe")
        return np.argsort(small, kind="stable")
    return np.argsort(datastream, kind="stable")
