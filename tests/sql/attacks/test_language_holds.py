# ruff: noqa: E501, RUF007
"""Attacks that the language withstands: forms against plain Python, identity, reach, safety."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest
from tests.sql.attacks.attacking import (
    BASE,
    GROUPED,
    TUMBLE,
    answer,
    holds,
    observations,
    plan_of,
    tumbled,
)
from tests.sql.generating import SECOND, case

from penstock.core.errors import InvalidQuery

ON = "ON a.window_start = b.window_start AND a.window_end = b.window_end"
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001


def us(moment: Any) -> Any:
    """Return a time of an answer as microseconds."""
    return (
        (moment - EPOCH) // dt.timedelta(microseconds=1)
        if isinstance(moment, dt.datetime)
        else moment
    )


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows in the order that ties are broken by, times as microseconds."""
    rows = table.to_pylist()
    for row in rows:
        row["time"] = us(row["time"])
    return sorted(rows, key=lambda r: (r["time"], r["datastream"], r["feature"]))


def early(seed: int) -> pa.Table:
    """Return rows around and before 1970, each identity once."""
    rng = random.Random(seed)
    made = {}
    for _ in range(rng.randint(10, 60)):
        time = rng.choice([-3, -2, -1, 0, 1]) * 7 + rng.randint(-8, 8) * 0.5
        stream = rng.randrange(4)
        made[time, stream, feature] = {
            "time": time, "datastream": stream, "feature": feature,
            "thing": f"t{stream % 2}", "result": rng.choice([None, *(n * 0.5 for n in range(9))]),
            "text": rng.choice([None, "a", "b"]),
        } if (feature := rng.choice([0, 0, 1])) is not None else {}  # fmt: skip
    return observations(*made.values())


DATA = [early(n) for n in range(6)] + [case(n).rows for n in range(6)]


def same(made: list[tuple[Any, ...]], right: list[tuple[Any, ...]]) -> None:
    """Fail if rows differ, in whatever order; numbers to ten digits."""

    def plain(rows: list[tuple[Any, ...]]) -> list[str]:
        return sorted(
            repr([float(f"{v:.9e}") if isinstance(v, float) else us(v) for v in row])
            for row in rows
        )

    assert plain(made) == plain(right)


@pytest.mark.parametrize("table", DATA)
@pytest.mark.parametrize(
    ("size", "slide", "offset"), [(7, 7, 0), (9, 4, 3), (5, 2, 0), (86401, 86401, 5)]
)
def test_hop_and_tumble(table: pa.Table, size: int, slide: int, offset: int) -> None:
    name = f"TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '{size}' SECOND, INTERVAL '{offset}' SECOND)"
    if slide != size:
        name = f"HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND, INTERVAL '{offset}' SECOND)"
    sql = (
        f"SELECT window_start, window_end, thing, COUNT(*) AS n, SUM(result) FILTER (WHERE result > 1)"
        f" AS s, COUNT(DISTINCT result) AS d, FIRST_VALUE(result) AS f, LAST_VALUE(result) AS l"
        f" FROM TABLE({name}) GROUP BY window_start, window_end, thing HAVING COUNT(result) > 0"
    )
    groups = defaultdict(list)
    for row in rows_of(table):
        start = (row["time"] - offset * SECOND) // (
            slide * SECOND
        ) * slide * SECOND + offset * SECOND
        while start + size * SECOND > row["time"]:
            groups[start, row["thing"]].append(row)
            start -= slide * SECOND
    right = []
    for (start, thing), rows in groups.items():
        values = [row["result"] for row in rows]
        known = [v for v in values if v is not None]
        if known:
            big = [v for v in known if v > 1]
            if slide != size:  # Ties within a hop are broken by a hash of the feature.
                values = [None]
            right.append((start, start + size * SECOND, thing, len(rows), math.fsum(big) if big else None,
                          len(set(known)), values[0], values[-1]))  # fmt: skip
    made = answer(sql, table)
    if slide != size:
        made = [(*row[:6], None, None) for row in made]
    same(made, right)


@pytest.mark.parametrize("table", DATA)
def test_lag_lead_and_frames(table: pa.Table) -> None:
    reach = 6 * SECOND
    sql = (
        "SELECT time, datastream, feature, LAG(result, 2) OVER w AS a, LEAD(result) OVER w AS b,"
        " SUM(result) OVER (PARTITION BY thing ORDER BY time RANGE BETWEEN INTERVAL '3' SECOND"
        " PRECEDING AND INTERVAL '1' SECOND FOLLOWING) AS c,"
        " COUNT(result) OVER (PARTITION BY thing ORDER BY time ROWS BETWEEN 3 PRECEDING AND 1"
        " FOLLOWING) AS d FROM observations WINDOW w AS (PARTITION BY thing ORDER BY time)"
    )
    right = []
    rows = rows_of(table)
    for row in rows:
        mates = [r for r in rows if r["thing"] == row["thing"]]
        at = mates.index(row)

        def near(n: int, mates: Any = mates, row: Any = row) -> bool:
            return 0 <= n < len(mates) and abs(mates[n]["time"] - row["time"]) <= reach

        window = [r["result"] for r in mates if r["result"] is not None
                  and -3 * SECOND <= r["time"] - row["time"] <= SECOND]  # fmt: skip
        right.append((
            row["time"], row["datastream"], row["feature"],
            mates[at - 2]["result"] if near(at - 2) else None,
            mates[at + 1]["result"] if near(at + 1) else None,
            math.fsum(window) if window else None,
            sum(mates[n]["result"] is not None for n in range(at - 3, at + 2) if near(n)),
        ))  # fmt: skip
    same(answer(sql, table, reach=6), right)
    holds(sql, table)


@pytest.mark.parametrize("table", DATA)
@pytest.mark.parametrize("left", ["", "LEFT "])
def test_interval_join(table: pa.Table, left: str) -> None:
    sql = (
        f"SELECT a.time, a.datastream, a.result, b.time AS t, b.datastream AS s FROM observations a {left}JOIN"
        " observations b ON a.thing = b.thing AND b.result > 1 AND b.time BETWEEN a.time -"
        " INTERVAL '2' SECOND AND a.time + INTERVAL '0.5' SECOND"
    )
    right = []
    rows = rows_of(table)
    for a in rows:
        found = [b for b in rows if a["thing"] == b["thing"] and (b["result"] or 0) > 1
                 and -2 * SECOND <= b["time"] - a["time"] <= SECOND // 2]  # fmt: skip
        right += [
            (a["time"], a["datastream"], a["result"], b["time"], b["datastream"]) for b in found
        ]
        if left and not found:
            right.append((a["time"], a["datastream"], a["result"], None, None))
    same(answer(sql, table), right)
    holds(sql, table)


@pytest.mark.parametrize("table", DATA)
@pytest.mark.parametrize("left", ["", "LEFT "])
@pytest.mark.parametrize("word", [">=", ">", "<=", "<"])
def test_as_of_join(table: pa.Table, left: str, word: str) -> None:
    sql = (
        f"SELECT a.time, a.datastream, b.time AS t, b.datastream AS s, b.result AS r FROM observations a ASOF"
        f" {left}JOIN observations b ON a.thing = b.thing AND a.time {word} b.time"
    )
    compare = {">=": lambda x, y: x >= y, ">": lambda x, y: x > y,
               "<=": lambda x, y: x <= y, "<": lambda x, y: x < y}[word]  # fmt: skip
    right = []
    rows = rows_of(table)
    for a in rows:
        found = [b for b in rows if a["thing"] == b["thing"] and compare(a["time"], b["time"])
                 and abs(a["time"] - b["time"]) <= 4 * SECOND]  # fmt: skip
        sign = 1 if ">" in word else -1
        best = max(
            found, key=lambda b: (sign * b["time"], b["datastream"], b["feature"]), default=None
        )
        if best is not None:
            right.append(
                (a["time"], a["datastream"], best["time"], best["datastream"], best["result"])
            )
        elif left:
            right.append((a["time"], a["datastream"], None, None, None))
    same(answer(sql, table, reach=4), right)
    holds(sql, table)


@pytest.mark.parametrize("table", DATA)
def test_sessions_and_cumulate(table: pa.Table) -> None:
    sql = (
        "SELECT window_start, window_end, thing, COUNT(*) AS n FROM TABLE(SESSION(TABLE observations"
        " PARTITION BY thing, DESCRIPTOR(time), INTERVAL '1' SECOND)) GROUP BY window_start,"
        " window_end, thing"
    )
    right: list[tuple[Any, ...]] = []
    rows = rows_of(table)
    for thing in {row["thing"] for row in rows}:
        times = [row["time"] for row in rows if row["thing"] == thing]
        runs = [[times[0]]]
        for before, time in zip(times, times[1:], strict=False):
            if time - before > SECOND:
                runs.append([])
            runs[-1].append(time)
        right += [(run[0], run[-1] + SECOND, thing, len(run)) for run in runs]
    same(answer(sql, table, reach=1000), right)
    cumulate = (
        "SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(CUMULATE(TABLE observations,"
        " DESCRIPTOR(time), INTERVAL '3' SECOND, INTERVAL '9' SECOND)) GROUP BY window_start, window_end"
    )
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for row in rows:
        start = row["time"] // (9 * SECOND) * 9 * SECOND
        for end in range(start + 3 * SECOND, start + 10 * SECOND, 3 * SECOND):
            if row["time"] < end:
                counts[start, end] += 1
    same(answer(cumulate, table), [(*edges, n) for edges, n in counts.items()])
    holds(cumulate, table)


# Nesting: reach and identity.
@pytest.mark.parametrize(
    "sql",
    [
        tumbled(f"({tumbled(BASE, 7, time='window_end')})", 6, 1),
        f"SELECT time, k, LAG(v) OVER (PARTITION BY k ORDER BY time) AS v FROM ({tumbled(BASE, 7)})",
        "SELECT time, k, LAG(v) OVER (ORDER BY time) AS v FROM (SELECT time, k, LAG(v) OVER"
        f" (PARTITION BY k ORDER BY time) AS v FROM {BASE})",
        f"({tumbled(BASE, 7)}) UNION ALL ({tumbled(BASE, 6, 1, 'window_end')}) UNION ALL {BASE[1:-1]}",
        tumbled(f"({tumbled(BASE, 7)} UNION ALL {tumbled(BASE, 4, 1, 'window_end')})", 6),
        f"SELECT a.time AS time, a.k, a.v, b.v AS w FROM ({tumbled(BASE, 7)}) a JOIN"
        f" ({tumbled(BASE, 4, 1, 'window_end')}) b ON a.time BETWEEN b.time - INTERVAL '3' SECOND"
        " AND b.time + INTERVAL '5' SECOND",
        "SELECT window_start, left_thing, COUNT(*) AS n, SUM(right_result) AS s FROM TABLE(TUMBLE("
        "(SELECT * FROM TABLE(SERIES_JOIN(TABLE observations PARTITION BY thing, TABLE observations PARTITION BY"
        " thing, INTERVAL '2' SECOND))), DESCRIPTOR(time), INTERVAL '7' SECOND)) GROUP BY"
        " window_start, window_end, left_thing",
        f"WITH w AS ({GROUPED}) SELECT a.window_start, a.k, b.k AS k2, a.v, b.v AS w FROM w a JOIN"
        f" w b {ON}",
    ],
)  # fmt: skip
def test_nested_forms_in_slices(sql: str) -> None:
    holds(sql, *DATA)


# Safety: nothing that is not understood passes.
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT getenv('HOME') AS x FROM observations",
        'SELECT "getenv"(\'HOME\') AS x FROM observations', "SELECT * FROM duckdb_settings()",
        "SELECT main.getenv('HOME') AS x FROM observations", "SELECT * FROM information_schema.tables",
        "SELECT * FROM system.main.duckdb_settings", "SELECT time FROM observations; DROP TABLE x",
        "SELECT time.upper() AS x FROM observations", "SELECT time, $start AS s FROM observations",
        "SELECT time, ? AS s FROM observations", "SELECT time, :start AS s FROM observations",
        "SELECT COLUMNS('.*') FROM observations", "SELECT * EXCLUDE (time) FROM observations",
        "SELECT * REPLACE (1 AS time) FROM observations", "SELECT __time FROM observations",
        'SELECT "__row" FROM observations', "SELECT time, result AS __row FROM observations",
        "SELECT time FROM __input0", 'SELECT time FROM observations "__x"',
        "SELECT {'a': 1} AS s FROM observations", "SELECT [1] AS s FROM observations",
        "SELECT list_transform(x, y -> y) AS s FROM observations", "PRAGMA database_list",
        "SELECT time FROM observations USING SAMPLE 10", "SELECT time FROM observations, LATERAL (SELECT 1)",
        "SELECT CAST(text AS STRUCT(a INT)) AS s FROM observations", "ATTACH 'x'", "SET threads = 1",
        "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a FROM x) SELECT a FROM x",
        "SELECT (SELECT 1) AS s FROM observations", 'SELECT time FROM "a\0"', 'SELECT time AS "a\0" FROM observations',
        "SELECT " + "(" * 5000 + "time" + ")" * 5000 + " FROM observations",
        "SELECT time FROM observations WHERE " + "NOT " * 3000 + "TRUE",
        "SELECT " + "- " * 3000 + "result AS x FROM observations",
        "SELECT " + "+".join(["result"] * 3000) + " AS x FROM observations",
        "SELECT result" + "::DOUBLE" * 3000 + " AS x FROM observations",
        "SELECT time FROM observations WHERE text = '" + "x" * 1_000_000 + "'",
        "", " ;; ", "SELECT 'a", 'SELECT "a', "SELECT time FROM TUMBLE(", "SELECT CASE END AS x FROM observations",
    ],
)  # fmt: skip
def test_refused(sql: str) -> None:
    with pytest.raises(InvalidQuery):
        plan_of(sql)


def test_identity_in_union_of_named_union() -> None:
    inner = f"SELECT window_start, k, v FROM ({GROUPED} UNION ALL {GROUPED})"
    holds(f"{inner} UNION ALL SELECT window_start, k, v FROM ({GROUPED})")


def test_reach_of_windows_on_windows_with_another_offset() -> None:
    holds(tumbled(f"({tumbled(BASE, 10, 3)})", 5))


def test_reach_of_windows_on_windows_that_do_not_divide() -> None:
    holds(tumbled(f"({tumbled(BASE, 7)})", 6))


def test_reach_of_rows_in_windows_with_shifted_times() -> None:
    rows = observations(*({"time": n, "result": 1.0} for n in range(100)))
    windows = "DESCRIPTOR(time), INTERVAL '5' SECOND"
    late = f"SELECT time, k, v FROM ({tumbled(BASE, 30, time='window_end')})"
    holds(
        f"SELECT a.time AS time, a.v, b.v AS w FROM TABLE(TUMBLE({BASE}, {windows})) a"
        f" JOIN TABLE(TUMBLE(({late}), {windows})) b {ON}",
        rows, seeds=30,
    )  # fmt: skip


def test_sum_does_not_depend_on_the_order() -> None:
    values = [1e16, 1.0, -1e16, 3.0, 1e8, -1e8]
    sql = f"SELECT window_start, SUM(result) AS v FROM {TUMBLE} GROUP BY window_start, window_end"
    sums = set()
    for seed in range(20):
        order = list(range(len(values)))
        random.Random(seed).shuffle(order)
        made = observations(*({"time": 1 + n / 10, "result": values[n]} for n in order))
        sums.add(answer(sql, made)[0][1])
    assert sums == {4.0}
