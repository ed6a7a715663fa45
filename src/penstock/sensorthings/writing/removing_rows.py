"""Rows of the store: taken away, and the ids of those that went with something else."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.entities import Identity
from penstock.core.selection import Selection
from penstock.core.store import CanDeleteRows, Store
from penstock.sensorthings.observation_ids import identity_of
from penstock.sensorthings.writing.asked import Parts
from penstock.sensorthings.writing.unfinished import exactly


def forget_lost(parts: Parts, ids: Collection[str]) -> None:
    """Free the ids of observations that are nowhere, unless another one is where they were first.

    That other one keeps the id that it has because theirs was taken.
    """
    homes = {id_: identity_of(int(id_) if id_.isdecimal() else id_) for id_ in ids}
    parts.moved.forget([id_ for id_, home in homes.items() if not has_row(parts.store, home)])


def has_row(store: Store, identity: Identity) -> bool:
    """Tell whether there is a row with an identity."""
    return bool(store.scan(exactly(identity)).num_rows)


def delete_rows(store: Store, table: pa.Table) -> int:
    """Remove the rows of a table and return how many.

    A store that cannot do so at once removes one stretch after the other that has no other rows
    in it: each step is one durable change.
    """
    if isinstance(store, CanDeleteRows):
        return store.delete_rows(table)
    series = table.group_by(["datastream", "feature"]).aggregate([("time", "list")])
    count = 0
    for row in series.to_pylist():
        datastream, feature = row["datastream"], row["feature"]
        mask = (table["datastream"].to_numpy() == datastream) & (
            table["feature"].to_numpy() == feature
        )
        times = np.sort(table["time"].cast(pa.int64()).to_numpy()[mask])
        count += _delete_times(store, datastream, feature, times)
    return count


def _delete_times(store: Store, datastream: int, feature: int, times: Any) -> int:
    if not len(times):
        return 0
    stretch = Selection(
        datastreams=(datastream,),
        features=(feature,),
        start_us=int(times[0]),
        end_us=int(times[-1]) + 1,
    )
    if len(times) == 1 or _count(store, stretch, len(times)) <= len(times):
        return store.delete(stretch)
    half = len(times) // 2
    first = _delete_times(store, datastream, feature, times[:half])
    return first + _delete_times(store, datastream, feature, times[half:])


def _count(store: Store, selection: Selection, enough: int) -> int:
    limited = msgspec.structs.replace(selection, limit=enough + 1)
    rows: int = store.scan(limited).num_rows
    return rows
