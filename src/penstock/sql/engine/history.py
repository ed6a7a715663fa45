"""A query over a past range, in parts: what a backtest is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.queries import Progress
from penstock.core.store import CanSummarise, Store
from penstock.sql.engine.computing import Computer
from penstock.sql.engine.duck import duck_of
from penstock.sql.engine.inputs import Scans, Wanted
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.pieces import Pieces, Room
from penstock.sql.engine.ranges import Int64s, ceiling, floor
from penstock.sql.engine.tap import int64s
from penstock.sql.plan import Plan
from penstock.sql.settings import SqlSettings


def over(
    plan: Plan,
    start_us: int,
    end_us: int,
    *,
    store: Store,
    picture: Picture,
    scope: Scope,
    settings: SqlSettings,
    progress: Progress | None = None,
) -> Iterator[pa.Table]:
    """Compute the answer for a range of event time; see `core.queries.Streams.over`.

    Rows outside of the range are left out, whatever the grid of slices is.

    Args:
        plan: What is to be run.
        start_us: First event time wanted.
        end_us: First event time not wanted any more.
        store: Where rows are.
        picture: The catalog.
        scope: What may be read.
        settings: How much memory it may take.
        progress: Told how far it is; raises to give up.
    """
    meaning = plan.meaning
    ids = {one.relation: picture.find(one.source, scope, 0) for one in plan.inputs}
    begin, end = _held(store, ids, start_us, end_us, plan)
    start, stop = floor(begin, meaning), ceiling(end, meaning)
    whole = max(1, stop - start)
    scans = Scans(store, settings.max_slice_rows)
    pieces = None
    if plan.staged is not None:
        pieces = Pieces(0, plan, plan.staged, Room(settings.pieces_bytes))
    duck = duck_of(settings)
    try:
        computer = Computer(duck, settings.max_slice_rows)
        computer.scope = lambda: scope
        first = start
        while start < stop:
            if progress is not None:
                progress((start - first) / whole)
            wanted = Wanted(plan, ids, start, stop)
            if pieces is None:
                part = computer.part(wanted, scans, picture)
            else:
                pieces.tidy(start)
                part = pieces.part(wanted, computer, scans, picture)
            scans.forget()
            rows = _within(part.answer, start_us, end_us)
            if rows.num_rows:
                yield rows
            start = part.end_us
        if progress is not None:
            progress(1.0)
    finally:
        duck.close()


def _held(
    store: Store, ids: Mapping[str, Int64s], start_us: int, end_us: int, plan: Plan
) -> tuple[int, int]:
    """Return the part of a range that can have an answer, from what is stored."""
    every = sorted({id_ for some in ids.values() for id_ in some.tolist()})
    if not isinstance(store, CanSummarise):
        return start_us, end_us
    held = store.summaries(every)
    if not held.num_rows:
        return start_us, start_us
    first = int(int64s(held, "first_time").min()) - plan.meaning.ahead_us - plan.meaning.grid_us
    last = int(int64s(held, "last_time").max()) + plan.meaning.back_us + plan.meaning.grid_us
    begin = max(start_us, first)
    return begin, max(begin, min(end_us, last))


def _within(answer: pa.Table, start_us: int, end_us: int) -> pa.Table:
    times = int64s(answer, "__time")
    mask = (times >= start_us) & (times < end_us)
    return answer if mask.all() else answer.filter(pa.array(mask))
