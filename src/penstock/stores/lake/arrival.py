"""Tell rows that are newer than all before them from late ones, for a whole batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.stores.lake.chunks import Columns
from penstock.stores.selecting import NEVER, Int64s, order_of_identity, sort_by


class Slots:
    """Gives every datastream ever seen a small index, for arrays of per-datastream state."""

    def __init__(self) -> None:
        self._slot_of: dict[int, int] = {}
        self._ids = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """Return how many datastreams were seen."""
        return len(self._slot_of)

    def of(self, datastreams: Int64s) -> Int64s:
        """Return the slots of distinct datastreams, new ones included."""
        slot_of = self._slot_of
        found = [slot_of.setdefault(d, len(slot_of)) for d in datastreams.tolist()]
        return np.array(found, np.int64)

    def find(self, datastream: int) -> int | None:
        """Return the slot of one datastream, or None."""
        return self._slot_of.get(datastream)

    def ids(self) -> Int64s:
        """Return the datastreams by slot."""
        if len(self._ids) != len(self._slot_of):
            self._ids = np.fromiter(list(self._slot_of), np.int64)
        return self._ids


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch, split.

    Attributes:
        fresh: Rows newer than every row of their datastream in earlier batches, without those that
            a later row of this batch replaces, by datastream, time and feature; None means
            all rows, which are in the order of time already.
        late: Rows that are not newer, in the order given; None means no row.
        slots: Slot of each datastream that has fresh rows.
        counts: Its fresh rows.
        first: Time of its first fresh row.
        last: Time of its last fresh row.
        last_row: Index of that row among the fresh rows.
    """

    fresh: Int64s | None
    late: Int64s | None
    slots: Int64s
    counts: Int64s
    first: Int64s
    last: Int64s
    last_row: Int64s


def split(columns: Columns, slots: Slots, newest: Int64s) -> Arrival:
    """Split a batch, given the newest time of each slot (slots behind its end are new)."""
    datastream = columns.datastream
    order = sort_by(datastream)
    ids, times = datastream[order], columns.time[order]
    is_start = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
    starts = np.flatnonzero(is_start)
    found = slots.of(ids[starts])
    known = np.full(len(found), NEVER)
    old = found < len(newest)
    known[old] = newest[found[old]]
    in_order = (times[1:] > times[:-1]) | is_start[1:]
    if in_order.all() and (times[starts] > known).all():
        return _summarise(None, None, order, times, starts, found)
    return _sort_out(columns, slots, newest)


def _sort_out(columns: Columns, slots: Slots, newest: Int64s) -> Arrival:
    """Split a batch that is not in the order of time, or reaches back behind earlier ones."""
    feature = np.zeros(len(columns), np.int64) if columns.feature is None else columns.feature
    order = order_of_identity(columns.datastream, columns.time, feature)
    ids, times, features = columns.datastream[order], columns.time[order], feature[order]
    is_start = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
    found = slots.of(ids[is_start])
    known = np.full(len(found), NEVER)
    old = found < len(newest)
    known[old] = newest[found[old]]
    group = np.cumsum(is_start) - 1
    is_late = times <= known[group]
    # Of rows with one identity the last one given counts; the order above keeps it last.
    is_replaced = np.append(
        ~is_start[1:] & (times[1:] == times[:-1]) & (features[1:] == features[:-1]), False
    )
    late = np.sort(order[is_late])
    keep = ~is_late & ~is_replaced
    fresh, groups = order[keep], group[keep]
    if not len(fresh):
        nothing = np.zeros(0, np.int64)
        return Arrival(nothing, late, nothing, nothing, nothing, nothing, nothing)
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    return _summarise(
        fresh,
        late if len(late) else None,
        np.arange(len(fresh)),
        times[keep],
        starts,
        found[groups[starts]],
    )


def _summarise(
    fresh: Int64s | None,
    late: Int64s | None,
    order: Int64s,
    times: Int64s,
    starts: Int64s,
    slots: Int64s,
) -> Arrival:
    ends = np.append(starts[1:], len(times))[: len(starts)]
    return Arrival(
        fresh, late, slots, ends - starts, times[starts], times[ends - 1], order[ends - 1]
    )
