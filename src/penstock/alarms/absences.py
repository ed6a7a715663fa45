"""Absence of data: keys that send no row for longer than they may."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.alarms.folding import LATE_US, Outcome
from penstock.alarms.rows import Rows, Shape
from penstock.core.alarms import Span

_NEVER = -(2**62)


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """A time without rows of a key, longer than allowed: from its last row to the next."""

    from_us: int
    until_us: int | None = None


class Silence(msgspec.Struct, array_like=True):
    """What is kept of a key.

    Attributes:
        last_us: Time of its newest row, or since when it is expected.
        first_us: Time of its oldest row that is known, or since when it is expected.
        values: Of its first row, for people.
        gaps: Its gaps, by time.
    """

    last_us: int
    first_us: int
    values: Mapping[str, Any] = {}
    gaps: list[Gap] = []


class Absences:
    """Folds the rows of a rule about absence. Used from one thread at a time.

    Args:
        shape: Of the query.
        absent_us: How long a key may be silent.
        keys: What was kept.
    """

    def __init__(
        self, shape: Shape, absent_us: int, keys: Mapping[str, Silence] | None = None
    ) -> None:
        self._shape = msgspec.structs.replace(shape, has_raised=False)
        self._absent_us = absent_us
        self.keys: dict[str, Silence] = dict(keys or {})
        self.touched: set[str] = set()
        self.rows = 0
        self.too_late = 0
        self.newest_us = max((key.last_us for key in self.keys.values()), default=_NEVER)
        self._next_us: int | None = None

    def put(self, table: pa.Table, _start_us: int | None, _end_us: int | None) -> Outcome:
        """Take rows, as `core.queries.Sink.put` does; rows once seen are never taken back."""
        outcome = Outcome()
        self.rows += table.num_rows
        if not table.num_rows:
            return outcome
        rows = Rows(table, self._shape)
        self.newest_us = max(self.newest_us, int(rows.times.max()))
        codes, of_row = rows.codes()
        order = np.lexsort((rows.times, of_row))
        key, times = of_row[order], rows.times[order]
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        ends = np.r_[starts[1:], len(key)]
        has_gap = np.r_[False, (np.diff(times) > self._absent_us) & (key[1:] == key[:-1])]
        gaps_before = np.cumsum(has_gap)
        for low, high in zip(starts.tolist(), ends.tolist(), strict=True):
            name = self._name(rows, codes, int(key[low]), int(order[low]))
            known = self.keys.get(name)
            first, last = int(times[low]), int(times[high - 1])
            is_plain = gaps_before[high - 1] == gaps_before[low]
            if known is None:
                known = self.keys[name] = Silence(first, first, rows.values(int(order[low])), [])
                self.touched.add(name)
            elif not known.values:
                known.values = rows.values(int(order[low]))
            if is_plain and 0 <= first - known.last_us <= self._absent_us and _is_closed(known):
                known.last_us = last
                continue
            self._take(name, known, times[low:high].tolist(), outcome)
        return outcome

    def advance(self, watermark_us: int) -> Outcome:
        """Let time pass: rows before the watermark have come."""
        outcome = Outcome()
        if self._next_us is not None and watermark_us <= self._next_us:
            return outcome
        next_us = None
        for name, key in self.keys.items():
            if not _is_closed(key):
                continue
            due_us = key.last_us + self._absent_us
            if watermark_us > due_us:
                self._change(name, key, [*key.gaps, Gap(key.last_us)], outcome)
            elif next_us is None or due_us < next_us:
                next_us = due_us
        # Keys that are heard again, and new ones, are due later than all that were looked at, or
        # at most so much later than now.
        at_most_us = watermark_us + self._absent_us
        self._next_us = at_most_us if next_us is None else min(next_us, at_most_us)
        return outcome

    def expect(self, names: Mapping[str, Mapping[str, Any]], since_us: int, now_us: int) -> Outcome:
        """Miss keys that never sent, from `since_us` on; those expected before may be known now."""
        outcome = Outcome()
        for name, values in names.items():
            if name not in self.keys:
                self.keys[name] = Silence(since_us, since_us, values, [])
                self.touched.add(name)
                self._next_us = None
        for name in [one for one in self.keys if one.startswith('["') and one not in names]:
            key = self.keys[name]
            if not _is_closed(key):
                gaps = [*key.gaps[:-1], Gap(key.gaps[-1].from_us, now_us)]
                self._change(name, key, gaps, outcome)
            self.touched.add(name)
            del self.keys[name]
        return outcome

    # How

    def _name(self, rows: Rows, codes: Any, code: int, row: int) -> str:
        return rows.key(row) if self._shape.keys else f"[{int(codes[code])}]"

    def _take(self, name: str, key: Silence, times: Sequence[int], outcome: Outcome) -> None:
        gaps = list(key.gaps)
        for time_us in times:
            if time_us > key.last_us:
                if gaps and gaps[-1].until_us is None:
                    gaps[-1] = Gap(gaps[-1].from_us, time_us)
                elif time_us - key.last_us > self._absent_us:
                    gaps.append(Gap(key.last_us, time_us))
                key.last_us = time_us
            elif time_us < key.first_us:
                if key.first_us - time_us > self._absent_us:
                    gaps.insert(0, Gap(time_us, key.first_us))
                key.first_us = time_us
                self.touched.add(name)
            else:
                self._split(gaps, time_us)
        self._change(name, key, gaps, outcome)

    def _split(self, gaps: list[Gap], time_us: int) -> None:
        """Let a row that came late end one silence and begin another."""
        at = bisect_right(gaps, time_us, key=lambda gap: gap.from_us) - 1
        if at < 0:
            return
        gap = gaps[at]
        if time_us == gap.from_us or (gap.until_us is not None and time_us >= gap.until_us):
            return
        parts = (Gap(gap.from_us, time_us), Gap(time_us, gap.until_us))
        gaps[at : at + 1] = [
            part
            for part in parts
            if part.until_us is None or part.until_us - part.from_us > self._absent_us
        ]

    def _change(self, name: str, key: Silence, gaps: list[Gap], outcome: Outcome) -> None:
        if gaps == key.gaps:
            return
        before, after = self._spans(key, key.gaps), self._spans(key, gaps)
        outcome.changed[name] = (outcome.changed.get(name, (before,))[0], after)
        first_us = key.last_us - LATE_US
        key.gaps = [gap for gap in gaps if gap.until_us is None or gap.until_us >= first_us]
        self.touched.add(name)
        self._next_us = None

    def _spans(self, key: Silence, gaps: Sequence[Gap]) -> list[Span]:
        return [
            Span(
                start_us=gap.from_us,
                raised_us=gap.from_us + self._absent_us,
                cleared_us=gap.until_us,
                values=key.values,
            )
            for gap in gaps
        ]


def _is_closed(key: Silence) -> bool:
    return not key.gaps or key.gaps[-1].until_us is not None
