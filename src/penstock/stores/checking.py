"""Refuse what no store can keep, before anything is kept."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.errors import InvalidInput
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US, SCHEMA


def check_batch(batch: pa.RecordBatch) -> None:
    """Check that a batch is in `SCHEMA`.

    Raises:
        InvalidInput: Wrong columns, a null where none may be, or a time that cannot be kept.
    """
    if not batch.schema.equals(SCHEMA):
        msg = f"batch has columns {batch.schema.names} of other types than core.observation.SCHEMA"
        raise InvalidInput(msg)
    for name in ("datastream", "time", "feature"):
        if batch.column(name).null_count:
            msg = f"batch has nulls in {name!r}; every row needs one"
            raise InvalidInput(msg)
    if batch.num_rows:
        extent = pc.min_max(batch.column("time").cast(pa.int64())).as_py()
        if extent["min"] < MIN_TIME_US or extent["max"] >= MAX_TIME_US:
            found = f"{extent['min']} to {extent['max']} us"
            msg = f"batch has times from {found}; allowed are years 1 to 9999"
            raise InvalidInput(msg)


def check_width(width_us: int) -> None:
    """Check the width of a bucket.

    Raises:
        InvalidInput: It is not positive.
    """
    if width_us <= 0:
        msg = f"buckets of {width_us} us are not possible; the width must be at least 1"
        raise InvalidInput(msg)
