"""The store that tests of other rooms stand on.

A dictionary, or the lake where it must outlive a crash. With `PENSTOCK_TEST_STORE=postgresql` in
the environment it is tables in PostgreSQL, in a schema of their own; `make postgres` runs them so.
"""

from __future__ import annotations

import atexit
import hashlib
import itertools
import os
from collections import deque
from pathlib import Path

from penstock.core.clock import Clock
from penstock.runtime.stores import HouseStore
from penstock.stores.lake.store import LakeStore
from penstock.stores.memory import MemoryStore
from penstock.stores.settings import LakeSettings, PostgresSettings

ON_POSTGRES = os.environ.get("PENSTOCK_TEST_STORE") == "postgresql"
#: Stores at once in PostgreSQL; tests that make many do not all close them.
MOST = 12

_numbers = itertools.count(1)
_opened: deque[HouseStore] = deque()
_urls: list[str] = []


def empty_store() -> HouseStore:
    """Return a store without anything in it."""
    return _in_schema(f"empty_{next(_numbers)}") if ON_POSTGRES else MemoryStore()


def store_of(folder: Path, settings: LakeSettings, clock: Clock) -> HouseStore:
    """Return the store that belongs to a folder; after a crash it is there again."""
    if ON_POSTGRES:
        return _in_schema(f"of_{hashlib.sha1(str(folder).encode()).hexdigest()[:16]}")
    return LakeStore.open(folder, settings, clock)


def crash(store: HouseStore) -> None:
    """Lose what is not durable."""
    if isinstance(store, LakeStore):
        store._is_closed = True
        store._directory_lock.close()
    else:
        # In PostgreSQL all is durable.
        store.close()


def _in_schema(schema: str) -> HouseStore:
    from tests.postgres_server import shared

    from penstock.stores.postgres import PostgresStore

    if not _urls:
        _urls.append(shared().new_database())
        atexit.register(_close_all)
    while len(_opened) >= MOST:
        _opened.popleft().close()
    _opened.append(PostgresStore.open(_urls[0], PostgresSettings(schema=schema, connections=2)))
    return _opened[-1]


def _close_all() -> None:
    while _opened:
        _opened.popleft().close()
