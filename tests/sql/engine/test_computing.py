"""A range that takes too much memory is computed in smaller parts, a single slice is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.engine.bench import EPOCH, SECOND, Bench, mean, plan_of

from penstock.core.access import EVERYTHING
from penstock.core.errors import NotConnected, TooMuch
from penstock.core.queries import Query
from penstock.sql.engine.computing import Computer
from penstock.sql.engine.duck import Duck
from penstock.sql.engine.inputs import Scans, Wanted
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import Range
from penstock.sql.plan import Plan


def test_a_range_is_halved_until_it_fits_and_a_slice_that_does_not_is_refused(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    (a,) = bench.datastreams(["one.t"])
    rows = 20_000
    bench.send(*((a, 200 * n / rows, float(n)) for n in range(rows)))
    plan = plan_of(Query(sql=mean(10)))
    picture = bench.engine.pictures.now()
    ids = {one.relation: picture.find(one.source, EVERYTHING, 0) for one in plan.inputs}
    duck = Duck(64 << 20, 1)

    class Tight(Computer):
        most = 3_000

        def answer(
            self, plan: Plan, parts: Mapping[str, pa.Table], span: Range, picture: Picture
        ) -> pa.Table:
            if sum(part.num_rows for part in parts.values()) > self.most:
                raise TooMuch("it takes more memory than sql.memory_bytes allows")
            return super().answer(plan, parts, span, picture)

    computer = Tight(duck, 10_000_000)
    start, end = EPOCH - 20 * SECOND, EPOCH + 220 * SECOND
    counted = 0
    at = start
    while at < end:
        part = computer.part(Wanted(plan, ids, at, end), Scans(bench.store, 10_000_000), picture)
        assert part.rows_in <= Tight.most
        counted, at = counted + part.answer.num_rows, part.end_us
    assert counted >= 20
    computer.most = 10
    with pytest.raises(TooMuch, match=r"sql\.memory_bytes"):
        computer.part(Wanted(plan, ids, EPOCH, end), Scans(bench.store, 10_000_000), picture)
    computer.close()
    bench.close()


def test_nothing_is_computed_once_it_is_given_up(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (a,) = bench.datastreams(["one.t"])
    bench.send((a, 1.0, 1.0))
    plan = plan_of(Query(sql=mean(10)))
    picture = bench.engine.pictures.now()
    ids = {one.relation: picture.find(one.source, EVERYTHING, 0) for one in plan.inputs}
    computer = Computer(Duck(64 << 20, 1), 10_000_000)
    wanted = Wanted(plan, ids, EPOCH, EPOCH + 10 * SECOND)
    computer.give_up()
    with pytest.raises(NotConnected):
        computer.part(wanted, Scans(bench.store, 10_000_000), picture)
    computer.close()
    bench.close()
