"""Remove rows: whole files are dropped, others are written anew without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.stores.identities import Identities
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.reading import Reader
from penstock.stores.lake.series import SeriesState
from penstock.stores.lake.snapshot import Snapshot
from penstock.stores.selecting import NEVER, Int64s, is_chosen

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Removal:
    """Which rows are to go.

    Attributes:
        bounds: Rows outside of it stay, so files outside of it are not looked at.
        is_removed: Tells which of some rows go.
    """

    bounds: Selection
    is_removed: Callable[[Identities], Bools]


@dataclass(slots=True)
class Removed:
    """What went: rows by datastream."""

    rows: dict[int, int] = field(default_factory=dict)

    def add(self, datastream: Int64s) -> None:
        """Count rows that go."""
        for one, count in zip(*np.unique(datastream, return_counts=True), strict=True):
            self.rows[int(one)] = self.rows.get(int(one), 0) + int(count)


def chosen_by(selection: Selection) -> Removal:
    """Return the removal of what a selection chooses."""
    bounds = Selection(
        datastreams=selection.datastreams,
        features=selection.features,
        start_us=selection.start_us,
        end_us=selection.end_us,
    )

    def is_removed(keys: Identities) -> Bools:
        chosen = is_chosen(bounds, keys.datastream, keys.time, keys.feature)
        return np.ones(len(keys), np.bool_) if chosen is None else chosen

    return Removal(bounds, is_removed)


def identified_by(rows: pa.Table) -> Removal | None:
    """Return the removal of the rows with these identities; None when there are none."""
    if not rows.num_rows:
        return None
    wanted = Identities.of(rows)
    wanted = wanted.take(wanted.order())
    wanted = wanted.take(np.append(~wanted.is_repeated(), True))
    bounds = Selection(
        datastreams=tuple(np.unique(wanted.datastream).tolist()),
        features=tuple(np.unique(wanted.feature).tolist()),
        start_us=int(wanted.time.min()),
        end_us=int(wanted.time.max()) + 1,
    )

    def is_removed(keys: Identities) -> Bools:
        removed: Bools = np.zeros(len(keys), np.bool_)
        removed[keys.find_in(wanted)[0]] = True
        return removed

    return Removal(bounds, is_removed)


def older_than(ages: Mapping[int, int], default_us: int | None, now_us: int) -> Removal | None:
    """Return the removal of rows older than their datastream may be; None when all may stay."""
    limits = [*ages.values(), *([] if default_us is None else [default_us])]
    if not limits:
        return None
    wanted = tuple(ages) if default_us is None else None
    bounds = Selection(datastreams=wanted, end_us=now_us - min(limits))
    special = np.array(sorted(ages), np.int64)
    since = np.array([now_us - ages[d] for d in sorted(ages)], np.int64)
    general = NEVER if default_us is None else now_us - default_us

    def is_removed(keys: Identities) -> Bools:
        keep_from = np.full(len(keys), general, np.int64)
        if len(special):
            at = np.searchsorted(special, keys.datastream).clip(max=len(special) - 1)
            is_special = special[at] == keys.datastream
            keep_from[is_special] = since[at[is_special]]
        old: Bools = keys.time < keep_from
        return old

    return Removal(bounds, is_removed)


def state_without(
    state: SeriesState,
    removal: Removal,
    removed: Removed,
    files: Sequence[DataFile],
    reader: Reader,
) -> SeriesState:
    """Return the state after rows were removed; first times that are lost become unknown."""
    at = np.array([state.position(d) for d in removed.rows], np.int64)
    count, first = state.count.copy(), state.first_us.copy()
    count[at] -= np.array(list(removed.rows.values()), np.int64)
    first[at] = NEVER
    held = count > 0
    lost = removal.is_removed(Identities.of(state.newest)) & held
    newest = state.newest.filter(pa.array(held & ~lost))
    rest = Snapshot(files, (), (), reader)
    found = [
        rest.scan(Selection(datastreams=(datastream,), descending=True, limit=1))
        for datastream in state.datastream[lost].tolist()
    ]
    newest = pa.concat_tables([newest, *found]) if found else newest
    newest = newest.sort_by("datastream") if newest.num_rows else SCHEMA.empty_table()
    extents = state.extents.forgetting(np.array(list(removed.rows), np.int64)).take(held)
    return SeriesState(newest, state.datastream[held], count[held], first[held], extents)
