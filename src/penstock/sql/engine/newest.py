"""What of a batch is newer than all before, by datastream."""

from __future__ import annotations

import numpy as np

from penstock.core.store import CanSummarise, Store
from penstock.sql.engine.ranges import NEVER_US, Int64s
from penstock.sql.engine.tap import Heard, int64s


class Newest:
    """The newest time of each datastream, of what was heard; at first, of what is stored.

    Args:
        store: Asked when the first batch comes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._times: dict[int, int] | None = None

    def before(self, heard: Heard) -> Int64s:
        """Return the newest time of a batch's datastreams before it, and remember it with it."""
        if self._times is None:
            self._times = {}
            if isinstance(self._store, CanSummarise):
                held = self._store.summaries()
                ids, last = int64s(held, "datastream"), int64s(held, "last_time")
                self._times = dict(zip(ids.tolist(), last.tolist(), strict=True))
        newest, ids = self._times, heard.datastream.tolist()
        before = np.array([newest.get(id_, NEVER_US) for id_ in ids], np.int64)
        newest.update(zip(ids, np.maximum(before, heard.last).tolist(), strict=True))
        return before
