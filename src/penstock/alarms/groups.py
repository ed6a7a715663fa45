"""The rows of a batch, by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from penstock.alarms.rows import Rows


class Groups:
    """The rows of a batch by key, each key's by time.

    Attributes:
        first_us: Of each key, the time of its first row.
        last_us: Of its last one.
        has_gap: Whether two of its rows lie further apart than allowed.
        codes: Its number, or its datastream.
    """

    def __init__(self, rows: Rows, limit_us: int) -> None:
        self.codes, of_row = rows.codes()
        order = np.lexsort((rows.times, of_row))
        key, self._times = of_row[order], rows.times[order]
        self.starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        self.ends = np.r_[self.starts[1:], len(key)]
        is_gap = np.r_[False, (np.diff(self._times) > limit_us) & (key[1:] == key[:-1])]
        gaps = np.cumsum(is_gap)
        self.has_gap = gaps[self.ends - 1] > gaps[self.starts]
        self.first_us = self._times[self.starts]
        self.last_us = self._times[self.ends - 1]
        self._order = order

    def count_after(self, time_us: Any) -> Any:
        """Return how many rows of each key are newer than a time of its own."""
        is_newer = self._times > np.repeat(time_us, self.ends - self.starts)
        return np.add.reduceat(is_newer.astype(np.int64), self.starts)

    def rows_of(self, group: int) -> Iterator[tuple[int, int]]:
        """Give time and place in the batch of each row of a key."""
        part = slice(int(self.starts[group]), int(self.ends[group]))
        return zip(self._times[part].tolist(), self._order[part].tolist(), strict=True)

    def first_rows(self) -> Sequence[int]:
        """Return where in the batch the first row of each key is."""
        return [int(row) for row in self._order[self.starts]]

    def first_row(self, group: int) -> int:
        """Return where in the batch the first row of one key is."""
        return int(self._order[self.starts[group]])
