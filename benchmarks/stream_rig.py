"""A store, a catalog and an engine in one process, for benchmarks of stream SQL."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import EVERYTHING
from penstock.core.apps import Output
from penstock.core.catalog import Policy
from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import Backpressure
from penstock.core.queries import Query
from penstock.core.series import Series, Unit
from penstock.core.store import Marks
from penstock.runtime.streams import plan_of
from penstock.sql.engine.derived import Origin
from penstock.sql.engine.engine import Engine
from penstock.sql.settings import SqlSettings
from penstock.stores.lake.store import LakeStore
from penstock.stores.settings import LakeSettings


class Rig:
    """What the hub is without log and network: one who sends, and the engine's thread."""

    def __init__(
        self, folder: Path, settings: SqlSettings | None = None, clock: Clock | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        self.catalog = SqlCatalog.open(folder / "catalog.sqlite")
        self.store = LakeStore.open(folder / "store", LakeSettings(), self.clock)
        self._writing = threading.Lock()
        self._offset = 0
        self.engine = Engine(
            self.store, self.catalog, self._keep, plan_of, lambda _: EVERYTHING, folder / "sql",
            self.clock, settings, positions=lambda: {"door": self._offset},
        )  # fmt: skip

    def datastreams(self, things: int, names: tuple[str, ...] = ("value",)) -> np.ndarray:
        """Make Datastreams and return their ids."""
        series = [
            Series(thing=f"thing{n:04}", name=name, unit=Unit(symbol="Cel"))
            for n in range(things)
            for name in names
        ]
        found = self.catalog.enrol(series, Policy.AUTOMATIC, self.clock.now_us())
        return np.array([one.datastream for one in found], np.int64)

    def start(self, id_: int, sql: str, start_us: int | None = None, **query: float) -> None:
        """Start a query whose answers become Datastreams."""
        asked = Query(sql=sql, **query)  # type: ignore[arg-type]
        origin = Origin(id=id_, name=f"app{id_}", version=1, system=1)
        sink = self.engine.sink(origin, Output(), self.engine.explain(asked))
        self.engine.start(id_, asked, sink, start_us)

    def send(self, batch: pa.RecordBatch) -> None:
        """Keep a batch as ingest does."""
        with self._writing:
            self._offset += batch.num_rows
            self._append(batch, {"door": self._offset})
            self.engine.heard(batch, {"door": self._offset})

    def _keep(self, rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> None:
        with self._writing:
            if removed is not None:
                self.store.delete_rows(removed)
                self.engine.heard(removed, {})
            self._append(rows, {"door": self._offset, **marks})
            self.engine.heard(rows, {})

    def _append(self, rows: pa.RecordBatch, marks: Marks) -> None:
        while True:
            try:
                self.store.append(rows, marks)
            except Backpressure as error:
                time.sleep(error.retry_after_s)
            else:
                return

    def close(self) -> None:
        """Release all."""
        self.engine.close()
        self.store.close()
        self.catalog.close()
