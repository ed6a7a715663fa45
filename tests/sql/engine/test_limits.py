"""What takes too long or gives too much ends with its own query, and no other waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.engine.bench import Bench, mean, plan_of

from penstock.core.errors import InvalidQuery
from penstock.core.queries import Query, RunState
from penstock.sql.engine.computing import Computer
from penstock.sql.engine.duck import TooSlow
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import Range
from penstock.sql.plan import Plan
from penstock.sql.settings import SqlSettings

#: Every row with every other of an hour, many times over: far more than a moment's work.
ENDLESS = (
    "SELECT a.time, SIN(a.result * b.result) + COS(a.result + b.result) AS x FROM observations AS a"
    " JOIN observations AS b ON b.time BETWEEN a.time - INTERVAL '1' HOUR AND a.time"
    " WHERE SIN(a.result * b.result) > 2"
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    settings = SqlSettings(catalog_age_s=0, max_slice_s=0.2, max_list_characters=50)
    made = Bench(tmp_path, settings)
    yield made
    made.close()


def test_a_slice_that_takes_too_long_fails_its_query_and_no_other(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.send(*((a, n / 100, float(n)) for n in range(12_000)))
    bench.start(1, ENDLESS, start_us=0)
    bench.start(2, mean(10), start_us=0)
    bench.clock.advance(200)
    bench.turn()
    slow, other = bench.engine.status(1), bench.engine.status(2)
    assert slow is not None
    assert other is not None
    assert slow.state is RunState.FAILED
    assert "sql.max_slice_s" in slow.message
    assert other.state is RunState.RUNNING
    assert len(bench.derived(2)) == 12
    assert bench.derived(1) == []


def test_a_range_that_takes_too_long_is_computed_in_parts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    answer = Computer.answer

    def slow(
        self: Computer, plan: Plan, parts: Mapping[str, pa.Table], span: Range, picture: Picture
    ) -> pa.Table:
        asked.append(sum(part.num_rows for part in parts.values()))
        if asked[-1] > 100:
            raise TooSlow("it takes longer than sql.max_slice_s")
        return answer(self, plan, parts, span, picture)

    monkeypatch.setattr(Computer, "answer", slow)
    (a,) = bench.datastreams(["one.t"])
    bench.send(*((a, float(n), float(n)) for n in range(600)))
    bench.start(1, mean(10), start_us=0)
    bench.clock.advance(700)
    assert not bench.engine.turn(), "others have their turn before the next part"
    assert asked == [600]
    bench.turn()
    status = bench.engine.status(1)
    assert status is not None
    assert status.state is RunState.RUNNING, status.message
    assert len(bench.derived(1)) == 60


def test_a_list_that_is_too_long_fails_its_query(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(
        1,
        "SELECT window_start, LISTAGG(name, ',') AS names FROM TUMBLE(TABLE observations, "
        "DESCRIPTOR(time), INTERVAL '10' SECOND) GROUP BY window_start, window_end",
    )
    bench.send((a, 1, 1.0), (a, 2, 1.0), (a, 13, 1.0))
    bench.turn(14)
    assert [text for _, _, text in bench.derived(1)] == ["one.t,one.t"]
    bench.send(*((a, 20 + n / 10, 1.0) for n in range(20)), (a, 33, 1.0))
    bench.turn(20)
    status = bench.engine.status(1)
    assert status is not None
    assert status.state is RunState.FAILED
    assert "LISTAGG" in status.message
    assert "sql.max_list_characters" in status.message


def test_what_the_database_would_refuse_is_refused_before_it_runs(bench: Bench) -> None:
    def broken(query: Query) -> Plan:
        plan = plan_of(query)
        return replace(plan, sql=plan.sql.replace("avg(", "agv("))

    bench.engine._plan_of = broken
    with pytest.raises(InvalidQuery, match="does not take this query"):
        bench.engine.explain(Query(sql=mean(10)))
    bench.engine._plan_of = plan_of
    assert bench.engine.explain(Query(sql=mean(10))).columns
