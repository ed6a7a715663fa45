import pytest

from penstock.alarms.conditions import with_conditions
from penstock.core.errors import InvalidInput, InvalidQuery


@pytest.mark.parametrize(
    ("sql", "raise_", "clear", "expected"),
    [
        (
            "SELECT time, result FROM observations WHERE result > 80",
            "",
            "result < 75",
            (
                "SELECT time, result, (result > 80) AS raised, (result < 75) AS cleared "
                "FROM observations"
            ),
        ),
        (
            (
                "SELECT time, thing FROM observations WHERE name LIKE 'a AND b%' AND "
                "result BETWEEN 1 AND 2 AND thing IN ('x', 'y') AND text = 'it''s'"
            ),
            "",
            "",
            (
                "SELECT time, thing, ((result BETWEEN 1 AND 2) AND (text = 'it''s')) AS raised "
                "FROM observations WHERE name LIKE 'a AND b%' AND thing IN ('x', 'y')"
            ),
        ),
        (
            "SELECT time, result * 1.8 + 32 AS f FROM observations WHERE property = 'temperature'",
            "f > 100",
            "f < 90",
            (
                "SELECT time, result * 1.8 + 32 AS f, ((result * 1.8 + 32) > 100) AS raised, "
                "((result * 1.8 + 32) < 90) AS cleared FROM observations "
                "WHERE property = 'temperature'"
            ),
        ),
        (
            (
                "SELECT window_start, thing, AVG(result) AS mean FROM TABLE(TUMBLE(TABLE observations, "  # noqa: E501
                "DESCRIPTOR(time), INTERVAL '1' MINUTE)) WHERE result > 0 GROUP BY window_start, thing "  # noqa: E501
                "HAVING AVG(result) > 80"
            ),
            "",
            "mean < 70",
            (
                "SELECT window_start, thing, AVG(result) AS mean, (AVG(result) > 80) AS raised, "
                "((AVG(result)) < 70) AS cleared FROM TABLE(TUMBLE(TABLE observations, "
                "DESCRIPTOR(time), INTERVAL '1' MINUTE)) WHERE result > 0 GROUP BY window_start, thing"  # noqa: E501
            ),
        ),
        (
            "SELECT time, result > 80 AS raised, result FROM observations;",
            "",
            "",
            "SELECT time, result > 80 AS raised, result FROM observations",
        ),
        (
            "SELECT time FROM observations WHERE name = 'x'",
            "",
            "",
            "SELECT time FROM observations WHERE name = 'x'",
        ),
        (
            "SELECT time FROM observations WHERE name = 'x' OR result > 2 ORDER BY time",
            "",
            "",
            "SELECT time, (name = 'x' OR result > 2) AS raised FROM observations ORDER BY time",
        ),
    ],
)
def test_what_a_query_asks_of_its_rows_becomes_columns(
    sql: str, raise_: str, clear: str, expected: str
) -> None:
    assert with_conditions(sql, raise_, clear) == expected


@pytest.mark.parametrize(
    ("sql", "raise_", "clear"),
    [
        ("DELETE FROM observations", "", ""),
        ("SELECT time FROM a UNION ALL SELECT time FROM b", "", ""),
        ("SELECT time, TRUE AS raised FROM a", "result > 1", ""),
        ("SELECT time FROM a", "", "result < 1"),
        ("", "", ""),
    ],
)
def test_what_cannot_have_a_condition_is_refused(sql: str, raise_: str, clear: str) -> None:
    with pytest.raises((InvalidInput, InvalidQuery)):
        with_conditions(sql, raise_, clear)
