"""Find extents anew that replaced or removed rows have made unknown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.core.selection import Selection
from penstock.stores.extents import Extents, grouped, together
from penstock.stores.lake.downsampling import Downsampler
from penstock.stores.lake.manifest import Wide
from penstock.stores.lake.snapshot import Snapshot
from penstock.stores.selecting import LATEST, NEVER, int64s
from penstock.stores.spans import Spans

#: Width of the buckets from which numbers are taken: whole multiples of those of all roll-ups.
_WIDTH_US = 10_000 * 86_400_000_000
_TIMES = ("end_time", "result_time")


def look(snapshot: Snapshot, rollups: Sequence[Wide], spans: Spans) -> Extents:
    """Find the extents of datastreams out, from roll-ups where only numbers are to be found."""
    chosen = Selection(datastreams=tuple(spans.datastream.tolist()))
    if any(not file.empty_of(_TIMES) for file in snapshot.files if file.may_hold(chosen)):
        return Extents.of(snapshot.scan(chosen))
    buckets = Downsampler(snapshot, rollups, _WIDTH_US).buckets(chosen)
    count = buckets.num_rows
    numbers = Extents(
        int64s(buckets["datastream"]),
        np.full(count, NEVER),
        np.full(count, LATEST),
        np.full(count, NEVER),
        buckets["min"].to_numpy(),
        buckets["max"].to_numpy(),
        np.ones(count, np.bool_),
    )
    found = together([Extents.unknown(spans.datastream), grouped(numbers)])
    found.end_us[:] = spans.last_us
    found.is_known[:] = True
    return found
