"""The proof that what ran live is what one run over all data gives: both, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.apps import Difference, KeptApp, Verified
from penstock.core.catalog import Catalog
from penstock.core.observation import SCHEMA
from penstock.core.queries import Meaning, Sink
from penstock.core.registration import Registration
from penstock.core.selection import Selection
from penstock.core.store import Store

#: What identifies an observation.
IDENTITY = ["datastream", "time", "feature"]
#: Datastreams looked up at once.
MANY = 1_000_000
#: Differences that are shown.
EXAMPLES = 20
#: How far two computations of a number may be apart: sums depend on the order of their parts.
TOLERANCE = 1e-9
#: What a comparison with a value that is not there gives.
_UNKNOWN = False
#: What is compared, beside what identifies a row.
_COMPARED = ("number", "text", "end_time")


#: Makes what takes the answer of an app, with a catalog and a shelf of its own.
MakeRecorder = Callable[[KeptApp, Meaning, Catalog, "Recorder"], Sink]


class Recorder:
    """Takes observations in place of the store. Looks like `engine.outlet.Outlet`."""

    #: It is never emptied.
    flushes = 0

    def __init__(self) -> None:
        self.rows: list[pa.Table] = [SCHEMA.empty_table()]

    def add(self, rows: pa.Table) -> None:
        """Take rows."""
        self.rows.append(rows)

    def remove(self, rows: pa.Table) -> None:
        """Do nothing: nothing was there."""

    def touch(self, datastreams: object, start_us: int, end_us: int) -> None:
        """Do nothing: nobody reads it."""

    def flush(self) -> None:
        """Do nothing: nothing waits."""


class Finding:
    """A catalog that finds Datastreams and makes none: those that do not exist get ids below 0.

    Args:
        catalog: The true one.
        system: Where to look.
    """

    def __init__(self, catalog: Catalog, system: int) -> None:
        self._catalog = catalog
        self._system = system
        self._known: dict[str, dict[str, int]] = {}
        #: Names of those that do not exist, by the id that they got.
        self.missing: dict[int, str] = {}

    def register(self, wanted: Registration, now_us: int) -> Sequence[int]:  # noqa: ARG002
        """Return the id of each Datastream that is named, in order."""
        series = [facts.series for facts in wanted.datastreams]
        return [self._id(one.thing, f"{one.thing}.{one.name}") for one in series]

    def _id(self, thing: str, name: str) -> int:
        known = self._of(thing)
        if name not in known:
            known[name] = -len(self.missing) - 1
            self.missing[known[name]] = name
        return known[name]

    def _of(self, thing: str) -> dict[str, int]:
        if thing not in self._known:
            found = self._catalog.datastreams(thing=thing, limit=MANY)
            self._known[thing] = {one.name: one.id for one in found if one.system == self._system}
        return self._known[thing]


class Verifier:
    """Compares what is stored with what is computed.

    Args:
        store: Where it is.
        catalog: Tells the names of Datastreams.
        make_sink: Makes what turns answers into observations.
    """

    def __init__(self, store: Store, catalog: Catalog, make_sink: MakeRecorder) -> None:
        self._store = store
        self._catalog = catalog
        self._make_sink = make_sink

    def compare(
        self,
        app: KeptApp,
        meaning: Meaning,
        derived: Sequence[int],
        parts: Iterable[pa.Table],
        start_us: int,
        end_us: int,
    ) -> Verified:
        """Return how far the two agree for a range of event time, `end_us` exclusive."""
        recorder = Recorder()
        finding = Finding(self._catalog, app.system)
        sink = self._make_sink(app, meaning, cast("Catalog", finding), recorder)
        for part in parts:
            sink.put(part, None, None)
        computed = _one_each(pa.concat_tables(recorder.rows))
        ids = tuple(derived)
        stored = (
            self._store.scan(Selection(datastreams=ids, start_us=start_us, end_us=end_us))
            if ids
            else SCHEMA.empty_table()
        )
        wanted = [*IDENTITY, *_COMPARED]
        both = (
            computed.select(wanted)
            .append_column("computed", pa.repeat(True, computed.num_rows))
            .join(
                stored.select(wanted).append_column("stored", pa.repeat(True, stored.num_rows)),
                IDENTITY,
                join_type="full outer",
                right_suffix="_stored",
            )
        )
        differs = both.filter(pc.invert(_is_same(both))).sort_by([("time", "ascending")])
        shown = differs.slice(0, EXAMPLES)
        return Verified(
            start_us=start_us,
            end_us=end_us,
            rows=computed.num_rows,
            same=both.num_rows - differs.num_rows,
            different=differs.num_rows,
            examples=self._examples(shown, finding.missing),
        )

    def _examples(self, rows: pa.Table, missing: Mapping[int, str]) -> Sequence[Difference]:
        ids = sorted(set(rows.column("datastream").to_pylist()) - set(missing))
        found = self._catalog.datastreams(ids=ids, limit=len(ids)) if ids else ()
        names = {**missing, **{info.id: info.name for info in found}}
        times = rows.column("time").cast(pa.int64()).to_pylist()
        return [
            Difference(
                datastream=names.get(row["datastream"], str(row["datastream"])),
                time_us=at,
                stored=_value(row, "_stored") if row["stored"] else None,
                computed=_value(row, "") if row["computed"] else None,
            )
            for row, at in zip(rows.to_pylist(), times, strict=True)
        ]


def _one_each(rows: pa.Table) -> pa.Table:
    """Return the last row of each identity, as a store keeps it."""
    numbered = rows.append_column("at", pa.array(range(rows.num_rows), pa.int64()))
    last = numbered.group_by(IDENTITY).aggregate([("at", "max")]).column("at_max")
    return rows.take(last) if rows.num_rows else rows


def _is_same(both: pa.Table) -> pa.ChunkedArray:
    there = pc.and_(pc.is_valid(both.column("computed")), pc.is_valid(both.column("stored")))
    one, other = both.column("number"), both.column("number_stored")
    near = pc.less_equal(
        pc.abs(pc.subtract(one, other)),
        pc.multiply(TOLERANCE, pc.max_element_wise(pc.abs(one), pc.abs(other))),
    )
    nans = pc.and_(pc.is_nan(one), pc.is_nan(other))
    equal = pc.fill_null(pc.or_(pc.or_(near, nans), pc.equal(one, other)), _UNKNOWN)
    is_number = pc.if_else(pc.and_(pc.is_null(one), pc.is_null(other)), True, equal)
    same = pc.and_(there, is_number)
    for name in ("text", "end_time"):
        left, right = both.column(name), both.column(f"{name}_stored")
        equal = pc.fill_null(pc.equal(left, right), _UNKNOWN)
        same = pc.and_(same, pc.or_(equal, pc.and_(pc.is_null(left), pc.is_null(right))))
    return same


def _value(row: dict[str, object], suffix: str) -> float | str | None:
    number = row[f"number{suffix}"]
    return msgspec.convert(row[f"text{suffix}"] if number is None else number, float | str | None)
