"""Derived Datastreams: the answer of an app as observations, kept in place of what was there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.apps import AppRecords, KeptApp
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import Conflict
from penstock.core.observation import SCHEMA, observations
from penstock.core.queries import END, ROW, TIME, Column, ColumnKind, Meaning
from penstock.core.registration import DatastreamFacts, Registration, SensorFacts
from penstock.core.selection import Selection
from penstock.core.store import CanSummarise, Store
from penstock.sql.apps.naming import Groups, Naming

#: What identifies an observation.
IDENTITY = ["datastream", "time", "feature"]
#: Datastreams looked up at once.
MANY = 100_000


class Shelf(Protocol):
    """Brings observations to the store. Called by the engine's thread only."""

    def add(self, rows: pa.Table) -> None:
        """Take rows in `SCHEMA`, to be kept with the next `flush` or before."""
        ...

    def remove(self, rows: pa.Table) -> None:
        """Take rows whose identities are to go before those added now come."""
        ...

    def flush(self) -> None:
        """Bring what waits; `scan` of the store sees it then.

        Raises:
            PenstockError: It could not be kept, and waits on.
        """
        ...


class Derivation:
    """Turns answers of one app into observations. Used by one thread at a time.

    Args:
        app: The app.
        meaning: What is known of its query.
        catalog: Where its Datastreams are registered.
        records: Remembers which they are.
        clock: Tells when they were made.

    Raises:
        InvalidInput: See `Naming`.
    """

    def __init__(
        self, app: KeptApp, meaning: Meaning, catalog: Catalog, records: AppRecords, clock: Clock
    ) -> None:
        self._app = app
        self.naming = Naming(app.id, app.spec, meaning)
        self._catalog = catalog
        self._records = records
        self._clock = clock
        self._ids: dict[tuple[tuple[object, ...], str], int | None] = {}

    def observations(self, rows: pa.Table, *, register: bool = True) -> pa.Table:
        """Return an answer as rows of `SCHEMA`; null values give none.

        Without `register`, what would go to Datastreams that do not exist has `datastream` 0.
        """
        if not rows.num_rows:
            return SCHEMA.empty_table()
        groups = self.naming.groups(rows)
        self._find(groups, register=register)
        times = rows.column(TIME).cast(pa.timestamp("us", tz="UTC"))
        ends = rows.column(END).cast(pa.timestamp("us", tz="UTC"))
        features = rows.column(ROW).cast(pa.int64())
        tables = []
        for column in self.naming.values:
            ids = np.array([self._ids[key, column.name] or 0 for key in groups.keys], np.int64)
            number, text = _results(rows.column(column.name), column)
            batch = observations(
                pa.array(ids[groups.of_row]),
                times.combine_chunks(),
                number,
                text=text,
                feature=features.combine_chunks(),
                end_time=ends.combine_chunks(),
            )
            table = pa.Table.from_batches([batch])
            tables.append(table.filter(pc.is_valid(rows.column(column.name))))
        return pa.concat_tables(tables)

    def _find(self, groups: Groups, *, register: bool) -> None:
        missing = [
            (key, column)
            for key in groups.keys
            for column in self.naming.values
            if not self._ids.get((key, column.name), 0 if not register else None)
            and (register or (key, column.name) not in self._ids)
        ]
        if not missing:
            return
        sources = self._sources({int(str(key[0])) for key, _ in missing if key[0]})
        facts = [self.naming.facts(key, column, sources) for key, column in missing]
        held = self._held(facts)
        if register:
            found: Sequence[int | None] = self._register(facts, held)
        else:
            found = [held.get((one.series.thing, one.series.name)) for one in facts]
        for (key, column), id_ in zip(missing, found, strict=True):
            self._ids[key, column.name] = id_

    def _sources(self, ids: set[int]) -> dict[int, tuple[str, str]]:
        if not ids:
            return {}
        found = self._catalog.datastreams(ids=sorted(ids), limit=MANY)
        return {one.id: (one.name, one.thing) for one in found}

    def _held(self, facts: Sequence[DatastreamFacts]) -> dict[tuple[str, str], int]:
        """Return the Datastreams that have these names already, by Thing and name."""
        names = {(one.series.thing, one.series.name) for one in facts}
        held: dict[tuple[str, str], int] = {}
        for thing in {thing for thing, _ in names}:
            for one in self._catalog.datastreams(thing=thing, limit=MANY):
                name = (thing, one.name.removeprefix(f"{thing}."))
                if one.system == self._app.system and name in names:
                    held[name] = one.id
        return held

    def _register(
        self, facts: Sequence[DatastreamFacts], held: dict[tuple[str, str], int]
    ) -> Sequence[int]:
        own = set(self._records.derived(self._app.id))
        for (thing, name), id_ in held.items():
            if id_ not in own:
                msg = (
                    f"Datastream {thing}.{name} exists and is not of this app; name another Thing "
                    "(`thing`) or another column"
                )
                raise Conflict(msg)
        spec = self._app.spec
        sensor = SensorFacts(
            name=f"app {spec.name}",
            description=spec.description.partition("\n")[0],
            encoding_type="text/plain",
            metadata=spec.sql,
        )
        wanted = Registration(system=self._app.system, sensors=[sensor], datastreams=facts)
        ids = self._catalog.register(wanted, self._clock.now_us())
        self._records.derive(self._app.id, ids)
        return ids


class DatastreamSink:
    """Keeps the answer of an app as observations. See `core.queries.Sink`.

    Args:
        derivation: Makes observations of answers.
        derived: Gives the Datastreams of the app, as they are now.
        store: Where they are.
        shelf: Keeps more.
    """

    def __init__(
        self,
        derivation: Derivation,
        derived: Callable[[], Sequence[int]],
        store: Store,
        shelf: Shelf,
    ) -> None:
        self._derivation = derivation
        self._derived = derived
        self._store = store
        self._shelf = shelf
        #: Event time from which nothing was ever put; None until it is known.
        self._fresh_us: int | None = None

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:
        """Take rows; with a range, they replace what was there."""
        table = self._derivation.observations(rows)
        if start_us is not None and end_us is not None and start_us < self._fresh():
            self._remove_others(table, start_us, end_us)
        if table.num_rows:
            self._shelf.add(table)
        if end_us is not None:
            self._fresh_us = max(self._fresh(), end_us)

    def _fresh(self) -> int:
        if self._fresh_us is None:
            ids = self._derived()
            self._fresh_us = -(2**62)
            if ids and isinstance(self._store, CanSummarise):
                newest = pc.max(self._store.summaries(ids).column("last_time").cast(pa.int64()))
                if newest.is_valid:
                    self._fresh_us = newest.as_py() + 1
            elif ids:
                self._fresh_us = 2**62
        return self._fresh_us

    def _remove_others(self, table: pa.Table, start_us: int, end_us: int) -> None:
        """Remove what is held of the range and is not put again."""
        ids = tuple(self._derived())
        if not ids:
            return
        # What was put in the same turn may wait still, and is to be seen.
        self._shelf.flush()
        held = self._store.scan(Selection(datastreams=ids, start_us=start_us, end_us=end_us))
        if held.num_rows:
            keys = table.select(IDENTITY)
            gone = held.join(keys, IDENTITY, join_type="left anti").select(SCHEMA.names)
            self._shelf.remove(gone)


def _results(values: pa.ChunkedArray, column: Column) -> tuple[pa.Array | None, pa.Array | None]:
    """Return the numbers and the texts of a column."""
    whole = values.combine_chunks()
    if column.kind in (ColumnKind.NUMBER, ColumnKind.TRUTH):
        return whole.cast(pa.float64()), None
    return None, whole.cast(pa.string())
