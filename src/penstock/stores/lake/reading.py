"""Read the rows of a selection from one file, touching as little of it as possible."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penstock.core.observation import SCHEMA
from penstock.core.selection import Selection
from penstock.stores.bucketing import PARTIAL
from penstock.stores.lake.encoding import from_file
from penstock.stores.lake.footer import Footer
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.nearest import IDENTITY, Nearest
from penstock.stores.selecting import Int64s, int64s, is_chosen

#: Row groups whose footers are kept decoded, at about 4 kB each.
MAX_ROW_GROUPS = 8192


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
        tables = self._stored(file, selection)
        return from_file(pa.concat_tables(tables)) if tables else SCHEMA.empty_table()

    def scan_all(self, files: Sequence[DataFile], selection: Selection) -> list[pa.Table]:
        """Return the chosen rows of some files, without limit.

        Of many files a few rows each are put together first: one table is decoded as fast.
        """
        alike: dict[pa.Schema, list[pa.Table]] = {}
        for file in files:
            for table in self._stored(file, selection):
                alike.setdefault(table.schema, []).append(table)
        return [from_file(pa.concat_tables(tables)) for tables in alike.values()]

    def _stored(self, file: DataFile, selection: Selection) -> list[pa.Table]:
        footer = self._footer(file.path)
        groups = footer.groups(selection)
        if not groups:
            return []
        with self._open(file, footer) as parquet:
            names = _filled(parquet, file)

            def read(group: int, wanted: Sequence[str], chosen: Selection) -> pa.Table:
                return _filter(_read(parquet, group, wanted), chosen)

            # No choice is to be made where all that there may be is wanted.
            if selection.limit is None or footer.rows[groups].sum() <= selection.limit:
                return [read(group, names, selection) for group in groups]
            return Nearest(footer, selection, names, read).tables(groups)

    def columns(self, file: DataFile, selection: Selection, names: Sequence[str]) -> pa.Table:
        """Return stored columns of the chosen rows of a file, without limit."""
        footer = self._footer(file.path)
        with self._open(file, footer) as parquet:
            wanted = list(dict.fromkeys((*IDENTITY, *names)))
            tables = [
                _filter(_read(parquet, g, wanted), selection) for g in footer.groups(selection)
            ]
            if not tables:
                return parquet.schema_arrow.empty_table().select(wanted)
            return pa.concat_tables(tables)

    def stretches(
        self, file: DataFile, selection: Selection
    ) -> list[tuple[int, int, int | None, Callable[[], Int64s]]]:
        """Return what each row group has of a selection of one datastream.

        First and last time (no row is beyond them), how many rows where the footer tells, and what
        returns their times.
        """
        footer = self._footer(file.path)
        (wanted,) = selection.datastreams or (None,)
        found: list[tuple[int, int, int | None, Callable[[], Int64s]]] = []
        for group in footer.groups(selection):
            first, last = int(footer.first_us[group]), int(footer.last_us[group])
            is_whole = footer.first_datastream[group] == footer.last_datastream[group] == wanted
            is_whole &= selection.start_us is None or first >= selection.start_us
            is_whole &= selection.end_us is None or last < selection.end_us
            rows = footer.metadata.row_group(group).num_rows if is_whole else None
            found.append((first, last, rows, partial(self._times, file, group, selection)))
        return found

    def _times(self, file: DataFile, group: int, selection: Selection) -> Int64s:
        with self._open(file, self._footer(file.path)) as parquet:
            return int64s(_filter(_read(parquet, group, IDENTITY), selection)["time"])

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
    time = int64s(stored["time"])
    if stored.column_names == ["time"]:
        # Then only times are compared.
        chosen = is_chosen(selection, time, time, None)
    else:
        chosen = is_chosen(selection, int64s(stored["datastream"]), time, int64s(stored["feature"]))
    return stored if chosen is None or chosen.all() else stored.filter(pa.array(chosen))
