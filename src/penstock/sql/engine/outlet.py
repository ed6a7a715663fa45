"""Where derived rows wait for the end of the engine's turn, to be kept in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.core.store import Marks

#: Keeps rows (and marks with them, in one step) after it has removed others; waits until it is
#: done. `ingest.Ingest.keep`.
Keep = Callable[[pa.RecordBatch, Marks, "pa.Table | None"], None]


class Outlet:
    """Gathers what a turn of the engine has to say to the store. For the engine's thread only.

    Args:
        keep: Brings it there.
    """

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._rows: list[pa.Table] = []
        self._removed: list[pa.Table] = []
        #: Rows that were brought.
        self.rows_kept = 0
        self.rows_removed = 0
        #: How often it was emptied.
        self.flushes = 0

    @property
    def holds_rows(self) -> bool:
        """Whether something waits."""
        return bool(self._rows or self._removed)

    def add(self, rows: pa.Table) -> None:
        """Take rows in `core.observation.SCHEMA`; of two with one identity the later one counts."""
        if rows.num_rows:
            self._rows.append(rows)

    def remove(self, rows: pa.Table) -> None:
        """Take identities of rows that are to go; none of them may wait here."""
        if rows.num_rows:
            self._removed.append(rows)

    def flush(self, marks: Mapping[str, int] | None = None) -> None:
        """Bring what waits, and marks with it.

        Raises:
            PenstockError: It could not be kept, and waits on.
        """
        if not self.holds_rows and not marks:
            return
        removed = pa.concat_tables(self._removed) if self._removed else None
        batch = _one_batch(self._rows)
        self._keep(batch, marks or {}, removed)
        self.rows_kept += batch.num_rows
        self.rows_removed += 0 if removed is None else removed.num_rows
        self._rows, self._removed = [], []
        self.flushes += 1


def _one_batch(tables: list[pa.Table]) -> pa.RecordBatch:
    table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    arrays = [column.combine_chunks() for column in table.columns]
    arrays = [a if isinstance(a, pa.Array) else pa.concat_arrays(a.chunks) for a in arrays]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
