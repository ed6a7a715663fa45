"""What is about to be removed from the store, remembered until queries are to compute without it.

Who removes rows does so beside the log: a kill between that and the new computation would
leave what was computed from them. So it is written down first which ranges of which queries they
have a part in, and crossed out when the ledger has these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.errors import Corrupt
from penstock.core.selection import Selection
from penstock.core.store import CanSummarise, Store
from penstock.sql.engine.ledger import replace_file
from penstock.sql.engine.ranges import ALWAYS_US, NEVER_US, Int64s, Range, touched
from penstock.sql.engine.standing import MAX_PENDING, Standing
from penstock.sql.engine.tap import int64s

NAME = "removals.json"

#: Datastreams, and first and last times of their rows.
Spans = tuple[Int64s, Int64s, Int64s]
NOTHING: Spans = (np.zeros(0, np.int64),) * 3


class Removal(msgspec.Struct, kw_only=True, frozen=True):
    """Ranges to compute again, by query, once something is removed."""

    id: int
    ranges: Mapping[int, Sequence[Range]]


class Removals:
    """Knows of removals that queries have not followed yet. Safe to call from any thread.

    Args:
        folder: Where they are written down.
        store: Tells what there is before it goes.
        standings: Gives the queries there are.
        was_seen: Tells which datastreams have been in the catalog since the start.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        standings: Callable[[], Sequence[Standing]],
        was_seen: Callable[[Int64s], np.ndarray[tuple[int], np.dtype[np.bool_]]],
    ) -> None:
        self._path = folder / NAME
        self._store = store
        self._standings = standings
        self._was_seen = was_seen
        self._lock = threading.Lock()
        self._held = {one.id: one for one in self._read()}
        self._next = max(self._held, default=0) + 1
        #: Those that are over and not taken yet; after a kill, all.
        self._over = list(self._held.values())

    @contextmanager
    def removing(self, gone: pa.Table | Selection) -> Iterator[Spans]:
        """Remember what is removed within, before it is.

        Gives what goes: datastreams, and first and last times of each part.

        Args:
            gone: Identities of the rows, or which are chosen.
        """
        standings = self._standings()
        spans = self._spans(gone) if standings else NOTHING
        removal = self._noted(standings, *spans)
        try:
            yield spans
        finally:
            if removal is not None:
                with self._lock:
                    self._over.append(removal)

    def take(self) -> list[Removal]:
        """Return those that are over."""
        with self._lock:
            taken, self._over = self._over, []
        return taken

    def cross_out(self, removals: Sequence[Removal]) -> None:
        """Forget those whose ranges are in the ledger."""
        with self._lock:
            for one in removals:
                self._held.pop(one.id, None)
            self._write()

    def _noted(
        self, standings: Sequence[Standing], ids: Int64s, first: Int64s, last: Int64s
    ) -> Removal | None:
        if not len(ids):
            return None
        is_seen = self._was_seen(ids)
        ranges = {}
        for one in standings:
            # Nobody knows any more who has read what is gone from the catalog since before.
            mine = np.isin(ids, one.ever) | ~is_seen
            if mine.any():
                ranges[one.entry.id] = touched(first[mine], last[mine], one.meaning, MAX_PENDING)
        if not ranges:
            return None
        with self._lock:
            removal = Removal(id=self._next, ranges=ranges)
            self._next += 1
            self._held[removal.id] = removal
            self._write()
        return removal

    def _spans(self, gone: pa.Table | Selection) -> Spans:
        if isinstance(gone, Selection):
            is_whole = gone.features is None and gone.datastreams is not None
            if is_whole and isinstance(self._store, CanSummarise):
                held = self._store.summaries(gone.datastreams)
                first, last = int64s(held, "first_time"), int64s(held, "last_time")
                low = NEVER_US if gone.start_us is None else gone.start_us
                high = ALWAYS_US if gone.end_us is None else gone.end_us
                first, last = np.maximum(first, low), np.minimum(last, high - 1)
                some = first <= last
                return int64s(held, "datastream")[some], first[some], last[some]
            gone = self._store.scan(msgspec.structs.replace(gone, limit=None, after=None))
        times = int64s(gone, "time")
        return int64s(gone, "datastream"), times, times

    def _read(self) -> list[Removal]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Removal])
        except FileNotFoundError:
            return []
        except msgspec.DecodeError as error:
            msg = (
                f"{self._path} cannot be read ({error}); restore it from a backup, or remove it: "
                "`penstock apps verify` tells then whether an app is right"
            )
            raise Corrupt(msg) from error

    def _write(self) -> None:
        replace_file(self._path, msgspec.json.encode(list(self._held.values())))
