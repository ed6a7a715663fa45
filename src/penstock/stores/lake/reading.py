"""Read the rows of a selection from one file, touching as little of it as possible."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.stores.lake.bucketing import PARTIAL
from penstock.stores.lake.encoding import from_file
from penstock.stores.lake.manifest import DataFile
from penstock.stores.selecting import Int64s, int64s, is_chosen

#: Row groups whose footers are kept decoded, at about 4 kB each.
MAX_ROW_GROUPS = 8192
_IDENTITY = ("datastream", "time", "feature")


@dataclass(frozen=True, slots=True)
class Footer:
    """What a Parquet footer tells of its row groups, in columns."""

    metadata: pq.FileMetaData
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
        # Roll-ups have none, and are never asked for one.
        at_feature = names.index("feature") if "feature" in names else at_datastream
        features = [g.column(at_feature).statistics for g in groups]
        return cls(
            metadata,
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


class Reader:
    """Reads files of one lake; keeps the footers read last. Safe from any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._footers: OrderedDict[str, Footer] = OrderedDict()
        self._lock = threading.Lock()

    def scan(self, file: DataFile, selection: Selection) -> pa.Table:
        """Return the chosen rows of a file by (datastream, time, feature).

        With a limit they may be more rows than that, but among them are the first ones in the
        order that the selection asks for.
        """
        footer = self._footer(file.path)
        groups = footer.groups(selection)
        if not groups:
            return SCHEMA.empty_table()
        with self._open(file, footer) as parquet:
            if selection.limit is not None:
                groups, selection = _narrow(parquet, groups, selection)
            names = _filled(parquet, file)
            tables = []
            for group in groups:
                stored = _filter(_read(parquet, group, names), selection)
                if stored.num_rows:
                    tables.append(from_file(stored))
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()

    def columns(self, file: DataFile, selection: Selection, names: Sequence[str]) -> pa.Table:
        """Return stored columns of the chosen rows of a file, without limit."""
        footer = self._footer(file.path)
        with self._open(file, footer) as parquet:
            wanted = list(dict.fromkeys((*_IDENTITY, *names)))
            tables = [
                _filter(_read(parquet, g, wanted), selection) for g in footer.groups(selection)
            ]
            if not tables:
                return parquet.schema_arrow.empty_table().select(wanted)
            return pa.concat_tables(tables)

    def rollup(self, path: str, selection: Selection) -> pa.Table:
        """Return the buckets of a roll-up that begin within the selection."""
        footer = self._footer(path)
        tables = [PARTIAL.empty_table()]
        with pq.ParquetFile(
            self._directory / path, metadata=footer.metadata, pre_buffer=False
        ) as parquet:
            for group in footer.groups(selection):
                table = parquet.read_row_group(group, use_threads=False).cast(PARTIAL)
                datastream, time = int64s(table["datastream"]), int64s(table["time"])
                chosen = is_chosen(selection, datastream, time, None)
                tables.append(table if chosen is None else table.filter(pa.array(chosen)))
        return pa.concat_tables(tables)

    def walk(self, file: DataFile) -> Walk:
        """Read a file from its first datastream to its last, each row group once."""
        footer = self._footer(file.path)
        parquet = self._open(file, footer)
        return Walk(parquet, _filled(parquet, file), len(footer.first_us))

    def row_groups(self, file: DataFile) -> list[tuple[int, int, int]]:
        """Return (first datastream, last datastream, rows) of each row group of a file."""
        footer = self._footer(file.path)
        rows = [footer.metadata.row_group(i).num_rows for i in range(len(footer.first_us))]
        firsts, lasts = footer.first_datastream.tolist(), footer.last_datastream.tolist()
        return list(zip(firsts, lasts, rows, strict=True))

    def is_whole_ms(self, file: DataFile) -> bool:
        """Return whether a file keeps its times in milliseconds."""
        schema = self._footer(file.path).metadata.schema.to_arrow_schema()
        return bool(schema.field("time").type.unit == "ms")

    def forget(self, path: str) -> None:
        """Drop the footer of a file that is no more."""
        with self._lock:
            self._footers.pop(path, None)

    def _open(self, file: DataFile, footer: Footer) -> pq.ParquetFile:
        # Without read-ahead threads: handing over to them takes longer than reading.
        path = self._directory / file.path
        return pq.ParquetFile(path, metadata=footer.metadata, pre_buffer=False)

    def _footer(self, path: str) -> Footer:
        with self._lock:
            found = self._footers.get(path)
            if found is not None:
                self._footers.move_to_end(path)
                return found
        found = Footer.of(pq.read_metadata(self._directory / path))
        with self._lock:
            self._footers[path] = found
            held = sum(len(footer.first_us) for footer in self._footers.values())
            while held > MAX_ROW_GROUPS and len(self._footers) > 1:
                held -= len(self._footers.popitem(last=False)[1].first_us)
        return found


class Walk:
    """A place in a file that moves from its first datastream to its last."""

    def __init__(self, file: pq.ParquetFile, names: list[str], groups: int) -> None:
        self._file = file
        self._names = names
        self._groups = groups
        self._next = 0
        self._rest = SCHEMA.empty_table()

    def until(self, last: int) -> pa.Table:
        """Return the rows up to and including a datastream that were not returned yet."""
        tables = []
        while True:
            datastream = int64s(self._rest["datastream"])
            high = int(np.searchsorted(datastream, last, "right"))
            tables.append(self._rest.slice(0, high))
            self._rest = self._rest.slice(high)
            if self._rest.num_rows or self._next == self._groups:
                return pa.concat_tables(tables)
            self._rest = from_file(_read(self._file, self._next, self._names))
            self._next += 1

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _filled(parquet: pq.ParquetFile, file: DataFile) -> list[str]:
    """Return the columns that have any value; reading the others takes as long."""
    return [name for name in parquet.schema_arrow.names if name not in file.empty]


def _read(parquet: pq.ParquetFile, group: int, names: Sequence[str]) -> pa.Table:
    return parquet.read_row_group(group, columns=list(names), use_threads=False)


def _filter(stored: pa.Table, selection: Selection) -> pa.Table:
    """Return the chosen rows; of one datastream they lie together, so they are cut out first."""
    wanted = selection.datastreams
    if wanted is not None and len(wanted) == 1:
        datastream = int64s(stored["datastream"])
        low = int(np.searchsorted(datastream, wanted[0], "left"))
        high = int(np.searchsorted(datastream, wanted[0], "right"))
        stored = stored.slice(low, high - low)
    chosen = is_chosen(selection, *(int64s(stored[name]) for name in _IDENTITY))
    return stored if chosen is None or chosen.all() else stored.filter(pa.array(chosen))


def _narrow(
    file: pq.ParquetFile, groups: list[int], selection: Selection
) -> tuple[list[int], Selection]:
    """Return the row groups and the times within which the first `limit` rows are."""
    limit = selection.limit
    assert limit is not None
    is_by_time = selection.datastreams is None and selection.after is None
    is_by_time = is_by_time and selection.features is None
    names = ("time",) if is_by_time else _IDENTITY
    times = [_times(_read(file, group, names), selection) for group in groups]
    every = np.concatenate(times)
    if len(every) <= limit or limit < 1:
        return [g for g, t in zip(groups, times, strict=True) if len(t)], selection
    if selection.descending:
        bound = int(np.partition(every, len(every) - limit)[len(every) - limit])
        nearer = [np.count_nonzero(time > bound) for time in times]
        narrowed = msgspec.structs.replace(selection, start_us=bound)
    else:
        bound = int(np.partition(every, limit - 1)[limit - 1])
        nearer = [np.count_nonzero(time < bound) for time in times]
        narrowed = msgspec.structs.replace(selection, end_us=bound + 1)
    at_bound = np.array([np.count_nonzero(time == bound) for time in times])
    # Rows of one time come by datastream, so of those at the bound the first groups are enough.
    step = -1 if selection.descending else 1
    before = (np.cumsum(at_bound[::step]) - at_bound[::step])[::step]
    wanted = (at_bound > 0) & (before < limit - sum(nearer)) | (np.array(nearer) > 0)
    return [group for group, is_wanted in zip(groups, wanted, strict=True) if is_wanted], narrowed


def _times(stored: pa.Table, selection: Selection) -> Int64s:
    """Return the times of the chosen rows; without other columns, only times are compared."""
    if len(stored.column_names) > 1:
        return int64s(_filter(stored, selection)["time"])
    time = int64s(stored["time"])
    chosen = is_chosen(selection, time, time, None)
    return time if chosen is None else time[chosen]
