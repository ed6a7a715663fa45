"""Rows that arrive in any order, as the engine hands them on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from penstock.alarms.folding import Conditions, Outcome
from penstock.alarms.runs import Runs
from penstock.core.alarm_episodes import Span


class Row(NamedTuple):
    """A row of a rule's query."""

    series: int
    time_us: int
    raised: bool | None
    cleared: bool | None = None


def table(rows: Iterable[Row]) -> pa.Table:
    """Return rows as the engine gives them: by time."""
    found = sorted(rows, key=lambda row: row.time_us)
    return pa.table(
        {
            "__time": pa.array([row.time_us for row in found], pa.int64()),
            "__end": pa.array([None] * len(found), pa.int64()),
            "__series": pa.array([row.series for row in found], pa.int64()),
            "__row": pa.array([0] * len(found), pa.int64()),
            "raised": pa.array([row.raised for row in found], pa.bool_()),
            "cleared": pa.array([row.cleared for row in found], pa.bool_()),
            "name": pa.array([f"s{row.series}" for row in found], pa.string()),
        }
    )


def deliver(fold: Conditions | Runs, batches: Sequence[Sequence[Row]]) -> None:
    """Hand batches on: rows newer than all of their datastream at once, others as repairs."""
    held: dict[tuple[int, int], Row] = {}
    newest: dict[int, int] = {}
    for batch in batches:
        late: set[int] = set()
        fresh: list[Row] = []
        for row in batch:
            held[row.series, row.time_us] = row
        for row in sorted(batch, key=lambda one: one.time_us):
            if row.time_us > newest.get(row.series, -1):
                newest[row.series] = row.time_us
                fresh.append(row)
            else:
                late.add(row.time_us)
        if fresh:
            settle(fold, fold.put(table(fresh), None, None), held)
        for time_us in late:
            rows = [row for row in held.values() if row.time_us == time_us]
            settle(fold, fold.put(table(rows), time_us, time_us + 1), held)


def settle(fold: Conditions | Runs, outcome: Outcome, held: dict[tuple[int, int], Row]) -> None:
    """Put rows again from where the fold asks for them."""
    for _ in range(5):
        start_us = outcome.redo_from_us
        if start_us is None:
            return
        end_us = fold.newest_us + 1
        rows = [row for row in held.values() if start_us <= row.time_us < end_us]
        outcome = fold.put(table(rows), start_us, end_us)
    assert outcome.redo_from_us is None


def spans(fold: Conditions | Runs) -> dict[str, list[Span]]:
    """Return the activations of every key that had any."""
    if isinstance(fold, Runs):
        found = {name: fold.spans(name) for name in fold.keys}
    else:
        found = {name: key.spans for name, key in fold.keys.items()}
    return {name: some for name, some in found.items() if some}
