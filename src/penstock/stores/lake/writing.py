"""Write files of the lake: rows sorted by datastream and time, with what the manifest tells."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.stores.lake.encoding import file_schema, to_file, writer_options
from penstock.stores.lake.manifest import DataFile, sync_directory
from penstock.stores.selecting import Int64s, int64s

ROWS = "observations"


def partitions_of(time: Int64s) -> Int64s:
    """Return the partition of each time: months since 1970-01."""
    months = time.view("datetime64[us]").astype("datetime64[M]")
    found: Int64s = months.astype(np.int64)
    return found


def folder_of(partition: int) -> str:
    """Return the folder of a partition within the lake: `observations/2026-11`."""
    return f"{ROWS}/{np.datetime64(partition, 'M')}"


def split_by_partition(rows: pa.Table) -> list[tuple[int, pa.Table]]:
    """Return the rows of each partition, in the order given."""
    month = partitions_of(int64s(rows["time"]))
    if not len(month):
        return []
    if (month == month[0]).all():
        return [(int(month[0]), rows)]
    return [(int(m), rows.take(pa.array(np.flatnonzero(month == m)))) for m in np.unique(month)]


def write_file(
    directory: Path,
    path: str,
    parts: Iterable[pa.Table],
    *,
    row_group_rows: int,
    compression_level: int,
    in_ms: bool,
) -> DataFile:
    """Write rows in `SCHEMA`, sorted over all parts, as one file, durably.

    A part holds whole datastreams. On any error nothing is left behind.
    """
    target = directory / path
    is_new = not target.parent.is_dir()
    target.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    ids: list[int] = []
    times: list[int] = []
    schema = file_schema(in_ms=in_ms)
    try:
        with target.open("xb") as sink:
            with pq.ParquetWriter(sink, schema, **writer_options(compression_level)) as writer:
                for part in parts:
                    stored = to_file(part, schema)
                    writer.write_table(stored, row_group_size=row_group_rows)
                    rows += stored.num_rows
                    datastream, time = int64s(part["datastream"]), int64s(part["time"])
                    ids += [int(datastream[0]), int(datastream[-1])]
                    times += [int(time.min()), int(time.max())]
            sink.flush()
            os.fsync(sink.fileno())
            size = sink.tell()
        sync_directory(target.parent)
        if is_new:
            sync_directory(target.parent.parent)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return DataFile(
        path=path,
        rows=rows,
        bytes=size,
        first_us=min(times),
        last_us=max(times),
        first_datastream=min(ids),
        last_datastream=max(ids),
    )
