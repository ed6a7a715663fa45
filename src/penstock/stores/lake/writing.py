"""Write files of the lake: rows sorted by datastream and time, with what the manifest tells."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US, SCHEMA
from penstock.stores.lake.encoding import file_schema, to_file, writer_options
from penstock.stores.lake.manifest import DataFile, sync_directory
from penstock.stores.lake.rollup import RollupBuilder, write_rollup
from penstock.stores.selecting import Int64s, cuts, int64s

ROWS = "observations"
ROLLUPS = "rollups"
#: Datastreams of a row group, where they have so many rows that its size may follow them.
_SERIES = 8


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
    time = int64s(rows["time"])
    if not len(time):
        return []
    first, last = partitions_of(np.array([time.min(), time.max()])).tolist()
    if first == last:
        return [(first, rows)]
    month = partitions_of(time)
    return [(int(m), rows.take(pa.array(np.flatnonzero(month == m)))) for m in np.unique(month)]


def pieces(parts: Iterable[pa.Table], least: int, most: int) -> Iterator[pa.Table]:
    """Cut rows into pieces of whole datastreams, of up to `most` rows.

    A datastream with more rows is a piece of its own. So one datastream is found in one row group,
    and what is worked out of a piece stays in the processor's cache. Where datastreams have few
    rows, pieces are smaller, but not below `least`: much less is read then to find one of them.

    Args:
        parts: Rows sorted over all parts; a part holds whole datastreams.
        least: Rows that a piece may always have.
        most: Rows of a piece.
    """
    rest = SCHEMA.empty_table()
    for part in parts:
        rows = pa.concat_tables([rest, part]) if rest.num_rows else part
        rest = rows.slice(0, 0)
        datastream = int64s(rows["datastream"])
        series = 1 + np.count_nonzero(datastream[1:] != datastream[:-1])
        size = min(max(_SERIES * rows.num_rows // series, least), most)
        for start, end in cuts(datastream, size):
            if end == rows.num_rows and end - start <= size:
                rest = rows.slice(start)
            else:
                yield rows.slice(start, end - start)
    if rest.num_rows:
        yield rest


def rollup_path(path: str) -> str:
    """Return where the roll-up of a file of rows belongs."""
    return ROLLUPS + path.removeprefix(ROWS)


@dataclass(slots=True)
class _Extent:
    """What the manifest tells of a file, gathered while it is written."""

    rows: int = 0
    first_us: int = MAX_TIME_US
    last_us: int = MIN_TIME_US
    first_datastream: int | None = None
    last_datastream: int = 0
    values: Counter[str] = field(default_factory=Counter)

    def add(self, stored: pa.Table, rows: pa.Table) -> None:
        """Take in the next rows."""
        datastream, time = int64s(rows["datastream"]), int64s(rows["time"])
        self.rows += len(time)
        self.first_us = min(self.first_us, int(time.min()))
        self.last_us = max(self.last_us, int(time.max()))
        if self.first_datastream is None:
            self.first_datastream = int(datastream[0])
        self.last_datastream = int(datastream[-1])
        for name in stored.column_names:
            self.values[name] += len(time) - stored[name].null_count


def write_file(
    directory: Path,
    path: str,
    parts: Iterable[pa.Table],
    *,
    least_group_rows: int,
    row_group_rows: int,
    compression_level: int,
    in_ms: bool,
) -> DataFile:
    """Write rows in `SCHEMA`, sorted over all parts, as one file, durably, with its roll-up.

    A part holds whole datastreams. After an error the caller removes what is there.
    """
    target = directory / path
    _make_folder(target.parent)
    schema, extent, rollup = file_schema(in_ms=in_ms), _Extent(), RollupBuilder()
    with target.open("xb") as sink:
        with pq.ParquetWriter(sink, schema, **writer_options(compression_level)) as writer:
            for piece in pieces(parts, least_group_rows, row_group_rows):
                stored = to_file(piece, schema)
                # Row groups of one size, rather than a small one at the end.
                groups = -(-piece.num_rows // row_group_rows)
                writer.write_table(stored, row_group_size=-(-piece.num_rows // groups))
                extent.add(stored, piece)
                rollup.add(piece)
        sync_file(sink)
        size = sink.tell()
    sync_directory(target.parent)
    file = DataFile(
        path=path,
        rows=extent.rows,
        bytes=size,
        first_us=extent.first_us,
        last_us=extent.last_us,
        first_datastream=extent.first_datastream or 0,
        last_datastream=extent.last_datastream,
        empty=tuple(name for name in schema.names if not extent.values[name]),
    )
    return _with_rollup(directory, file, rollup)


def _with_rollup(directory: Path, file: DataFile, rollup: RollupBuilder) -> DataFile:
    found = rollup.finish()
    if found is None:
        return file
    table, width_us = found
    path = rollup_path(file.path)
    size = write_rollup_file(directory, path, table)
    return msgspec.structs.replace(file, rollup=path, rollup_bytes=size, rollup_width_us=width_us)


def write_rollup_file(directory: Path, path: str, table: pa.Table) -> int:
    """Write a roll-up, durably, and return its bytes."""
    target = directory / path
    _make_folder(target.parent)
    with target.open("xb") as sink:
        write_rollup(sink, table)
        sync_file(sink)
        size = sink.tell()
    sync_directory(target.parent)
    return size


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        sync_directory(folder.parent)
        sync_directory(folder.parent.parent)


def sync_file(file: IO[bytes]) -> None:
    """Make what was written durable."""
    file.flush()
    os.fsync(file.fileno())
