"""Find the first rows of a file by time, which is sorted by datastream, in few row groups.

Row groups are looked at in the order of the first row that each may hold. Once there are enough
rows, and no other group can hold one that comes before the last of them, the rest is not looked at.
Groups follow each other by datastream, so of rows of one time those of the first group come first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.selection import Selection
from penstock.stores.lake.footer import Footer
from penstock.stores.selecting import Int64s, int64s

#: Columns that tell rows apart.
IDENTITY = ("datastream", "time", "feature")
#: Datastreams in a row group up to which all that is wanted of them is read at once.
_FEW = 4
#: Reads columns of the chosen rows of a row group.
Read = Callable[[int, Sequence[str], Selection], pa.Table]


@dataclass(slots=True)
class Nearest:
    """The first `limit` rows of a file in the order that a selection asks for.

    Times and numbers of groups are negative while the newest rows are wanted, so that less is
    always nearer.

    Attributes:
        footer: Of the file.
        selection: What is wanted; with a limit of at least 1.
        names: Columns wanted.
        read: Reads the file.
    """

    footer: Footer
    selection: Selection
    names: Sequence[str]
    read: Read
    _time: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    _group: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    _kept: dict[int, pa.Table] = field(default_factory=dict)
    _wanted: Int64s = field(init=False)

    def __post_init__(self) -> None:
        """Sort the datastreams wanted."""
        self._wanted = np.unique(np.array(self.selection.datastreams or (), np.int64))

    def tables(self, groups: Sequence[int]) -> list[pa.Table]:
        """Return stored rows, in the order of the file, with the first `limit` among them."""
        limit, sign = self.selection.limit, -1 if self.selection.descending else 1
        assert limit is not None
        # Of a few datastreams little is left of a group, and it is read once only.
        wanted = self.selection.datastreams
        is_few = wanted is not None and len(wanted) <= _FEW * len(groups)
        for nearest, group in sorted((self._nearest(group), sign * group) for group in groups):
            if len(self._time) == limit and (nearest, group) > self._last():
                break
            names, within = self._to_judge(abs(group))
            rows = self.read(abs(group), self.names if is_few else names, self._narrowed(within))
            if is_few:
                self._kept[abs(group)] = rows
            self._take_in(sign * int64s(rows["time"]), group, limit)
        found = np.unique(np.abs(self._group)).tolist()
        if is_few:
            return [self._kept[group] for group in found]
        return [self.read(g, self.names, self._narrowed(self._choice(g))) for g in found]

    def _narrowed(self, selection: Selection) -> Selection:
        """Return a selection without rows that are farther than those found."""
        if len(self._time) < (self.selection.limit or 0):
            return selection
        last = int(self._time[-1])
        if self.selection.descending:
            start_us = -last if selection.start_us is None else max(-last, selection.start_us)
            return msgspec.structs.replace(selection, start_us=start_us)
        end_us = last + 1 if selection.end_us is None else min(last + 1, selection.end_us)
        return msgspec.structs.replace(selection, end_us=end_us)

    def _last(self) -> tuple[int, int]:
        return int(self._time[-1]), int(self._group[-1])

    def _nearest(self, group: int) -> int:
        """Return the nearest time that a chosen row of a group can have."""
        chosen, after = self.selection, self.selection.after
        if chosen.descending:
            times = [int(self.footer.last_us[group])]
            times += [] if chosen.end_us is None else [chosen.end_us - 1]
            times += [] if after is None else [after.time_us - self._is_passed(group)]
            return -min(times)
        times = [int(self.footer.first_us[group])]
        times += [] if chosen.start_us is None else [chosen.start_us]
        times += [] if after is None else [after.time_us + self._is_passed(group)]
        return max(times)

    def _is_passed(self, group: int) -> bool:
        """Return whether all rows of the cursor's time in a group come before the cursor."""
        after = self.selection.after
        assert after is not None
        if self.selection.descending:
            return bool(self.footer.first_datastream[group] > after.datastream)
        return bool(self.footer.last_datastream[group] < after.datastream)

    def _to_judge(self, group: int) -> tuple[Sequence[str], Selection]:
        """Return the columns that tell which rows of a group are chosen, and the choice."""
        chosen, after = self._choice(group), self.selection.after
        if chosen.datastreams is not None or chosen.features is not None:
            return IDENTITY, chosen
        if after is None:
            return ("time",), chosen
        first, last = self.footer.first_datastream[group], self.footer.last_datastream[group]
        if first <= after.datastream <= last:
            return IDENTITY, chosen
        # The cursor is in another group, so the time alone decides.
        nearest = self._nearest(group)
        if chosen.descending:
            end_us = -nearest + 1
            return ("time",), msgspec.structs.replace(chosen, after=None, end_us=end_us)
        return ("time",), msgspec.structs.replace(chosen, after=None, start_us=nearest)

    def _choice(self, group: int) -> Selection:
        """Return the selection; without datastreams when it wants all that a group can have."""
        if self.selection.datastreams is None:
            return self.selection
        first = int(self.footer.first_datastream[group])
        last = int(self.footer.last_datastream[group])
        low = int(np.searchsorted(self._wanted, first, "left"))
        wants_all = int(np.searchsorted(self._wanted, last, "right")) - low == last - first + 1
        return (
            msgspec.structs.replace(self.selection, datastreams=None)
            if wants_all
            else self.selection
        )

    def _take_in(self, time: Int64s, group: int, limit: int) -> None:
        """Keep the `limit` nearest of the rows so far and those of one more group."""
        if len(self._time) == limit:
            last, last_group = self._last()
            time = time[time <= last if group < last_group else time < last]
        elif len(time) > limit:
            time = np.partition(time, limit - 1)[:limit]
        if not len(time):
            return
        times = np.concatenate([self._time, time])
        groups = np.concatenate([self._group, np.full(len(time), group)])
        order = np.lexsort((groups, times))[:limit]
        self._time, self._group = times[order], groups[order]
