"""The live contract: new observations, handed to whoever watches, a moment after they are kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import pyarrow as pa


class Subscription(Protocol):
    """One watcher's queue; used from one asyncio task."""

    async def next(self) -> tuple[pa.RecordBatch, bool]:
        """Wait for rows and return all that wait, in `SCHEMA`, and whether rows were skipped.

        Rows are skipped when the watcher is slower than the stream: its queue is bounded, and
        the oldest rows go first. A watcher that is told so can read the store again.
        """
        ...

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        ...


class Live(Protocol):
    """Hands kept observations to watchers."""

    def subscribe(self, datastreams: Collection[int] | None = None) -> Subscription:
        """Watch these datastreams, or all; to be called in the event loop that will wait.

        Every row that `Store.append` keeps after this call is handed over, so a watcher that
        subscribes first and then reads the store misses nothing and may see rows twice.
        """
        ...
