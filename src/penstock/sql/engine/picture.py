"""The catalog as queries see it: who is which datastream, in columns."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from functools import cached_property

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.catalog import Catalog, DatastreamInfo
from penstock.core.clock import Clock
from penstock.sql.engine.ranges import Int64s
from penstock.sql.plan import INPUT_COLUMNS, TABLES, Source

#: Datastreams that are read from the catalog at once.
PAGE = 5000


class Picture:
    """All Datastreams at one time, ascending by id; never changes."""

    def __init__(self, infos: Sequence[DatastreamInfo], system_name: Callable[[int], str]) -> None:
        self.infos = tuple(infos)
        self._system_name = system_name
        self.ids: Int64s = np.array([info.id for info in infos], np.int64)
        self._columns: dict[str, pa.Array] = {}

    @cached_property
    def app_ids(self) -> Int64s:
        """Id of the app that derived each; 0 for what was measured."""
        return np.array([_number(info.properties.get("app_id")) for info in self.infos], np.int64)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {info.name: at for at, info in enumerate(self.infos)}

    def index(self, ids: Int64s) -> Int64s:
        """Return where ids are; -1 for those that are not."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        return np.where(self.ids[at] == ids, at, -1)

    def find(self, source: Source, scope: Scope, own: int) -> Int64s:
        """Return the datastreams of a source, ascending, of those in a scope.

        What a query derives itself it never reads, and what apps derive only where it is named
        in full or as the output of an app: else two apps on all observations would feed
        each other without end.

        Args:
            source: What is meant.
            scope: What may be read.
            own: Id of the query that reads.
        """
        at = self._named(source)
        if len(at) and not scope.everything:
            held = (self.infos[i] for i in at.tolist())
            at = at[[scope.holds(one.system, one.thing_id, one.id) for one in held]]
        if own:
            at = at[self.app_ids[at] != own]
        return self.ids[at]

    def _named(self, source: Source) -> Int64s:
        if source.app:
            found = [
                i for i, one in enumerate(self.infos) if one.properties.get("app") == source.app
            ]
            return np.array(found, np.int64)
        if not source.names:
            return np.flatnonzero(self.app_ids == 0)
        exact = {self._by_name[n] for n in source.names if "*" not in n and n in self._by_name}
        wild = [n for n in source.names if "*" in n]
        if wild:
            pattern = re.compile("|".join(map(_pattern_of, wild)))
            measured = np.flatnonzero(self.app_ids == 0).tolist()
            exact.update(i for i in measured if pattern.fullmatch(self.infos[i].name))
        return np.array(sorted(exact), np.int64)

    def column(self, name: str, at: Int64s) -> pa.Array:
        """Return a column of `INPUT_COLUMNS` that the catalog knows, for datastreams by index."""
        values = self._columns.get(name)
        if values is None:
            values = self._columns[name] = self._make(name)
        rows = pa.array(at.astype(np.int32), mask=at < 0)
        if values.type == pa.float64():
            return values.take(rows)
        some, codes = values.indices, values.dictionary
        return pa.DictionaryArray.from_arrays(some.take(rows), codes)

    def _make(self, name: str) -> pa.Array:
        if name in ("longitude", "latitude"):
            which = int(name == "latitude")
            return pa.array(
                [None if one.location is None else one.location[which] for one in self.infos],
                pa.float64(),
            )
        values = [self._text(one, name) for one in self.infos]
        return pa.array(values, pa.string()).dictionary_encode()

    def _text(self, one: DatastreamInfo, name: str) -> str:
        match name:
            case "name" | "thing" | "sensor":
                return str(getattr(one, name))
            case "system":
                return self._system_name(one.system)
            case "property":
                return one.observed_property
            case "unit":
                return one.unit.symbol
        return str(one.properties.get(name, ""))

    def table(self, name: str, scope: Scope) -> pa.Table:
        """Return one of `plan.TABLES`, of what is in a scope."""
        seen = [o for o in self.infos if scope.holds(o.system, o.thing_id, o.id)]
        rows: list[dict[str, object] | None]
        if name == "datastreams":
            rows = [self._datastream(one) for one in seen]
        elif name == "units":
            units = sorted({(o.unit.symbol, o.unit.name, o.unit.definition) for o in seen})
            rows = [dict(zip(TABLES["units"], unit, strict=True)) for unit in units if unit[0]]
        else:
            things = {one.thing_id: one for one in seen}
            make = self._thing if name == "things" else _location
            rows = [make(one) for one in things.values()]
        schema = pa.schema([(key, _TYPES[kind]) for key, kind in TABLES[name].items()])
        return pa.Table.from_pylist([row for row in rows if row], schema=schema)

    def _datastream(self, one: DatastreamInfo) -> dict[str, object]:
        texts = {k: self._text(one, k) for k in INPUT_COLUMNS if k in TABLES["datastreams"]}
        return {
            **texts, "id": one.id, "kind": str(one.observation_type),
            "properties": _json(one.properties),
        }  # fmt: skip

    def _thing(self, one: DatastreamInfo) -> dict[str, object]:
        return {
            "id": one.thing_id, "name": one.thing, "system": self._system_name(one.system),
            "properties": _json(one.thing_properties),
            "longitude": one.location[0] if one.location else None,
            "latitude": one.location[1] if one.location else None,
        }  # fmt: skip


def _pattern_of(name: str) -> str:
    """Return the regular expression of a name with `*`; no name takes it long to try.

    Each part stands where it is found first: if the rest does not follow then, it never does.
    """
    first, *middle, last = map(re.escape, name.split("*"))
    return f"{first}{''.join(f'(?>.*?{part})' for part in middle)}.*{last}"


def _location(one: DatastreamInfo) -> dict[str, object] | None:
    if one.location is None:
        return None
    height = one.location[2] if len(one.location) > 2 else None
    return {
        "thing": one.thing, "longitude": one.location[0], "latitude": one.location[1],
        "height": height,
    }  # fmt: skip


def _json(facts: object) -> str:
    return msgspec.json.encode(facts).decode()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


_TYPES = {
    "TIMESTAMP": pa.timestamp("us"), "DOUBLE": pa.float64(), "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
}  # fmt: skip


class Pictures:
    """Gives the newest picture, and takes a new one when that is too old or lacks somebody.

    Args:
        catalog: Where to look.
        clock: Tells how old the picture is.
        max_age_s: How old it may be.
        system_name: Gives the name of a system.
    """

    def __init__(
        self, catalog: Catalog, clock: Clock, max_age_s: float, system_name: Callable[[int], str]
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._max_age_s = max_age_s
        self._system_name = system_name
        self._picture: Picture | None = None
        self._taken_s = self._cost_s = 0.0
        self._strangers: set[int] = set()
        #: Held while a picture is taken, so that an old one never takes the place of a newer.
        self._lock = threading.RLock()

    def now(self) -> Picture:
        """Return a picture that is not too old."""
        with self._lock:
            age_s = self._clock.monotonic_s() - self._taken_s
            if self._picture is None or age_s > max(self._max_age_s, 20 * self._cost_s):
                return self._take([])
            return self._picture

    def newest(self) -> Picture:
        """Return a picture with all datastreams that there are now.

        What is told of those that there were may be as old as that of `now`.
        """
        with self._lock:
            picture = self.now()
            last = int(picture.ids[-1]) if len(picture.ids) else 0
            if not self._catalog.datastreams(after=last, limit=1):
                return picture
            return self._take(picture.infos)

    def knowing(self, ids: Int64s) -> Picture:
        """Return a picture with these datastreams; those that do not exist are left out."""
        with self._lock:
            picture = self.now()
            unknown = set(ids[picture.index(ids) < 0].tolist()) - self._strangers
            if not unknown:
                return picture
            last = int(picture.ids[-1]) if len(picture.ids) else 0
            picture = self._take(picture.infos if min(unknown) > last else [])
            self._strangers |= set(ids[picture.index(ids) < 0].tolist())
            return picture

    def _take(self, known: Sequence[DatastreamInfo]) -> Picture:
        began_s = self._clock.monotonic_s()
        infos = list(known)
        while True:
            after = infos[-1].id if infos else 0
            page = self._catalog.datastreams(after=after, limit=PAGE)
            infos.extend(page)
            if len(page) < PAGE:
                break
        if not known:
            self._taken_s = began_s
            self._cost_s = self._clock.monotonic_s() - began_s
            self._strangers.clear()
        self._picture = Picture(infos, self._system_name)
        return self._picture
