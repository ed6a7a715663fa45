"""Answers become observations of derived Datastreams, with unit, property and provenance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.apps import Output
from penstock.core.catalog import Catalog, DatastreamInfo
from penstock.core.clock import Clock
from penstock.core.observation import SCHEMA
from penstock.core.queries import END, ROW, SERIES, TIME, Column, ColumnKind, Meaning
from penstock.core.registration import DatastreamFacts, Registration
from penstock.core.selection import Selection
from penstock.core.series import ObservationType, Series, Unit
from penstock.core.store import CanSummarise, Store
from penstock.sql.engine.outlet import Outlet
from penstock.sql.engine.picture import Picture, Pictures
from penstock.sql.engine.ranges import ALWAYS_US, NEVER_US, Int64s, Range, within
from penstock.sql.engine.tap import int64s
from penstock.sql.signature import SOURCE_UNIT

#: Datastreams that are registered in one step.
PAGE = 1000
#: Longest name of a Thing, or of a Datastream within it.
MAX_NAME = 255
#: Columns that make no Datastream: the times of a row and the name of its series say them.
TOLD_OTHERWISE = frozenset(
    {
        "time", "end_time", "window_start", "window_end", "window_time", "datastream", "feature",
        "name", "thing", "system", "property", "unit", "sensor",
    }
)  # fmt: skip
_UTC = SCHEMA.field("time").type
_IDENTITY = ["datastream", "time", "feature"]
_ANSWER = ["number", "text", "end_time"]
_TYPES = {
    ColumnKind.NUMBER: ObservationType.MEASUREMENT, ColumnKind.TRUTH: ObservationType.TRUTH,
    ColumnKind.TEXT: ObservationType.CATEGORY, ColumnKind.JSON: ObservationType.COMPLEX,
    ColumnKind.TIME: ObservationType.CATEGORY,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose answers they are.

    Attributes:
        id: Of the app.
        name: Of the app.
        version: What was said of it then.
        system: The system that the Datastreams belong to.
        prefix: What names of that system's Things begin with.
    """

    id: int
    name: str
    version: int
    system: int
    prefix: str = ""


class DatastreamSink:
    """Keeps answers as derived Datastreams: one for each series, keys and value column.

    Args:
        origin: Whose answers they are.
        output: Where they go, and in which units.
        meaning: Columns of the answer.
        outlet: The engine's.
        pictures: The engine's.
        catalog: Where Datastreams are registered.
        store: Where earlier answers are.
        clock: Tells the time.
        inputs: Tells which datastreams the app reads.
    """

    def __init__(
        self, origin: Origin, output: Output, meaning: Meaning, *, outlet: Outlet,
        pictures: Pictures, catalog: Catalog, store: Store, clock: Clock,
        inputs: Callable[[], Int64s],
    ) -> None:  # fmt: skip
        self._origin = origin
        self._output = output
        self._sources = list(meaning.sources)
        self._keys = [column for column in meaning.columns if column.is_key]
        self._values = [
            c for c in meaning.columns if not c.is_key and c.name.lower() not in TOLD_OTHERWISE
        ]
        self._outlet = outlet
        self._pictures = pictures
        self._catalog = catalog
        self._store = store
        self._clock = clock
        self._inputs = inputs
        self._ids: dict[tuple[object, ...], Int64s] = {}
        self._all: set[int] | None = None
        self._picture: Picture | None = None
        self._newest_us = NEVER_US
        #: Until when something may have been derived that the store does not hold any more: it was
        #: removed, and a crash came before those who had read it were told.
        self._before_us = ALWAYS_US if meaning.is_rowwise else clock.now_us()
        #: Ranges that were put since the outlet was last emptied, and when that was.
        self._waiting: list[Range] = []
        self._flushes = 0

    @property
    def datastreams(self) -> int:
        """How many Datastreams there are of it."""
        return len(self._own())

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:
        """Take rows; see `core.queries.Sink`. Of a repair only what differs is written."""
        self._forget_deleted()
        made = [part for part in self._observations(rows) if part.num_rows]
        if self._flushes != self._outlet.flushes:
            self._waiting, self._flushes = [], self._outlet.flushes
        if start_us is not None and end_us is not None:
            self._own()
            if start_us <= self._newest_us:
                self._settle(start_us, end_us)
                made = self._replace(made, start_us, end_us)
            last_us = max(self._newest_us, self._before_us)
            if start_us <= last_us:
                own = np.array(sorted(self._own()), np.int64)
                self._outlet.touch(own, start_us, min(end_us, last_us + 1))
            self._waiting.append((start_us, end_us))
        for part in made:
            times = int64s(part, "time")
            first, last = int(times.min()), int(times.max())
            self._newest_us = max(self._newest_us, last)
            self._waiting.append((first, last + 1))
            self._outlet.add(part)

    def _forget_deleted(self) -> None:
        """Make Datastreams anew that somebody has deleted."""
        picture = self._pictures.now()
        if picture is self._picture:
            return
        self._picture = picture
        if not self._ids or not len(picture.ids):
            return
        ids = np.stack([*self._ids.values()])
        there = (picture.index(ids.ravel()) >= 0).reshape(ids.shape)
        # Those behind the newest in the picture were made since.
        is_gone = (~there & (ids <= picture.ids[-1])).any(axis=1).tolist()
        if any(is_gone):
            names = [name for name, gone in zip(self._ids, is_gone, strict=True) if gone]
            for name in names:
                del self._ids[name]
            self._all = None

    def _settle(self, start_us: int, end_us: int) -> None:
        """Bring what waits to the store if some of it lies in a range that is to be read."""
        if within(self._waiting, start_us, end_us):
            self._outlet.flush()
            self._waiting, self._flushes = [], self._outlet.flushes

    def _own(self) -> set[int]:
        """Return the ids of all that was derived so far."""
        if self._all is None:
            picture = self._pictures.now()
            ids = picture.ids[picture.app_ids == self._origin.id].tolist()
            self._all = set(ids)
            if ids and isinstance(self._store, CanSummarise):
                last = int64s(self._store.summaries(ids), "last_time")
                self._newest_us = int(last.max()) if len(last) else NEVER_US
        return self._all

    def _replace(self, made: Sequence[pa.Table], start_us: int, end_us: int) -> list[pa.Table]:
        """Remove what is held for a range and not in the answer; return what is not held so."""
        ids = tuple(sorted(self._own()))
        held = self._store.scan(Selection(datastreams=ids, start_us=start_us, end_us=end_us))
        new = pa.concat_tables([SCHEMA.empty_table(), *made])
        if not held.num_rows:
            return [new] if new.num_rows else []
        if not new.num_rows:
            self._outlet.remove(held.select(_IDENTITY))
            return []
        names = new.select(_IDENTITY)
        self._outlet.remove(held.select(_IDENTITY).join(names, _IDENTITY, join_type="left anti"))
        changed = new.filter(_differs(new, held))
        return [changed] if changed.num_rows else []

    def _observations(self, rows: pa.Table) -> list[pa.Table]:
        if not rows.num_rows:
            return []
        names, which = self._combinations(rows)
        unknown = [name for name in names if name not in self._ids]
        if unknown:
            self._register(unknown)
        ids = np.stack([self._ids[name] for name in names])
        shared = {
            "time": rows.column(TIME).cast(_UTC),
            "feature": rows.column(ROW),
            "end_time": rows.column(END).cast(_UTC),
        }
        return [
            _rows_of(rows.column(column.name), column.kind, ids[:, at][which], shared)
            for at, column in enumerate(self._values)
        ]

    def _combinations(self, rows: pa.Table) -> tuple[list[tuple[object, ...]], Int64s]:
        """Return which series and keys there are, and which of them each row has."""
        codes = np.zeros(rows.num_rows, np.int64)
        parts: list[pa.DictionaryArray] = []
        for name in (SERIES, *(key.name for key in self._keys)):
            column = rows.column(name).combine_chunks()
            if isinstance(column, pa.ChunkedArray):
                column = pa.concat_arrays(column.chunks)
            part = pc.dictionary_encode(column, null_encoding="encode")
            parts.append(part)
            codes = codes * max(1, len(part.dictionary)) + part.indices.to_numpy()
            _, codes = np.unique(codes, return_inverse=True)
        _, first, which = np.unique(codes, return_index=True, return_inverse=True)
        at = pa.array(first)
        columns = [part.take(at).to_pylist() for part in parts]
        return list(zip(*columns, strict=True)), which

    def _register(self, names: Sequence[tuple[object, ...]]) -> None:
        sources = self._source_infos(int(name[0]) for name in names if isinstance(name[0], int))
        common = self._common_unit()
        per_page = max(1, PAGE // max(1, len(self._values)))
        for start in range(0, len(names), per_page):
            page = names[start : start + per_page]
            facts = [
                DatastreamFacts(
                    series=self._series(name, column, sources.get(name[0]), common),
                    description=f"{column.name} of stream app {self._origin.name}",
                )
                for name in page
                for column in self._values
            ]
            wanted = Registration(system=self._origin.system, datastreams=facts)
            ids = self._catalog.register(wanted, self._clock.now_us())
            found = np.array(ids, np.int64).reshape(len(page), len(self._values))
            self._ids.update(zip(page, found, strict=True))
            self._own().update(ids)

    def _source_infos(self, ids: object) -> dict[object, DatastreamInfo]:
        wanted = np.unique(np.array([*ids], np.int64))  # type: ignore[misc]
        wanted = wanted[wanted > 0]
        if not len(wanted):
            return {}
        picture = self._pictures.knowing(wanted)
        at = picture.index(wanted)
        return {picture.infos[i].id: picture.infos[i] for i in at[at >= 0].tolist()}

    def _series(
        self, name: tuple[object, ...], column: Column, source: DatastreamInfo | None, common: Unit
    ) -> Series:
        keys = dict(zip((key.name for key in self._keys), name[1:], strict=True))
        thing = self._thing(keys, source)
        further = [_text(value) for key, value in keys.items() if key != "thing"]
        if source is not None:
            further.append(source.name.removeprefix(f"{source.thing}."))
        own = _short(".".join([self._origin.name, column.name, *filter(None, further)]))
        given = self._output.units.get(column.name)
        unit = Unit() if given is None else Unit(symbol=given)
        if given is None and column.unit == SOURCE_UNIT:
            unit = common if source is None else source.unit
        elif given is None and column.unit is not None:
            unit = Unit(symbol=column.unit)
        return Series(
            thing=thing,
            name=own,
            observed_property=self._output.properties.get(column.name, column.name),
            observation_type=_TYPES[column.kind],
            unit=unit,
            sensor=f"stream app {self._origin.name}",
            properties={
                "app": self._origin.name,
                "app_id": self._origin.id,
                "app_version": self._origin.version,
                "column": column.name,
                "sources": [source.name] if source is not None else self._sources,
                **({"keys": {k: _text(v) for k, v in keys.items()}} if keys else {}),
            },
            system=self._origin.system,
        )

    def _common_unit(self) -> Unit:
        """Return the unit that all sources have, if they have one in common."""
        picture = self._pictures.now()
        at = picture.index(self._inputs())
        units = {picture.infos[i].unit for i in at[at >= 0].tolist()}
        return units.pop() if len(units) == 1 else Unit()

    def _thing(self, keys: Mapping[str, object], source: DatastreamInfo | None) -> str:
        if self._output.thing:
            texts = {key: _text(value) for key, value in keys.items()}
            if source is not None:
                texts.setdefault("thing", source.thing)
            thing = fill(self._output.thing, texts)
        elif keys.get("thing"):
            thing = _text(keys["thing"])
        else:
            thing = source.thing if source is not None else self._origin.name
        prefix = self._origin.prefix
        return _short(thing if thing.startswith(prefix) else prefix + thing)


def _differs(new: pa.Table, held: pa.Table) -> pa.ChunkedArray:
    """Tell which rows are not held with the same answer."""
    before = held.select([*_IDENTITY, *_ANSWER]).rename_columns(
        [*_IDENTITY, *(f"held_{name}" for name in _ANSWER)]
    )
    before = before.append_column("is_held", pa.repeat(True, held.num_rows))
    at = pa.array(np.arange(new.num_rows))
    both = new.select([*_IDENTITY, *_ANSWER]).append_column("at", at)
    both = both.join(before, _IDENTITY, join_type="left outer").sort_by("at")
    is_same = pc.is_valid(both.column("is_held"))
    for name in _ANSWER:
        a, b = both.column(name), both.column(f"held_{name}")
        is_equal = pc.fill_null(pc.equal(a, b), fill_value=False)
        is_same = pc.and_(is_same, pc.or_(is_equal, pc.and_(pc.is_null(a), pc.is_null(b))))
    return pc.invert(is_same)


def _rows_of(
    values: pa.ChunkedArray, kind: ColumnKind, ids: Int64s, shared: Mapping[str, pa.ChunkedArray]
) -> pa.Table:
    """Return the observations of one column; those without a value are left out."""
    length = len(values)
    number = text = None
    if kind in (ColumnKind.NUMBER, ColumnKind.TRUTH):
        number = values.cast(pa.float64())
    elif kind is ColumnKind.TIME:
        text = pc.strftime(values.cast(_UTC), "%Y-%m-%dT%H:%M:%SZ")
    else:
        text = values.cast(pa.string())
    columns = {
        "datastream": pa.array(ids), "time": shared["time"],
        "number": pa.nulls(length, pa.float64()) if number is None else number,
        "text": pa.nulls(length, pa.string()) if text is None else text,
        "feature": shared["feature"], "end_time": shared["end_time"],
        "result_time": pa.nulls(length, _UTC), "parameters": pa.nulls(length, pa.string()),
    }  # fmt: skip
    table = pa.table(columns, schema=SCHEMA)
    return table if not values.null_count else table.filter(values.is_valid())


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a text with `{name}` replaced by values; unknown names stay as they are."""
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", value)
    return template


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _short(name: str) -> str:
    """Return a name that can be kept, still unlike others."""
    if len(name) <= MAX_NAME:
        return name or "-"
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: MAX_NAME - 13]}-{mark}"
