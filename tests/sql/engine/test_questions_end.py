"""Questions that would take everything: each ends, within its limits and with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sql.engine.bench import Bench

from penstock.core.access import EVERYTHING
from penstock.core.errors import TooMuch
from penstock.sql.engine.adhoc import Questions
from penstock.sql.engine.duck import Duck
from penstock.sql.language import compile_adhoc
from penstock.sql.plan import Source
from penstock.sql.settings import SqlSettings

PAIRS = "observations AS a CROSS JOIN observations AS b"
MANY = f"{PAIRS} CROSS JOIN observations AS c CROSS JOIN observations AS d"
#: Whichever comes first on the machine at hand.
ENDED = "takes more memory|took too long"
#: 25,600 characters in each of 40,000 rows.
LONG = (
    f"SELECT CONCAT({', '.join(['q.t'] * 16)}) AS t FROM "
    f"(SELECT CONCAT({', '.join(['p.t'] * 16)}) AS t FROM "
    f"(SELECT '{'abcdefghij' * 10}' AS t FROM {PAIRS}) AS p) AS q"
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("questions"), SqlSettings(catalog_age_s=0))
    (a,) = bench.datastreams(["one.t"])
    bench.send(*((a, n / 10, float(n)) for n in range(200)))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def questions(bench: Bench) -> Questions:
    small = SqlSettings(question_memory_bytes=67_108_864, question_max_answer_bytes=8_000_000)
    return Questions(bench.store, bench.engine.pictures, compile_adhoc, small)


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        (f"SELECT SUM(a.result * d.result) AS x FROM {MANY}", ENDED),
        (f"SELECT SUM(GEO_DISTANCE(a.result, b.result, 1, d.result)) AS x FROM {MANY}", ENDED),
        (f"SELECT SUM(TO_UNIT(a.result, b.name, 'km')) AS x FROM {MANY}", ENDED),
        (f"SELECT ARRAY_AGG(a.result) AS x FROM {MANY}", ENDED),
        (f"SELECT LISTAGG(a.name, ',') AS x FROM {MANY}", ENDED),
        (f"SELECT a.result * b.result + d.result AS x FROM {MANY} ORDER BY x", ENDED),
        (f"SELECT a.result FROM {MANY}", "more than 1000 rows"),
        (f"{LONG} LIMIT 1000", "more than 8000000 bytes"),
    ],
)  # fmt: skip
def test_a_question_that_takes_too_much_is_ended(questions: Questions, sql: str, why: str) -> None:
    # Those that are too long are not to be ended for their time.
    timeout_s = 0.3 if why == ENDED else 60
    with pytest.raises(TooMuch, match=why):
        questions.ask(sql, EVERYTHING, max_rows=1000, timeout_s=timeout_s)


@pytest.mark.timeout(60)
def test_a_name_with_many_stars_takes_no_time_to_look_for(
    bench: Bench, questions: Questions
) -> None:
    bench.datastreams(["a" * 200 + ".x"])
    for stars, there in (("a*" * 30 + "b", 0), ("a*" * 30 + ".x", 1), ("*a*a*x*", 1), ("**.t", 1)):
        sql = (
            f'SELECT COUNT(*) AS n FROM datastreams AS d JOIN "{stars}" AS o ON d.id = o.datastream'
        )
        questions.ask(sql, EVERYTHING, max_rows=1, timeout_s=30)
        found = bench.engine.pictures.now().find(Source((stars,)), EVERYTHING, 0)
        assert len(found) == there, stars


def test_a_text_may_say_what_parameters_are_called(questions: Questions) -> None:
    sql = "SELECT '$start or $end' AS x FROM observations LIMIT 1"
    answer = questions.ask(sql, EVERYTHING, max_rows=1, timeout_s=30)
    assert answer["x"].to_pylist() == ["$start or $end"]


def test_afterwards_questions_are_answered_as_before(questions: Questions) -> None:
    answer = questions.ask("SELECT COUNT(*) AS n FROM observations", EVERYTHING, max_rows=1,
                           timeout_s=30)  # fmt: skip
    assert answer["n"].to_pylist() == [200]


def test_an_answer_of_the_allowed_size_is_whole() -> None:
    duck = Duck(67_108_864, 1)
    sql = "SELECT range AS n, repeat('x', 10) AS t FROM range(10000)"
    try:
        table = duck.run(sql, {}, {}, 1_000_000)
        assert table["n"].to_pylist() == list(range(10000))
        with pytest.raises(TooMuch, match="more than 100000 bytes"):
            duck.run(sql, {}, {}, 100_000)
        assert duck.run("SELECT 1 AS n WHERE FALSE", {}, {}, 10).num_rows == 0
    finally:
        duck.close()
