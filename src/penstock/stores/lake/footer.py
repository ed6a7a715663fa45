"""What the footer of a Parquet file tells of its row groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq

from penstock.core.selection import Selection
from penstock.stores.selecting import Int64s


@dataclass(frozen=True, slots=True)
class Footer:
    """What a Parquet footer tells of its row groups, in columns."""

    metadata: pq.FileMetaData
    first_datastream: Int64s
    last_datastream: Int64s
    first_us: Int64s
    last_us: Int64s

    @classmethod
    def of(cls, metadata: pq.FileMetaData) -> Footer:
        """Collect the statistics of the row groups."""
        names = metadata.schema.names
        at_datastream, at_time = names.index("datastream"), names.index("time")
        unit = 1000 if metadata.schema.to_arrow_schema().field("time").type.unit == "ms" else 1
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        ids = [g.column(at_datastream).statistics for g in groups]
        times = [g.column(at_time).statistics for g in groups]
        return cls(
            metadata,
            np.array([s.min for s in ids], np.int64),
            np.array([s.max for s in ids], np.int64),
            np.array([s.min_raw for s in times], np.int64) * unit,
            np.array([s.max_raw for s in times], np.int64) * unit,
        )

    def groups(self, selection: Selection) -> list[int]:
        """Return the row groups that can hold a row of the selection."""
        may = np.ones(len(self.first_us), np.bool_)
        if selection.start_us is not None:
            may &= self.last_us >= selection.start_us
        if selection.end_us is not None:
            may &= self.first_us < selection.end_us
        if selection.datastreams is not None:
            wanted = np.array(sorted(selection.datastreams), np.int64)
            # A wanted id lies in [first, last] when one is inserted between them.
            may &= np.searchsorted(wanted, self.first_datastream, "left") < np.searchsorted(
                wanted, self.last_datastream, "right"
            )
        found: list[int] = np.flatnonzero(may).tolist()
        return found
