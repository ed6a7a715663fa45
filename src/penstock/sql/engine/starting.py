"""Where a query begins, or goes on."""

from __future__ import annotations

from penstock.core.access import Scope
from penstock.core.clock import Clock
from penstock.core.queries import Query
from penstock.core.store import CanSummarise, Marks, Store
from penstock.sql.engine.ledger import Entry
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import floor
from penstock.sql.engine.standing import Standing
from penstock.sql.engine.tap import int64s
from penstock.sql.plan import Plan

#: What the names of the store's marks begin with that say how far a query has come.
QUERY_MARK = "app:"


def stand(
    id_: int, query: Query, plan: Plan, start_us: int | None, held: Standing | None, *,
    store: Store, clock: Clock, picture: Picture, scope: Scope, positions: Marks,
) -> Standing:  # fmt: skip
    """Return where a query stands that is started now.

    Args:
        id_: Of the query.
        query: What is asked.
        plan: Made of it.
        start_us: Event time that it begins at; None is the present.
        held: Where it stood before, if it did.
        store: What is stored of its sources tells how far they are.
        clock: The present.
        picture: The catalog.
        scope: What it may read.
        positions: Where the log is, by partition.
    """
    now_us, now_s = clock.now_us(), clock.monotonic_s()
    meaning = plan.meaning
    sources = tuple(dict.fromkeys(one.source for one in plan.inputs))
    began = floor(now_us if start_us is None else start_us, meaning)
    if held is None:
        entry = Entry(
            id=id_, query=query, mark=f"{QUERY_MARK}{id_}.{now_us}", began_us=began,
            meaning=meaning, sources=sources, since=dict(positions),
        )  # fmt: skip
        standing = Standing(entry, began, now_s)
    else:
        standing = _again(held, query, plan, began, now_s)
    standing.resolve(picture, scope)
    first = _look_back(standing, store, now_us, now_s)
    if held is None:
        _begin(standing, first, now_us)
    standing.is_direct = True
    return standing


def _again(held: Standing, query: Query, plan: Plan, began: int, now_s: float) -> Standing:
    """Go on where a query stood, with what is asked now."""
    old, meaning = held.entry, plan.meaning
    sources = tuple(dict.fromkeys(one.source for one in plan.inputs))
    entry = Entry(
        id=old.id, query=query, mark=old.mark, began_us=floor(old.began_us, meaning),
        meaning=meaning, sources=sources, since=old.since, asked_us=old.asked_us,
    )  # fmt: skip
    if (query.sql, query.reach_s, query.system) != (
        old.query.sql, old.query.reach_s, old.query.system,
    ):  # fmt: skip
        entry.asked_us = began if old.meaning.is_rowwise or meaning.is_rowwise else held.done_us
    done = began if old.meaning.is_rowwise else held.done_us
    standing = Standing(entry, done, now_s)
    standing.late_rows, standing.too_late = held.late_rows, held.too_late
    standing.settling, standing.ever = held.settling, held.ever
    held.spill()
    standing.touch([(floor(a, meaning), b) for a, b in held.pending])
    if meaning.is_rowwise and not old.meaning.is_rowwise:
        standing.touch([(held.done_us, began + 1)])
    return standing


def _look_back(standing: Standing, store: Store, now_us: int, now_s: float) -> int | None:
    """Tell a query what is stored of its sources; return the first time of that."""
    first: list[int] = []
    for watch in standing.watches.values():
        if not len(watch.ids) or not isinstance(store, CanSummarise):
            continue
        found = store.summaries(watch.ids.tolist())
        if found.num_rows:
            watch.hear(int64s(found, "last_time"), now_us, now_s)
            first.append(int(int64s(found, "first_time").min()))
    return min(first, default=None)


def _begin(standing: Standing, first: int | None, now_us: int) -> None:
    """Skip what lies before the first row; let a row-by-row query begin with history."""
    meaning = standing.meaning
    if first is None:
        return
    if not meaning.is_rowwise:
        begin = floor(min(first - meaning.ahead_us, now_us), meaning)
        standing.done_us = max(standing.done_us, begin)
    elif first <= now_us:
        standing.touch([(max(first, standing.entry.began_us), now_us + 1)])
