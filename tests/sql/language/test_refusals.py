"""What cannot be run is refused, with its place, and what to write instead."""

import pytest

from penstock.core.errors import InvalidQuery
from penstock.sql.language import compile_query
from penstock.sql.language.dialect import MAX_DEPTH

TUMBLE = "TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE)"
WINDOWED = f"FROM {TUMBLE} GROUP BY window_start, window_end"

CASES = [
    # Names.
    ("SELECT time, rsult FROM observations", 14, "Did you mean `result`"),
    ("SELECT time FROM observation", 18, "Did you mean `observations`"),
    ("SELECT time, AVERAGE(result) FROM observations", 14, "there is no function AVERAGE"),
    ("SELECT time, ABSS(result) FROM observations", 14, "Did you mean `ABS`"),
    ("SELECT b.time FROM observations AS a", 8, "there is no `b` in the FROM"),
    ("SELECT time FROM other.x", 18, "only `apps.NAME` has two parts"),
    ("SELECT time FROM a.b.c", 18, "at most two parts"),
    ("SELECT time, time FROM observations", 14, "two columns of the answer"),
    ("SELECT result AS __row FROM observations", 8, "two underscores"),
    (
        "SELECT time FROM observations AS a JOIN things AS b ON name = 'x'", 56,
        "`a.name` or `b.name`",
    ),
    # What is no query.
    ("DROP TABLE observations", 1, "only a SELECT is allowed"),
    ("SELECT 1; SELECT 2", 18, "only one SELECT"),
    ("", 0, "there is no SQL"),
    ("SELECT time FROM", 0, ""),
    ("SELECT (time FROM observations", 14, "cannot be understood"),
    ("PRAGMA database_list", 1, "only a SELECT"),
    ("SET memory_limit = '1GB'", 1, "only a SELECT"),
    ("ATTACH 'x.db'", 1, "only a SELECT"),
    ("COPY (SELECT 1) TO 'x'", 1, "only a SELECT"),
    ("INSTALL httpfs", 0, ""),
    # What reaches outside.
    ("SELECT * FROM read_csv('/etc/passwd')", 15, "no table function"),
    ("SELECT * FROM read_text('/etc/passwd')", 15, "no table function"),
    ("SELECT * FROM glob('*')", 15, "no table function"),
    ("SELECT * FROM duckdb_settings()", 15, "no table function"),
    ("SELECT * FROM information_schema.tables", 15, "only `apps.NAME`"),
    ("SELECT * FROM sqlite_master", 15, "there is no table"),
    ("SELECT * FROM __input0", 15, "there is no table"),
    ("SELECT time, getenv('HOME') AS h FROM observations", 14, "no function GETENV"),
    ("SELECT time, current_setting('x') AS h FROM observations", 14, "no function"),
    ("SELECT time, query('SELECT 1') AS h FROM observations", 14, "no function"),
    ("SELECT time, x -> x + 1 FROM observations", 14, "not part of the language"),
    ("SELECT time, COLUMNS('r.*') FROM observations", 14, "no function COLUMNS"),
    ("SELECT time, result[1] AS r FROM observations", 14, "not part of the language"),
    ("SELECT time, $start AS s FROM observations", 14, "no column"),
    ("SELECT time, ? AS s FROM observations", 0, "not part of the language"),
    ("SELECT time, result FROM (VALUES (1)) AS t(a)", 0, ""),
    ("SELECT time FROM observations, LATERAL (SELECT 1)", 0, ""),
    ("SELECT time FROM observations TABLESAMPLE 10%", 0, ""),
    ("SELECT time FROM observations WHERE result IN (SELECT 1)", 37, "JOIN"),
    ("SELECT time, (SELECT 1) AS x FROM observations", 22, "JOIN it instead"),
    # What has no bound.
    ("SELECT AVG(result) AS r FROM observations", 8, "TUMBLE"),
    ("SELECT thing, AVG(result) AS r FROM observations GROUP BY thing", 59, "TUMBLE"),
    ("SELECT DISTINCT thing FROM observations", 17, "GROUP BY"),
    ("SELECT time FROM observations ORDER BY time", 40, "ORDER BY has no end"),
    ("SELECT time FROM observations LIMIT 5", 37, "LIMIT has no meaning"),
    ("SELECT time FROM observations UNION SELECT time FROM observations", 44, "UNION ALL"),
    ("SELECT time FROM observations EXCEPT SELECT time FROM observations", 45, "UNION ALL"),
    ("SELECT time, SUM(result) OVER (ORDER BY time) AS s FROM observations", 14, "RANGE BETWEEN"),
    (
        "SELECT time, SUM(result) OVER (ORDER BY time ROWS UNBOUNDED PRECEDING) AS s"
        " FROM observations", 14, "UNBOUNDED has no end",
    ),
    (
        "SELECT time, ROW_NUMBER() OVER (PARTITION BY thing ORDER BY time) AS n FROM observations",
        14, "PARTITION BY window_start",
    ),
    (
        "SELECT a.time FROM observations AS a JOIN observations AS b ON a.thing = b.thing", 64,
        "no bound in time",
    ),
    (
        "SELECT a.time FROM observations AS a JOIN observations AS b ON a.time >= b.time", 64,
        "a bound on one side only",
    ),
    ("SELECT a.time FROM observations AS a, observations AS b", 39, "no bound"),
    ("WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a", 0, "RECURSIVE"),
    ("SELECT name FROM things", 18, "no time of its own"),
    # What differs from run to run.
    ("SELECT time, NOW() AS n FROM observations", 14, "differs from run to run"),
    ("SELECT time, CURRENT_TIMESTAMP AS n FROM observations", 14, "differs from run to run"),
    ("SELECT time, RAND() AS n FROM observations", 14, "differs from run to run"),
    # What does not fit together.
    ("SELECT time FROM observations WHERE time > 'noon'", 44, "'noon' is no time"),
    ("SELECT time + INTERVAL '1' SECOND AS time FROM observations", 8, "must be a time attribute"),
    ("SELECT time, text + 1 AS x FROM observations", 14, "`+` wants numbers"),
    ("SELECT time FROM observations WHERE result", 37, "a condition is wanted"),
    ("SELECT time FROM observations WHERE result = 'a'", 37, "cannot be compared"),
    ("SELECT time, ROUND(text, 2) AS x FROM observations", 20, "ROUND takes a number"),
    ("SELECT time, SUBSTRING(text) AS x FROM observations", 14, "2 to 3 arguments, not 1"),
    ("SELECT time, EXTRACT(CENTURY FROM time) AS x FROM observations", 0, "EXTRACT has no"),
    (f"SELECT result {WINDOWED}", 8, "differs within a group"),
    (f"SELECT AVG(MAX(result)) AS x {WINDOWED}", 12, "inside another aggregate"),
    (f"SELECT window_start, COUNT(*) AS n {WINDOWED}, thing", 0, "add it to the SELECT"),
    ("SELECT time FROM observations WHERE COUNT(*) > 1", 37, "cannot stand here"),
    ("SELECT time, LAG(result) OVER (PARTITION BY thing) AS x FROM observations", 14,
     "ORDER BY a time"),
    ("SELECT time, LAG(result, -1) OVER (ORDER BY time) AS x FROM observations", 0, "1 to 10000"),
    ("SELECT * FROM TUMBLE(TABLE observations, DESCRIPTOR(result), INTERVAL '1' MINUTE)", 53,
     "no time attribute"),
    ("SELECT * FROM TUMBLE(TABLE observations, DESCRIPTOR(time))", 15, "write it as in"),
    ("SELECT * FROM TUMBLE(TABLE observations, DESCRIPTOR(time), 5)", 60, "an interval is wanted"),
    ("SELECT * FROM TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MONTH)", 0, "WEEK"),
    ("SELECT * FROM TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '0' SECOND)", 0,
     "longer than 0"),
    (
        "SELECT * FROM HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '5' MINUTE,"
        " INTERVAL '1' MINUTE)", 15, "slide must not be longer",
    ),
    (
        "SELECT * FROM SESSION(TABLE observations, DESCRIPTOR(time), INTERVAL '2' HOUR)", 15,
        "raise the query's reach",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "column", "message"), CASES)
def test_a_refusal_says_where_and_what_instead(sql: str, column: int, message: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        compile_query(sql, reach_us=3_600_000_000)
    assert message in str(refused.value)
    if column:
        assert (refused.value.line, refused.value.column) == (1, column), str(refused.value)


def test_a_place_is_line_and_column() -> None:
    sql = "SELECT\n  time,\n  rsult AS r\nFROM observations"
    with pytest.raises(InvalidQuery) as refused:
        compile_query(sql, reach_us=1)
    assert (refused.value.line, refused.value.column) == (3, 3)
    assert str(refused.value).startswith("line 3, column 3: ")


@pytest.mark.parametrize("depth", [45, 3000])
def test_what_is_nested_too_deep_is_refused_or_answered(depth: int) -> None:
    sql = f"SELECT time, {'(' * depth}result{')' * depth} AS r FROM observations"
    if depth > MAX_DEPTH:
        with pytest.raises(InvalidQuery, match="deep"):
            compile_query(sql, reach_us=1)
    else:
        compile_query(sql, reach_us=1)


def test_long_chains_of_conditions_are_no_depth() -> None:
    sql = "SELECT time FROM observations WHERE " + " OR ".join(
        f"result = {number}" for number in range(1500)
    )
    compile_query(sql, reach_us=1)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE x; --", '" OR 1=1', "{0}{1}{args}", "\\", "ä\u2028"]
)
def test_texts_and_names_stay_texts_and_names(text: str) -> None:
    literal, name = text.replace("'", "''"), text.replace('"', '""')
    plan = compile_query(
        f'SELECT time, CONCAT(\'{literal}\', text) AS "{name}" FROM "{name}"'
        f" WHERE POSITION('{literal}' IN text) > 0",
        reach_us=1,
    )
    assert plan.meaning.columns[1].name == text
    assert plan.inputs[0].source.names == (text,)
    assert "'" + literal + "'" in plan.sql
