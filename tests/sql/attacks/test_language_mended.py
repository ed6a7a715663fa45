# ruff: noqa: E501
"""Attacks that once were wrong answers, lost rows, or queries that stop: none may come back."""

from __future__ import annotations

import pytest
from tests.sql.attacks.attacking import (
    GROUPED,
    TUMBLE,
    answer,
    holds,
    observations,
    plan_of,
    refused_or_right,
    refused_or_runs,
)

from penstock.core.errors import InvalidQuery

SESSIONS = (
    "SELECT window_start, window_end, thing AS k, SUM(result) AS v FROM TABLE(SESSION(TABLE"
    " observations PARTITION BY thing, DESCRIPTOR(time), INTERVAL '2' SECOND))"
    " GROUP BY window_start, window_end, thing"
)
THREE = observations(
    {"time": 1, "result": 5.0, "text": "a"},
    {"time": 2, "result": None, "text": "b"},
    {"time": 3, "result": 1.0, "text": None},
)
ON = "ON a.window_start = b.window_start AND a.window_end = b.window_end"


# 1. Negation and clauses that are dropped silently: wrong answers.
def test_not_like_is_not_like() -> None:
    sql = "SELECT text FROM observations WHERE text NOT LIKE 'a'"
    assert answer(sql, THREE) == [("b",)]


def test_qualify_is_not_dropped() -> None:
    refused_or_right("SELECT result FROM observations QUALIFY result > 1e9", THREE, [])


def test_between_symmetric_is_not_dropped() -> None:
    sql = "SELECT result FROM observations WHERE result BETWEEN SYMMETRIC 6 AND 4"
    refused_or_right(sql, THREE, [(5.0,)])


def test_nulls_first_is_not_dropped() -> None:
    over = "OVER (PARTITION BY window_start, window_end ORDER BY result NULLS FIRST)"
    sql = f"SELECT result, ROW_NUMBER() {over} AS n FROM {TUMBLE}"
    refused_or_right(sql, THREE, [(None, 1), (1.0, 2), (5.0, 3)])


def test_exclude_is_not_dropped() -> None:
    frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW"
    over = f"OVER (PARTITION BY window_start, window_end ORDER BY time {frame})"
    sql = f"SELECT COUNT(*) {over} AS n FROM {TUMBLE}"
    refused_or_right(sql, THREE, [(2,), (2,), (2,)])


def test_nested_join_is_not_dropped() -> None:
    sql = (
        "SELECT a.result FROM observations a JOIN observations b JOIN datastreams c"
        " ON b.datastream = c.id AND c.id > 5 ON a.time = b.time"
    )
    refused_or_right(sql, THREE, [])


def test_version_of_the_first_relation_is_not_dropped() -> None:
    with pytest.raises(InvalidQuery):
        plan_of("SELECT time FROM observations FOR SYSTEM_TIME AS OF result_time")


def test_star_ilike_is_not_dropped() -> None:
    with pytest.raises(InvalidQuery):
        plan_of("SELECT * ILIKE 't%' FROM observations")


# 2. Rows that share an identity: one of them is lost.
def test_identity_in_self_join_of_a_name() -> None:
    holds(f"WITH w AS ({GROUPED}) SELECT a.window_start, a.k, a.v, b.v AS w FROM w a JOIN w b {ON}")


def test_identity_in_join_with_union() -> None:
    right = f"({GROUPED} UNION ALL {GROUPED})"
    holds(
        f"SELECT a.window_start, a.k, a.v, b.v AS w FROM ({GROUPED}) a JOIN {right} b {ON} AND a.k = b.k"
    )


def test_identity_in_join_of_union() -> None:
    left = f"({GROUPED} UNION ALL {GROUPED})"
    holds(
        f"SELECT a.window_start, a.k, a.v, b.v AS w FROM {left} a JOIN ({GROUPED}) b {ON} AND a.k = b.k"
    )


# 3. Reach: slices give another answer than one run.
def test_reach_of_ranking_sessions_with_one_end() -> None:
    over = "OVER (PARTITION BY window_end ORDER BY v)"
    with pytest.raises(InvalidQuery):
        plan_of(f"SELECT window_start, k, v, ROW_NUMBER() {over} AS n FROM ({SESSIONS})")
    over = "OVER (PARTITION BY window_start, window_end ORDER BY v)"
    holds(f"SELECT window_start, window_end, k, v, ROW_NUMBER() {over} AS n FROM ({SESSIONS})")


# 4. Taken, but it does not run: errors that are not InvalidQuery when the query is made.
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.time, d.kind FROM observations a ASOF JOIN observations b"
        " ON a.thing = b.thing AND a.time > b.time JOIN datastreams d ON d.id = a.datastream",
        "SELECT a.time, d.result FROM observations a ASOF JOIN observations b ON a.time > b.time"
        " JOIN observations d ON d.time BETWEEN a.time AND a.time + INTERVAL '1' SECOND",
        f"SELECT window_start, LISTAGG(DISTINCT text, ',') AS n FROM {TUMBLE} GROUP BY window_start",
        f"SELECT window_start, ARRAY_AGG(DISTINCT result) AS n FROM {TUMBLE} GROUP BY window_start",
        f"SELECT window_start, FIRST_VALUE(DISTINCT result) AS n FROM {TUMBLE} GROUP BY window_start",
        f"SELECT window_start, LISTAGG(text, text) AS n FROM {TUMBLE} GROUP BY window_start",
        f"SELECT window_start, RMS(result) FILTER (WHERE result > 0) AS n FROM {TUMBLE}"
        " GROUP BY window_start",
        "SELECT time, RMS(result) OVER (ORDER BY time RANGE BETWEEN INTERVAL '5' SECOND PRECEDING"
        " AND CURRENT ROW) AS n FROM observations",
        "SELECT time FROM observations WHERE time > 'yesterday'",
        "SELECT time FROM observations WHERE time > TIMESTAMP 'yesterday'",
        "SELECT time, CAST(result AS DECIMAL(10, 99999999999)) AS n FROM observations",
        "SELECT time, ROUND(result, 99999999999) AS n FROM observations",
        "SELECT time, SPLIT_INDEX(name, '.', 2147483647) AS n FROM observations",
        f"SELECT time, NTILE(TRUE) OVER (PARTITION BY window_start, window_end ORDER BY result) AS n"
        f" FROM {TUMBLE}",
        "SELECT time, left_result FROM TABLE(SERIES_JOIN(TABLE observations PARTITION BY thing,"
        " TABLE observations PARTITION BY datastream, INTERVAL '1' SECOND))",
        "SELECT time, '\ud800' AS x FROM observations",
        "SELECT time FROM TABLE(SESSION(TABLE observations PARTITION BY, DESCRIPTOR(time),"
        " INTERVAL '1' SECOND))",
        "SELECT JSON_VALUE(text, '$.a' RETURNING) AS x FROM observations",
    ],
)
def test_what_is_taken_runs(sql: str) -> None:
    refused_or_runs(sql)


# 5. One message with such a text stops an app: each of these raises on data.
@pytest.mark.parametrize("text", ["-9223372036854775808", "infinity", "9223372036854775807"])
@pytest.mark.parametrize(
    "value",
    [
        "-CAST(text AS BIGINT)", "ABS(CAST(text AS BIGINT))", "CAST(text AS BIGINT) / -1",
        "ROUND(result, CAST(text AS BIGINT))", "SUBSTRING(text, CAST(text AS BIGINT))",
        "SPLIT_INDEX(text, 'a', CAST(text AS BIGINT))", "time - TO_TIMESTAMP(text)",
        "TIMESTAMPADD(YEAR, CAST(text AS BIGINT), time)",
        "TO_TIMESTAMP_LTZ(CAST(text AS BIGINT), CAST(text AS BIGINT))",
    ],
)  # fmt: skip
def test_no_data_stops_a_query(value: str, text: str) -> None:
    refused_or_runs(
        f"SELECT time, {value} AS n FROM observations",
        observations({"time": 1, "result": 2.0, "text": text}),
    )


# 6. Blow-ups: SQL that doubles with each level (25 levels of SQRT end in MemoryError).
@pytest.mark.parametrize(
    "value", ["SQRT(" * 12 + "result" + ")" * 12, "CEIL(" * 7 + "time" + " TO DAY)" * 7]
)
def test_nesting_does_not_double_the_sql(value: str) -> None:
    try:
        plan = plan_of(f"SELECT time, {value} AS x FROM observations")
    except InvalidQuery:
        return
    assert len(plan.sql) < 50_000


# 7. Part of the language by its code, and never understood.
def test_like_with_escape() -> None:
    rows = observations({"time": 1, "text": "a%"}, {"time": 2, "text": "ab"})
    assert answer("SELECT text FROM observations WHERE text LIKE 'a!%' ESCAPE '!'", rows) == [
        ("a%",)
    ]


# 8. Names that are used twice double what DuckDB has to plan.
def test_names_used_twice_do_not_double_the_plan() -> None:
    names = ["c0 AS (SELECT time, result FROM observations)"]
    names += [
        f"c{n} AS (SELECT a.time AS time, a.result FROM c{n - 1} a JOIN c{n - 1} b ON a.time = b.time)"
        for n in range(1, 14)
    ]
    with pytest.raises(InvalidQuery, match="reads tables more than"):
        plan_of(f"WITH {', '.join(names)} SELECT time FROM c13")


# 9. Work without a bound.
def test_windows_of_windows_are_bounded() -> None:
    source = "TABLE observations"
    for slide in (1, 60, 3600):
        made = f"TABLE(HOP({source}, DESCRIPTOR(time), INTERVAL '{slide}' SECOND, INTERVAL '{slide * 60}' SECOND))"
        source = f"(SELECT window_start AS time, result FROM {made})"
    with pytest.raises(InvalidQuery, match="windows of windows"):
        plan_of(f"SELECT time, result FROM {source}")


def test_texts_are_bounded() -> None:
    made = "observations"
    for _ in range(12):
        made = f"(SELECT time, REPLACE(text, 'a', '{'a' * 200}') || text AS text FROM {made})"
    rows = observations({"time": 1, "text": "a"})
    assert answer(f"SELECT CHAR_LENGTH(text) AS n FROM {made}", rows) == [(65_536,)]


@pytest.mark.parametrize("name", ["GEO_DISTANCE({}, 1, 2, 3)", "JSON_QUERY({}, '$.a')"])
def test_what_is_made_is_bounded(name: str) -> None:
    value = "text" if "JSON" in name else "result"
    for _ in range(30):
        value = name.format(value)
    with pytest.raises(InvalidQuery, match="longer than"):
        plan_of(f"SELECT time, {value} AS x FROM observations")


# 10. What was refused or stopped, and works now.
def test_joins_behind_an_as_of_join() -> None:
    sql = (
        "SELECT a.result AS x, b.result AS y, c.result AS z FROM observations a"
        " ASOF JOIN observations b ON a.thing = b.thing AND a.time > b.time"
        " JOIN observations c ON c.time BETWEEN a.time AND a.time + INTERVAL '0.5' SECOND"
    )
    assert sorted(answer(sql, THREE), key=repr) == [(1.0, None, 1.0), (None, 5.0, None)]
    holds(sql.replace("SELECT", "SELECT a.time,"), cases=8)


def test_bounds_of_windows_by_other_names() -> None:
    inner = f"(SELECT window_start AS ws, result FROM {TUMBLE})"
    holds(f"SELECT ws, SUM(result) AS v FROM {inner} GROUP BY ws", cases=8)


def test_values_where_functions_are_defined_and_not() -> None:
    rows = observations(
        {"time": 1, "result": 4.0}, {"time": 2, "result": -4.0}, {"time": 3, "result": 0.0}
    )
    sql = "SELECT SQRT(result) AS a, LOG2(result) AS b, TRUNCATE(result / 3, 1) AS c, ABS(result) AS d FROM observations"
    assert sorted(answer(sql, rows), key=repr) == sorted(
        [(2.0, 2.0, 1.3, 4.0), (None, None, -1.3, 4.0), (0.0, None, 0.0, 0.0)], key=repr
    )


def test_distinct_texts_in_their_order() -> None:
    sql = (
        f"SELECT window_start, LISTAGG(DISTINCT text, ',') AS n FROM {TUMBLE} GROUP BY window_start"
    )
    assert [row[1] for row in answer(sql, THREE)] == ["a,b"]


def test_things_of_one_name_in_two_systems() -> None:
    sql = "SELECT o.time, l.longitude FROM observations o JOIN locations l ON o.thing = l.thing"
    assert "hash(" in plan_of(sql).sql  # Rows are told apart by more than the observation.
