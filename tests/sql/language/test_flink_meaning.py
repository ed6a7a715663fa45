"""Where DuckDB and Flink differ, it is Flink's meaning that counts."""

from __future__ import annotations

import datetime as dt
from typing import Any

import duckdb
import pytest
from tests.sql.generating import catalog
from tests.sql.running import connect, whole

from penstock.sql.functions import register
from penstock.sql.language import compile_query
from penstock.sql.plan import INPUT_COLUMNS

TYPES = ", ".join(
    f"{'NULL' if name == 'text' else 0 if type_ in {'DOUBLE', 'BIGINT'} else repr('a')}"
    f'::{type_} AS "{name}"'
    for name, type_ in INPUT_COLUMNS.items()
    if type_ != "TIMESTAMP"
)
ROW = (
    "SELECT TIMESTAMP '2024-01-31 12:00:00' AS time, NULL::TIMESTAMP AS end_time, "
    f"NULL::TIMESTAMP AS result_time, {TYPES}"
)


def value(expression: str, connection: duckdb.DuckDBPyConnection | None = None) -> Any:
    """Return what an expression is, over one row in which `text` is NULL and numbers are 0."""
    connection = connection or connect()
    rows = connection.sql(ROW).to_arrow_table()
    sql = f"SELECT time, {expression} AS x FROM observations"
    plan = compile_query(sql, reach_us=1_000_000)
    ((*_, found),) = whole(connection, plan, rows, catalog())
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CONCAT('a', text, 'b')", None),
        ("CONCAT('a', 'b')", "ab"),
        ("CONCAT('a', CAST(result AS INT), TRUE)", "a0true"),
        ("'a' || text", None),
        ("CONCAT_WS(',', 'a', text, 'b')", "a,b"),
        ("GREATEST(result, CHAR_LENGTH(text))", None),
        ("LEAST(result, CHAR_LENGTH(text))", None),
        ("GREATEST(result, 2, 1.5)", 2.0),
        ("LEAST(result, 2, -1.5)", -1.5),
        ("LEAST('b', 'a')", "a"),
        ("GREATEST(time, TIMESTAMP '2024-02-01 00:00:00')", dt.datetime(2024, 2, 1)),  # noqa: DTZ001
    ],
)
def test_what_is_made_of_null(expression: str, expected: object) -> None:
    assert value(expression) == expected


@pytest.mark.parametrize("form", ["TO_TIMESTAMP({})", "CAST({} AS TIMESTAMP(3))"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31 12:00:00", "2024-01-31T12:00:00"),
        ("2024-01-31T12:00:00Z", "2024-01-31T12:00:00"),
        ("2024-01-31T12:00:00+02:00", "2024-01-31T10:00:00"),
        ("2024-01-31 12:00:00.5-03:30", "2024-01-31T15:30:00.500000"),
        ("2024-07-31 12:00:00 Europe/Vienna", "2024-07-31T10:00:00"),
        ("2024-01-31", "2024-01-31T00:00:00"),
        ("9999-12-31 23:59:59-01:00", None),
        ("infinity", None),
        ("yesterday", None),
    ],
)
def test_the_offset_of_a_text_counts(form: str, text: str, expected: str | None) -> None:
    # Put together, so that it is not known before it runs.
    found = value(form.format(f"CONCAT('{text}', '')"))
    assert (None if found is None else found.isoformat()) == expected
    if expected is not None and "Vienna" not in text:
        assert value(form.format(f"'{text}'")) == found


def test_the_day_of_a_text_is_that_of_its_time_in_utc() -> None:
    found = value("CAST(CONCAT('2024-01-31 00:30:00+02:00', '') AS DATE)")
    assert found.isoformat() == "2024-01-30T00:00:00"


def test_times_without_an_offset_are_utc_wherever_the_machine_stands() -> None:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    register(connection)
    found = value("TO_TIMESTAMP(CONCAT('2024-01-31 12:00:00', ''))", connection)
    assert found.isoformat() == "2024-01-31T12:00:00"
