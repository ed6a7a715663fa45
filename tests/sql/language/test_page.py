"""Every example of `docs/reference/sql.md` is taken, runs, and ends the same in slices."""

import random
import re
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.generating import SECOND, catalog, rows
from tests.sql.running import comparable, connect, sliced, whole

from penstock.sql.language import compile_query
from penstock.sql.language.calls import FUNCTIONS

PAGE = (Path(__file__).parents[3] / "docs/reference/sql.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def plant(seed: int) -> pa.Table:
    """Return generated observations of datastreams that are called as on the page."""
    data = rows(random.Random(seed))
    names = [name.replace("P.", "Plant.", 1) for name in data["name"].to_pylist()]
    return data.set_column(data.schema.get_field_index("name"), "name", pa.array(names))


def test_the_page_has_an_example_for_each_form() -> None:
    assert len(EXAMPLES) >= 16
    forms = ("TUMBLE", "HOP", "CUMULATE", "SESSION", "LAG", "ROWS BETWEEN", "RANGE BETWEEN",
             "ROW_NUMBER", "UNION ALL", "ASOF", "FOR SYSTEM_TIME", "SERIES_JOIN", "locations",
             "window_start = b.window_start", "HAVING", "JSON_VALUE")  # fmt: skip
    for form in forms:
        assert any(form in example for example in EXAMPLES), form


@pytest.mark.parametrize("sql", EXAMPLES, ids=lambda sql: " ".join(sql.split()[:12]))
def test_an_example_runs_and_ends_the_same_in_slices(sql: str) -> None:
    plan = compile_query(sql, reach_us=900 * SECOND)
    connection = connect()
    answered = 0
    for seed in range(6):
        data = plant(seed)
        expected = whole(connection, plan, data, catalog())
        got = sliced(connection, plan, data, catalog(), random.Random(seed))
        assert comparable(expected) == comparable(got)
        answered += len(expected)
    assert answered or "80" in sql or "100" in sql


def test_the_page_names_every_function() -> None:
    named = set(re.findall(r"[A-Z][A-Z0-9_]+(?=[(`,])", PAGE))
    assert set(FUNCTIONS) <= named | {"E"}, sorted(set(FUNCTIONS) - named)
