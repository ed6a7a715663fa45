"""Rows are put in order by way of what they mostly are: nearly in order of time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores.selecting import order_of_identity, order_of_time

ROWS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 1 << 40]), st.integers(-3, 12), st.integers(0, 2)),
    max_size=40,
)


@given(ROWS, st.booleans(), st.booleans())
def test_both_orders_are_those_of_a_stable_sort_by_all_keys(
    rows: list[tuple[int, int, int]], has_features: bool, is_by_time: bool
) -> None:
    if is_by_time:
        rows = sorted(rows, key=lambda row: row[1])
    datastream, time, feature = (np.array([r[n] for r in rows], np.int64) for n in range(3))
    if not has_features:
        feature[:] = 0
    wanted = np.lexsort((feature, datastream, time)).tolist()
    found = order_of_time(datastream, time, feature)
    assert (found is None) == (wanted == list(range(len(rows))))
    assert found is None or found.tolist() == wanted
    wanted = np.lexsort((feature, time, datastream)).tolist()
    assert order_of_identity(datastream, time, feature).tolist() == wanted
