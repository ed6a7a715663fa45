"""When keys were heard last, in columns: most rows of most keys change nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from penstock.alarms.rows import Rows

_FIELDS = ("last_us", "first_us", "rows", "runs", "is_open", "series")


class Groups:
    """The rows of a batch by key, each key's by time.

    Attributes:
        first_us: Of each key, the time of its first row.
        last_us: Of its last one.
        has_gap: Whether two of its rows lie further apart than allowed.
        row: Where its first row is in the batch.
        names: Its name, where that is known already; else "".
        codes: Its number among the keys of the batch, or its datastream.
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

    def first_row(self, group: int) -> int:
        """Return where in the batch the first row of a key is."""
        return int(self._order[self.starts[group]])


class Heard:
    """Columns over keys; each key has a place in them.

    Attributes:
        last_us: Time of the newest row of a key.
        first_us: Since when its newest run goes.
        rows: How many rows came since they were counted last.
        runs: How many runs are kept of it.
        is_open: Whether its newest run may go on.
    """

    last_us: Any
    first_us: Any
    rows: Any
    runs: Any
    is_open: Any
    series: Any

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._free: list[int] = []
        self._sorted: tuple[Any, Any] | None = None
        self._grow(64)

    def __len__(self) -> int:
        return len(self._places)

    def place(self, name: str) -> int:
        """Return the place of a key, a new one if it has none."""
        found = self._places.get(name)
        if found is not None:
            return found
        if not self._free:
            self._grow(2 * len(self.last_us))
        place = self._places[name] = self._free.pop()
        inner = name[1:-1]
        is_series = inner.lstrip("-").isdigit()
        self.series[place] = int(inner) if is_series else -1
        self._sorted = None
        return place

    def remove(self, name: str) -> None:
        """Forget a key."""
        place = self._places.pop(name)
        self.is_open[place], self.runs[place], self.series[place] = False, 0, -1
        self.rows[place] = 0
        self._free.append(place)
        self._sorted = None

    def find(self, rows: Rows, groups: Groups, *, by_series: bool) -> tuple[Any, list[str]]:
        """Return the place of each key of a batch, -1 where it has none, and names found so."""
        if by_series:
            ids, places = self._by_series()
            if not len(ids):
                return np.full(len(groups.codes), -1), []
            at = np.minimum(np.searchsorted(ids, groups.codes), len(ids) - 1)
            return np.where(ids[at] == groups.codes, places[at], -1), []
        names = [rows.key(groups.first_row(group)) for group in range(len(groups.codes))]
        return np.array([self._places.get(name, -1) for name in names], np.int64), names

    def _by_series(self) -> tuple[Any, Any]:
        if self._sorted is None:
            places = np.fromiter(self._places.values(), np.int64, len(self._places))
            places = places[self.series[places] >= 0]
            places = places[np.argsort(self.series[places], kind="stable")]
            self._sorted = (self.series[places], places)
        return self._sorted

    def _grow(self, size: int) -> None:
        has = len(getattr(self, "last_us", ()))
        for name in _FIELDS:
            column = np.zeros(size, bool if name == "is_open" else np.int64)
            if has:
                column[:has] = getattr(self, name)
            setattr(self, name, column)
        self._free += range(size - 1, has - 1, -1)
