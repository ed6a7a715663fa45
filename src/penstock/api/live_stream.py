"""One live stream: stored rows, then new rows, with a seam that nobody can see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.api.columns import iso_times, to_columns
from penstock.api.context import Context
from penstock.api.sight import Sight
from penstock.core.live import Subscription
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection

#: Live rows that the snapshot holds already come within this time after it, or never.
SEAM_S = 30.0
#: Batches above this are turned into text in a thread, not in the event loop.
INLINE_ROWS = 500

#: How often it is looked whether who watches still may, in seconds.
LOOK_EVERY_S = 0.5

#: Milliseconds after which a browser that lost the connection comes back.
RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": still here\n\n"
GAP = b"event: gap\ndata: {}\n\n"

_Identity = tuple[int, int, int]


class Seam:
    """Knows the rows of the snapshot, to leave them out of what follows.

    Args:
        snapshot: Stored rows, at least one.
    """

    def __init__(self, snapshot: pa.Table) -> None:
        self._snapshot = snapshot
        self._newest_us = int(np.max(_times(snapshot)))
        self._known: dict[_Identity, tuple[Any, ...]] | None = None

    def touches(self, batch: pa.RecordBatch) -> bool:
        """Tell whether any row could be in the snapshot; cheap."""
        return batch.num_rows > 0 and int(np.min(_times(batch))) <= self._newest_us

    def without_known(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows for which the client has something else, or nothing."""
        if self._known is None:
            # Most streams never need this, since most rows come in the order of their times.
            self._known = dict(
                zip(_identities(self._snapshot), _values(self._snapshot), strict=True)
            )
        news = []
        for identity, values in zip(_identities(batch), _values(batch), strict=True):
            is_new = self._known.get(identity) != values
            if is_new and identity in self._known:
                # An older value may follow its successor here, and the successor once more.
                self._known[identity] = values
            news.append(is_new)
        return batch.filter(pa.array(news, pa.bool_()))


class LiveStream:
    """Makes the events of one client.

    The subscription comes first and the snapshot second, so no row is missing; rows that are in
    both are left out of the live part, unless their value changed.

    Args:
        ctx: The platform's parts.
        sight: Which rows may be seen.
        start_us: Stored rows since then come first; None begins with what is new.
        iso: Times as ISO 8601 text.
    """

    def __init__(self, ctx: Context, sight: Sight, start_us: int | None, *, iso: bool) -> None:
        self._ctx = ctx
        self._sight = sight
        self._start_us = start_us
        self._iso = iso
        self._newest_us: int | None = None
        self._seam: Seam | None = None
        self._seam_until_s = 0.0

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Give the bytes of all events until the client leaves or the server stops."""
        subscription = self._ctx.live.subscribe(self._sight.wanted)
        try:
            yield RETRY
            for event in await self._ctx.blocking(self._snapshot):
                yield event
            async for event in self._live(subscription):
                yield event
        finally:
            subscription.close()

    def _snapshot(self) -> list[bytes]:
        table, complete_from = SCHEMA.empty_table(), self._start_us
        is_cut = False
        if self._start_us is not None:
            limit = self._ctx.settings.max_snapshot_rows
            selection = Selection(
                datastreams=self._sight.readable(),
                start_us=self._start_us,
                descending=True,
                limit=limit + 1,
            )
            found = self._ctx.store.scan(selection)
            is_cut = found.num_rows > limit
            table = found.take(np.arange(min(limit, found.num_rows))[::-1])
            if is_cut:
                # Rows of the oldest time may be cut off in the middle.
                complete_from = _times(table)[0].item() + 1
        self._seam = Seam(table) if table.num_rows else None
        self._seam_until_s = self._ctx.clock.monotonic_s() + SEAM_S
        begin = None if complete_from is None else self._time(complete_from)
        snapshot = self._event("snapshot", table, start=begin)
        return [GAP, snapshot] if is_cut else [snapshot]

    async def _live(self, subscription: Subscription) -> AsyncGenerator[bytes, None]:
        settings = self._ctx.settings
        loop = asyncio.get_running_loop()
        closing = asyncio.ensure_future(self._ctx.closing.wait())
        waiting = asyncio.ensure_future(subscription.next())
        heard_s = loop.time()
        try:
            while True:
                await asyncio.wait(
                    (waiting, closing),
                    timeout=min(settings.heartbeat_s, LOOK_EVERY_S),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if closing.done() or not await self._may_go_on():
                    break
                if not waiting.done():
                    if loop.time() - heard_s >= settings.heartbeat_s:
                        heard_s = loop.time()
                        yield HEARTBEAT
                    continue
                batch, was_skipped = waiting.result()
                if batch.num_rows > settings.max_rows_per_event:
                    batch = batch.slice(batch.num_rows - settings.max_rows_per_event)
                    was_skipped = True
                event = await self._event_of(batch)
                if was_skipped:
                    yield GAP
                if event:
                    heard_s = loop.time()
                    yield event
                    await asyncio.wait((closing,), timeout=1 / settings.max_events_per_s)
                waiting = asyncio.ensure_future(subscription.next())
        finally:
            closing.cancel()
            waiting.cancel()

    async def _may_go_on(self) -> bool:
        """Tell whether who watches may still see anything of what they asked for."""
        if not self._sight.look():
            return False
        return not (self._sight.has_changed and await self._ctx.blocking(self._sight.sees_nothing))

    async def _event_of(self, batch: pa.RecordBatch) -> bytes | None:
        is_quick = batch.num_rows <= INLINE_ROWS and not self._touches_seam(batch)
        if is_quick and self._sight.is_known(batch):
            return self._rows(batch)
        return await self._ctx.blocking(self._rows, batch)

    def _rows(self, batch: pa.RecordBatch) -> bytes | None:
        """Return the event of new rows, or None when the client has them all, or may not."""
        batch = self._sight.filter(batch)
        if self._seam is not None and self._touches_seam(batch):
            batch = self._seam.without_known(batch)
        return self._event("observations", batch) if batch.num_rows else None

    def _touches_seam(self, batch: pa.RecordBatch) -> bool:
        if self._seam is not None and self._ctx.clock.monotonic_s() > self._seam_until_s:
            self._seam = None
        return self._seam is not None and self._seam.touches(batch)

    def _event(self, name: str, rows: pa.Table | pa.RecordBatch, **more: object) -> bytes:
        if rows.num_rows:
            newest = int(np.max(_times(rows)))
            self._newest_us = newest if self._newest_us is None else max(newest, self._newest_us)
        data = msgspec.json.encode({**to_columns(rows, iso=self._iso), **more})
        mark = b"" if self._newest_us is None else b"id: %d\n" % self._newest_us
        return b"event: %s\n%sdata: %s\n\n" % (name.encode(), mark, data)

    def _time(self, time_us: int) -> object:
        if not self._iso:
            return time_us
        return iso_times(pa.array([time_us], pa.timestamp("us", tz="UTC")))[0].as_py()


def _times(rows: pa.Table | pa.RecordBatch) -> Any:
    return np.asarray(rows.column("time").cast(pa.int64()).to_numpy())


def _identities(rows: pa.Table | pa.RecordBatch) -> list[_Identity]:
    columns = (
        rows.column("datastream").to_pylist(),
        _times(rows).tolist(),
        rows.column("feature").to_pylist(),
    )
    return list(zip(*columns, strict=True))


def _values(rows: pa.Table | pa.RecordBatch) -> list[tuple[Any, ...]]:
    names = ("text", "end_time", "result_time", "parameters")
    columns = [[None if v != v else v for v in rows.column("number").to_pylist()]]
    for name in names:
        column = rows.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        columns.append(column.to_pylist())
    return list(zip(*columns, strict=True))
