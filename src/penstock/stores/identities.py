"""What tells rows apart: finding, sorting and replacing by (datastream, time, feature)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.stores.selecting import Int64s, int64s, order_of_identity, sort_by, take

Bools = npt.NDArray[np.bool_]


def newest_of_each(tables: list[pa.Table]) -> pa.Table:
    """Return the rows of all tables sorted by identity; of equal ones only the last."""
    tables = [table for table in tables if table.num_rows]
    if not tables:
        return SCHEMA.empty_table()
    table = pa.concat_tables(tables)
    keys = Identities.of(table)
    order = keys.order()
    ordered = keys.take(order)
    is_last = np.append(~ordered.is_repeated(), True)
    return take(table, order[is_last])


@dataclass(frozen=True, slots=True)
class Identities:
    """What tells rows apart, in columns."""

    datastream: Int64s
    time: Int64s
    feature: Int64s

    @classmethod
    def of(cls, table: pa.Table) -> Identities:
        """Return the identities of rows in `SCHEMA` or of a file."""
        return cls(*(int64s(table[name]) for name in ("datastream", "time", "feature")))

    @classmethod
    def concat(cls, parts: list[Identities]) -> Identities:
        """Return the identities of all parts."""
        return cls(
            np.concatenate([p.datastream for p in parts]),
            np.concatenate([p.time for p in parts]),
            np.concatenate([p.feature for p in parts]),
        )

    def order(self) -> Int64s:
        """Return the stable order by (datastream, time, feature)."""
        if self.is_sorted():
            return np.arange(len(self.time))
        # Rows mostly came in order of time, and then this, much faster, is enough.
        order = sort_by(self.datastream)
        if self.take(order).is_sorted():
            return order
        return order_of_identity(self.datastream, self.time, self.feature)

    def is_sorted(self) -> bool:
        """Return whether they are in order of (datastream, time, feature)."""
        datastream, time = self.datastream, self.time
        if (datastream[1:] < datastream[:-1]).any():
            return False
        same = datastream[1:] == datastream[:-1]
        if (same & (time[1:] < time[:-1])).any():
            return False
        if not self.feature.any():
            return True
        same &= time[1:] == time[:-1]
        return not (same & (self.feature[1:] < self.feature[:-1])).any()

    def take(self, rows: Int64s | Bools) -> Identities:
        """Return those given by index or mask."""
        return Identities(self.datastream[rows], self.time[rows], self.feature[rows])

    def is_repeated(self) -> Bools:
        """Return, for sorted identities, which but the last equal the one behind them."""
        same: Bools = self.datastream[1:] == self.datastream[:-1]
        same &= self.time[1:] == self.time[:-1]
        same &= self.feature[1:] == self.feature[:-1]
        return same

    def find_in(self, others: Identities) -> tuple[Int64s, Int64s]:
        """Return (rows here, rows there) that are equal; neither side repeats itself."""
        both = Identities.concat([self, others])
        order = both.order()
        first = np.flatnonzero(both.take(order).is_repeated())
        # Stable: of two equal ones, the one from here comes first.
        return order[first], order[first + 1] - len(self.time)

    def __len__(self) -> int:
        """Return how many."""
        return len(self.time)


def overlay(base: pa.Table, late: pa.Table) -> pa.Table:
    """Return the rows of both; where identities are equal, those of `late`."""
    if not late.num_rows or not base.num_rows:
        return late if late.num_rows else base
    _, replaced = Identities.of(late).find_in(Identities.of(base))
    if len(replaced):
        keep = np.ones(base.num_rows, np.bool_)
        keep[replaced] = False
        base = base.filter(pa.array(keep))
    return pa.concat_tables([base, late])
