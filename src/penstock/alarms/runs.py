"""Runs: rows of a key that lie no further apart than allowed.

Where a run is an activation, every row says that the condition was met (a query without any). Where
the time between two runs is one, the rule is about the absence of data.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.alarms.columns import Columns
from penstock.alarms.folding import LATE_US, Outcome
from penstock.alarms.groups import Groups
from penstock.alarms.rows import Rows, Shape
from penstock.core.alarm_episodes import Span

_NEVER = -(2**62)
#: Runs kept of one key.
MAX_RUNS = 300


class Run(msgspec.Struct, frozen=True, array_like=True):
    """A run, and how many of its rows came in order; late ones within it are not counted."""

    first_us: int
    last_us: int
    rows: int = 1
    values: Mapping[str, Any] = {}


class Series(msgspec.Struct, array_like=True):
    """What is kept of a key.

    Attributes:
        runs: By time, one at least.
        is_open: Whether the newest may go on.
        values: Of its first row, for people.
    """

    runs: list[Run]
    is_open: bool = True
    values: Mapping[str, Any] = {}


class Runs:
    """Folds rows into runs, key by key. Used from one thread at a time.

    How often a key was heard becomes known with `count`; what begins and ends, at once.

    Args:
        shape: Of the query.
        limit_us: How far apart the rows of a run may lie.
        absent: Whether the time between runs is an activation; else the runs are.
        keys: What was kept.
        heard_us: All rows before this are in what was kept.
    """

    def __init__(
        self,
        shape: Shape,
        limit_us: int,
        *,
        absent: bool,
        keys: Mapping[str, Series] | None = None,
        heard_us: int | None = None,
    ) -> None:
        self._shape = msgspec.structs.replace(shape, has_raised=False)
        self._limit_us = limit_us
        self._absent = absent
        self.keys: dict[str, Series] = {}
        self.touched: set[str] = set()
        self.rows = 0
        self.too_late = 0
        #: Of each key the newest row, since when its newest run goes and whether it may go on, how
        #: many rows came since they were counted, and how many runs are kept.
        self._heard = Columns(
            last_us=np.int64, first_us=np.int64, rows=np.int64, runs=np.int64, is_open=np.bool_
        )
        self._names: dict[int, str] = {}
        self._watermark_us = _NEVER
        for name, key in (keys or {}).items():
            self._hold(name, key)
        kept = self.keys.values()
        self.newest_us = max((key.runs[-1].last_us for key in kept), default=_NEVER)
        first_us = min((key.runs[0].first_us for key in kept), default=_NEVER)
        self.heard_us = first_us if heard_us is None else heard_us

    def put(self, table: pa.Table, start_us: int | None, end_us: int | None) -> Outcome:
        """Take rows, as `core.queries.Sink.put` does.

        A range takes back the runs that lie within it wholly; of absence, rows once seen count.
        """
        outcome = Outcome()
        self.rows += table.num_rows
        taken: Sequence[str] = ()
        if start_us is not None and end_us is not None and not self._absent:
            taken = self._take_back(start_us, end_us, outcome)
        if table.num_rows:
            rows = Rows(table, self._shape)
            self.newest_us = max(self.newest_us, int(rows.times.max()))
            self._take(rows, outcome)
        for name in taken:
            if not self.keys[name].runs:
                self._drop(name)
        return outcome

    def advance(self, watermark_us: int) -> Outcome:
        """Let time pass: rows before the watermark have come."""
        outcome = Outcome()
        heard = self._heard
        self._watermark_us = max(self._watermark_us, watermark_us)
        is_over = heard["is_open"] & (heard["last_us"] + self._limit_us < watermark_us)
        for place in np.flatnonzero(is_over).tolist():
            name = self._names[place]
            before = self.spans(name)
            key = self._counted(name)
            key.is_open = False
            self._changed(name, before, outcome)
        return outcome

    def uncounted(self) -> list[str]:
        """Return the keys of which rows came that are only noted in the columns."""
        return [self._names[place] for place in np.flatnonzero(self._heard["rows"] > 0).tolist()]

    def count(self, names: Sequence[str]) -> Outcome:
        """Count the rows of some keys, so that they are kept and told."""
        outcome = Outcome()
        for name in names:
            if name not in self.keys:
                continue
            before = self.spans(name)
            self._counted(name)
            self.touched.add(name)
            if not self._absent:
                outcome.changed[name] = (before, self.spans(name))
        return outcome

    def forget(self) -> None:
        """Forget keys that no late row can change any more; who is absent stays so."""
        heard = self._heard
        is_past = (
            ~heard["is_open"] & (heard["runs"] > 0) & (heard["last_us"] < self.newest_us - LATE_US)
        )
        for place in np.flatnonzero(is_past).tolist() if not self._absent else ():
            self._drop(self._names[place])

    def expect(self, names: Mapping[str, Mapping[str, Any]], since_us: int, now_us: int) -> Outcome:
        """Miss keys that never sent, from `since_us` on; those expected before may be known now."""
        outcome = Outcome()
        for name, values in names.items():
            if name not in self.keys:
                self._hold(name, Series([Run(since_us, since_us, 0)], True, values))
                self.touched.add(name)
        for name in [one for one in self.keys if one.startswith('["') and one not in names]:
            before = self.spans(name)
            key = self._counted(name)
            if not key.is_open:
                key.runs.append(Run(now_us, now_us, 0))
                outcome.changed[name] = (before, self.spans(name, is_open=True))
            self._drop(name)
        return outcome

    def spans(self, name: str, *, is_open: bool | None = None) -> list[Span]:
        """Return the activations of a key, as they were told last."""
        key = self.keys[name]
        goes_on = key.is_open if is_open is None else is_open
        ends = [run.first_us for run in key.runs[1:]]
        if self._absent:
            between = [*ends, *([] if goes_on else [None])]
            return [
                Span(
                    start_us=run.last_us,
                    raised_us=run.last_us + self._limit_us,
                    cleared_us=until_us,
                    values=key.values,
                )
                for run, until_us in zip(key.runs, between, strict=False)
            ]
        last = len(key.runs) - 1
        return [
            Span(
                start_us=run.first_us,
                raised_us=run.first_us,
                cleared_us=None if goes_on and at == last else run.last_us + self._limit_us,
                occurrences=max(1, run.rows),
                values=run.values,
            )
            for at, run in enumerate(key.runs)
        ]

    # How

    def _take(self, rows: Rows, outcome: Outcome) -> None:
        groups = Groups(rows, self._limit_us)
        heard, by_series = self._heard, not self._shape.keys
        names = [] if by_series else [rows.key(row) for row in groups.first_rows()]
        places = heard.find(groups.codes, None if by_series else names.__getitem__)
        safe = np.maximum(places, 0)
        since_us = groups.first_us - heard["last_us"][safe]
        is_plain = (places >= 0) & heard["is_open"][safe] & ~groups.has_gap
        is_plain &= (since_us >= 0) & (since_us <= self._limit_us)
        plain = places[is_plain]
        heard["rows"][plain] += groups.count_after(heard["last_us"][safe])[is_plain]
        heard["last_us"][plain] = groups.last_us[is_plain]
        for group in np.flatnonzero(~is_plain).tolist():
            name = f"[{int(groups.codes[group])}]" if by_series else names[group]
            self._take_key(name, rows, groups, group, outcome)

    def _take_key(
        self, name: str, rows: Rows, groups: Groups, group: int, outcome: Outcome
    ) -> None:
        """Take the rows of a key one by one, where runs begin, end or change."""
        is_new = name not in self.keys
        before = [] if is_new else self.spans(name)
        if is_new:
            self._hold(name, Series([], True, rows.values(groups.first_row(group))))
        key = self._counted(name)
        key.values = key.values or rows.values(groups.first_row(group))
        runs = list(key.runs)
        for time_us, row in groups.rows_of(group):
            self._insert(runs, time_us, rows, row)
        if runs != key.runs or is_new:
            key.runs = runs
            key.is_open = self._may_go_on(runs)
            self._changed(name, before, outcome)
            key.runs = self._recent(runs)

    def _insert(self, runs: list[Run], time_us: int, rows: Rows, row: int) -> None:
        """Let a row begin a run, go on with one, or make one of two."""
        at = bisect_right(runs, time_us, key=lambda run: run.first_us) - 1
        before = runs[at] if at >= 0 else None
        behind = runs[at + 1] if at + 1 < len(runs) else None
        if before is not None and time_us <= before.last_us:
            return
        joins = before is not None and time_us - before.last_us <= self._limit_us
        reaches = behind is not None and behind.first_us - time_us <= self._limit_us
        if before is not None and joins:
            end = behind if behind is not None and reaches else None
            last_us = time_us if end is None else end.last_us
            count = before.rows + 1 + (0 if end is None else end.rows)
            made = msgspec.structs.replace(before, last_us=last_us, rows=count)
            runs[at : at + (2 if end else 1)] = [made]
            return
        values = {} if self._absent else rows.values(row)
        if behind is not None and reaches:
            runs[at + 1] = Run(time_us, behind.last_us, behind.rows + 1, values)
        else:
            runs.insert(at + 1, Run(time_us, time_us, 1, values))

    def _take_back(self, start_us: int, end_us: int, outcome: Outcome) -> list[str]:
        """Remove the runs that lie within a range, whose rows come again as far as they are."""
        heard = self._heard
        is_late = (heard["runs"] > 0) & (heard["last_us"] >= start_us)
        is_late &= (heard["first_us"] >= start_us) | (heard["runs"] > 1)
        taken: list[str] = []
        for place in np.flatnonzero(is_late).tolist():
            name = self._names[place]
            before = self.spans(name)
            key = self._counted(name)
            left = [run for run in key.runs if run.first_us < start_us or run.last_us >= end_us]
            if len(left) == len(key.runs):
                continue
            key.runs, key.is_open = left, self._may_go_on(left)
            taken.append(name)
            self._changed(name, before, outcome)
        return taken

    def _may_go_on(self, runs: Sequence[Run]) -> bool:
        return bool(runs) and runs[-1].last_us + self._limit_us >= self._watermark_us

    def _recent(self, runs: list[Run]) -> list[Run]:
        first_us = runs[-1].last_us - LATE_US
        kept = [run for run in runs[:-1] if run.last_us >= first_us][-(MAX_RUNS - 1) :]
        return [*kept, runs[-1]]

    def _counted(self, name: str) -> Series:
        """Return a key, with the rows in its newest run that were only noted in the columns."""
        key, place, heard = self.keys[name], self._heard.place(name), self._heard
        if heard["rows"][place]:
            more, last_us = int(heard["rows"][place]), int(heard["last_us"][place])
            run = key.runs[-1]
            key.runs[-1] = msgspec.structs.replace(run, last_us=last_us, rows=run.rows + more)
            heard["rows"][place] = 0
        return key

    def _changed(self, name: str, before: Sequence[Span], outcome: Outcome) -> None:
        self._note(name)
        self.touched.add(name)
        first = outcome.changed[name][0] if name in outcome.changed else before
        outcome.changed[name] = (first, self.spans(name))

    def _hold(self, name: str, key: Series) -> None:
        self.keys[name] = key
        self._names[self._heard.place(name)] = name
        self._note(name)

    def _note(self, name: str) -> None:
        """Write what is known of a key into the columns."""
        key, place, heard = self.keys[name], self._heard.place(name), self._heard
        heard["runs"][place], heard["rows"][place] = len(key.runs), 0
        heard["is_open"][place] = key.is_open and bool(key.runs)
        if key.runs:
            heard["last_us"][place], heard["first_us"][place] = (
                key.runs[-1].last_us,
                key.runs[-1].first_us,
            )

    def _drop(self, name: str) -> None:
        del self._names[self._heard.place(name)]
        self._heard.remove(name)
        del self.keys[name]
        self.touched.add(name)
