"""A rule's conditions over all keys: rows in, activations out, whatever the order of arrival.

Of each key only the rows at which its signal turns are kept, and only as far back as late data may
come. Rows that change nothing never reach Python one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.alarms.columns import Columns
from penstock.alarms.machine import Machine, Phase, Signal, Timing, Turn, spans_of
from penstock.alarms.rows import Rows, Shape
from penstock.core.alarm_episodes import Span

#: Turns kept of one key; the oldest become its snapshot, and later data before them is too late.
MAX_TURNS = 300
#: How far behind the newest row turns are kept, in microseconds.
LATE_US = 86_400_000_000

_time_of = attrgetter("time_us")
_NEVER = -(2**62)


class Key(msgspec.Struct, array_like=True):
    """What is kept of a key.

    Attributes:
        base: Where it stood when its first turn came.
        base_us: Nothing before this changes any more.
        base_signal: The signal until its first turn.
        turns: Its turns since then, by time.
        known_us: Time of its newest row.
        spans: Its activations since `base`.
    """

    base: Machine = Machine()
    base_us: int = _NEVER
    base_signal: Signal = Signal.CLEAR
    turns: list[Turn] = []
    known_us: int = _NEVER
    spans: list[Span] = []

    def signal_before(self, time_us: int) -> Signal:
        """Return its signal just before a time."""
        at = bisect_left(self.turns, time_us, key=_time_of)
        return self.turns[at - 1].signal if at else self.base_signal

    def signal_at(self, time_us: int) -> Signal:
        """Return its signal at a time."""
        at = bisect_right(self.turns, time_us, key=_time_of)
        return self.turns[at - 1].signal if at else self.base_signal


@dataclass
class Outcome:
    """What rows changed.

    Attributes:
        changed: By key, its activations before and after, both since the same time.
        redo_from_us: Rows from here on must be put again, since a change of the past brought
            forth turns that were not kept; None when all is settled.
    """

    changed: dict[str, tuple[Sequence[Span], Sequence[Span]]] = field(default_factory=dict)
    redo_from_us: int | None = None

    def redo(self, from_us: int) -> None:
        """Ask for the rows from a time on."""
        known = self.redo_from_us
        self.redo_from_us = from_us if known is None else min(known, from_us)


class Conditions:
    """Folds the rows of a rule with a condition. Used from one thread at a time.

    Args:
        shape: Of the query.
        timing: Of the rule.
        keys: What was kept.
    """

    def __init__(self, shape: Shape, timing: Timing, keys: Mapping[str, Key] | None = None) -> None:
        self._shape = shape
        self._timing = timing
        self.keys: dict[str, Key] = dict(keys or {})
        self.touched: set[str] = set()
        self.rows = 0
        self.too_late = 0
        self.newest_us = max((key.known_us for key in self.keys.values()), default=_NEVER)
        self._watermark_us = _NEVER
        self._due: dict[str, int] = {}
        #: What each key said last, since when, and whether time alone may change it.
        self._standing = Columns(signal=np.int8, turned_us=np.int64, is_due=np.bool_)
        self._unsettled: set[str] = set()
        for name, key in self.keys.items():
            self._note(name, spans_of(key.base, key.turns, timing, key.known_us)[0])

    def put(self, table: pa.Table, start_us: int | None, end_us: int | None) -> Outcome:
        """Take rows, as `core.queries.Sink.put` does."""
        outcome = Outcome()
        self.rows += table.num_rows
        came: dict[str, list[Turn]] = {}
        newest_us = self.newest_us
        if table.num_rows:
            rows = Rows(table, self._shape)
            came = self._interesting(rows, start_us)
            newest_us = max(newest_us, int(rows.times.max()))
        if start_us is not None and end_us is not None:
            reached_us = self.newest_us
            for name in self._within(came, start_us):
                self._replace(name, came.get(name, ()), start_us, end_us, reached_us, outcome)
        else:
            for name, turns in came.items():
                self._append(name, turns, outcome)
        self.newest_us = newest_us
        return outcome

    def advance(self, watermark_us: int) -> Outcome:
        """Let time pass: rows before the watermark have come."""
        outcome = Outcome()
        self._watermark_us = max(self._watermark_us, watermark_us)
        for name in [name for name, due in self._due.items() if due < self._watermark_us]:
            self._settle(name, self.keys[name], outcome)
        return outcome

    # How

    def _interesting(self, rows: Rows, start_us: int | None) -> dict[str, list[Turn]]:
        """Return the turns within some rows, of keys of which they may say something new."""
        is_raised = rows.signals >= Signal.RAISED
        if not self.keys and not is_raised.any():
            return {}
        codes, of_row = rows.codes()
        names: dict[int, str] = {}
        places = self._places(rows, codes, of_row, names)
        wanted = places >= 0
        wanted[of_row[is_raised]] = True
        picked = np.flatnonzero(wanted[of_row])
        order = picked[np.lexsort((rows.times[picked], of_row[picked]))]
        order = order[self._may_turn(of_row[order], rows.times[order], rows.signals[order], places,
                                     start_us)]  # fmt: skip
        if not len(order):
            return {}
        key, signal = of_row[order], rows.signals[order]
        is_first = np.r_[True, key[1:] != key[:-1]]
        is_last = np.r_[is_first[1:], True]
        is_turn = is_first | np.r_[True, signal[1:] != signal[:-1]]
        found: dict[str, list[Turn]] = {}
        for at in np.flatnonzero(is_turn | is_last).tolist():
            row = int(order[at])
            code = int(key[at])
            name = names.get(code)
            if name is None:
                name = names[code] = rows.key(row)
            kind = Signal(int(signal[at]))
            values = rows.values(row) if kind >= Signal.RAISED and is_turn[at] else {}
            turn = Turn(int(rows.times[row]), kind, values)
            turns = found.setdefault(name, [])
            # Of rows with one time the last one counts.
            if turns and turns[-1].time_us == turn.time_us:
                turns.pop()
            turns.append(turn)
        return found

    def _places(self, rows: Rows, codes: Any, of_row: Any, names: dict[int, str]) -> Any:
        if not self._shape.keys:
            return self._standing.find(codes, None)
        _, first = np.unique(of_row, return_index=True)
        for code, row in enumerate(first.tolist()):
            names[code] = rows.key(row)
        return self._standing.find(codes, names.__getitem__)

    def _may_turn(
        self, key: Any, times: Any, signal: Any, places: Any, start_us: int | None
    ) -> Any:
        """Tell of rows, by key and time, whether their key says anything but what it said last."""
        if not len(key):
            return np.zeros(0, bool)
        standing = self._standing
        starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        sizes = np.diff(np.r_[starts, len(key)])
        place = places[key[starts]]
        safe = np.maximum(place, 0)
        says = signal == np.repeat(standing["signal"][safe], sizes)
        turned_us = standing["turned_us"][safe]
        is_quiet = (place >= 0) & ~standing["is_due"][safe] & (turned_us <= times[starts])
        is_quiet &= np.logical_and.reduceat(says, starts)
        if start_us is not None:
            is_quiet &= turned_us < start_us
        return np.repeat(~is_quiet, sizes)

    def _within(self, came: Mapping[str, Sequence[Turn]], start_us: int) -> Iterable[str]:
        """Return the keys that a range from `start_us` on says something of."""
        others = [
            name
            for name, key in self.keys.items()
            if name not in came
            and (name in self._unsettled or (key.turns and key.turns[-1].time_us >= start_us))
        ]
        return [*came, *others]

    def _append(self, name: str, turns: Sequence[Turn], outcome: Outcome) -> None:
        key = self._key(name)
        for turn in turns:
            if turn.time_us < key.base_us:
                self.too_late += 1
                continue
            if key.turns and turn.time_us < key.turns[-1].time_us:
                if turn.signal is not key.signal_at(turn.time_us):
                    outcome.redo(turn.time_us)
                continue
            self._add(name, key, turn)
        key.known_us = max(key.known_us, turns[-1].time_us)
        self._settle(name, key, outcome)

    def _replace(
        self,
        name: str,
        came: Sequence[Turn],
        start_us: int,
        end_us: int,
        reached_us: int,
        outcome: Outcome,
    ) -> None:
        key = self._key(name)
        if start_us < key.base_us:
            self.too_late += sum(turn.time_us < key.base_us for turn in came)
            came = [turn for turn in came if turn.time_us >= key.base_us]
            start_us = key.base_us
            if start_us >= end_us:
                return
        was = key.signal_before(end_us)
        low = bisect_left(key.turns, start_us, key=_time_of)
        high = bisect_left(key.turns, end_us, key=_time_of)
        before = key.turns[low:]
        behind = key.turns[high:]
        del key.turns[low:]
        for turn in came:
            self._add(name, key, turn)
        is_same = key.signal_before(end_us) is was
        key.turns.extend(behind)
        if key.turns[low:] != before:
            self.touched.add(name)
        if came:
            key.known_us = max(key.known_us, came[-1].time_us)
        if not is_same and reached_us >= end_us:
            # What is known now would tell of turns that the rows to come take back.
            self._unsettled.add(name)
            # Until then its rows are looked at one by one.
            place = self._standing.place(name)
            self._standing["is_due"][place] = True
            outcome.redo(start_us)
            return
        self._unsettled.discard(name)
        self._settle(name, key, outcome)

    def _key(self, name: str) -> Key:
        key = self.keys.get(name)
        if key is None:
            key = self.keys[name] = Key(turns=[], spans=[])
            # The column may grow as the key gets its place.
            place = self._standing.place(name)
            self._standing["is_due"][place] = True
        return key

    def _settle(self, name: str, key: Key, outcome: Outcome) -> None:
        """Find out what became of a key, and forget what cannot change any more."""
        now_us = max(self._watermark_us, key.known_us)
        machine, spans = spans_of(key.base, key.turns, self._timing, now_us)
        if spans != key.spans:
            before = outcome.changed[name][0] if name in outcome.changed else key.spans
            outcome.changed[name] = (before, spans)
            key.spans = spans
            self.touched.add(name)
        self._note(name, machine)
        self._forget(name, key, machine, now_us)

    def _forget(self, name: str, key: Key, machine: Machine, now_us: int) -> None:
        cut = bisect_left(key.turns, now_us - LATE_US, key=_time_of)
        cut = max(cut, len(key.turns) - MAX_TURNS)
        if cut > 0:
            for turn in key.turns[:cut]:
                key.base, _ = key.base.step(self._timing, turn)
                key.base_signal, key.base_us = turn.signal, turn.time_us + 1
            del key.turns[:cut]
            self.touched.add(name)
            _, key.spans = spans_of(key.base, key.turns, self._timing, now_us)
        is_settled = machine.phase is Phase.NORMAL and not key.turns
        if is_settled and key.base_signal is Signal.CLEAR:
            del self.keys[name]
            self._unsettled.discard(name)
            self._due.pop(name, None)
            self._standing.remove(name)

    def _note(self, name: str, machine: Machine) -> None:
        key, standing = self.keys[name], self._standing
        due_us = machine.due_us(self._timing)
        if due_us is None:
            self._due.pop(name, None)
        else:
            self._due[name] = due_us
        place = standing.place(name)
        last = key.turns[-1] if key.turns else None
        standing["signal"][place] = last.signal if last else key.base_signal
        standing["turned_us"][place] = last.time_us if last else key.base_us
        standing["is_due"][place] = due_us is not None

    def _add(self, name: str, key: Key, turn: Turn) -> None:
        """Add a turn behind the others, unless it says nothing new."""
        if key.turns and key.turns[-1].time_us == turn.time_us:
            if key.turns[-1].signal is turn.signal:
                return
            key.turns.pop()
            self.touched.add(name)
        last = key.turns[-1].signal if key.turns else key.base_signal
        if turn.signal is not last:
            key.turns.append(turn)
            self.touched.add(name)
