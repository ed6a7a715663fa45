"""Opens the store that the settings name."""

from __future__ import annotations

from typing import Protocol

from penstock.core.clock import Clock
from penstock.core.errors import PenstockError
from penstock.core.store import (
    CanDeleteRows,
    CanDownsample,
    CanExpire,
    CanSummarise,
    CanTellExtents,
    Store,
)
from penstock.runtime.config import Config
from penstock.runtime.finding import Finding, Level
from penstock.stores.lake.store import LakeStore


class HouseStore(
    Store, CanSummarise, CanDownsample, CanTellExtents, CanDeleteRows, CanExpire, Protocol
):
    """A store with all that the platform asks of one."""


def open_store(config: Config, clock: Clock) -> HouseStore:
    """Open the store: in PostgreSQL with `store.url`, else in files of the data folder.

    Raises:
        PenstockError: What `PostgresStore.open` or `LakeStore.open` says.
    """
    if config.store.url:
        from penstock.stores.postgres import PostgresStore

        return PostgresStore.open(config.store.url, config.store.postgres)
    return LakeStore.open(config.data_path / "store", config.store, clock)


def look_at_store(config: Config) -> Finding:
    """Say where observations are kept, and whether that can be reached."""
    if not config.store.url:
        return Finding("store", Level.OK, "files in the data folder")
    try:
        from penstock.stores.postgres.probing import probe

        return Finding("store", Level.OK, probe(config.store.url))
    except PenstockError as error:
        do = "mend `store.url` or start the server; see docs/guides/postgresql.md"
        return Finding("store", Level.PROBLEM, str(error), do)
