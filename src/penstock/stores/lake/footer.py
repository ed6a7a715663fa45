"""What the footer of a Parquet file tells of its row groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from penstock.core.selection import Selection
from penstock.stores.selecting import Int64s


@dataclass(frozen=True, slots=True)
class Footer:
    """What a Parquet footer tells of its row groups, in columns."""

    metadata: pq.FileMetaData
    rows: Int64s
    first_datastream: Int64s
    last_datastream: Int64s
    first_us: Int64s
    last_us: Int64s
    first_feature: Int64s
    last_feature: Int64s

    @classmethod
    def of(cls, metadata: pq.FileMetaData) -> Footer:
        """Collect the statistics of the row groups."""
        names = metadata.schema.names
        at_datastream, at_time = names.index("datastream"), names.index("time")
        unit = 1000 if metadata.schema.to_arrow_schema().field("time").type.unit == "ms" else 1
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        ids = [g.column(at_datastream).statistics for g in groups]
        times = [g.column(at_time).statistics for g in groups]
        # Roll-ups have no features, and are never asked for one.
        at_feature = names.index("feature") if "feature" in names else at_datastream
        features = [g.column(at_feature).statistics for g in groups]
        return cls(
            metadata,
            np.array([g.num_rows for g in groups], np.int64),
            np.array([s.min for s in ids], np.int64),
            np.array([s.max for s in ids], np.int64),
            np.array([s.min_raw for s in times], np.int64) * unit,
            np.array([s.max_raw for s in times], np.int64) * unit,
            np.array([s.min for s in features], np.int64),
            np.array([s.max for s in features], np.int64),
        )

    def groups(self, selection: Selection) -> list[int]:
        """Return the row groups that can hold a row of the selection."""
        may = np.ones(len(self.first_us), np.bool_)
        if selection.start_us is not None:
            may &= self.last_us >= selection.start_us
        if selection.end_us is not None:
            may &= self.first_us < selection.end_us
        if selection.datastreams is not None:
            may &= _is_between(selection.datastreams, self.first_datastream, self.last_datastream)
        if selection.features is not None:
            may &= _is_between(selection.features, self.first_feature, self.last_feature)
        found: list[int] = np.flatnonzero(may).tolist()
        return found


def _is_between(ids: tuple[int, ...], first: Int64s, last: Int64s) -> npt.NDArray[np.bool_]:
    """Return in which ranges one of some ids lies: where it is inserted within one."""
    wanted = np.array(sorted(ids), np.int64)
    lies: npt.NDArray[np.bool_] = np.searchsorted(wanted, first, "left") < np.searchsorted(
        wanted, last, "right"
    )
    return lies
