"""Long windows by way of their pieces amount to the same as in one run."""

from __future__ import annotations

import itertools
import os
import random

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.sql.generating import case, moment, times_of
from tests.sql.running import FIRST, LAST, Rows, comparable, connect, matching, whole

from penstock.sql.language import compile_query, pieces
from penstock.sql.language.relations import Window
from penstock.sql.plan import Plan, Staged

SECOND = 1_000_000
BEGIN = int(os.environ.get("PENSTOCK_ORACLE_FROM", "0"))
CASES = int(os.environ.get("PENSTOCK_ORACLE", "250"))


def windows(
    select: str, source: str = "observations", size: str = "'1' MINUTE", by: str = ""
) -> str:
    keys = f", {by}" if by else ""
    return (
        f"SELECT window_start{keys}, {select} FROM TUMBLE(TABLE {source}, DESCRIPTOR(time), "
        f"INTERVAL {size}) GROUP BY window_start, window_end{keys}"
    )


def hops(
    select: str, where: str = "", by: str = "thing",
    call: str = "HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE, "
    "INTERVAL '20' MINUTE)",
) -> str:  # fmt: skip
    return (
        f"SELECT window_start, window_end, {by} AS by_key, {select} FROM {call}{where} "
        f"GROUP BY window_start, window_end, {by}"
    )


#: Windows that overlap, of a size that data for tests fills; the last do not end where one begins.
OVERLAPPING = [
    "HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND, INTERVAL '60' SECOND)",
    "CUMULATE(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND, INTERVAL '60' SECOND, "
    "INTERVAL '3' SECOND)",
    "HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '4' SECOND, INTERVAL '62' SECOND, "
    "INTERVAL '1' SECOND)",
]


def staged_of(sql: str, reach_us: int = 10 * SECOND) -> Staged | None:
    return compile_query(sql, reach_us=reach_us, apps={"mean"}).staged


def ask(
    connection: duckdb.DuckDBPyConnection, sql: str, relations: dict[str, pa.Table],
    span: tuple[int, int],
) -> duckdb.DuckDBPyRelation:  # fmt: skip
    for name, table in relations.items():
        connection.register(name, table)
    bounds = {"start": moment(span[0]), "end": moment(span[1])}
    return connection.sql(sql, params={k: at for k, at in bounds.items() if f"${k}" in sql})


def cuts(rng: random.Random, times: list[int], grid: int, offset: int) -> list[tuple[int, int]]:
    points = {rng.choice(times) + rng.randint(-60 * SECOND, 60 * SECOND) for _ in range(5)}
    ends = sorted({(at - offset) // grid * grid + offset for at in (FIRST, LAST, *points)})
    return list(itertools.pairwise(ends))


def in_pieces(
    connection: duckdb.DuckDBPyConnection, plan: Plan, rows: pa.Table,
    tables: dict[str, pa.Table], rng: random.Random,
) -> Rows:  # fmt: skip
    """Run a plan in two steps, each for ranges that begin and end anywhere on its grid."""
    staged, whole_ = plan.staged, plan.meaning
    assert staged is not None
    meaning, times, made = staged.pieces.meaning, rows["time"].cast(pa.int64()), []
    for start, end in cuts(rng, times_of(rows), meaning.grid_us, meaning.offset_us):
        low, high = start - meaning.back_us, end + meaning.ahead_us
        near = rows.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))
        inputs = {
            one.relation: matching(near, one.source).select(list(one.columns))
            for one in staged.pieces.inputs
        }
        held = {name: tables[name] for name in staged.pieces.tables}
        made.append(
            ask(connection, staged.pieces.sql, inputs | held, (start, end)).to_arrow_table()
        )
    every = pa.concat_tables(made)
    at = every["__piece"].cast(pa.int64())
    back, ahead = whole_.back_us - meaning.back_us, whole_.ahead_us - meaning.ahead_us
    found: Rows = []
    for start, end in cuts(rng, times_of(rows), whole_.grid_us, whole_.offset_us):
        low, high = start - max(0, back), end + max(0, ahead)
        near = every.filter(pc.and_(pc.greater_equal(at, low), pc.less(at, high)))
        held = {name: tables[name] for name in plan.tables}
        found += ask(
            connection, staged.sql, {staged.relation: near} | held, (start, end)
        ).fetchall()
    return found


@pytest.mark.timeout(6000)
def test_generated_queries_in_pieces_end_as_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect()
    checked = answered = 0
    for seed in range(BEGIN, BEGIN + CASES):
        made = case(seed)
        monkeypatch.setattr(pieces, "MIN_PIECE_US", 1)
        plan = compile_query(made.sql, reach_us=made.reach_us, apps={"mean"})
        if plan.staged is None:
            continue
        monkeypatch.setattr(pieces, "MIN_PIECE_US", 1 << 60)
        plain = compile_query(made.sql, reach_us=made.reach_us, apps={"mean"})
        assert plain.staged is None
        assert plain.meaning == plan.meaning
        expected = comparable(whole(connection, plain, made.rows, made.tables))
        got = comparable(in_pieces(connection, plan, made.rows, made.tables, random.Random(seed)))
        assert got == expected, f"case {seed}: {made.sql}"
        assert comparable(whole(connection, plan, made.rows, made.tables)) == expected
        checked += 1
        answered += bool(expected)
    assert checked >= CASES // 50
    assert answered > 0


AGGREGATES = [
    "COUNT(*) AS n, COUNT(result) AS m, COUNT(text) FILTER (WHERE result > 1) AS k",
    "SUM(result) AS s, AVG(result) AS a, AVG(result) FILTER (WHERE result > 1e9) AS none",
    "MIN(result) AS low, MAX(text) AS high, MAX(time) AS last, MIN(datastream) AS first",
    "BOOL_AND(result > 0) AS every, BOOL_OR(result > 3) AS some",
    "COUNT(DISTINCT result) AS n, COUNT(DISTINCT text) AS t, COUNT(DISTINCT time) AS times",
    "COUNT(DISTINCT datastream) FILTER (WHERE result > 1) AS n, COUNT(DISTINCT result > 1) AS two",
    "RMS(result) AS r, PEAK(result) AS p, CIRCULAR_MEAN(result) AS c",
    "CASE WHEN COUNT(*) > 3 THEN AVG(result) + 1 ELSE -MAX(result) END AS mixed",
]


@pytest.mark.parametrize("select", AGGREGATES)
def test_every_aggregate_that_follows_from_parts_does(
    select: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    sql = windows(select, by="name") + " HAVING COUNT(*) > 1"
    plan = compile_query(sql, reach_us=10 * SECOND)
    assert plan.staged is not None
    monkeypatch.setattr(pieces, "MIN_PIECE_US", 1 << 60)
    plain = compile_query(sql, reach_us=10 * SECOND)
    for seed in range(6):
        made = case(seed)
        expected = whole(connection, plain, made.rows, made.tables)
        got = in_pieces(connection, plan, made.rows, made.tables, random.Random(seed))
        assert comparable(got) == comparable(expected)


@pytest.mark.parametrize("call", OVERLAPPING)
def test_windows_that_overlap_have_their_pieces_in_common(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect()
    for select in AGGREGATES:
        sql = hops(select, where=" WHERE result > -1", call=call) + " HAVING COUNT(*) > 1"
        plan = compile_query(sql, reach_us=10 * SECOND)
        assert plan.staged is not None
        with monkeypatch.context() as patch:
            patch.setattr(pieces, "MIN_PIECE_US", 1 << 60)
            plain = compile_query(sql, reach_us=10 * SECOND)
        assert plain.staged is None
        assert plain.meaning == plan.meaning
        made = case(0)
        expected = comparable(whole(connection, plain, made.rows, made.tables))
        got = in_pieces(connection, plan, made.rows, made.tables, random.Random(0))
        assert comparable(got) == expected
        assert comparable(whole(connection, plan, made.rows, made.tables)) == expected
        assert expected


@pytest.mark.parametrize(
    ("form", "size", "step", "piece"),
    [
        ("TUMBLE", 60, 60, 2), ("TUMBLE", 20, 20, 2), ("TUMBLE", 19, 19, None),
        ("HOP", 120, 60, 4), ("HOP", 3600, 60, 60), ("HOP", 86_400, 60, 60),
        ("HOP", 60, 1, 1), ("HOP", 9, 1, None), ("HOP", 62, 4, 2), ("HOP", 61, 4, 1),
        ("CUMULATE", 86_400, 3600, 3600), ("CUMULATE", 3600, 60, 60),
    ],
)  # fmt: skip
def test_windows_begin_and_end_where_pieces_do(
    form: str, size: int, step: int, piece: int | None
) -> None:
    found = pieces.piece_us(Window(form, size * SECOND, step * SECOND))
    assert found == (None if piece is None else piece * SECOND)


@pytest.mark.parametrize(
    "sql",
    [
        windows("AVG(result) AS mean", size="'10' SECOND"),
        windows("MEDIAN(result) AS m"),
        windows("AVG(result) AS mean, STDDEV_POP(result) AS d"),
        windows("SUM(DISTINCT result) AS s"),
        windows("LAST_VALUE(result) AS l"),
        # Windows that overlap have no pieces in common when rows are looked at by window.
        hops("SUM(CASE WHEN time > window_start + INTERVAL '5' SECOND THEN 1 END) AS n"),
        hops("COUNT(*) AS n", where=" WHERE time < window_end - INTERVAL '5' SECOND"),
        hops("COUNT(*) AS n", by="EXTRACT(MINUTE FROM window_end)"),
        hops(
            "COUNT(*) AS n",
            call="HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '1' SECOND, "
            "INTERVAL '9' SECOND)",
        ),
        hops(
            "COUNT(*) AS n",
            call="(SELECT * FROM TABLE(CUMULATE(TABLE observations, "
            "DESCRIPTOR(time), INTERVAL '1' MINUTE, INTERVAL '1' HOUR)))",
        ),
        f"{windows('COUNT(*) AS n')} UNION ALL SELECT time, datastream AS n FROM observations",
        "SELECT a.window_start, a.window_end, a.n "
        f"FROM ({windows('window_end, COUNT(*) AS n')}) AS a "
        f"JOIN ({windows('window_end, COUNT(*) AS n')}) AS b "
        "ON a.window_start = b.window_start AND a.window_end = b.window_end",
    ],
)
def test_what_is_short_or_does_not_follow_from_parts_is_done_at_once(sql: str) -> None:
    assert staged_of(sql) is None


def test_what_comes_before_and_behind_the_windows_is_done_in_its_step() -> None:
    moved = (
        "WITH moved AS (SELECT time, thing, result - LAG(result) OVER (PARTITION BY name "
        "ORDER BY time) AS step FROM observations) "
        f"SELECT *, n * 2 AS twice FROM ({windows('AVG(step) AS n', 'moved', by='thing')}) AS w "
        "JOIN things ON things.name = w.thing"
    )
    staged = staged_of(moved)
    assert staged is not None
    assert "lag(" in staged.pieces.sql
    assert "lag(" not in staged.sql
    assert staged.pieces.meaning.back_us == 10 * SECOND
    assert staged.pieces.tables == ()
    assert '"things"' in staged.sql
    before = windows(
        "MAX(n) AS n", "(SELECT o.time, o.result AS n FROM observations AS o JOIN things ON "
        "things.name = o.thing)").replace("TABLE (", "(")  # fmt: skip
    staged = staged_of(before)
    assert staged is not None
    assert staged.pieces.tables == ("things",)
    assert '"things"' not in staged.sql
