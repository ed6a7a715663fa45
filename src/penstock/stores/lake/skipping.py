"""Skip rows of one datastream by their number: row groups are counted, not read.

Stretches of rows, which are row groups and what is in memory, are taken in the order of their
nearest row. Those whose times overlap are skipped together or not at all. Late rows may replace
others, so nothing is skipped from the first of them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count

import numpy as np

from penstock.core.selection import Selection
from penstock.core.store import Skipped
from penstock.stores.lake.chunks import ChunkView, choose
from penstock.stores.lake.snapshot import Snapshot
from penstock.stores.selecting import Int64s, int64s

#: Stretches that are read at most; after those nothing is skipped any more.
MAX_LOOKS = 256


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that lie together.

    Attributes:
        first_us: No row is before it.
        last_us: No row is behind it.
        rows: How many there are; None while it was not looked.
        look: Returns the times of the rows; None where its rows were looked at and cut.
    """

    first_us: int
    last_us: int
    rows: int | None
    look: Callable[[], Int64s] | None


def skip(snapshot: Snapshot, selection: Selection, rows: int) -> Skipped:
    """Return how far the first rows of a selection of one datastream reach; see `CanSkip`."""
    sign = -1 if selection.descending else 1
    late = int64s(snapshot.late_rows(selection)["time"])
    wall = min((sign * late).tolist(), default=None)
    ahead = _Ahead(_stretches(snapshot, selection), sign)
    bound, skipped = None, 0
    while (run := ahead.run()) is not None:
        far, held = run
        if skipped + held > rows or (wall is not None and far >= wall):
            break
        skipped += held
        bound = far + 1 if sign > 0 else -far
    return Skipped(bound, skipped)


class _Ahead:
    """What was not taken yet. Times are negative while the newest rows come first."""

    def __init__(self, stretches: Iterator[Stretch], sign: int) -> None:
        self._sign = sign
        self._numbers = count()
        self._looks = 0
        self._heap = [self._entry(one) for one in stretches]
        heapify(self._heap)

    def run(self) -> tuple[int, int] | None:
        """Return the farthest time and the rows of the next stretches that overlap."""
        found: tuple[int, int] | None = None
        while self._heap and (found is None or self._heap[0][0] <= found[0]):
            one = heappop(self._heap)[2]
            far = self._sign * (one.last_us if self._sign > 0 else one.first_us)
            is_alone = found is None and (not self._heap or far < self._heap[0][0])
            if one.look is not None and (one.rows is None or not is_alone):
                self._looks += 1
                if self._looks > MAX_LOOKS:
                    return None
                self._cut(np.sort(one.look()), is_alone=is_alone)
                continue
            rows = one.rows or 0
            found = (far, rows) if found is None else (max(found[0], far), found[1] + rows)
        return found

    def _cut(self, times: Int64s, *, is_alone: bool) -> None:
        """Take the rows of a stretch as two, on either side of the longest time between them.

        A file may hold what came long before the others, and what came long after them.
        """
        at = 0 if is_alone or len(times) < 2 else int(np.diff(times).argmax()) + 1
        for part in (times[:at], times[at:]):
            if len(part):
                exact = Stretch(int(part[0]), int(part[-1]), len(part), None)
                heappush(self._heap, self._entry(exact))

    def _entry(self, one: Stretch) -> tuple[int, int, Stretch]:
        near = self._sign * (one.first_us if self._sign > 0 else one.last_us)
        return near, next(self._numbers), one


def _stretches(snapshot: Snapshot, selection: Selection) -> Iterator[Stretch]:
    for file in snapshot.files:
        if file.may_hold(selection):
            yield from (
                Stretch(first, last, rows, look)
                for first, last, rows, look in snapshot.reader.stretches(file, selection)
            )
    for view in snapshot.views:
        if view.may_hold(selection):
            look = partial(_times_of, view, selection)
            yield Stretch(view.chunk.first_us, view.chunk.last_us, None, look)


def _times_of(view: ChunkView, selection: Selection) -> Int64s:
    return choose(view.columns(), selection).time
