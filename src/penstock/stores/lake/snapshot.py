"""All rows of the lake at one moment, hot and closed, answered as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.stores.identities import Identities, newest_of_each, overlay
from penstock.stores.lake.chunks import ChunkView
from penstock.stores.lake.hot import FreshRows, scan_fresh
from penstock.stores.lake.late import LateRows
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.reading import Reader
from penstock.stores.lake.settling import find_held, without
from penstock.stores.selecting import int64s, order


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a query sees.

    Rows of files and fresh rows never share an identity; late rows replace either.

    Attributes:
        files: The files.
        fresh: Fresh rows, generation by generation.
        late: Late rows, generation by generation.
        reader: Reads the files.
    """

    files: Sequence[DataFile]
    fresh: Sequence[FreshRows]
    late: tuple[LateRows, ...]
    reader: Reader

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in order."""
        if selection.limit is not None and selection.limit < 1:
            return SCHEMA.empty_table()
        selection = _from_cursor(selection)
        late = self.late_rows(selection)
        wider = selection
        if selection.limit is not None:
            # As many rows of the base may be replaced by late ones.
            wider = msgspec.structs.replace(selection, limit=selection.limit + late.num_rows)
        rows = overlay(self._base(wider), late)
        return order(rows, descending=selection.descending, limit=selection.limit)

    def late_rows(self, selection: Selection) -> pa.Table:
        """Return the late rows chosen, without limit, by identity."""
        tables = [part.chosen(selection) for part in self.late if part.parts]
        return newest_of_each(tables)

    def new_late(self, selection: Selection) -> pa.Table:
        """Return the late rows chosen whose identity is held nowhere else."""
        late = self.late_rows(selection)
        if not late.num_rows:
            return late
        keys = Identities.of(late)
        within = Selection(
            datastreams=tuple(np.unique(keys.datastream).tolist()),
            start_us=int(keys.time.min()),
            end_us=int(keys.time.max()) + 1,
        )
        for table in scan_fresh(self.views, within):
            ours, _ = Identities.of(late).find_in(Identities.of(table))
            late = without(late, ours)
        for file in self.files:
            held, _ = find_held(self.reader, file, late)
            if len(held):
                late = without(late, held)
        return late

    @property
    def views(self) -> list[ChunkView]:
        """The fresh rows of all generations."""
        return [view for fresh in self.fresh for view in fresh.views]

    def _base(self, selection: Selection) -> pa.Table:
        files = [file for file in self.files if file.may_hold(selection)]
        if selection.limit is None:
            tables = scan_fresh(self.views, selection)
            tables += self.reader.scan_all(files, selection)
            return pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        return self._base_limited(files, selection)

    def _base_limited(self, files: list[DataFile], selection: Selection) -> pa.Table:
        """Look at the nearest files first and stop when no other can hold a nearer row."""
        found = SCHEMA.empty_table()
        if selection.descending:
            found, selection = self._nearer_fresh(found, selection)
            files = sorted(files, key=lambda file: -file.last_us)
        else:
            files = sorted(files, key=lambda file: file.first_us)
        for file in files:
            if file.may_hold(selection):
                rows = self.reader.scan(file, selection)
                found, selection = _nearer(found, [rows], selection)
        return found if selection.descending else self._nearer_fresh(found, selection)[0]

    def _nearer_fresh(self, found: pa.Table, selection: Selection) -> tuple[pa.Table, Selection]:
        """Add fresh rows, which mostly are the newest."""
        for view in self.views[::-1] if selection.descending else self.views:
            if view.may_hold(selection):
                found, selection = _nearer(found, scan_fresh((view,), selection), selection)
        return found, selection


def _from_cursor(selection: Selection) -> Selection:
    """Return a selection without the times that its cursor has passed: they are not looked at."""
    if selection.after is None:
        return selection
    start, end, at = selection.start_us, selection.end_us, selection.after.time_us
    if selection.descending:
        return msgspec.structs.replace(
            selection, end_us=at + 1 if end is None else min(end, at + 1)
        )
    return msgspec.structs.replace(selection, start_us=at if start is None else max(start, at))


def _nearer(
    found: pa.Table, more: list[pa.Table], selection: Selection
) -> tuple[pa.Table, Selection]:
    """Add rows; once there are enough, narrow the selection to times as near as those."""
    limit = selection.limit
    assert limit is not None
    found = pa.concat_tables([found, *more])
    if found.num_rows < limit:
        return found, selection
    found = order(found, descending=selection.descending, limit=limit)
    bound = int(int64s(found["time"].slice(limit - 1, 1))[0])
    if selection.descending:
        return found, msgspec.structs.replace(selection, start_us=bound)
    return found, msgspec.structs.replace(selection, end_us=bound + 1)
