"""What is computed from what is removed is computed again without it, even after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.engine.bench import Bench, mean

from penstock.catalog.entities.sql_entities import SqlEntities
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.runtime.watched_store import watched

TWICE = "SELECT time, result * 2 AS twice FROM observations"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def rows_of(bench: Bench, datastream: int, seconds: float) -> pa.Table:
    rows = bench.store.scan(Selection(datastreams=(datastream,)))
    at = (rows["time"].cast(pa.int64()).to_numpy() - 1_700_000_000_000_000) / 1e6
    return rows.filter(pa.array(at == seconds))


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("sql", [mean(10), TWICE])
def test_rows_that_are_removed(bench: Bench, sql: str, *, is_killed: bool) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, sql)
    bench.send((a, 1, 2.0), (a, 3, 4.0), (a, 13, 4.0))
    bench.turn(14)
    bench.store.flush()
    before = bench.derived()
    with bench.engine.removing(rows := rows_of(bench, a, 3)):
        bench.store.delete_rows(rows)
        if is_killed:
            bench.crash()
            bench.start(1, sql)
    bench.turn(1)
    after = bench.derived()
    wanted = (
        [("one.app1.mean", 0.0, 2.0)]
        if sql != TWICE
        else [("one.app1.twice.t", 1.0, 4.0), ("one.app1.twice.t", 13.0, 8.0)]
    )
    assert before != after == wanted


def test_a_removal_is_remembered_until_it_is_durable_that_it_was_followed(bench: Bench) -> None:
    (a,) = bench.datastreams(["one.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (a, 3, 4.0), (a, 13, 4.0))
    bench.turn(14)
    bench.store.flush()
    bench.delete(rows_of(bench, a, 3))
    bench.turn(1)
    assert bench.derived() == [("one.app1.mean", 0.0, 2.0)]
    # What was computed is not durable yet.
    bench.crash()
    bench.start(1, mean(10))
    bench.turn(1)
    assert bench.derived() == [("one.app1.mean", 0.0, 2.0)]


@pytest.mark.parametrize("moment", ["whole", "before the rows go", "behind it"])
def test_a_datastream_that_is_deleted_leaves_nothing_derived_of_it(
    bench: Bench, moment: str
) -> None:
    a, b = bench.datastreams(["one.t", "two.t"])
    bench.start(1, mean(10, key="name"))
    bench.start(2, TWICE)
    bench.start(3, mean(10, source='"two.*"'))
    bench.send((a, 1, 2.0), (b, 3, 4.0), (a, 13, 4.0), (b, 13, 6.0))
    bench.turn(14)
    bench.store.flush()
    assert len(bench.derived(1)) == 2
    assert len(bench.derived(2)) == 4
    SqlEntities(bench.catalog.database, bench.clock).delete("Datastream", a)
    if moment == "before the rows go":
        bench.crash()
    else:
        bench.turn(1)
    with bench.engine.removing(gone := Selection(datastreams=(a,))):
        bench.store.delete(gone)
        if moment == "behind it":
            bench.crash()
    for id_, sql in ((1, mean(10, key="name")), (2, TWICE), (3, mean(10, source='"two.*"'))):
        bench.engine.stop(id_)
        bench.start(id_, sql)
    bench.turn(1)
    assert [value for _, _, value in bench.derived(1)] == [4.0]
    assert [value for _, _, value in bench.derived(2)] == [8.0, 12.0]
    repairs = bench.engine.status(3)
    assert repairs is not None
    assert repairs.repairs == (1 if moment == "before the rows go" else 0)


def test_a_derived_datastream_that_is_deleted_is_made_anew_for_what_comes(bench: Bench) -> None:
    a, b = bench.datastreams(["one.t", "two.t"])
    bench.start(1, mean(10))
    bench.send((a, 1, 2.0), (b, 3, 4.0), (a, 13, 4.0), (b, 13, 6.0))
    bench.turn(14)
    derived = {d.name: d.id for d in bench.catalog.datastreams() if "app_id" in d.properties}
    gone = derived["one.app1.mean"]
    SqlEntities(bench.catalog.database, bench.clock).delete("Datastream", gone)
    with bench.engine.removing(Selection(datastreams=(gone,))):
        bench.store.delete(Selection(datastreams=(gone,)))
    bench.send((a, 25, 1.0), (b, 25, 1.0))
    bench.turn(12)
    assert bench.derived() == [
        ("one.app1.mean", 10.0, 4.0), ("two.app1.mean", 0.0, 4.0), ("two.app1.mean", 10.0, 6.0),
    ]  # fmt: skip
    assert not bench.store.scan(Selection(datastreams=(gone,))).num_rows


def test_the_store_tells_of_whatever_is_removed(bench: Bench) -> None:
    told: list[pa.Table | Selection] = []

    class Told:
        def __init__(self, gone: pa.Table | Selection) -> None:
            told.append(gone)

        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            told.append(SCHEMA.empty_table())

    (a,) = bench.datastreams(["one.t"])
    bench.send((a, 1, 2.0), (a, 3, 4.0))
    store = watched(bench.store, Told)
    assert store.count() == 2
    assert store.marks == bench.store.marks
    assert store.delete_rows(rows_of(bench, a, 3)) == 1
    assert store.delete(Selection(datastreams=(a,))) == 1
    assert [type(one) for one in told] == [pa.Table, pa.Table, Selection, pa.Table]
    assert store.count() == 0


@pytest.mark.parametrize("sql", [mean(10), TWICE])
def test_who_reads_a_derived_row_follows_its_removal_when_a_kill_came_between(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, sql: str
) -> None:
    """The newest derived row is gone durably, and nobody who has read it knows."""
    (a,) = bench.datastreams(["one.t"])
    queries = {1: sql, 2: mean(20, source="apps.app1")}
    for id_, one in queries.items():
        bench.start(id_, one, idle_s=1.0)
    bench.send((a, 1, 2.0), (a, 33, 4.0))
    bench.turn(70)
    bench.turn(10)
    assert bench.derived(2)[-1][1] == 20.0
    bench.store.flush()
    bench.delete(rows_of(bench, a, 33))

    delete = bench.store.delete_rows

    class Killed(BaseException):
        pass

    def removed(rows: pa.Table) -> None:
        delete(rows)
        raise Killed

    monkeypatch.setattr(bench.store, "delete_rows", removed)
    with pytest.raises(Killed):
        bench.engine.turn()
    bench.crash()
    for id_, one in queries.items():
        bench.start(id_, one, idle_s=1.0)
    bench.turn(1)
    assert [time for _, time, _ in bench.derived(2)] == [0.0]
