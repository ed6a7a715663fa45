"""How rows are cut into pieces, and sorted piece by piece."""

from itertools import chain

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.observation import observations
from penstock.stores.lake import merging
from penstock.stores.lake.merging import by_identity
from penstock.stores.lake.writing import pieces
from penstock.stores.selecting import cuts


def table_of(ids: list[int], times: list[int] | None = None) -> pa.Table:
    times = list(range(len(ids))) if times is None else times
    return pa.Table.from_batches([observations(ids, times, [float(t) for t in times])])


sorted_ids = st.lists(st.integers(0, 9), max_size=60).map(sorted)


@given(sorted_ids, st.integers(1, 20))
def test_cuts_cover_all_rows_in_runs_of_whole_datastreams(ids: list[int], most: int) -> None:
    found = list(cuts(np.array(ids, np.int64), most))
    assert [row for start, end in found for row in range(start, end)] == list(range(len(ids)))
    for start, end in found:
        assert end - start <= most or len(set(ids[start:end])) == 1
        assert end == len(ids) or ids[end - 1] != ids[end]


@given(st.lists(st.lists(st.integers(0, 3), max_size=30), max_size=5), st.integers(1, 20))
def test_pieces_hold_whole_datastreams_of_all_parts(parts: list[list[int]], most: int) -> None:
    tables = [table_of(sorted(10 * n + i for i in part)) for n, part in enumerate(parts)]
    found = [piece["datastream"].to_pylist() for piece in pieces(tables, most, most)]
    assert list(chain(*found)) == [i for table in tables for i in table["datastream"].to_pylist()]
    seen: set[int] = set()
    for ids in found:
        assert ids
        assert len(ids) <= most or len(set(ids)) == 1
        assert seen.isdisjoint(ids)
        seen.update(ids)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), unique=True, max_size=80),
    st.integers(1, 30),
)
def test_sorting_a_few_datastreams_at_a_time_sorts_all(
    rows: list[tuple[int, int]], at_a_time: int
) -> None:
    before, merging.SORTED_ROWS = merging.SORTED_ROWS, at_a_time
    try:
        found = by_identity(table_of([ds for ds, _ in rows], [time for _, time in rows]))
    finally:
        merging.SORTED_ROWS = before
    expected = table_of([ds for ds, _ in sorted(rows)], [time for _, time in sorted(rows)])
    assert found.combine_chunks().equals(expected.combine_chunks())
