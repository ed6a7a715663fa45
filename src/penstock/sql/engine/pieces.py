"""Pieces of long windows, made as time goes on, so that little is left to do at a window's end.

They are kept in memory and nowhere else: what is missing is made again from the store. A row that
comes late, or is deleted, takes the pieces with it that it has a part in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.core.store import CanSummarise, Store
from penstock.sql.engine.computing import Computer, Part
from penstock.sql.engine.inputs import STORED, Scans, Wanted
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.ranges import ALWAYS_US, Int64s, Range, ceiling, floor, touched
from penstock.sql.engine.tap import Bools, Heard, int64s, spans_before
from penstock.sql.plan import Plan, Staged

#: New rows from which on it is worth it to make pieces ahead of a window's end.
AHEAD_ROWS = 50_000
#: Pieces are made of ranges so many times as long as what is read around them, but for the last
#: ones of a window.
WORTH = 2
#: Ranges that rows of one batch touch, at most.
MAX_TOUCHED = 64


@dataclass(frozen=True, slots=True)
class Chunk:
    """The pieces that begin in a range; None when there are none."""

    start_us: int
    end_us: int
    rows: pa.Table | None


class Room:
    """The memory that the pieces of all queries may take.

    Args:
        limit_bytes: How much.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held: dict[int, int] = {}

    @property
    def held_bytes(self) -> int:
        """What is taken."""
        return sum(list(self._held.values()))

    @property
    def is_full(self) -> bool:
        """Whether more is taken than there is."""
        return self.held_bytes > self.limit_bytes

    def enter(self, id_: int) -> None:
        """Note that a query may have pieces."""
        self._held[id_] = 0

    def take(self, id_: int, size_bytes: int) -> None:
        """Note what the pieces of a query take by now, if it has not left."""
        if id_ in self._held:
            self._held[id_] = size_bytes

    def leave(self, id_: int) -> None:
        """Note that a query has no pieces any more."""
        self._held.pop(id_, None)


class Pieces:
    """The pieces that one query has. For the engine's thread only.

    Args:
        id_: Of the query.
        plan: What is to be run.
        staged: The same, in two steps.
        room: Where they may be kept.
    """

    def __init__(self, id_: int, plan: Plan, staged: Staged, room: Room) -> None:
        self._id = id_
        self._plan = plan
        self._staged = staged
        self._room = room
        room.enter(id_)
        self._grid = staged.pieces.meaning
        #: How far pieces are needed around a range that is answered.
        self._back_us = max(0, plan.meaning.back_us - self._grid.back_us)
        self._ahead_us = max(0, plan.meaning.ahead_us - self._grid.ahead_us)
        self._chunks: list[Chunk] = []
        # The first time there may be much that nobody has told of.
        self._fresh_rows = AHEAD_ROWS
        self._ids: Mapping[str, Int64s] = {}
        self._picture: Picture | None = None
        self._facts: list[object] = []
        self._plain_until_us: int | None = None
        #: The longest range whose pieces are made at once, and the one that was tried last.
        self._most_us = ALWAYS_US
        self._tried_us = 0

    @property
    def held(self) -> list[Range]:
        """The ranges of which pieces are held, in order of time."""
        return [(chunk.start_us, chunk.end_us) for chunk in self._chunks]

    def hear(self, heard: Heard, mine: Bools) -> None:
        """Take a batch that was kept or removed, of which some datastreams are read."""
        self._fresh_rows += int(heard.counts[mine].sum())
        if self._chunks:
            limit = self._chunks[-1].end_us + self._grid.ahead_us
            first, last = spans_before(heard, mine, limit)
            self._touch(first, last)

    def _touch(self, first: Int64s, last: Int64s) -> None:
        ranges = touched(first, last, self._grid, MAX_TOUCHED)
        if ranges:
            self._hold(
                c
                for c in self._chunks
                if not any(a < c.end_us and c.start_us < b for a, b in ranges)
            )

    def tidy(self, done_us: int) -> None:
        """Let go of what the windows at hand, and the last ones before these, do not need."""
        # Windows that overlap are answered again as long as they are for a row that comes late.
        again_us = max(self._plan.meaning.grid_us, self._ahead_us)
        first = self._begin(done_us - again_us)
        if self._chunks and self._chunks[0].end_us <= first:
            self._hold(c for c in self._chunks if c.end_us > first)

    def clear(self) -> None:
        """Let go of all."""
        self._hold(())

    def needed(self, span: Range) -> list[Range]:
        """Return the ranges that lack pieces to answer a range, in order."""
        return self._gaps(self._begin(span[0]), ceiling(span[1] + self._ahead_us, self._grid))

    def due(self, done_us: int, watermark_us: int | None) -> list[Range]:
        """Return the ranges whose pieces are to be made now, ahead of their window's end.

        One is of the rows that are new, and one may be of rows that came late.
        """
        is_plain = self._plain_until_us is not None and done_us < self._plain_until_us
        if watermark_us is None or is_plain or self._fresh_rows < AHEAD_ROWS:
            return []
        whole = self._plan.meaning
        until = floor(watermark_us - self._grid.ahead_us, self._grid)
        gaps = self._gaps(self._begin(done_us), until)
        if not gaps or gaps[-1][1] < until:
            return []
        start, end = gaps[-1]
        around = WORTH * (self._grid.back_us + self._grid.ahead_us)
        left = floor(until, whole) + whole.grid_us - until
        return [(start, end), *gaps[:-1][:1]] if end - start >= min(around, left) else []

    def make(
        self, due: Sequence[Range], ids: Mapping[str, Int64s], computer: Computer, scans: Scans,
        picture: Picture,
    ) -> int:  # fmt: skip
        """Make pieces ahead of their window's end; return how many rows were read.

        Raises:
            PenstockError: As `Computer.part`.
        """
        if not due:
            return 0
        self._follow(ids, computer, scans.store, picture)
        rows = 0
        for span in due:
            part = self._making(span, ids, computer, scans, picture)
            rows += part.rows_in
            if not self._add(span[0], part, span[0]):
                whole = self._plan.meaning
                self._plain_until_us = floor(span[0], whole) + whole.grid_us
                break
        self._fresh_rows = 0
        return rows

    def part(self, wanted: Wanted, computer: Computer, scans: Scans, picture: Picture) -> Part:
        """Answer as much of a range, from its start, as can be at once.

        Raises:
            PenstockError: As `Computer.part`.
        """
        if self._plain_until_us is not None and wanted.start_us < self._plain_until_us:
            return computer.part(wanted, scans, picture)
        self._follow(wanted.ids, computer, scans.store, picture)
        start, end = wanted.start_us, wanted.end_us
        rows_in = 0
        while (gaps := self.needed((start, end))) and self._complete(gaps[0][0], end) <= start:
            part = self._making(gaps[0], wanted.ids, computer, scans, picture)
            rows_in += part.rows_in
            if not self._add(gaps[0][0], part, self._begin(start)):
                self._plain_until_us = end
                return computer.part(wanted, scans, picture)
        stop = self._complete(gaps[0][0], end) if gaps else end
        answer = computer.whole(self._plan, self._rows(start, stop), (start, stop), picture)
        return Part(answer, stop, rows_in)

    def slower(self) -> bool:
        """Make pieces of half as much at once from now on; False when it was none that were slow.

        Also when they cannot be shorter.
        """
        if self._tried_us <= self._grid.grid_us:
            return False
        self._most_us = self._tried_us // 2
        return True

    def _making(
        self, span: Range, ids: Mapping[str, Int64s], computer: Computer, scans: Scans,
        picture: Picture,
    ) -> Part:  # fmt: skip
        start, end = span
        if self._most_us < end - start:
            end = max(floor(start + self._most_us, self._grid), start + self._grid.grid_us)
        self._tried_us = end - start
        part = computer.pieces(Wanted(self._staged.pieces, ids, start, end), scans, picture)
        self._tried_us = 0
        return part

    def _complete(self, covered_us: int, end_us: int) -> int:
        """Return up to where windows are complete, when there are all pieces before a time."""
        return min(end_us, floor(covered_us - self._ahead_us, self._plan.meaning))

    def _begin(self, start_us: int) -> int:
        """Return where the first piece begins that an answer from a time on needs."""
        return floor(start_us - self._back_us, self._grid)

    def _gaps(self, start_us: int, end_us: int) -> list[Range]:
        gaps: list[Range] = []
        for chunk in self._chunks:
            if chunk.start_us > start_us and start_us < end_us:
                gaps.append((start_us, min(chunk.start_us, end_us)))
            start_us = max(start_us, chunk.end_us)
        return [*gaps, (start_us, end_us)] if start_us < end_us else gaps

    def _rows(self, start_us: int, end_us: int) -> pa.Table | None:
        begin, end = self._begin(start_us), end_us + self._ahead_us
        near = [c for c in self._chunks if c.start_us < end and begin < c.end_us]
        tables = [chunk.rows for chunk in near if chunk.rows is not None]
        return pa.concat_tables(tables) if tables else None

    def _add(self, start_us: int, part: Part, first_us: int) -> bool:
        """Hold pieces; let go of all that begin before a time, or of all, if there is no room."""
        chunk = Chunk(start_us, part.end_us, part.answer if part.answer.num_rows else None)
        self._hold(sorted([*self._chunks, chunk], key=lambda c: c.start_us))
        if self._room.is_full:
            self._hold(c for c in self._chunks if c.end_us > first_us)
        if self._room.is_full:
            self.clear()
            return False
        return True

    def _hold(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = list(chunks)
        size = sum(c.rows.nbytes for c in self._chunks if c.rows is not None)
        self._room.take(self._id, size)

    def _follow(
        self, ids: Mapping[str, Int64s], computer: Computer, store: Store, picture: Picture
    ) -> None:
        """Let go of what would be another now, by what the catalog says and by what is read."""
        is_same = ids.keys() == self._ids.keys() and all(ids[n] is self._ids[n] for n in ids)
        # What may be seen of tables may change with nothing else.
        if is_same and picture is self._picture and not self._staged.pieces.tables:
            return
        if self._chunks:
            if self._facts_of(self._ids, computer, picture) != self._facts:
                self.clear()
            for name, now in ids.items():
                self._renew(self._ids.get(name, now[:0]), now, store)
        self._ids, self._picture = ids, picture
        self._facts = self._facts_of(ids, computer, picture)

    def _renew(self, before: Int64s, now: Int64s, store: Store) -> None:
        added = np.setdiff1d(now, before, assume_unique=True)
        is_less = len(before) + len(added) > len(now)
        if is_less or (len(added) and not isinstance(store, CanSummarise)):
            self.clear()
        elif len(added) and isinstance(store, CanSummarise):
            held = store.summaries(added.tolist())
            self._touch(int64s(held, "first_time"), int64s(held, "last_time"))

    def _facts_of(
        self, ids: Mapping[str, Int64s], computer: Computer, picture: Picture
    ) -> list[object]:
        """Return what pieces depend on beside the rows."""
        facts: list[object] = []
        for one in self._staged.pieces.inputs:
            at = picture.index(ids[one.relation]) if one.relation in ids else np.zeros(0, np.int64)
            names = [name for name in one.columns if name not in STORED]
            columns = [picture.column(name, at) for name in names]
            facts += [c.dictionary_decode() if hasattr(c, "dictionary") else c for c in columns]
        scope = computer.scope()
        return [*facts, *(picture.table(name, scope) for name in self._staged.pieces.tables)]
