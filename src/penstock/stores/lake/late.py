"""Rows that came out of order: kept apart, because they may replace rows held elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from penstock.core.selection import Selection
from penstock.stores.identities import newest_of_each
from penstock.stores.lake.chunks import Columns, choose


@dataclass(frozen=True, slots=True, eq=False)
class LateRows:
    """Late rows in the order they came; a later row replaces an earlier one.

    Parts are merged so that there are few of them and every row is copied few times.
    """

    parts: tuple[Columns, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows, replaced ones included."""
        return sum(map(len, self.parts))

    def add(self, columns: Columns) -> LateRows:
        """Return these rows and more."""
        parts = [*self.parts, columns]
        while len(parts) > 1 and len(parts[-2]) <= 2 * len(parts[-1]):
            tables = pa.concat_tables([parts[-2].table(), parts[-1].table()]).combine_chunks()
            batches = tables.to_batches()
            if len(batches) > 1:  # more text than one Arrow array can hold
                break
            parts[-2:] = [Columns.of(batches[0])]
        return LateRows(tuple(parts))

    def chosen(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, sorted by identity, without those replaced."""
        return newest_of_each([choose(part, selection).table() for part in self.parts])
