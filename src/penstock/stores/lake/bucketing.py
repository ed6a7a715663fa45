"""Count, extremes, mean, first and last of numbers by bucket of time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.core.store import BUCKETS
from penstock.stores.lake.late import Identities

#: What roll-ups keep of a bucket; buckets of narrower ones add up to wider ones.
PARTIAL = pa.schema(
    [
        pa.field("datastream", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("sum", pa.float64(), nullable=False),
        pa.field("min", pa.float64(), nullable=False),
        pa.field("max", pa.float64(), nullable=False),
        pa.field("first", pa.float64(), nullable=False),
        pa.field("last", pa.float64(), nullable=False),
        pa.field("first_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("last_time", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


def aggregate(rows: pa.Table, width_us: int) -> pa.Table:
    """Return `BUCKETS` of rows in `SCHEMA`, in any order."""
    keys = Identities.of(rows)
    number = rows["number"].to_numpy()
    order = keys.order()
    order = order[~np.isnan(number[order])]
    number, keys = number[order], keys.take(order)
    bucket = keys.time // width_us * width_us
    is_start = np.append(
        True, (bucket[1:] != bucket[:-1]) | (keys.datastream[1:] != keys.datastream[:-1])
    )[: len(order)]
    starts = np.flatnonzero(is_start)
    if not len(starts):
        return BUCKETS.empty_table()
    ends = np.append(starts[1:], len(order))
    count = ends - starts
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.add.reduceat(number, starts) / count
    columns = [
        keys.datastream[starts],
        pa.array(bucket[starts]).view(BUCKETS.field("time").type),
        count,
        np.minimum.reduceat(number, starts),
        np.maximum.reduceat(number, starts),
        mean,
        number[starts],
        number[ends - 1],
    ]
    arrays = [pa.array(c) if isinstance(c, np.ndarray) else c for c in columns]
    return pa.Table.from_arrays(arrays, schema=BUCKETS)
