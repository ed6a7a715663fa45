import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.observation import observations
from penstock.stores.lake import arrival
from penstock.stores.lake.chunks import Columns

ROWS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 70_000, -5]), st.integers(-10, 10)), max_size=40
)


def columns_of(rows: list[tuple[int, int]]) -> Columns:
    return Columns.of(observations([d for d, _ in rows], [t for _, t in rows]))


@given(st.lists(ROWS, max_size=4))
def test_a_row_is_fresh_exactly_when_it_is_newer_than_all_before_it(
    batches: list[list[tuple[int, int]]],
) -> None:
    slots = arrival.Slots()
    newest = np.zeros(0, np.int64)
    seen: dict[int, int] = {}
    for rows in batches:
        fresh, late = [], []
        for index, (datastream, time) in enumerate(rows):
            if time > seen.get(datastream, -99):
                seen[datastream] = time
                fresh.append(index)
            else:
                late.append(index)
        split = arrival.split(columns_of(rows), slots, newest)
        newest = np.append(newest, np.full(len(slots) - len(newest), arrival.NEVER))
        newest[split.slots] = split.last
        found = list(range(len(rows))) if split.fresh is None else split.fresh.tolist()
        assert found == fresh
        assert ([] if split.late is None else split.late.tolist()) == late
        ids = slots.ids()
        for slot, count, first, last, row in zip(
            split.slots, split.counts, split.first, split.last, split.last_row, strict=True
        ):
            times = [rows[i][1] for i in fresh if rows[i][0] == ids[slot]]
            assert (count, first, last) == (len(times), times[0], times[-1])
            assert rows[fresh[row]] == (ids[slot], last)
        assert {int(ids[s]): int(newest[s]) for s in range(len(slots))} == seen
