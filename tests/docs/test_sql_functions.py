"""The page about functions names every one, and its queries are queries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from penstock.sql.functions import FUNCTIONS
from penstock.sql.language import compile_query

PAGE = (Path(__file__).parents[2] / "docs/reference/sql-functions.md").read_text()


def test_every_function_is_described() -> None:
    assert {name for name in FUNCTIONS if f"`{name}(" not in PAGE} == set()


@pytest.mark.parametrize("sql", re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL))
def test_every_query_of_the_page_can_be_made(sql: str) -> None:
    assert compile_query(sql, reach_us=60_000_000).sql


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_example_of_a_function_can_be_made(name: str) -> None:
    example = FUNCTIONS[name].example.replace("a.", "").replace("b.", "")
    if FUNCTIONS[name].is_aggregate or "ARRAY_AGG" in example:
        window = "TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' SECOND))"
        sql = f"SELECT window_start, window_end, {example} AS x FROM {window}"
        sql += " GROUP BY window_start, window_end"
    else:
        sql = f"SELECT time, {example} AS x FROM observations"
    assert compile_query(sql, reach_us=60_000_000).sql
