"""Slices of any size end as one run over all data: generated queries over generated data.

`make oracle` runs the long form; `PENSTOCK_ORACLE` says how many cases, `PENSTOCK_ORACLE_FROM`
where to begin.
"""

import os
import random
from dataclasses import replace

import duckdb
import pytest
from tests.sql.generating import case
from tests.sql.running import comparable, connect, repeated, sliced, whole

from penstock.sql.language import compile_query

BEGIN = int(os.environ.get("PENSTOCK_ORACLE_FROM", "0"))
CASES = int(os.environ.get("PENSTOCK_ORACLE", "150"))
TOO_LONG = "a session lasts longer than the reach"


def check(seed: int, connection: duckdb.DuckDBPyConnection) -> bool:
    """Check one case; False when it has no answer, or none that can be compared."""
    made = case(seed)
    plan = compile_query(made.sql, reach_us=made.reach_us, apps={"mean"})
    try:
        expected = whole(connection, plan, made.rows, made.tables)
    except duckdb.Error as error:
        if TOO_LONG in str(error):
            return False
        raise
    got = sliced(connection, plan, made.rows, made.tables, random.Random(seed))
    wrong = comparable(expected) - comparable(got) | comparable(got) - comparable(expected)
    assert not wrong, f"case {seed}: {made.sql}\n{list(wrong)[:3]}"
    assert not repeated(expected, plan), f"case {seed}: {made.sql}"
    return bool(expected)


@pytest.mark.parametrize("begin", range(BEGIN, BEGIN + CASES, 50))
@pytest.mark.timeout(600)
def test_slices_end_as_one_run_over_all_data(begin: int) -> None:
    connection = connect()
    answered = sum(check(seed, connection) for seed in range(begin, min(begin + 50, BEGIN + CASES)))
    assert answered > 0


@pytest.mark.timeout(600)
def test_the_oracle_sees_a_reach_that_is_too_short() -> None:
    """With half of it, some cases must go wrong: else it could see nothing."""
    connection = connect()
    wrong = 0
    for seed in range(120):
        made = case(seed)
        plan = compile_query(made.sql, reach_us=made.reach_us, apps={"mean"})
        meaning = plan.meaning
        if meaning.back_us + meaning.ahead_us <= 1:
            continue
        short = replace(
            plan,
            meaning=type(meaning)(
                columns=meaning.columns, sources=meaning.sources, is_rowwise=meaning.is_rowwise,
                back_us=meaning.back_us // 2, ahead_us=meaning.ahead_us // 2,
                grid_us=meaning.grid_us, offset_us=meaning.offset_us,
            ),
        )  # fmt: skip
        try:
            expected = whole(connection, plan, made.rows, made.tables)
            got = sliced(connection, short, made.rows, made.tables, random.Random(seed))
        except duckdb.Error:
            continue
        wrong += comparable(expected) != comparable(got)
        if wrong >= 5:
            return
    pytest.fail(f"only {wrong} cases went wrong")
