"""Decide what becomes of hot rows when they go to files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.stores.identities import Identities, newest_of_each, overlay
from penstock.stores.lake.hot import Generation
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.merging import by_identity
from penstock.stores.lake.reading import Reader


@dataclass(frozen=True, slots=True)
class Settled:
    """What to write.

    Attributes:
        added: Rows that no file holds, by identity.
        changed: Rows that replace others, by the file that holds those.
    """

    added: pa.Table
    changed: dict[DataFile, pa.Table]


def settle(generations: Sequence[Generation], files: Sequence[DataFile], reader: Reader) -> Settled:
    """Bring the hot rows of successive generations together and compare them with the files.

    Late rows that are held already, value for value, are dropped: a replay writes nothing.
    """
    parts = [view.columns().table() for g in generations for view in g.view().views]
    fresh = pa.concat_tables(parts) if parts else SCHEMA.empty_table()
    late = newest_of_each([part.table() for g in generations for part in g.late.parts])
    fresh = by_identity(fresh)
    if not late.num_rows:
        return Settled(fresh, {})
    ours, _ = Identities.of(late).find_in(Identities.of(fresh))
    fresh = overlay(fresh, late.take(pa.array(ours)))
    late = without(late, ours)
    changed = {}
    for file in files:
        held, rows = find_held(reader, file, late)
        if len(held):
            new = late.take(pa.array(held))
            differs = ~is_same(new, rows)
            if differs.any():
                changed[file] = new.filter(pa.array(differs))
            late = without(late, held)
    return Settled(by_identity(pa.concat_tables([fresh, late])), changed)


def find_held(
    reader: Reader, file: DataFile, rows: pa.Table
) -> tuple[np.typing.NDArray[np.int64], pa.Table]:
    """Return which rows have an identity that a file holds, and what it holds there."""
    nothing = np.zeros(0, np.int64)
    keys = Identities.of(rows)
    inside = (keys.time >= file.first_us) & (keys.time <= file.last_us)
    inside &= keys.datastream >= file.first_datastream
    inside &= keys.datastream <= file.last_datastream
    if not inside.any():
        return nothing, rows.slice(0, 0)
    at = np.flatnonzero(inside)
    few = keys.take(at)
    stored = reader.scan(
        file,
        Selection(
            datastreams=tuple(np.unique(few.datastream).tolist()),
            start_us=int(few.time.min()),
            end_us=int(few.time.max()) + 1,
        ),
    )
    if not stored.num_rows:
        return nothing, stored
    ours, theirs = few.find_in(Identities.of(stored))
    return at[ours], stored.take(pa.array(theirs))


def without(rows: pa.Table, index: np.typing.NDArray[np.int64]) -> pa.Table:
    """Return the rows but those given by index."""
    keep = np.ones(rows.num_rows, np.bool_)
    keep[index] = False
    return rows.filter(pa.array(keep))


def is_same(some: pa.Table, others: pa.Table) -> np.typing.NDArray[np.bool_]:
    """Return which rows are equal, bit by bit."""
    same = np.ones(some.num_rows, np.bool_)
    for field in SCHEMA:
        left, right = some[field.name].combine_chunks(), others[field.name].combine_chunks()
        if left.null_count == len(left) and right.null_count == len(right):
            continue
        if field.type == pa.float64():
            left, right = left.view(pa.int64()), right.view(pa.int64())
        equal = pc.fill_null(pc.equal(left, right), False)
        both_null = pc.and_(pc.is_null(left), pc.is_null(right))
        same &= pc.or_(equal, both_null).to_numpy(zero_copy_only=False)
    return same
