"""A store whose removals somebody is told of, before and after."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

import pyarrow as pa

from penstock.core.selection import Selection
from penstock.core.store import Store

S = TypeVar("S", bound=Store)

#: Entered before something is removed, and left when it is.
Removing = Callable[[pa.Table | Selection], AbstractContextManager[None]]


def watched(store: S, removing: Removing) -> S:
    """Return a store that tells of what is removed from it, and else is the one given.

    Args:
        store: Does all the work.
        removing: See there; is given the rows' identities, or which are chosen.
    """
    return cast("S", _Watched(store, removing))


class _Watched:
    def __init__(self, store: Store, removing: Removing) -> None:
        self._store = store
        self._removing = removing
        for name in dir(store):
            if not name.startswith("_") and name not in _OWN:
                found = getattr(store, name)
                # What a store can do shows in what it has.
                if callable(found):
                    setattr(self, name, found)
        if hasattr(store, "delete_rows"):
            self.delete_rows = self._delete_rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, selection: Selection) -> int:
        with self._removing(selection):
            return self._store.delete(selection)

    def _delete_rows(self, rows: pa.Table) -> int:
        with self._removing(rows):
            count: int = cast("Any", self._store).delete_rows(rows)
            return count


_OWN = ("delete", "delete_rows")
