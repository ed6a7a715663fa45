"""Answer buckets from roll-ups where they fit, and from rows where they do not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from penstock.core.selection import Selection
from penstock.stores.bucketing import combine, finish, partials
from penstock.stores.lake.hot import scan_fresh
from penstock.stores.lake.manifest import DataFile, Wide
from penstock.stores.lake.snapshot import Snapshot
from penstock.stores.selecting import int64s


@dataclass(frozen=True, slots=True)
class Downsampler:
    """Makes buckets of one width from what a snapshot holds.

    Attributes:
        snapshot: The rows.
        rollups: Roll-ups of many files.
        width_us: Width of the buckets.
    """

    snapshot: Snapshot
    rollups: Sequence[Wide]
    width_us: int

    def buckets(self, selection: Selection) -> pa.Table:
        """Return `BUCKETS` of the rows chosen."""
        if selection.features is not None:
            # Roll-ups are of all features.
            return finish(partials(self.snapshot.scan(selection), self.width_us))
        late = int64s(self.snapshot.late_rows(selection)["time"])
        if not len(late):
            return finish(combine(self._all(selection), self.width_us))
        # Late rows may replace rows that are in roll-ups: read all rows of those buckets.
        low = int(late.min()) // self.width_us * self.width_us
        high = (int(late.max()) // self.width_us + 1) * self.width_us
        found = [partials(self.snapshot.scan(_within(selection, low, high)), self.width_us)]
        for part in (_within(selection, None, low), _within(selection, high, None)):
            found += self._all(part)
        return finish(combine(found, self.width_us))

    def _all(self, selection: Selection) -> list[pa.Table]:
        found = [self._of(rows) for rows in scan_fresh(self.snapshot.views, selection)]
        rest = {file.path: file for file in self.snapshot.files if file.may_hold(selection)}
        for wide in self.rollups:
            files = [rest[path] for path in wide.files if path in rest]
            whole = _whole_buckets(wide, wide.width_us, selection)
            # Where most of its files are not asked for, they are read one by one.
            if not files or whole is None or self.width_us % wide.width_us:
                continue
            found.append(self.snapshot.reader.rollup(wide.path, whole))
            for edge in _edges(whole, selection):
                found += self._of_files(files, edge)
            for path in wide.files:
                rest.pop(path, None)
        return [*found, *self._of_files(rest.values(), selection)]

    def _of_files(self, files: Iterable[DataFile], selection: Selection) -> list[pa.Table]:
        found = []
        for file in files:
            if not file.may_hold(selection):
                continue
            step = file.rollup_width_us
            whole = _whole_buckets(file, step, selection) if step else None
            if whole is None or self.width_us % step:
                found.append(self._of(self.snapshot.reader.scan(file, selection)))
                continue
            found.append(self.snapshot.reader.rollup(file.rollup, whole))
            edges = _edges(whole, selection)
            found += [self._of(self.snapshot.reader.scan(file, edge)) for edge in edges]
        return found

    def _of(self, rows: pa.Table) -> pa.Table:
        return partials(rows, self.width_us)


def _whole_buckets(of: DataFile | Wide, step: int, selection: Selection) -> Selection | None:
    """Return the part of the selection that whole buckets of `step` cover, or None."""
    start, end = selection.start_us, selection.end_us
    low = None if start is None or start <= of.first_us else -(-start // step) * step
    high = None if end is None or end > of.last_us else end // step * step
    if low is not None and high is not None and low >= high:
        return None
    return Selection(datastreams=selection.datastreams, start_us=low, end_us=high)


def _edges(whole: Selection, selection: Selection) -> list[Selection]:
    """Return what is left of the selection on either side of the whole buckets."""
    edges = []
    if whole.start_us is not None:
        edges.append(_within(selection, None, whole.start_us))
    if whole.end_us is not None:
        edges.append(_within(selection, whole.end_us, None))
    return edges


def _within(selection: Selection, low: int | None, high: int | None) -> Selection:
    """Return the selection cut to a range of times."""
    start, end = selection.start_us, selection.end_us
    start = max((t for t in (start, low) if t is not None), default=None)
    end = min((t for t in (end, high) if t is not None), default=None)
    return msgspec.structs.replace(selection, start_us=start, end_us=end)
