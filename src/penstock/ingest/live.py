"""The live hub: rows that were kept go to whoever watches, without ever waiting for them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa


class LiveSubscription:
    """One watcher's queue. Filled by the ingest thread, emptied in an event loop.

    Args:
        hub: Who fills it.
        wanted: Datastreams, or None for all.
        max_rows: Rows that wait at most.
    """

    def __init__(self, hub: LiveHub, wanted: frozenset[int] | None, max_rows: int) -> None:
        self.wanted = wanted
        self.loop = asyncio.get_running_loop()
        self._hub = hub
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._batches: deque[pa.RecordBatch] = deque()
        self._rows = 0
        self._skipped = False
        self._event = asyncio.Event()

    def put(self, batch: pa.RecordBatch) -> bool:
        """Queue rows; return whether the watcher has to be woken. Called by the hub."""
        with self._lock:
            was_empty = not self._batches
            if batch.num_rows > self._max_rows:
                batch = batch.slice(batch.num_rows - self._max_rows)
                self._skipped = True
            self._batches.append(batch)
            self._rows += batch.num_rows
            while self._rows > self._max_rows:
                self._rows -= self._batches.popleft().num_rows
                self._skipped = True
            return was_empty

    def wake(self) -> None:
        """Let `next` look; called in the event loop."""
        self._event.set()

    async def next(self) -> tuple[pa.RecordBatch, bool]:
        """Wait for rows and return all that wait, and whether rows were skipped."""
        while True:
            self._event.clear()
            with self._lock:
                batches, self._batches = self._batches, deque()
                skipped, self._skipped = self._skipped, False
                self._rows = 0
            if len(batches) == 1:
                return batches[0], skipped
            if batches:
                return pa.concat_batches(batches), skipped
            await self._event.wait()

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        self._hub.remove(self)


class LiveHub:
    """Hands kept observations to watchers.

    Args:
        max_rows: Rows that wait for one watcher; the oldest are skipped beyond that.
    """

    def __init__(self, max_rows: int = 200_000) -> None:
        self._max_rows = max_rows
        self._lock = threading.Lock()
        self._watchers: dict[frozenset[int] | None, list[LiveSubscription]] = {}

    def subscribe(self, datastreams: Collection[int] | None = None) -> LiveSubscription:
        """Watch these datastreams, or all; to be called in the event loop that will wait."""
        wanted = None if datastreams is None else frozenset(datastreams)
        subscription = LiveSubscription(self, wanted, self._max_rows)
        with self._lock:
            self._watchers.setdefault(wanted, []).append(subscription)
        return subscription

    def remove(self, subscription: LiveSubscription) -> None:
        """Forget a watcher; does nothing if it is forgotten already."""
        with self._lock:
            group = self._watchers.get(subscription.wanted, [])
            if subscription in group:
                group.remove(subscription)
            if not group:
                self._watchers.pop(subscription.wanted, None)

    @property
    def watchers(self) -> int:
        """How many watch."""
        with self._lock:
            return sum(map(len, self._watchers.values()))

    def publish(self, batch: pa.RecordBatch) -> None:
        """Hand rows to the watchers that want them; called by one thread, never waits.

        Every event loop is woken at most once, however many watchers it has.
        """
        if not self._watchers or not batch.num_rows:
            return
        with self._lock:
            groups = [(wanted, tuple(group)) for wanted, group in self._watchers.items()]
        ids = batch.column(0).to_numpy()
        present: set[int] | None = None
        to_wake: dict[asyncio.AbstractEventLoop, list[LiveSubscription]] = {}
        for wanted, group in groups:
            rows = batch
            if wanted is not None:
                present = set(np.unique(ids).tolist()) if present is None else present
                if wanted.isdisjoint(present):
                    continue
                if not wanted >= present:
                    chosen = np.fromiter(wanted, np.int64, len(wanted))
                    rows = batch.filter(pa.array(np.isin(ids, chosen)))
            for subscription in group:
                if subscription.put(rows):
                    to_wake.setdefault(subscription.loop, []).append(subscription)
        for loop, sleeping in to_wake.items():
            self._wake(loop, sleeping)

    def _wake(self, loop: asyncio.AbstractEventLoop, sleeping: list[LiveSubscription]) -> None:
        try:
            loop.call_soon_threadsafe(_wake_all, sleeping)
        except RuntimeError:  # the loop is closed, and its watchers with it
            for subscription in sleeping:
                self.remove(subscription)


def _wake_all(sleeping: Iterable[LiveSubscription]) -> None:
    for subscription in sleeping:
        subscription.wake()
