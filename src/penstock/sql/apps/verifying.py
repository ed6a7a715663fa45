"""The proof that what ran live is what one run over all data gives: both, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.apps import Difference, Verified
from penstock.core.catalog import Catalog
from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.core.store import Store
from penstock.sql.apps.derived import IDENTITY, Derivation

#: Differences that are shown.
EXAMPLES = 20
#: How far two computations of a number may be apart: sums depend on the order of their parts.
TOLERANCE = 1e-9
#: What a comparison with a value that is not there gives.
_UNKNOWN = False
#: What is compared, beside what identifies a row.
_COMPARED = ("number", "text", "end_time")


class Verifier:
    """Compares what is stored with what is computed.

    Args:
        store: Where it is.
        catalog: Tells the names of Datastreams.
    """

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def compare(
        self,
        derivation: Derivation,
        derived: Sequence[int],
        parts: Iterable[pa.Table],
        start_us: int,
        end_us: int,
    ) -> Verified:
        """Return how far the two agree for a range of event time, `end_us` exclusive."""
        computed = _one_each(
            pa.concat_tables(
                [SCHEMA.empty_table()]
                + [derivation.observations(part, register=False) for part in parts]
            )
        )
        ids = tuple(derived)
        stored = (
            self._store.scan(Selection(datastreams=ids, start_us=start_us, end_us=end_us))
            if ids
            else SCHEMA.empty_table()
        )
        wanted = [*IDENTITY, *_COMPARED]
        both = computed.select(wanted).append_column(
            "computed", pa.repeat(True, computed.num_rows)
        ).join(
            stored.select(wanted).append_column("stored", pa.repeat(True, stored.num_rows)),
            IDENTITY,
            join_type="full outer",
            right_suffix="_stored",
        )
        differs = both.filter(pc.invert(_is_same(both))).sort_by([("time", "ascending")])
        shown = differs.slice(0, EXAMPLES)
        return Verified(
            start_us=start_us,
            end_us=end_us,
            rows=computed.num_rows,
            same=both.num_rows - differs.num_rows,
            different=differs.num_rows,
            examples=self._examples(shown),
        )

    def _examples(self, rows: pa.Table) -> Sequence[Difference]:
        ids = sorted(set(rows.column("datastream").to_pylist()) - {0})
        found = self._catalog.datastreams(ids=ids, limit=len(ids)) if ids else ()
        names = {info.id: info.name for info in found}
        times = rows.column("time").cast(pa.int64()).to_pylist()
        return [
            Difference(
                datastream=names.get(row["datastream"], "not there yet"),
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
