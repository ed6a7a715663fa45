"""A store, a catalog and an engine side by side, turned by hand."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from tests.any_store import crash, store_of

from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import EVERYTHING
from penstock.core.apps import Output
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.core.queries import Query
from penstock.core.selection import Selection
from penstock.core.series import Series, Unit
from penstock.core.store import Marks
from penstock.sql.engine.derived import Origin
from penstock.sql.engine.engine import Engine
from penstock.sql.language import compile_query
from penstock.sql.plan import Plan
from penstock.sql.settings import SqlSettings
from penstock.stores.settings import LakeSettings

SECOND = 1_000_000
#: Where tests begin.
EPOCH = 1_700_000_000 * SECOND
LAKE = LakeSettings(background=False)


@functools.lru_cache(64)
def plan_of(query: Query) -> Plan:
    """Return the plan of a query."""
    return compile_query(query.sql, reach_us=round(query.reach_s * 1e6))


@functools.cache
def empty_catalog() -> bytes:
    """Return the file of a catalog without content, so that its tables are made once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.sqlite"
        SqlCatalog.open(path).close()
        return path.read_bytes()


class Bench:
    """What ingest, store, catalog and engine are together, in one thread."""

    def __init__(
        self, folder: Path, settings: SqlSettings | None = None, clock: ManualClock | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.clock = clock or ManualClock(EPOCH)
        (folder / "catalog.sqlite").write_bytes(empty_catalog())
        self.catalog = SqlCatalog.open(folder / "catalog.sqlite")
        self.settings = settings or SqlSettings(catalog_age_s=0)
        #: How long the store keeps what has no retention of its own.
        self.retention_s: float | None = None
        self.sent: list[pa.RecordBatch] = []
        self.open()

    def open(self) -> None:
        """Begin as after a start."""
        self.store = store_of(self.folder / "store", LAKE, self.clock)
        self.position = self.held = self.store.marks.get("door", 0)
        self.engine = Engine(
            self.store, self.catalog, self.keep, plan_of, lambda _: EVERYTHING,
            self.folder / "sql", self.clock, self.settings,
            positions=lambda: {"door": self.position}, retention_s=self.retention_s,
        )  # fmt: skip
        self.position = self.engine.reads_from({"door": self.position})["door"]

    def crash(self) -> None:
        """Lose what is not durable, and read the log again from where that ends."""
        crash(self.store)
        self.open()

    def read_log(self) -> None:
        """Hear what was sent and is not kept yet, as ingest does."""
        while self.position < len(self.sent):
            batch = self.sent[self.position]
            self.position += 1
            if self.position <= self.held:
                self.engine.heard(pa.table(batch), {"door": self.position})
                continue
            self.store.append(batch, {"door": self.position})
            self.engine.heard(batch, {"door": self.position})

    def delete(self, rows: pa.Table) -> None:
        """Remove rows as whoever may does."""
        with self.engine.removing(rows):
            self.store.delete_rows(rows)

    def keep(self, rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> None:
        """Do as `Ingest.keep` does."""
        if removed is not None:
            self.store.delete_rows(removed)
            self.engine.heard(removed, {})
        self.store.append(rows, marks)
        self.engine.heard(rows, {})

    def datastreams(self, names: Sequence[str], unit: str = "Cel") -> list[int]:
        """Make Datastreams `<thing>.<name>`."""
        series = [
            Series(thing=thing, name=name, unit=Unit(symbol=unit), observed_property=name)
            for thing, _, name in (n.rpartition(".") for n in names)
        ]
        found = self.catalog.enrol(series, Policy.AUTOMATIC, EPOCH)
        return [one.datastream or 0 for one in found]

    def send(self, *rows: tuple[int, float, float | None]) -> None:
        """Send rows of (datastream, seconds after the beginning, value) in one batch."""
        ids, seconds, values = zip(*rows, strict=True)
        times = [EPOCH + round(s * SECOND) for s in seconds]
        self.sent.append(observations(list(ids), times, list(values)))
        self.read_log()

    def start(self, id_: int, sql: str, start_us: int | None = None, **query: float) -> None:
        """Start a query whose answers become Datastreams."""
        asked = Query(sql=sql, **query)  # type: ignore[arg-type]
        meaning = self.engine.explain(asked)
        origin = Origin(id=id_, name=f"app{id_}", version=1, system=1)
        self.engine.start(id_, asked, self.engine.sink(origin, Output(), meaning), start_us)

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass and the engine work until nothing is left."""
        self.clock.advance(seconds)
        while not self.engine.turn():
            pass

    def derived(self, id_: int = 1) -> list[tuple[str, float, float | str | None]]:
        """Return what a query derived: (datastream, seconds after the beginning, value)."""
        infos = {
            one.id: one.name
            for one in self.catalog.datastreams(limit=100_000)
            if one.properties.get("app_id") == id_
        }
        table = self.store.scan(Selection(datastreams=tuple(infos)))
        times = table["time"].cast(pa.int64()).to_pylist()
        values = zip(table["number"].to_pylist(), table["text"].to_pylist(), strict=True)
        ids = table["datastream"].to_pylist()
        return sorted(
            (infos[i], (t - EPOCH) / SECOND, text if number is None else number)
            for i, t, (number, text) in zip(ids, times, values, strict=True)
        )

    def close(self) -> None:
        """Release all."""
        self.engine.close()
        self.store.close()
        self.catalog.close()


def mean(seconds: int, source: str = "observations", key: str = "thing") -> str:
    """Return a query for means in windows."""
    return (
        f"SELECT window_start, {key}, AVG(result) AS mean FROM TABLE(TUMBLE(TABLE {source}, "
        f"DESCRIPTOR(time), INTERVAL '{seconds}' SECOND)) GROUP BY window_start, window_end, {key}"
    )


Derived = Mapping[tuple[str, float], float]
