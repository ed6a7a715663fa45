import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.observation import observations
from penstock.stores.lake import arrival
from penstock.stores.lake.chunks import Columns

ROWS = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 70_000, -5]), st.integers(-10, 10), st.integers(0, 2)),
    max_size=40,
)
Row = tuple[int, int, int]


def columns_of(rows: list[Row]) -> Columns:
    datastream, time, feature = ([row[n] for row in rows] for n in range(3))
    return Columns.of(observations(datastream, time, feature=feature))


@given(st.lists(ROWS, max_size=4))
def test_a_row_is_fresh_exactly_when_it_is_newer_than_all_earlier_batches(
    batches: list[list[Row]],
) -> None:
    slots = arrival.Slots()
    newest = np.zeros(0, np.int64)
    seen: dict[int, int] = {}
    for rows in batches:
        late = [i for i, (d, t, _) in enumerate(rows) if t <= seen.get(d, -99)]
        kept = {row: i for i, row in enumerate(rows) if i not in late}
        for datastream, time, _ in rows:
            seen[datastream] = max(time, seen.get(datastream, -99))
        split = arrival.split(columns_of(rows), slots, newest)
        newest = np.append(newest, np.full(len(slots) - len(newest), arrival.NEVER))
        newest[split.slots] = split.last
        fresh = list(range(len(rows))) if split.fresh is None else split.fresh.tolist()
        assert sorted(fresh) == sorted(kept.values())
        assert ([] if split.late is None else split.late.tolist()) == late
        ids = slots.ids()
        for slot, count, first, last, row in zip(
            split.slots, split.counts, split.first, split.last, split.last_row, strict=True
        ):
            mine = [rows[i] for i in fresh if rows[i][0] == ids[slot]]
            assert mine == sorted(mine)
            assert (count, first, last) == (len(mine), mine[0][1], mine[-1][1])
            assert rows[fresh[row]] == mine[-1]
        assert {int(ids[s]): int(newest[s]) for s in range(len(slots))} == seen
