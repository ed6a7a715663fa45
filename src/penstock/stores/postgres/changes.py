"""What rows that come change of their series, as a table to be merged into `series`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.stores.extents import Extents
from penstock.stores.identities import Identities
from penstock.stores.selecting import Int64s, int64s

_STAMP = SCHEMA.field("time").type
#: Columns of `core.store.EXTENTS` and what they are called here.
EXTENT_NAMES = {
    "end_time": "last_end_time",
    "first_result_time": "first_result_time",
    "last_result_time": "last_result_time",
    "min": "min",
    "max": "max",
}
#: What the names of extents of replaced rows begin with.
REPLACED = "old_"
#: Columns of the newest row.
NEWEST = ("time", "feature", "number", "end_time", "result_time", "text", "parameters")


def changes_of(
    rows: pa.Table, is_new: npt.NDArray[np.bool_], replaced: pa.Table
) -> tuple[pa.Table, Int64s, Int64s]:
    """Return the changes, the datastreams in them and the last time of each.

    Args:
        rows: What is kept, in `SCHEMA`, sorted by identity.
        is_new: False for rows that replace one.
        replaced: The rows that are replaced, as they were.
    """
    keys = Identities.of(rows)
    starts = np.flatnonzero(np.append(True, keys.datastream[1:] != keys.datastream[:-1]))
    ends = np.append(starts[1:], len(keys)) - 1
    ids = keys.datastream[starts]
    columns: dict[str, pa.Array] = {
        "datastream": pa.array(ids),
        "count": pa.array(np.add.reduceat(is_new.astype(np.int64), starts)),
        "revision": pa.array(np.zeros(len(ids), np.int64)),
        "is_known": pa.array(np.ones(len(ids), np.bool_)),
        "first_time": pa.array(keys.time[starts]).view(_STAMP),
    }
    extents = Extents.of(rows).table()
    for theirs, ours in EXTENT_NAMES.items():
        columns[ours] = extents[theirs]
    newest = rows.take(pa.array(ends))
    columns |= {name: newest[name] for name in NEWEST}
    columns |= _of_replaced(replaced, ids)
    return pa.table(columns), ids, keys.time[ends]


def _of_replaced(replaced: pa.Table, ids: Int64s) -> dict[str, pa.Array]:
    """Return the extents of what was replaced, null for datastreams without such rows."""
    if not replaced.num_rows:
        return {}
    extents = Extents.of(replaced).table()
    held = int64s(extents["datastream"])
    at = np.searchsorted(held, ids)
    is_held = at < len(held)
    is_held[is_held] = held[at[is_held]] == ids[is_held]
    index = pa.array(np.where(is_held, at, 0), mask=~is_held)
    return {
        f"{REPLACED}{ours}": extents[theirs].take(index) for theirs, ours in EXTENT_NAMES.items()
    }


def merging(schema: str) -> str:
    """Return the statement that merges `changes` into the series that there are.

    Extents are unknown from when a row at one of their ends was replaced, and the new rows do not
    reach as far.
    """
    newest = [
        f"{n} = CASE WHEN (c.time, c.feature) >= (s.time, s.feature) THEN c.{n} ELSE s.{n} END"
        for n in NEWEST
    ]
    lost = [_lost("last_end_time", ">="), _lost("first_result_time", "<=")]
    lost += [_lost("last_result_time", ">="), _lost("min", "<="), _lost("max", ">=")]
    return f"""UPDATE {schema}.series s SET
        count = s.count + c.count,
        revision = s.revision + 1,
        first_time = least(s.first_time, c.first_time),
        is_known = s.is_known AND NOT ({" OR ".join(lost)}),
        last_end_time = greatest(s.last_end_time, c.last_end_time),
        first_result_time = least(s.first_result_time, c.first_result_time),
        last_result_time = greatest(s.last_result_time, c.last_result_time),
        min = least(s.min, c.min),
        max = greatest(s.max, c.max),
        {", ".join(newest)}
        FROM pg_temp.changes c WHERE s.datastream = c.datastream"""


def _lost(name: str, reaches: str) -> str:
    old = f"c.{REPLACED}{name}"
    was_end = f"coalesce({old} {reaches} s.{name}, false)"
    return f"({was_end} AND NOT coalesce(c.{name} {reaches} {old}, false))"


def adding(schema: str, names: Sequence[str]) -> str:
    """Return the statement that adds the series in `changes` that are new."""
    listed = ", ".join(names)
    return (
        f"INSERT INTO {schema}.series ({listed}) SELECT {listed} FROM pg_temp.changes c "
        f"WHERE NOT EXISTS (SELECT FROM {schema}.series s WHERE s.datastream = c.datastream)"
    )
