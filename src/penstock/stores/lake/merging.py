"""Stream the rows of sorted files through a change, a slice of datastreams at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from penstock.stores.identities import Identities
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.reading import Reader
from penstock.stores.selecting import cuts, int64s, sort_by, take

#: Rows that a slice holds, unless one datastream alone has more: bounds the memory of a merge.
SLICE_ROWS = 500_000
#: Rows that are sorted at a time, unless one datastream alone has more.
SORTED_ROWS = 131_072
#: Changes the rows of a slice, given its first and last datastream.
Change = Callable[[pa.Table, int, int], pa.Table]


def merged(
    reader: Reader, files: Sequence[DataFile], change: Change | None = None
) -> Iterator[pa.Table]:
    """Yield the rows of all files by (datastream, time, feature), whole datastreams at a time."""
    walks = [reader.walk(file) for file in files]
    try:
        for first, last in slices(reader, files):
            rows = pa.concat_tables([walk.until(last) for walk in walks])
            if change is not None:
                rows = change(rows, first, last)
            if rows.num_rows:
                yield by_identity(rows)
    finally:
        for walk in walks:
            walk.close()


def slices(reader: Reader, files: Sequence[DataFile]) -> Iterator[tuple[int, int]]:
    """Yield ranges of datastreams, both ends inclusive, that cover everything."""
    groups = sorted(group for file in files for group in reader.row_groups(file))
    first, rows, end = groups[0][0], 0, max(last for _, last, _ in groups)
    for low, _, count in groups:
        if rows >= SLICE_ROWS and low > first:
            yield first, low - 1
            first, rows = low, 0
        rows += count
    yield first, end


def by_identity(rows: pa.Table) -> pa.Table:
    """Return the rows ordered by (datastream, time, feature)."""
    datastream = int64s(rows["datastream"])
    if (datastream[1:] >= datastream[:-1]).all():
        keys = Identities.of(rows)
        return rows if keys.is_sorted() else take(rows, keys.order())
    # By datastream first. Then a few datastreams at a time, in memory that is used again.
    order = sort_by(datastream)
    rows = pa.table([_in_one_piece(column) for column in rows.columns], schema=rows.schema)
    parts = []
    for start, end in cuts(datastream[order], SORTED_ROWS):
        part = take(rows, order[start:end])
        keys = Identities.of(part)
        # Rows mostly came in order of time.
        parts.append(part if keys.is_sorted() else take(part, keys.order()))
    return pa.concat_tables(parts)


def _in_one_piece(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as rows are best taken from it; without any value it is not looked at."""
    return column if column.null_count == len(column) else column.combine_chunks()
