"""Where a query stands: what it has heard of its sources, and what is to be computed (again)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.queries import Meaning, Query
from penstock.sql.engine.ledger import Entry
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.pieces import Pieces
from penstock.sql.engine.ranges import (
    ALWAYS_US,
    NEVER_US,
    Int64s,
    Range,
    floor,
    together,
    touched,
    within,
)
from penstock.sql.engine.tap import Bools, Heard, chosen, int64s, spans_before

#: How far a row's time may be ahead of the clock to count as the present; what is further ahead
#: says nothing about how far its source is.
NEAR_FUTURE_US = 60_000_000
#: Ranges that wait to be computed again; more are taken together.
MAX_PENDING = 64


class Watch:
    """What is heard of one source of a query.

    Args:
        now_s: The present, by the monotonic clock.
    """

    def __init__(self, now_s: float) -> None:
        self.ids: Int64s = np.zeros(0, np.int64)
        self._heard_s = now_s
        #: Newest event time heard, of those not in the future.
        self.newest_us: int | None = None

    def among(self, ids: Int64s) -> Bools:
        """Tell which datastreams are of the source."""
        if not len(self.ids):
            return np.zeros(len(ids), np.bool_)
        at = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        found: Bools = self.ids[at] == ids
        return found

    def hear(self, last: Int64s, now_us: int, now_s: float) -> None:
        """Take the newest times of some of its datastreams."""
        sensible = last[last <= now_us + NEAR_FUTURE_US]
        if len(sensible):
            self._heard_s = now_s
            newest = int(sensible.max())
            if self.newest_us is None or newest > self.newest_us:
                self.newest_us = newest

    def watermark(self, query: Query, now_us: int, now_s: float) -> int | None:
        """Return up to where the source has sent everything, as far as one can tell."""
        lateness_us = round(query.lateness_s * 1e6)
        if now_s - self._heard_s >= query.idle_s:
            return now_us - lateness_us
        return None if self.newest_us is None else min(self.newest_us, now_us) - lateness_us


class Standing:
    """Where a query stands, whether it runs or was stopped.

    Args:
        entry: What is known of it.
        done_us: Event time before which its answer was computed.
        now_s: The present, by the monotonic clock.
    """

    def __init__(self, entry: Entry, done_us: int, now_s: float) -> None:
        self.entry = entry
        self.pending: list[Range] = list(entry.pending)
        self.done_us = ALWAYS_US if entry.meaning.is_rowwise else floor(done_us, entry.meaning)
        self.watches = {source: Watch(now_s) for source in entry.sources}
        self.watermark_us: int | None = None
        #: New rows for a row-by-row query, and whether it takes them.
        self.direct: list[pa.RecordBatch] = []
        self.is_direct = False
        #: Ranges that were computed again, and the turn of the engine that kept them.
        self.settling: list[tuple[int, Range]] = []
        #: What is held of windows that are not at their end yet, while it runs.
        self.pieces: Pieces | None = None
        self.late_rows = 0
        self.too_late = 0
        #: All datastreams that it has read since the start, ascending.
        self.ever: Int64s = np.zeros(0, np.int64)
        self._picture: Picture | None = None
        self._scope: Scope | None = None

    @property
    def meaning(self) -> Meaning:
        """What is known of its plan."""
        return self.entry.meaning

    @property
    def ids(self) -> Int64s:
        """All datastreams that it reads."""
        every = [watch.ids for watch in self.watches.values()]
        return every[0] if len(every) == 1 else np.unique(np.concatenate(every))

    def resolve(self, picture: Picture, scope: Scope) -> bool:
        """Find its datastreams; return whether that is news."""
        if picture is self._picture and scope == self._scope:
            return False
        self._picture, self._scope = picture, scope
        changed = False
        for source, watch in self.watches.items():
            ids = picture.find(source, scope, self.entry.id)
            changed |= not np.array_equal(ids, watch.ids)
            watch.ids = ids
        if changed:
            self.ever = np.union1d(self.ever, self.ids)
        return changed

    def hear(self, heard: Heard, before: Int64s, now_us: int, now_s: float) -> None:
        """Take a batch that was kept.

        Args:
            heard: The batch.
            before: The newest time of each of its datastreams before it.
            now_us: The present.
            now_s: The present, by the monotonic clock.
        """
        mine = np.zeros(len(heard.datastream), np.bool_)
        for watch in self.watches.values():
            found = watch.among(heard.datastream)
            if found.any():
                mine |= found
                watch.hear(_sensible(heard, found, now_us), now_us, now_s)
        if not mine.any():
            return
        if self.meaning.is_rowwise:
            self._hear_rows(heard, mine, before)
        else:
            self._hear_late(heard, mine)

    def _hear_late(self, heard: Heard, mine: Bools) -> None:
        if (pieces := self.pieces) is not None:
            pieces.hear(heard, mine)
        first, last = spans_before(heard, mine, self.done_us + self.meaning.ahead_us)
        self.late_rows += len(first)
        self.touch(touched(first, last, self.meaning, MAX_PENDING))

    def _hear_rows(self, heard: Heard, mine: Bools, before: Int64s) -> None:
        if heard.batch is None or not self.is_direct:
            first, last = heard.first[mine], heard.last[mine]
            self.late_rows += len(first)
            self.touch(touched(first, last, self.meaning, MAX_PENDING))
            return
        batch = pa.table(heard.batch)
        rows = batch if mine.all() else chosen(batch, heard.datastream[mine])
        if (heard.first[mine] > before[mine]).all() and not _repeats(rows):
            self.direct.extend(rows.to_batches())
            return
        ids, times = int64s(rows, "datastream"), int64s(rows, "time")
        newest = before[np.searchsorted(heard.datastream, ids)]
        fresh = rows.filter(pa.array(times > newest))
        if _repeats(fresh):
            # Only the store knows which of two rows with one identity counts.
            fresh, old = fresh.slice(0, 0), times
        else:
            old = times[times <= newest]
        self.direct.extend(fresh.to_batches())
        self.late_rows += int((times <= newest).sum())
        self.touch(touched(old, old, self.meaning, MAX_PENDING))

    def touch(self, ranges: Sequence[Range]) -> None:
        """Note ranges that are to be computed (again)."""
        ranges = within(ranges, self.entry.began_us, self.done_us)
        if ranges:
            self.pending = together([*self.pending, *ranges], MAX_PENDING)

    def advance(self, now_us: int, now_s: float) -> int:
        """Move the watermark on, and return the boundary before which slices are complete."""
        marks = [w.watermark(self.entry.query, now_us, now_s) for w in self.watches.values()]
        known = [mark for mark in marks if mark is not None]
        if known and len(known) == len(marks):
            lowest = min(known)
            if self.watermark_us is None or lowest > self.watermark_us:
                self.watermark_us = lowest
        if self.watermark_us is None or self.meaning.is_rowwise:
            return NEVER_US
        return floor(self.watermark_us - self.meaning.ahead_us, self.meaning)

    def spill(self) -> None:
        """Compute from the store what nobody has taken of the new rows."""
        rest, self.direct = self.direct, []
        for batch in rest:
            times = int64s(batch, "time")
            self.touch(touched(times, times, self.meaning, MAX_PENDING))

    def settle(self, durable_turn: int) -> bool:
        """Forget repairs that are durable; return whether the ledger holds nothing but such."""
        self.settling = [one for one in self.settling if one[0] > durable_turn]
        return bool(self.entry.pending) and not self.pending and not self.settling

    def ledger_entry(self) -> Entry:
        """Return what has to be written down now."""
        pending = together([*self.pending, *(r for _, r in self.settling)], MAX_PENDING)
        self.entry.pending = tuple(pending)
        return self.entry

    @property
    def is_written(self) -> bool:
        """Whether the ledger knows of all ranges that are to be computed again."""
        held = self.entry.pending
        return all(any(a <= x and y <= b for a, b in held) for x, y in self.pending)


def _sensible(heard: Heard, mine: Bools, now_us: int) -> Int64s:
    """Return newest times of datastreams that are not far in the future."""
    last = heard.last[mine]
    far = now_us + NEAR_FUTURE_US
    if heard.batch is None or not (last > far).any():
        return last
    rows = chosen(pa.table(heard.batch), heard.datastream[mine])
    times = int64s(rows, "time")
    return times[times <= far]


def _repeats(rows: pa.Table) -> bool:
    """Tell whether two rows have one identity."""
    if rows.num_rows < 2:
        return False
    ids, times, features = (int64s(rows, n) for n in ("datastream", "time", "feature"))
    if ids[0] == ids[-1] and (ids == ids[0]).all() and (times[1:] > times[:-1]).all():
        return False
    order = np.lexsort((features, times, ids))
    ids, times, features = ids[order], times[order], features[order]
    same = (ids[1:] == ids[:-1]) & (times[1:] == times[:-1]) & (features[1:] == features[:-1])
    return bool(same.any())


def marks_of(standings: Sequence[Standing]) -> Mapping[str, int]:
    """Return how far queries have come, as marks of the store."""
    return {s.entry.mark: s.done_us for s in standings if not s.meaning.is_rowwise}
