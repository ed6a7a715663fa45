"""Observations on their way to the store: through the log, like every message."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from penstock.core.access import Access, Principal
from penstock.core.errors import Backpressure, Conflict
from penstock.core.imports import WRITTEN
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.selection import Selection
from penstock.sensorthings.writing.areas import Areas
from penstock.sensorthings.writing.asked import Parts
from penstock.sensorthings.writing.results import Row
from penstock.sensorthings.writing.unfinished import Move, Note

#: Rows in one message.
MAX_ROWS = 50_000
#: Rows made into a message without leaving the event loop; more would keep others waiting.
MAX_AT_ONCE = 500
#: How long an answer waits until what is in the log is in the store, seconds.
MAX_WAIT_S = 30.0
#: Datastreams whose last time of arrival is remembered.
MAX_REMEMBERED = 100_000

_MS = 1000
_TYPES = (
    pa.int64(),
    pa.timestamp("us", tz="UTC"),
    pa.float64(),
    pa.string(),
    pa.int64(),
    pa.timestamp("us", tz="UTC"),
    pa.timestamp("us", tz="UTC"),
    pa.string(),
)
_NAMES = (
    "datastream",
    "time",
    "number",
    "text",
    "feature",
    "end_time",
    "result_time",
    "parameters",
)


class NotYetThere(Backpressure):
    """Raised when Observations are on disk, and will be in the store a little later."""


class Intake:
    """Puts rows into the log and waits until they can be read."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._last: OrderedDict[int, int] = OrderedDict()
        self._areas = Areas(parts)

    def now_us(self, datastream: int) -> int:
        """Return the time of an Observation that comes without one: each has its own."""
        with self._lock:
            now_us = self._parts.clock.now_us() // _MS * _MS
            time_us = max(now_us, self._last.pop(datastream, 0) + _MS)
            self._last[datastream] = time_us
            if len(self._last) > MAX_REMEMBERED:
                self._last.popitem(last=False)
            return time_us

    def note(
        self, who: Principal, system: int, rows: Sequence[Row], move: Move | None = None
    ) -> Note:
        """Return what `keep` of these rows is to do, for a start after it was cut short."""
        access = self._parts.access()
        return Note(_messages(topic_of(access, system), rows), _client(access, who), move)

    async def keep(
        self, who: Principal, system: int, rows: Sequence[Row], unfinished: int = 0
    ) -> None:
        """Keep rows of one system's datastreams; they can be read when it returns.

        The note `unfinished` is forgotten as soon as they are on disk.

        Raises:
            NotYetThere: They are on disk and not in the store yet.
            Backpressure: Nothing was kept.
            Conflict: They were not taken in, for the reason that stands in the dead letters.
        """
        if not rows:
            return
        access = self._parts.access()
        topic = topic_of(access, system)
        if len(rows) > MAX_AT_ONCE:
            messages = await self._parts.blocking(_messages, topic, rows)
        else:
            messages = _messages(topic, rows)
        refused = self._parts.platform.refused
        offset = await self._parts.platform.publish(messages, _client(access, who))
        if unfinished:
            await self._parts.blocking(self._parts.unfinished.finish, unfinished)
        if not await self._parts.platform.ingested(offset, MAX_WAIT_S):
            raise NotYetThere(
                f"{len(rows)} Observations are on disk and were not in the store after "
                f"{MAX_WAIT_S:.0f} s; they will be, so do not send them again"
            )
        if self._parts.platform.refused != refused:
            await self._parts.blocking(self._check, rows)
        await self._areas.note({(row.datastream, row.feature) for row in rows})

    def _check(self, rows: Sequence[Row]) -> None:
        """Raise `Conflict` when the store does not have them: they may be what was refused."""
        for datastream, some in groupby(
            sorted(rows, key=lambda row: row.datastream), key=lambda row: row.datastream
        ):
            row = next(some)
            held = self._parts.store.scan(
                Selection(
                    datastreams=(datastream,),
                    features=(row.feature,),
                    start_us=row.time_us,
                    end_us=row.time_us + 1,
                )
            )
            if not held.num_rows:
                raise Conflict(
                    f"Observations of Datastream {datastream} were not taken in: its device is "
                    "refused, waits for approval or was deleted; the dead letters say which"
                )


def _client(access: Access, who: Principal) -> str:
    return f"http/{access.name(who)}" if access.organisation.accounts else "http"


def topic_of(access: Access, system: int) -> str:
    """Return the topic that rows of a system are published to; the codec `arrow` reads them."""
    if system == DEFAULT_SYSTEM:
        return WRITTEN
    names = {one.id: one.name for one in access.organisation.systems}
    return f"{names[system]}/{WRITTEN}"


def _messages(topic: str, rows: Sequence[Row]) -> list[tuple[str, bytes]]:
    return [(topic, _message(rows[at : at + MAX_ROWS])) for at in range(0, len(rows), MAX_ROWS)]


def _message(rows: Sequence[Row]) -> bytes:
    """Return rows as one Arrow IPC stream."""
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _TYPES, strict=True)]
    kept = [
        (name, array)
        for name, array in zip(_NAMES, arrays, strict=True)
        if array.null_count < len(array)
    ]
    batch = pa.RecordBatch.from_arrays([array for _, array in kept], [name for name, _ in kept])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    message: bytes = sink.getvalue().to_pybytes()
    return message


def distinct_datastreams(table: pa.Table) -> list[int]:
    """Return the datastreams of rows, ascending."""
    return [int(one) for one in np.unique(table["datastream"].to_numpy())]
