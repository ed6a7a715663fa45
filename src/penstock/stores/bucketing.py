"""Count, extremes, mean, first and last of numbers by bucket of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.store import BUCKETS
from penstock.stores.identities import Identities
from penstock.stores.selecting import Int64s, int64s

_TIME = pa.timestamp("us", tz="UTC")
#: What roll-ups keep of a bucket. Buckets that share none of their rows add up to wider ones;
#: time and feature of the first and last row tell which comes first.
PARTIAL = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("time", _TIME, nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("sum", pa.float64(), nullable=False),
        pa.field("min", pa.float64(), nullable=False),
        pa.field("max", pa.float64(), nullable=False),
        pa.field("first", pa.float64(), nullable=False),
        pa.field("last", pa.float64(), nullable=False),
        pa.field("first_time", _TIME, nullable=False),
        pa.field("last_time", _TIME, nullable=False),
        pa.field("first_feature", pa.int64(), nullable=False),
        pa.field("last_feature", pa.int64(), nullable=False),
    ]
)


def partials(rows: pa.Table, width_us: int) -> pa.Table:
    """Return `PARTIAL` of rows in `SCHEMA`, in any order, by (datastream, time)."""
    number, keys = rows["number"].to_numpy(), Identities.of(rows)
    is_nan = np.isnan(number)
    if is_nan.any():
        keep = np.flatnonzero(~is_nan)
        number, keys = number[keep], keys.take(keep)
    if not keys.is_sorted():
        order = keys.order()
        number, keys = number[order], keys.take(order)
    bucket = keys.time // width_us * width_us
    starts, ends = _groups(keys.datastream, bucket)
    if not len(starts):
        return PARTIAL.empty_table()
    return _table(
        keys.datastream[starts],
        bucket[starts],
        ends - starts,
        _sum(number, starts),
        np.minimum.reduceat(number, starts),
        np.maximum.reduceat(number, starts),
        number[starts],
        number[ends - 1],
        keys.time[starts],
        keys.time[ends - 1],
        keys.feature[starts],
        keys.feature[ends - 1],
    )


def combine(tables: list[pa.Table], width_us: int) -> pa.Table:
    """Return tables in `PARTIAL` as one in buckets of a multiple of their widths."""
    table = pa.concat_tables([PARTIAL.empty_table(), *tables])
    columns = {
        f.name: table[f.name].to_numpy() if f.type == pa.float64() else int64s(table[f.name])
        for f in PARTIAL
    }
    bucket = columns["time"] // width_us * width_us
    order = np.lexsort(
        (columns["first_feature"], columns["first_time"], bucket, columns["datastream"])
    )
    c: dict[str, Any] = {name: column[order] for name, column in columns.items()}
    bucket = bucket[order]
    starts, ends = _groups(c["datastream"], bucket)
    if not len(starts):
        return PARTIAL.empty_table()
    # Buckets of several files may overlap in time: the one that begins last need not end last.
    group = np.repeat(np.arange(len(starts)), ends - starts)
    last = np.lexsort((c["last_feature"], c["last_time"], group))[ends - 1]
    return _table(
        c["datastream"][starts],
        bucket[starts],
        np.add.reduceat(c["count"], starts),
        _sum(c["sum"], starts),
        np.minimum.reduceat(c["min"], starts),
        np.maximum.reduceat(c["max"], starts),
        c["first"][starts],
        c["last"][last],
        c["first_time"][starts],
        c["last_time"][last],
        c["first_feature"][starts],
        c["last_feature"][last],
    )


def finish(partial: pa.Table) -> pa.Table:
    """Return `PARTIAL` as `BUCKETS`."""
    with np.errstate(invalid="ignore"):
        mean = partial["sum"].to_numpy() / partial["count"].to_numpy()
    columns = [pa.array(mean) if f.name == "mean" else partial[f.name] for f in BUCKETS]
    return pa.Table.from_arrays(columns, schema=BUCKETS)


def _groups(datastream: Int64s, bucket: Int64s) -> tuple[Int64s, Int64s]:
    """Return where runs of equal (datastream, bucket) begin and end."""
    changes = (bucket[1:] != bucket[:-1]) | (datastream[1:] != datastream[:-1])
    starts = np.flatnonzero(np.append(True, changes)[: len(bucket)])
    return starts, np.append(starts[1:], len(bucket))[: len(starts)]


def _sum(number: npt.NDArray[np.float64], starts: Int64s) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):
        found: npt.NDArray[np.float64] = np.add.reduceat(number, starts)
    return found


def _table(*columns: npt.NDArray[np.int64] | npt.NDArray[np.float64]) -> pa.Table:
    arrays = [
        pa.array(column).view(_TIME) if field.type == _TIME else pa.array(column)
        for column, field in zip(columns, PARTIAL, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=PARTIAL)
