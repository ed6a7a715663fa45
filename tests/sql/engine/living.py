"""A life of the engine: generated queries side by side over a store, and whatever may happen.

Rows come late, twice, wrong at first and are deleted again; sources fall silent; queries are
stopped and started; the store flushes, refuses, and everything is killed anywhere in a turn.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from tests.sql import generating
from tests.sql.engine.bench import Bench, plan_of
from tests.sql.generating import SECOND, us_of
from tests.sql.running import Rows, measured, repeated, whole

from penstock.core.access import EVERYTHING
from penstock.core.apps import Output
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.errors import NotConnected
from penstock.core.observation import observations
from penstock.core.queries import Query, RunState
from penstock.core.selection import Selection
from penstock.core.series import Series
from penstock.core.store import Marks
from penstock.sql.engine.derived import TOLD_OTHERWISE, Origin
from penstock.sql.plan import INPUT_COLUMNS, Plan
from penstock.sql.settings import SqlSettings

#: What generated queries read as `apps.mean`.
MEANS = [
    "SELECT window_start, thing, AVG(result) AS mean FROM TUMBLE(TABLE observations, "
    "DESCRIPTOR(time), INTERVAL '5' SECOND) GROUP BY window_start, window_end, thing",
    'SELECT time, result / 2 AS half FROM "P.*.HUM" WHERE result > 2',
    "SELECT window_end AS time, thing, COUNT(*) AS n, MAX(result) AS top FROM HOP(TABLE "
    "observations, DESCRIPTOR(time), INTERVAL '4' SECOND, INTERVAL '8' SECOND) "
    "GROUP BY window_start, window_end, thing HAVING COUNT(*) < 4",
    "SELECT time, thing, result - LAG(result) OVER (PARTITION BY datastream ORDER BY time) AS step "
    'FROM "P.*.TMP"',
    # A long window, in pieces, of rows that depend on others around them.
    "SELECT window_start, thing, AVG(step) AS mean, COUNT(DISTINCT result) AS n FROM TUMBLE("
    "(SELECT time, thing, result, result - LEAD(result) OVER (PARTITION BY name ORDER BY time) "
    "AS step FROM observations), DESCRIPTOR(time), INTERVAL '20' SECOND) "
    "GROUP BY window_start, window_end, thing",
]  # fmt: skip
TOO_LONG = "a session lasts longer than the reach"
#: Datastreams that are measured; the generated ones of app `mean` are derived here.
NUMBERS = 5
Key = tuple[Any, ...]
Derived = dict[Key, float | str]


class Killed(BaseException):
    """The process ended here."""


class RestlessClock(ManualClock):
    """Every look at it may take time, so that turns end anywhere."""

    pace_s = 0.0

    def monotonic_s(self) -> float:
        self._passed_s += self.pace_s
        return super().monotonic_s()


class _Fragile(Bench):
    """A bench whose store refuses at times, and which is killed in the middle."""

    rng = random.Random()
    #: How often what comes next fails, or is the last.
    refuses = dies = 0.0

    def keep(self, rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> None:
        """Do as `Bench.keep` does, or a part of it."""
        if self.rng.random() < self.refuses:
            raise NotConnected("the store rests")
        self._die()
        if removed is not None:
            self.store.delete_rows(removed)
            self.engine.heard(removed, {})
            self._die()
        super().keep(rows, marks, None)
        self._die()

    def delete(self, rows: pa.Table) -> None:
        """Do as `Bench.delete` does, or a part of it."""
        with self.engine.removing(rows):
            self._die()
            self.store.delete_rows(rows)
            self._die()

    def _die(self) -> None:
        if self.rng.random() < self.dies:
            raise Killed


@dataclass
class App:
    """A query of a life."""

    id: int
    name: str
    query: Query
    is_started: bool = False


@dataclass
class Life:
    """Everything that happens follows from the seed.

    Args:
        folder: Where it leaves its files.
        seed: See above.
        queries: How many generated queries there are, beside the one that others read.
    """

    folder: Path
    seed: int
    queries: int = 4
    apps: list[App] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(self.seed)
        self.rows = self._measured(generating.rows(rng))
        times = generating.times_of(self.rows)
        self.began_us, self.until_us = min(times), max(times)
        sqls = [rng.choice(MEANS), *(generating.query(rng) for _ in range(self.queries))]
        for n, sql in enumerate(sqls, 1):
            query = Query(
                sql=sql,
                reach_s=rng.choice([7, 20, 45]) if n > 1 else 45,
                lateness_s=rng.choice([0.0, 0.5, 2.0, 10.0]),
                idle_s=rng.choice([1.0, 5.0, 30.0]),
            )
            self.apps.append(App(n, "mean" if n == 1 else f"app{n}", query))
        settings = SqlSettings(
            catalog_age_s=rng.choice([0, 5]),
            max_slice_rows=rng.choice([5_000_000, 5_000_000, 60, 20]),
            max_waiting_rows=rng.choice([2_000_000, 2_000_000, 10, 1]),
        )
        #: Whether some queries may read more at once than is allowed.
        self.is_tight = settings.max_slice_rows < 100
        self.clock = RestlessClock(self.began_us)
        self.clock.pace_s = rng.choice([0.0, 0.0, 0.004, 0.05])
        self.bench = _Fragile(self.folder, settings, self.clock)
        self.bench.rng = rng
        #: Which rows were removed.
        self.gone: set[int] = set()

    # -- what is there

    def _measured(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.less_equal(rows["datastream"], NUMBERS))

    def _enrol(self) -> None:
        series = [
            Series(
                thing=f"P.t{n % 3}", name=("TMP", "HUM")[n // 3],
                observed_property=("TMP", "HUM")[n // 3],
                location=(float(n % 3), 50.0 + n) if n != 1 else None,
            )
            for n in range(NUMBERS)
        ]  # fmt: skip
        made = self.bench.catalog.enrol(series, Policy.AUTOMATIC, self.began_us)
        assert [one.datastream for one in made] == list(range(1, NUMBERS + 1))

    def _batch(self, at: list[int], *, is_wrong: bool) -> pa.RecordBatch:
        rows = self.rows.take(at).combine_chunks().to_batches()[0]
        number = rows["result"]
        return observations(
            rows["datastream"], rows["time"],
            pc.add(pc.fill_null(number, 3.0), 1.0) if is_wrong else number,
            **{c: rows[c] for c in ("text", "feature", "end_time", "result_time", "parameters")},
        )  # fmt: skip

    # -- what happens

    def live(self) -> None:
        """Let everything happen, and then all come to rest."""
        rng = self.rng
        self._enrol()
        self._start_all()
        times = generating.times_of(self.rows)
        spread = rng.choice([0, 1, 5, 30, 200]) * SECOND
        coming = [
            (time + (spread * rng.random() if rng.random() < 0.3 else 0), at, False)
            for at, time in enumerate(times)
        ]
        # Some come twice; of some, something wrong comes first.
        again = rng.sample(coming, len(coming) // 8)
        coming += [(late + 3 * SECOND, at, False) for late, at, _ in again]
        wrong = rng.sample(range(len(times)), len(times) // 8)
        coming += [(times[at] - 1, at, True) for at in wrong]
        coming.sort()
        self.bench.refuses = rng.choice([0.0, 0.0, 0.05])
        self.bench.dies = rng.choice([0.0, 0.03, 0.1])
        while coming:
            size = rng.randint(1, 12)
            now, coming = coming[:size], coming[size:]
            self._send(now)
            self._something()
            if self.rng.random() < 0.15:
                self._delete({at for _, at, _ in coming})
        self._rest()

    def _send(self, now: list[tuple[float, int, bool]]) -> None:
        ahead_us = max(int(arrival) for arrival, _, _ in now) - self.clock.now_us()
        self.clock.advance(max(0.0, ahead_us / SECOND))
        for is_wrong in (True, False):
            some = [at for _, at, wrong in now if wrong == is_wrong]
            if some:
                self.bench.sent.append(self._batch(some, is_wrong=is_wrong))
        if self.rng.random() < 0.9:
            self._guarded(self.bench.read_log)

    def _something(self) -> None:
        rng = self.rng
        if rng.random() < 0.6:
            self.clock.advance(rng.choice([0.0, 0.5, 3.0, 40.0]))
            self._guarded(self._turn)
        if rng.random() < 0.15:
            self.bench.store.flush()
        if rng.random() < 0.1:
            app = rng.choice(self.apps)
            self.bench.engine.stop(app.id)
            app.is_started = False
        if rng.random() < 0.08:
            self._crash()
        if rng.random() < 0.5:
            self._start_all()

    def _delete(self, coming: set[int]) -> None:
        """Remove some rows of which nothing comes any more."""
        self._guarded(self.bench.read_log)
        if self.bench.position < len(self.bench.sent):
            return
        there = [at for at in range(self.rows.num_rows) if at not in coming | self.gone]
        if not there:
            return
        some = self.rng.sample(there, min(len(there), self.rng.randint(1, 4)))
        table = pa.table(self._batch(some, is_wrong=False))
        while not self._guarded(lambda: self.bench.delete(table)):
            self._guarded(self.bench.read_log)
        self.gone.update(some)

    def _turn(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            if self.bench.engine.turn():
                return

    def _guarded(self, act: Callable[[], None]) -> bool:
        """Do something; return whether it was done."""
        try:
            act()
        except NotConnected:
            return False
        except Killed:
            self._crash()
            return False
        return True

    def _crash(self) -> None:
        self.bench.crash()
        for app in self.apps:
            app.is_started = False
        if self.rng.random() < 0.5:
            self._start_all()

    def _start_all(self) -> None:
        for app in self.apps:
            if not app.is_started:
                meaning = plan_of(app.query).meaning
                origin = Origin(id=app.id, name=app.name, version=1, system=1)
                sink = self.bench.engine.sink(origin, Output(), meaning)
                self.bench.engine.start(app.id, app.query, sink, self.began_us - 1000 * SECOND)
                app.is_started = True

    def _rest(self) -> None:
        self.bench.refuses = self.bench.dies = 0.0
        self.bench.settings = msgspec.structs.replace(self.bench.settings, max_slice_rows=5_000_000)
        if self.rng.random() < 0.5 or self.is_tight:
            self._crash()
        self.bench.read_log()
        self._start_all()
        for seconds in (1, 20, 400, 4000):
            self.clock.advance(seconds)
            for _ in range(400):
                if self.bench.engine.turn():
                    break
            else:
                raise AssertionError("the engine does not come to rest")

    # -- what comes of it

    def differences(self, connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
        """Tell what is not as one run over all data says."""
        derived = self.derived()
        left = [at for at in range(self.rows.num_rows) if at not in self.gone]
        rows = pa.concat_tables([self.rows.take(pa.array(left, pa.int64())), self._derived_rows()])
        picture = self.bench.engine.pictures.now()
        for app in self.apps:
            plan = plan_of(app.query)
            tables = {name: picture.table(name, EVERYTHING) for name in plan.tables}
            try:
                answer = whole(connection, plan, rows, tables, measured)
            except duckdb.Error as error:
                if TOO_LONG in str(error):
                    continue
                raise
            status = self.bench.engine.status(app.id)
            assert status is not None
            if status.state is not RunState.RUNNING:
                yield f"{self._told(app)}: {status.state}: {status.message}"
            if repeated(answer, plan):
                yield f"{self._told(app)}: {repeated(answer, plan)[:3]} stand twice"
            wanted, got = self._wanted(answer, plan), derived.get(app.id, {})
            wrong = [
                (key, wanted.get(key), got.get(key))
                for key in sorted(wanted.keys() | got.keys(), key=repr)
                if not _same(wanted.get(key), got.get(key))
            ]
            if wrong:
                yield f"{self._told(app)}: {len(wrong)} of {len(wanted)} differ: {wrong[:4]}"

    def _told(self, app: App) -> str:
        return f"life {self.seed}, {app.name} (reach {app.query.reach_s}): {app.query.sql}\n  "

    def _wanted(self, answer: Rows, plan: Plan) -> Derived:
        """Return what is to be derived from an answer."""
        names = {one.id: one.name for one in self.bench.catalog.datastreams(limit=100_000)}
        columns = plan.meaning.columns
        made: Derived = {}
        for time, _, series, row, *values in answer:
            keys = tuple(
                (c.name, _text(v)) for c, v in zip(columns, values, strict=True) if c.is_key
            )
            sources = (names[series],) if series else tuple(plan.meaning.sources)
            for column, value in zip(columns, values, strict=True):
                if column.is_key or column.name in TOLD_OTHERWISE or value is None:
                    continue
                made[column.name, sources, keys, us_of(time), row] = value
        return made

    def derived(self) -> dict[int, Derived]:
        """Return what is stored of each app."""
        infos = {
            one.id: one
            for one in self.bench.catalog.datastreams(limit=100_000)
            if "app_id" in one.properties
        }
        made: dict[int, Derived] = {}
        for row in self._stored(list(infos)):
            properties: Any = infos[row["datastream"]].properties
            key = (
                properties["column"], tuple(properties["sources"]),
                tuple(properties.get("keys", {}).items()), row["time"], row["feature"],
            )  # fmt: skip
            value = row["text"] if row["number"] is None else row["number"]
            made.setdefault(properties["app_id"], {})[key] = value
        return made

    def _stored(self, ids: list[int]) -> list[dict[str, Any]]:
        table = self.bench.store.scan(Selection(datastreams=tuple(ids)))
        at = table.schema.get_field_index("time")
        table = table.set_column(at, "time", table["time"].cast(pa.int64()))
        return table.to_pylist()

    def _derived_rows(self) -> pa.Table:
        """Return what app `mean` derived as others read it."""
        infos = {
            one.id: one
            for one in self.bench.catalog.datastreams(limit=100_000)
            if one.properties.get("app") == "mean"
        }
        rows = []
        for row in self._stored(list(infos)):
            info = infos[row["datastream"]]
            rows.append({
                **row, "result": row["number"], "name": info.name, "thing": info.thing,
                "property": info.observed_property, "sensor": info.sensor, "app": "mean",
                "column": info.properties["column"],
            })  # fmt: skip
        return pa.table(
            {
                name: pa.array([row.get(name) for row in rows], self.rows.schema.field(name).type)
                for name in INPUT_COLUMNS
            }
        )

    def close(self) -> None:
        """Release all."""
        self.bench.close()


def _same(a: float | str | None, b: float | str | None) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b))
    return a == b


def _text(value: Any) -> str:
    return "" if value is None else str(value)
