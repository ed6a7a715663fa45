"""Rows in memory, in columns that only grow: written by one thread, read by any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US, SCHEMA
from penstock.core.selection import Selection
from penstock.stores.selecting import Int64s, is_chosen, nulls

Bools = npt.NDArray[np.bool_]

#: Rows of a chunk; a chunk is what one vectorised pass of a query looks at.
CHUNK_ROWS = 131_072
#: Columns that most sensors never fill; kept aside as the Arrow arrays they came in.
RARE = ("text", "end_time", "result_time", "parameters")
_RARE_SCHEMA = pa.schema([SCHEMA.field(name) for name in RARE])


@dataclass(frozen=True, slots=True)
class Columns:
    """A batch taken apart: plain arrays, and the rare columns where any is filled."""

    datastream: Int64s
    time: Int64s
    number: npt.NDArray[np.float64]
    is_number: Bools | None
    feature: Int64s | None
    rare: pa.Table | None

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Columns:
        """Take a batch apart, without copying where Arrow allows."""
        number = batch.column("number")
        feature = batch.column("feature").to_numpy()
        is_rare = any(batch.column(name).null_count < batch.num_rows for name in RARE)
        return cls(
            datastream=batch.column("datastream").to_numpy(),
            time=batch.column("time").cast(pa.int64()).to_numpy(),
            number=number.to_numpy(zero_copy_only=False),
            is_number=(
                number.is_valid().to_numpy(zero_copy_only=False) if number.null_count else None
            ),
            feature=feature if feature.any() else None,
            rare=pa.Table.from_batches([batch.select(list(RARE))]) if is_rare else None,
        )

    @property
    def is_odd(self) -> bool:
        """Whether it holds more than numbers."""
        return not (self.is_number is None and self.feature is None and self.rare is None)

    def take(self, rows: Int64s) -> Columns:
        """Return the rows given by index."""
        return Columns(
            datastream=self.datastream[rows],
            time=self.time[rows],
            number=self.number[rows],
            is_number=None if self.is_number is None else self.is_number[rows],
            feature=None if self.feature is None else self.feature[rows],
            rare=None if self.rare is None else self.rare.take(pa.array(rows)),
        )

    def table(self) -> pa.Table:
        """Return the rows in `SCHEMA`."""
        rows = len(self.time)
        number = pa.array(self.number, mask=None if self.is_number is None else ~self.is_number)
        feature = np.zeros(rows, np.int64) if self.feature is None else self.feature
        rare = {
            name: nulls(rows, SCHEMA.field(name).type) if self.rare is None else self.rare[name]
            for name in RARE
        }
        columns = [
            pa.array(self.datastream),
            pa.array(self.time).view(SCHEMA.field("time").type),
            number,
            rare["text"],
            pa.array(feature),
            rare["end_time"],
            rare["result_time"],
            rare["parameters"],
        ]
        return pa.Table.from_arrays(columns, schema=SCHEMA)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time)


class Chunk:
    """Up to `CHUNK_ROWS` rows. `rows` is set last, so readers see whole rows only."""

    def __init__(self) -> None:
        self._datastream = np.empty(CHUNK_ROWS, np.int64)
        self._time = np.empty(CHUNK_ROWS, np.int64)
        self._number = np.empty(CHUNK_ROWS, np.float64)
        # Untouched zeroed pages cost no memory, and most rows have neither.
        self._is_null = np.zeros(CHUNK_ROWS, np.bool_)
        self._feature = np.zeros(CHUNK_ROWS, np.int64)
        self._has_null = self._has_feature = False
        self._rare: list[tuple[int, pa.Table]] = []
        #: Within these the times of its rows lie.
        self.first_us, self.last_us = MAX_TIME_US, MIN_TIME_US
        self.rows = 0

    def append(self, columns: Columns, start: int) -> int:
        """Copy rows from `start` on until it is full and return how many."""
        at = self.rows
        count = min(CHUNK_ROWS - at, len(columns) - start)
        here, there = slice(at, at + count), slice(start, start + count)
        self._datastream[here] = columns.datastream[there]
        time = columns.time[there]
        self._time[here] = time
        if count:
            self.first_us = min(self.first_us, int(time.min()))
            self.last_us = max(self.last_us, int(time.max()))
        self._number[here] = columns.number[there]
        if columns.is_number is not None:
            self._is_null[here] = ~columns.is_number[there]
            self._has_null = True
        if columns.feature is not None:
            self._feature[here] = columns.feature[there]
            self._has_feature = True
        if columns.rare is not None:
            self._rare.append((at, columns.rare.slice(start, count)))
        self.rows = at + count
        return count

    def columns(self, rows: int) -> Columns:
        """Return the first `rows` rows, sharing memory."""
        return Columns(
            datastream=self._datastream[:rows],
            time=self._time[:rows],
            number=self._number[:rows],
            is_number=~self._is_null[:rows] if self._has_null else None,
            feature=self._feature[:rows] if self._has_feature else None,
            rare=self._rare_columns(rows),
        )

    def _rare_columns(self, rows: int) -> pa.Table | None:
        parts: list[pa.Table] = []
        at = 0
        for start, part in list(self._rare):
            if start >= rows:
                break
            parts += [_no_rare(start - at), part]
            at = start + part.num_rows
        if not parts:
            return None
        return pa.concat_tables([*parts, _no_rare(max(rows - at, 0))]).slice(0, rows)


def _no_rare(rows: int) -> pa.Table:
    return pa.Table.from_arrays([nulls(rows, f.type) for f in _RARE_SCHEMA], _RARE_SCHEMA.names)


@dataclass(frozen=True, slots=True)
class ChunkView:
    """The rows that a chunk had at one moment."""

    chunk: Chunk
    rows: int

    def may_hold(self, selection: Selection) -> bool:
        """Return whether a row of the selection can be among them, by its times."""
        start, end = selection.start_us, selection.end_us
        return (start is None or self.chunk.last_us >= start) and (
            end is None or self.chunk.first_us < end
        )

    def columns(self) -> Columns:
        """Return them."""
        return self.chunk.columns(self.rows)


@dataclass(slots=True)
class Chunks:
    """Any number of rows in chunks."""

    _chunks: list[Chunk] = field(default_factory=list)
    rows: int = 0

    def append(self, columns: Columns) -> None:
        """Keep rows behind those held."""
        start, rows = 0, len(columns)
        while start < rows:
            if not self._chunks or self._chunks[-1].rows == CHUNK_ROWS:
                self._chunks.append(Chunk())
            start += self._chunks[-1].append(columns, start)
        self.rows += rows

    def view(self) -> tuple[ChunkView, ...]:
        """Return what is held now; later rows do not show in it."""
        return tuple(ChunkView(chunk, chunk.rows) for chunk in self._chunks)


def choose(columns: Columns, selection: Selection) -> Columns:
    """Return the rows chosen, in the order held, without limit."""
    wanted = selection.datastreams
    if wanted is not None and len(wanted) == 1:
        # Few rows are left to be looked at closely.
        columns = columns.take(np.flatnonzero(columns.datastream == wanted[0]))
    chosen = is_chosen(selection, columns.datastream, columns.time, columns.feature)
    if chosen is None or chosen.all():
        return columns
    return columns.take(np.flatnonzero(chosen))


def tables_of(parts: Iterable[Columns]) -> list[pa.Table]:
    """Return rows in `SCHEMA`, in the order given; a few plain numbers all in one table."""
    parts = [part for part in parts if len(part)]
    is_much = sum(map(len, parts)) > CHUNK_ROWS
    if len(parts) < 2 or is_much or any(part.is_odd for part in parts):
        return [part.table() for part in parts]
    together = Columns(
        datastream=np.concatenate([part.datastream for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        number=np.concatenate([part.number for part in parts]),
        is_number=None,
        feature=None,
        rare=None,
    )
    return [together.table()]
