"""Following what is kept: for computing that goes on from every new row."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from penstock.core.store import Marks


class Tap(Protocol):
    """Hears of all rows that are kept or replaced, and says how far it has dealt with them."""

    def heard(self, rows: pa.RecordBatch | pa.Table, marks: Marks) -> None:
        """Take a batch that was kept, or a table of rows that were removed; must not wait.

        Called by the thread that keeps them. A table may also be of rows that are read again: what
        became of them meanwhile is what the store has.

        Args:
            rows: See above; a table may have the columns of the identity only.
            marks: Up to where the log was read with it; empty for what does not come from it.
        """
        ...

    def reads_from(self, marks: Marks) -> Marks:
        """Return where the log is to be read from, given how far the store is durable.

        Both by partition.
        """
        ...

    def dealt_with(self, partition: str, at: int) -> int:
        """Return the offset, at most `at`, before which it needs nothing of the log any more."""
        ...
