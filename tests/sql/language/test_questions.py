"""Questions: answered once, over everything, with what apps may not have."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from tests.sql.generating import catalog, rows
from tests.sql.running import connect, matching

from penstock.core.errors import InvalidQuery
from penstock.sql.language import compile_adhoc
from penstock.sql.plan import Plan

PAGE = (Path(__file__).parents[3] / "docs/reference/sql.md").read_text()
DATA = rows(random.Random(5))


def ask(sql: str, plan: Plan | None = None) -> list[tuple[Any, ...]]:
    """Return the answer, in order."""
    plan = plan or compile_adhoc(sql)
    connection = connect()
    for one in plan.inputs:
        table = matching(DATA, one.source).select(list(one.columns))
        connection.register(one.relation, table)
    for name in plan.tables:
        connection.register(name, catalog()[name])
    return connection.execute(f"SELECT * FROM ({plan.sql}) LIMIT 1000").fetchall()


def raw(sql: str) -> list[tuple[Any, ...]]:
    """Return what DuckDB says to SQL over the data as it is."""
    connection = connect()
    connection.register("o", DATA)
    for name, table in catalog().items():
        connection.register(name, table)
    return connection.execute(sql).fetchall()


PAIRS = [
    ("SELECT COUNT(*) AS n FROM observations", "SELECT count(*) FROM o"),
    (
        "SELECT thing, COUNT(result) AS n FROM observations GROUP BY thing ORDER BY n DESC, thing",
        "SELECT thing, count(result) n FROM o GROUP BY thing ORDER BY n DESC, thing",
    ),
    (
        "SELECT thing, MAX(result) AS m FROM observations GROUP BY thing HAVING COUNT(*) > 3"
        " ORDER BY MIN(time) LIMIT 2",
        "SELECT thing, max(result) FROM o GROUP BY thing HAVING count(*) > 3"
        " ORDER BY min(time) LIMIT 2",
    ),
    ("SELECT DISTINCT thing FROM observations ORDER BY thing DESC",
     "SELECT DISTINCT thing FROM o ORDER BY thing DESC"),
    (
        "SELECT time, result FROM observations ORDER BY time DESC, datastream, feature LIMIT 3"
        " OFFSET 2",
        "SELECT time, result FROM o ORDER BY time DESC, datastream, feature LIMIT 3 OFFSET 2",
    ),
    ("SELECT name FROM things ORDER BY 1", "SELECT name FROM things ORDER BY 1"),
    (
        "SELECT thing FROM observations EXCEPT SELECT name FROM things WHERE id = 1 ORDER BY thing",
        "SELECT thing FROM o EXCEPT SELECT name FROM things WHERE id = 1 ORDER BY thing",
    ),
    (
        "SELECT thing FROM observations UNION SELECT 'x' AS thing ORDER BY thing",
        "SELECT thing FROM o UNION SELECT 'x' ORDER BY thing",
    ),
    (
        "SELECT COUNT(*) AS n FROM observations WHERE result > (SELECT AVG(result) AS a FROM"
        " observations)",
        "SELECT count(*) FROM o WHERE result > (SELECT avg(result) FROM o)",
    ),
    (
        "SELECT COUNT(*) AS n FROM observations WHERE thing NOT IN (SELECT thing FROM locations)",
        "SELECT count(*) FROM o WHERE thing NOT IN (SELECT thing FROM locations)",
    ),
    (
        "SELECT t.name, COUNT(l.thing) AS n FROM things AS t LEFT JOIN locations AS l"
        " ON l.thing = t.name GROUP BY t.name ORDER BY t.name",
        "SELECT t.name, count(l.thing) FROM things t LEFT JOIN locations l ON l.thing = t.name"
        " GROUP BY t.name ORDER BY t.name",
    ),
    (
        "SELECT COUNT(*) AS n FROM observations AS a FULL JOIN observations AS b"
        " ON a.result = b.result AND a.datastream < b.datastream",
        "SELECT count(*) FROM o a FULL JOIN o b ON a.result = b.result AND"
        " a.datastream < b.datastream",
    ),
    (
        "SELECT time, SUM(result) OVER (ORDER BY time) AS s FROM observations"
        " ORDER BY time, datastream, feature",
        "SELECT time, sum(result) OVER (ORDER BY time) s FROM o ORDER BY time, datastream, feature",
    ),
    (
        "SELECT time, datastream, LAG(result) OVER (PARTITION BY datastream ORDER BY time, feature)"
        " AS s FROM observations ORDER BY time, datastream, feature",
        "SELECT time, datastream, lag(result) OVER (PARTITION BY datastream ORDER BY time, feature)"
        " FROM o ORDER BY time, datastream, feature",
    ),
    (
        "SELECT window_start, COUNT(*) AS n FROM TUMBLE(TABLE observations, DESCRIPTOR(time),"
        " INTERVAL '1' MINUTE) GROUP BY window_start, window_end ORDER BY window_start",
        "SELECT date_trunc('minute', time) w, count(*) FROM o GROUP BY w ORDER BY w",
    ),
    ("SELECT 1 + 1 AS two", "SELECT 2"),
    ("WITH a AS (SELECT thing FROM observations ORDER BY time, datastream, feature LIMIT 3) SELECT"
     " COUNT(*) AS n FROM a", "SELECT 3"),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "by_hand"), PAIRS)
def test_a_question_is_answered_as_by_hand(sql: str, by_hand: str) -> None:
    assert ask(sql) == raw(by_hand)


def test_the_example_of_the_page_is_answered() -> None:
    (sql,) = re.findall(r"```sql question\n(.*?)```", PAGE, re.DOTALL)
    ask(sql)


@pytest.mark.parametrize(
    ("sql", "bounds"),
    [
        ("SELECT result FROM observations WHERE time >= '1970-01-01 00:00:02' AND result > 1",
         (2_000_000, None)),
        ("SELECT result FROM observations WHERE time BETWEEN '1970-01-01' AND"
         " TIMESTAMP '1970-01-01 00:00:01'", (0, 1_000_001)),
        ("SELECT result FROM observations WHERE '1970-01-01T01:00:01+01:00' > time",
         (None, 1_000_001)),
        ("SELECT window_start, COUNT(*) AS n FROM TUMBLE(TABLE observations, DESCRIPTOR(time),"
         " INTERVAL '1' MINUTE) WHERE time > '1970-01-01' GROUP BY window_start", (0, None)),
        ("SELECT r FROM (SELECT time, result AS r FROM observations) WHERE time > '1970-01-01'",
         (0, None)),
        # Others of its rows are wanted too.
        ("SELECT result FROM observations WHERE time > '1970-01-01' OR result > 1", (None, None)),
        ("SELECT r FROM (SELECT time, LAG(result) OVER (ORDER BY time) AS r FROM observations)"
         " WHERE time > '1970-01-01'", (None, None)),
        ("SELECT r FROM (SELECT time, result AS r FROM observations ORDER BY time LIMIT 3)"
         " WHERE time > '1970-01-01'", (None, None)),
        ("SELECT result FROM observations WHERE time > '1970-01-01' UNION ALL"
         " SELECT result FROM observations", (None, None)),
        ("SELECT a.result FROM observations AS a LEFT JOIN observations AS b"
         " ON a.time = b.time WHERE b.time > '1970-01-01'", (None, None)),
        ("WITH a AS (SELECT * FROM observations) SELECT x.result FROM a AS x JOIN a AS y"
         " ON x.result = y.result WHERE x.time > '1970-01-01'", (None, None)),
    ],
)  # fmt: skip
def test_only_rows_that_may_matter_are_read(
    sql: str, bounds: tuple[int | None, int | None]
) -> None:
    (one,) = compile_adhoc(sql).inputs
    assert (one.start_us, one.end_us) == bounds


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "no table function"),
        ("SELECT getenv('HOME') AS h", "no function GETENV"),
        ("SELECT * FROM information_schema.tables", "only `apps.NAME`"),
        ("SELECT time FROM observations LIMIT (SELECT 1)", "written out"),
        ("SELECT time FROM observations LIMIT 1; DROP TABLE x", "only one SELECT"),
        ("SELECT (SELECT time, result FROM observations) AS x", "one column is wanted"),
        ("SELECT NOW() AS n", "differs from run to run"),
    ],
)
def test_what_reaches_outside_is_refused_here_too(sql: str, message: str) -> None:
    with pytest.raises(InvalidQuery, match=re.escape(message)):
        compile_adhoc(sql)
