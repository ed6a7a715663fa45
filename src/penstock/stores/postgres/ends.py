"""Up to when each datastream has rows: what is newer needs no look at what is held."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from penstock.stores.selecting import NEVER, Int64s


class Ends:
    """The last times of datastreams, for whole batches at once; never too early."""

    def __init__(self) -> None:
        self._ids: Int64s = np.zeros(0, np.int64)
        self._last_us: Int64s = np.zeros(0, np.int64)

    def set(self, ids: Int64s, last_us: Int64s) -> None:
        """Take over what the database says; the ids are sorted."""
        self._ids, self._last_us = ids.copy(), last_us.copy()

    def of(self, ids: Int64s) -> Int64s:
        """Return the last time of each; `NEVER` of one without rows."""
        at, is_held = self._find(ids)
        found = np.full(len(ids), NEVER)
        found[is_held] = self._last_us[at[is_held]]
        return found

    def advance(self, ids: Int64s, last_us: Int64s) -> None:
        """Note rows that came; each id once, sorted."""
        at, is_held = self._find(ids)
        held = at[is_held]
        self._last_us[held] = np.maximum(self._last_us[held], last_us[is_held])
        if not is_held.all():
            is_new = ~is_held
            self._ids = np.insert(self._ids, at[is_new], ids[is_new])
            self._last_us = np.insert(self._last_us, at[is_new], last_us[is_new])

    def forget(self, ids: Int64s) -> None:
        """Note datastreams that have no rows any more."""
        kept = ~np.isin(self._ids, ids)
        self._ids, self._last_us = self._ids[kept], self._last_us[kept]

    def _find(self, ids: Int64s) -> tuple[Int64s, npt.NDArray[np.bool_]]:
        at = np.searchsorted(self._ids, ids)
        is_held = at < len(self._ids)
        is_held[is_held] = self._ids[at[is_held]] == ids[is_held]
        return at, is_held
