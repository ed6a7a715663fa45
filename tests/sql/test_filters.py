from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.simulated import observations_of
from tests.sql.running import connect, whole

from penstock.core.errors import InvalidQuery
from penstock.sql.filters import translate
from penstock.sql.language import compile_query

NAMES, RESULTS = ("a.t", "b.t", "a.b.t"), (-2.0, 0.0, 1.5, 8.0, 30.0, 100.0)
ROWS = observations_of([(name, result) for name, result in product(NAMES, RESULTS)])


def passed(text: str) -> set[tuple[str, float]]:
    plan = compile_query(translate(text), reach_us=1_000_000)
    names = [column.name for column in plan.meaning.columns]
    assert names == ["time", "thing", "result"]
    return {(row[5], row[6]) for row in whole(connect(), plan, ROWS, {})}


def expected(condition: str) -> set[tuple[str, float]]:
    return {
        (name.removesuffix(".t"), result)
        for name, result in product(NAMES, RESULTS)
        if eval(condition, {"name": name, "result": result})
    }


@pytest.mark.parametrize(
    ("where", "condition"),
    [
        ("result < 30", "result < 30"),
        ("(name = 'a.t' OR name = 'b.t') AND result < 30", "name in ('a.t','b.t') and result < 30"),
        (
            "name = 'a.t' OR name = 'b.t' AND result < 30",
            "name=='a.t' or name=='b.t' and result<30",
        ),
        ("name = 'a.t' XOR result > 5", "(name == 'a.t') != (result > 5)"),
        ("result > 5 XOR result > 10 OR result > 50", "(result > 5) != (result > 10)"),
        ("NOT result > 5 AND name = 'a.t'", "not result > 5 and name == 'a.t'"),
        ("NOT (result > 5 AND name = 'a.t')", "not (result > 5 and name == 'a.t')"),
        ("100 > result", "100 > result"),
        ("result = 1.50000001", "result == 1.5"),
        ("result <> 1.5", "result != 1.5"),
        ("result = -2", "result == -2"),
        ("result - 4 - 2 = 2", "result - 4 - 2 == 2"),
        ("10 - result + 1 > 5", "10 - (result + 1) > 5"),
        ("16 / 2 * result > 1", "result and 16 / (2 * result) > 1"),
        ("2 * 3 ^ 2 = result + 10", "2 * 3 ** 2 == result + 10"),
        ("2 ^ result % 4 = 1", "2 ** (result % 4) == 1 and result >= 0"),
        ("(result + 1) * 2 >= 60", "(result + 1) * 2 >= 60"),
        ("name < 'b'", "name < 'b'"),
        ("TRUE", "True"),
        ("FALSE OR result <= 0", "result <= 0"),
    ],
)
def test_conditions_mean_what_their_grammar_says(where: str, condition: str) -> None:
    assert passed(f"SELECT * FROM * WHERE {where};") == expected(condition)


def test_systems_are_chosen() -> None:
    assert passed("SELECT * FROM *;") == expected("True")
    assert passed("SELECT * FROM b") == expected("name == 'b.t'")
    assert passed("SELECT name, result FROM b, a.b WHERE result > 5;") == expected(
        "name != 'a.t' and result > 5"
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "SELECT *", "select * from * where TRUE", "SELECT * FROM * WHERE", "SELECT * FROM a;b",
        "SELECT * FROM * WHERE result", "SELECT * FROM * WHERE (result < 3",
        "SELECT * FROM * WHERE foo = 3", "SELECT * FROM * WHERE name = 3",
        "SELECT * FROM * WHERE name = 'a", 'SELECT * FROM * WHERE name = "a"',
        "SELECT * FROM * WHERE result < 3)", "SELECT * FROM * WHERE 1 < result < 3",
        "SELECT * FROM * WHERE name + 1 = 2", "SELECT * FROM x' OR TRUE", 'SELECT * FROM a"b',
        "SELECT * FROM * WHERE TRUE; DROP TABLE a",
        f"SELECT * FROM * WHERE {'(' * 99}TRUE{')' * 99}",
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        translate(text)


@given(st.text("resultname time'()<>=+-*/^%0123456789 ANDORNTX.;\"", max_size=60))
def test_what_is_translated_is_always_a_query(text: str) -> None:
    try:
        made = translate(f"SELECT * FROM * WHERE {text}")
    except InvalidQuery:
        return
    compile_query(made, reach_us=1_000_000)
