"""Rows that do not come from the log: kept in ingest's turn, for the store has one writer."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

import pyarrow as pa

from penstock.core.errors import NotConnected, NotSupported
from penstock.core.store import CanDeleteRows, Marks, Store
from penstock.ingest.patience import Closing, Patience
from penstock.ingest.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class _Wish:
    rows: pa.RecordBatch
    marks: Marks
    removed: pa.Table | None
    done: Future[None] = field(default_factory=Future)


class Keeping:
    """What other threads want kept, until ingest's thread does it.

    Args:
        store: Where it is kept.
        pipeline: Keeps it and tells others.
        patience: Waits when the store refuses for now.
    """

    def __init__(self, store: Store, pipeline: Pipeline, patience: Patience) -> None:
        self._store = store
        self._pipeline = pipeline
        self._patience = patience
        self._wishes: deque[_Wish] = deque()

    def wish(self, rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> Future[None]:
        """Ask for rows to be kept, after others were removed; the future ends when it is done."""
        wish = _Wish(rows, marks, removed)
        self._wishes.append(wish)
        return wish.done

    def fulfil(self) -> bool:
        """Do what was asked for; return whether there was something.

        Raises:
            Closing: Ingest is asked to stop.
        """
        was_asked = bool(self._wishes)
        while self._wishes:
            wish = self._wishes.popleft()
            try:
                self._do(wish)
            except Closing:
                wish.done.set_exception(_ended())
                raise
            except Exception as error:
                wish.done.set_exception(error)
            else:
                wish.done.set_result(None)
        return was_asked

    def give_up(self) -> None:
        """Say to all who wait that nothing is kept any more."""
        while self._wishes:
            self._wishes.popleft().done.set_exception(_ended())

    def _do(self, wish: _Wish) -> None:
        removed = wish.removed
        if removed is not None and removed.num_rows:
            store = self._store
            if not isinstance(store, CanDeleteRows):
                msg = f"{type(store).__name__} cannot remove rows one by one"
                raise NotSupported(msg)
            self._patience.until_done("the store", lambda: store.delete_rows(removed))
            self._pipeline.tell_removed(removed)
        self._pipeline.keep(wish.rows, wish.marks, is_from_log=False)


def _ended() -> NotConnected:
    return NotConnected("ingest has ended; nothing was kept")
