"""The past, questions and topics: the same answers, within limits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from tests.sql.engine.bench import EPOCH, SECOND, Bench, mean

from penstock.core.access import EVERYTHING, Scope
from penstock.core.apps import Output, OutputKind
from penstock.core.errors import InvalidQuery, PenstockError, TooMuch
from penstock.core.queries import Query
from penstock.sql.engine.adhoc import Questions
from penstock.sql.engine.duck import Deadline, Duck
from penstock.sql.engine.topic import TopicSink
from penstock.sql.language import compile_adhoc
from penstock.sql.settings import SqlSettings

TWICE = "SELECT result * 2 AS twice FROM observations WHERE result > 3"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, SqlSettings(catalog_age_s=0, max_slice_rows=1000))
    yield made
    made.close()


def fill(bench: Bench, rows: int = 3000) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.send(*((a, n / 10, float(n % 7)) for n in range(rows)))


def test_a_past_range_is_computed_in_parts_and_equals_what_ran_live(bench: Bench) -> None:
    fill(bench)
    bench.start(1, mean(10), start_us=EPOCH)
    bench.turn(400)
    told: list[float] = []
    query = Query(sql=mean(10))
    parts = list(bench.engine.over(query, EPOCH, EPOCH + 300 * SECOND, told.append))
    assert len(parts) > 1
    rows = pa.concat_tables(parts)
    assert rows["mean"].to_pylist() == [value for _, _, value in bench.derived()]
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_datastream_that_is_new_is_seen_at_once_by_whoever_looks_at_the_past(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, SqlSettings(catalog_age_s=3600))
    try:
        fill(bench, 100)
        past = Query(sql=mean(10)), EPOCH, EPOCH + 300 * SECOND
        (before,) = bench.engine.over(*past)
        (b,) = bench.datastreams(["two.t"])
        bench.send((b, 5, 2.5))
        (after,) = bench.engine.over(*past)
        assert after["mean"].to_pylist().count(2.5) == before["mean"].to_pylist().count(2.5) + 1
        (c,) = bench.datastreams(["three.t"])
        bench.send((c, 5, 3.5))
        questions = Questions(bench.store, bench.engine.pictures, compile_adhoc, bench.settings)
        sql = "SELECT result FROM observations WHERE thing = 'three'"
        answer = questions.ask(sql, EVERYTHING, max_rows=9, timeout_s=30)
        assert answer["result"].to_pylist() == [3.5]
        # An app that begins with the past, too.
        (d,) = bench.datastreams(["four.t"])
        bench.send((d, 5, 4.5))
        bench.start(1, mean(10), start_us=EPOCH)
        bench.turn(400)
        assert ("four.app1.mean", 0.0, 4.5) in bench.derived()
    finally:
        bench.close()


def test_a_window_with_more_rows_than_are_read_at_once_is_computed_in_pieces(bench: Bench) -> None:
    fill(bench)
    query = Query(sql=mean(1000))
    begin = EPOCH - EPOCH % (1000 * SECOND)
    (rows,) = bench.engine.over(query, begin, begin + 1000 * SECOND)
    assert rows["mean"].to_pylist() == [sum(n % 7 for n in range(3000)) / 3000]


def test_what_goes_wrong_amid_an_answer_is_told_as_what_goes_wrong_before_it() -> None:
    """When rows are read already, Arrow tells it in an error of its own."""
    duck = Duck(1 << 28, 1, is_ordered=True)

    def end(number: int) -> int:
        if number == 50_000:
            duck.interrupt()
        return number

    duck.connection.create_function("end_at", end, ["BIGINT"], "BIGINT")
    rows = "FROM range(200000) AS t(i)"
    wrong = f"SELECT CAST(CASE WHEN i > 50000 THEN 'x' ELSE '1' END AS INTEGER) AS x {rows}"
    try:
        with pytest.raises(TooMuch, match="took too long"):
            duck.run(f"SELECT end_at(i) AS x {rows}", {}, {}, 1 << 30)
        with pytest.raises(InvalidQuery, match="Could not convert string 'x'"):
            duck.run(wrong, {}, {}, 1 << 30)
        with pytest.raises(TooMuch, match="more than 1000 bytes"):
            duck.run(f"SELECT i {rows}", {}, {}, 1000)
    finally:
        duck.close()


def test_a_time_that_is_over_before_the_statement_begins_ends_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    duck = Duck(1 << 28, 1)
    begins, ends = threading.Event(), duck.interrupt

    def interrupt() -> None:
        ends()
        begins.set()

    monkeypatch.setattr(duck, "interrupt", interrupt)
    pairs = "SELECT sum(a.i * b.i) FROM range(1000000) AS a(i), range(1000000) AS b(i)"
    try:
        with Deadline(duck, 0.0):
            # What was interrupted now is forgotten by what comes.
            begins.wait()
            with pytest.raises(TooMuch, match="took too long"):
                duck.run(pairs, {}, {})
    finally:
        duck.close()


def test_a_past_range_can_be_given_up(bench: Bench) -> None:
    fill(bench)

    def stop(share: float) -> None:
        if share > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(bench.engine.over(Query(sql=mean(10)), EPOCH, EPOCH + 300 * SECOND, stop))


def test_a_slice_that_is_too_large_fails_with_what_to_do(bench: Bench) -> None:
    fill(bench)
    # Unlike a mean, it does not follow from pieces of the window.
    sql = mean(1000).replace("AVG", "MEDIAN")
    with pytest.raises(TooMuch, match="max_slice_rows"):
        list(bench.engine.over(Query(sql=sql), EPOCH, EPOCH + 300 * SECOND))
    bench.start(1, sql, start_us=EPOCH)
    bench.turn(2000)
    status = bench.engine.status(1)
    assert status is not None
    assert status.state == "failed"
    assert "max_slice_rows" in status.message


def test_a_question_is_answered_within_limits_and_scope(bench: Bench) -> None:
    fill(bench, 100)
    questions = Questions(bench.store, bench.engine.pictures, compile_adhoc, SqlSettings())
    answer = questions.ask(TWICE, EVERYTHING, max_rows=100, timeout_s=30)
    assert answer.num_rows == sum(n % 7 > 3 for n in range(100))
    assert questions.ask(TWICE, Scope(), max_rows=100, timeout_s=30).num_rows == 0
    ordered = questions.ask(
        "SELECT time, result FROM observations ORDER BY result DESC, time LIMIT 20",
        EVERYTHING, max_rows=100, timeout_s=30,
    )  # fmt: skip
    assert ordered["result"].to_pylist() == [6.0] * 14 + [5.0] * 6
    with pytest.raises(TooMuch, match="more than 10 rows"):
        questions.ask(TWICE, EVERYTHING, max_rows=10, timeout_s=30)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '/tmp/penstock-leak.csv'",
        "ATTACH '/tmp/penstock-leak.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '100GB'",
        "PRAGMA threads = 64",
        "SELECT * FROM secret_of_python",
        "CREATE TABLE t AS SELECT * FROM '/etc/passwd'",
    ],
)
def test_duckdb_itself_reaches_neither_files_nor_settings_nor_python(sql: str) -> None:
    secret_of_python = pa.table({"x": [1]})
    duck = Duck(64 << 20, 1)
    try:
        with pytest.raises(PenstockError):
            duck.run(sql, {}, {})
    finally:
        duck.close()
    assert secret_of_python.num_rows == 1


def test_what_takes_too_long_or_too_much_memory_is_ended() -> None:
    duck = Duck(64 << 20, 1)
    try:
        with pytest.raises(TooMuch), Deadline(duck, 0.2):
            duck.run("SELECT count(*) FROM range(10000000000) a, range(1000) b", {}, {})
        with pytest.raises(TooMuch, match="memory"):
            duck.run("SELECT list(range) FROM range(100000000)", {}, {})
        with pytest.raises(InvalidQuery):
            duck.run("SELECT nothing", {}, {})
    finally:
        duck.close()


def test_rows_go_to_a_topic_as_json(bench: Bench) -> None:
    fill(bench, 20)
    sent: list[tuple[str, bytes]] = []
    output = Output(kind=OutputKind.TOPIC, topic="out/{thing}/mean")
    query = Query(sql=mean(1))
    sink = TopicSink(output, bench.engine.explain(query), sent.extend, bench.engine.pictures)
    bench.engine.start(1, query, sink, EPOCH)
    bench.turn(100)
    assert [topic for topic, _ in sent] == ["out/one/mean", "out/one/mean"]
    first = msgspec.json.decode(sent[0][1])
    assert first["time"] == "2023-11-14T22:13:20Z"
    assert first["mean"] == sum(n % 7 for n in range(10)) / 10
