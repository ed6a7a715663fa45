"""The time-series join against its definition, and the peer's published cases."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.sql.series_join import Side, series_join

#: key, time in microseconds, order, value
Row = tuple[int | None, int | None, int, float]

CONNECTION = duckdb.connect(config={"threads": 2})


def joined(
    left: Sequence[Row], right: Sequence[Row], within_us: int, *, keyed: bool = True
) -> list[tuple[int, float, float]]:
    cursor = CONNECTION.cursor()
    for name, rows in (("r", left), ("s", right)):
        keys, times, orders, values = zip(*rows, strict=True) if rows else ((), (), (), ())
        table = pa.table(
            {
                "key": pa.array(keys, pa.int64()),
                "at": pa.array(times, pa.timestamp("us")),
                "order": pa.array(orders, pa.int64()),
                'the "value"': pa.array(values, pa.float64()),
            }
        )
        cursor.register(name, table)
    by = ("key",) if keyed else ()
    sides = (
        Side(name, "at", ("order",), {f"{name} value": 'the "value"'}, by) for name in ("r", "s")
    )
    answer = cursor.sql(series_join(*sides, within_us, "t")).to_arrow_table()
    assert answer.column_names == ["t", "r value", "s value"]
    times = answer["t"].cast(pa.int64()).to_pylist()
    return list(
        zip(times, answer["r value"].to_pylist(), answer["s value"].to_pylist(), strict=True)
    )


def defined(
    left: Sequence[Row], right: Sequence[Row], within_us: int
) -> set[tuple[int, float, float]]:
    """The definition, word by word: O(n * m)."""

    def nearest(one: Row, others: Sequence[Row]) -> set[Row]:
        mine = [o for o in others if o[0] == one[0] and o[0] is not None and o[1] is not None]
        if one[1] is None:
            return set()
        before = [o for o in mine if o[1] <= one[1]]
        behind = [o for o in mine if o[1] >= one[1]]
        found = set()
        if before:
            found.add(max(before, key=lambda o: (o[1], o[2])))
        if behind:
            found.add(min(behind, key=lambda o: (o[1], o[2])))
        return found

    pairs = {(r, s) for r in left for s in nearest(r, right)}
    pairs |= {(r, s) for s in right for r in nearest(s, left)}
    return {(max(r[1], s[1]), r[3], s[3]) for r, s in pairs if abs(r[1] - s[1]) <= within_us}


def streams(most_us: int) -> st.SearchStrategy[list[Row]]:
    row = st.tuples(
        st.sampled_from([1, 1, 1, 2, None]), st.one_of(st.integers(0, most_us), st.none())
    )
    return st.lists(row, max_size=25).map(
        lambda rows: [(key, at, number, float(number)) for number, (key, at) in enumerate(rows)]
    )


@given(
    left=streams(30) | streams(6),
    right=streams(30) | streams(6),
    within_us=st.integers(0, 35),
    seed=st.integers(0, 100),
)
@example([(1, 5, n, float(n)) for n in range(3)], [(1, 5, n, float(n)) for n in range(3)], 0, 0)
def test_gives_every_pair_of_the_definition_once_in_whatever_order_rows_come(
    left: list[Row], right: list[Row], within_us: int, seed: int
) -> None:
    shuffled = [list(left), list(right)]
    for rows in shuffled:
        random.Random(seed).shuffle(rows)
    answer = Counter(joined(*shuffled, within_us))
    assert set(answer.values()) <= {1}
    assert set(answer) == defined(left, right, within_us)


@given(left=streams(60), right=streams(60), within_us=st.integers(0, 20), cut=st.integers(0, 60))
def test_pairs_of_a_range_follow_from_the_rows_that_reach_into_it(
    left: list[Row], right: list[Row], within_us: int, cut: int
) -> None:
    whole = joined(left, right, within_us)
    start, end = cut, cut + 10
    reached = [
        [row for row in rows if row[1] is not None and start - within_us <= row[1] < end]
        for rows in (left, right)
    ]
    part = joined(*reached, within_us)
    assert sorted(p for p in part if start <= p[0] < end) == sorted(
        p for p in whole if start <= p[0] < end
    )


def test_a_stream_may_be_called_as_the_other_is_inside() -> None:
    cursor = CONNECTION.cursor()
    cursor.execute("CREATE TEMP TABLE s AS SELECT TIMESTAMP '2026-01-01' AS at, 1 AS v")
    side = Side("s", "at", (), {"a": "v"})
    sql = series_join(side, Side("(SELECT * FROM s)", "at", (), {"b": "v"}), 0)
    assert cursor.execute(sql).fetchall()[0][1:] == (1, 1)


# The cases of LocalStreamBuffer's own tests (iot-salzburg/panta_rhei, tester.py): how their
# records are made, and how many joins they assert. Times there are seconds.


def blocks(count: int, size: int = 5) -> tuple[list[Row], list[Row]]:
    order = (["r"] * size + ["s"] * size) * (count // (2 * size))
    sides: dict[str, list[Row]] = {"r": [], "s": []}
    for at, side in enumerate(order):
        sides[side].append((1, (1_600_000_000 + at) * 1_000_000, at, float(at)))
    return sides["r"], sides["s"]


def randomized(count: int) -> tuple[list[Row], list[Row]]:
    chance = random.Random(0)
    sides: list[list[Row]] = []
    for _ in range(2):
        at = 1_600_000_000.0
        rows: list[Row] = []
        for number in range(count):
            at += chance.random()
            rows.append((1, round(at * 1_000_000), number, chance.random()))
        sides.append(rows)
    return sides[0], sides[1]


FOREVER = 2**62


def late() -> tuple[list[Row], list[Row]]:
    """Its delayed test ends when all of r and 4,895 of s have come."""
    left, right = blocks(10_000)
    return left, right[:4895]


def halves() -> tuple[list[Row], list[Row]]:
    times = ([float(n) for n in range(10)], [-0.5, 0.5, 5.5, 9.5])
    left, right = (
        [(1, round((1_600_000_000 + at) * 1_000_000), n, at) for n, at in enumerate(side)]
        for side in times
    )
    return left, right


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize(
    ("sides", "within_us", "joins", "theirs", "waiting"),
    [
        # What it joins at once, and records at the end that wait for a later one of the other side.
        (blocks(100, 1), FOREVER, 99, 99, 0),
        (blocks(20), FOREVER, 27, 23, 4),
        (blocks(100_000), FOREVER, 179_991, 179_987, 4),
        (halves(), FOREVER, 20, 20, 0),
        (blocks(20), 3_000_000, 15, 13, 2),
        (randomized(10), 500_000, 16, 16, 0),
        # Here the streams do not come in order of each other, and it loses pairs.
        (randomized(10), FOREVER, 21, 20, None),
        (randomized(10_000), FOREVER, 26_703, 23_041, None),
        (late(), FOREVER, 17_722, 13_702, None),
    ],
    ids=["one-one", "five-five", "five-five-many", "unordered", "timeout-five-five",
         "timeout-randomized", "randomized", "randomized-many", "delayed-many"],
)  # fmt: skip
def test_published_cases_of_the_peer(
    sides: tuple[list[Row], list[Row]],
    within_us: int,
    joins: int,
    theirs: int,
    waiting: int | None,
    keyed: bool,
) -> None:
    shuffled = [random.Random(1).sample(rows, len(rows)) for rows in sides]
    answer = joined(*shuffled, within_us, keyed=keyed)
    assert len(answer) == len(set(answer)) == joins
    assert joins >= theirs if waiting is None else joins == theirs + waiting


def test_many_rows_agree_with_a_search_in_sorted_times() -> None:
    rng = np.random.default_rng(3)
    times = [rng.integers(0, 10_000_000, 50_000) for _ in range(2)]
    sides = [
        [(1, int(at), number, float(number)) for number, at in enumerate(part)] for part in times
    ]
    answer = joined(sides[0], sides[1], 200)
    pairs = {(int(a), int(b)) for _, a, b in answer}
    assert len(pairs) == len(answer)
    expected = set()
    orders = [np.lexsort((np.arange(len(part)), part)) for part in times]
    ordered = [part[order] for part, order in zip(times, orders, strict=True)]
    for one, other in ((0, 1), (1, 0)):
        before = np.searchsorted(ordered[other], ordered[one], "right") - 1
        behind = np.searchsorted(ordered[other], ordered[one], "left")
        for found in (before, behind):
            good = (found >= 0) & (found < len(ordered[other]))
            mine, yours = np.flatnonzero(good), found[good]
            near = np.abs(ordered[one][mine] - ordered[other][yours]) <= 200
            a, b = orders[one][mine[near]], orders[other][yours[near]]
            pair = (a, b) if one == 0 else (b, a)
            expected |= set(zip(pair[0].tolist(), pair[1].tolist(), strict=True))
    assert pairs == expected
