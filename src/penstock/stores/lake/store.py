"""The lake itself: takes rows in, hands them to files, answers queries over both."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import Backpressure, DiskFull, NotConnected
from penstock.core.selection import Selection
from penstock.core.store import Marks, Skipped, Summary
from penstock.stores.checking import check_batch, check_width
from penstock.stores.extents import Extents, together
from penstock.stores.identities import newest_of_each
from penstock.stores.lake import arrival
from penstock.stores.lake.chunks import Columns
from penstock.stores.lake.commit import Commit, Version, open_version
from penstock.stores.lake.compaction import choose_merge, choose_rollups, choose_whole
from penstock.stores.lake.downsampling import Downsampler
from penstock.stores.lake.extents import look
from penstock.stores.lake.guard import lock_directory
from penstock.stores.lake.hot import Generation, leading, scan_fresh
from penstock.stores.lake.late import LateRows
from penstock.stores.lake.manifest import DataFile
from penstock.stores.lake.reading import Reader
from penstock.stores.lake.removal import Removal, chosen_by, identified_by, older_than
from penstock.stores.lake.series import last_of_each
from penstock.stores.lake.settling import settle
from penstock.stores.lake.skipping import skip
from penstock.stores.lake.snapshot import Snapshot
from penstock.stores.lake.trash import Trash
from penstock.stores.lake.worker import Worker
from penstock.stores.selecting import NEVER, Int64s, int64s
from penstock.stores.settings import LakeSettings
from penstock.stores.spans import spans_of
from penstock.stores.spans import together as spans_together


class LakeStore:
    """Keeps observations in memory and in Parquet files; see docs/formats/lake.md."""

    def __init__(
        self, directory: Path, settings: LakeSettings, clock: Clock, lock: IO[bytes]
    ) -> None:
        self._directory_lock = lock
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.RLock()
        self._trash = Trash(directory, clock, settings.grace_s)
        self._reader = Reader(directory)
        self._version = open_version(directory)
        self._commit = Commit(directory, settings, self._reader)
        self._slots = arrival.Slots()
        self._slots.of(self._version.state.datastream)
        self._newest = int64s(self._version.state.newest["time"]).copy()
        self._active = Generation()
        self._frozen: tuple[Generation, ...] = ()
        self._oldest_s: float | None = None
        self._failure: Backpressure | None = None
        self._new_late: tuple[Version, tuple[LateRows, ...], int] = (self._version, (), 0)
        self._is_closed = False
        self._flusher = Worker("lake-flush", self._flush_when_due, settings.retry_s)
        self._merger = Worker("lake-merge", self._merge_when_due, settings.retry_s)

    @classmethod
    def open(
        cls,
        directory: Path,
        settings: LakeSettings | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Open the lake in a directory, which is made when missing.

        What a crash left unfinished is removed. One process at a time may have it open.

        Raises:
            Conflict: Another process has it open.
            Corrupt: The manifest cannot be read.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lock = lock_directory(directory)
        try:
            store = cls(directory, settings or LakeSettings(), clock or SystemClock(), lock)
        except BaseException:
            lock.close()
            raise
        if store._settings.background:
            store._flusher.start()
            store._merger.start()
        return store

    # -- taking in

    def append(self, batch: pa.RecordBatch, marks: Marks | None = None) -> int:
        """Keep a batch; a row already held is replaced."""
        self._check_open()
        check_batch(batch)
        text_bytes = batch.column("text").nbytes + batch.column("parameters").nbytes
        self._check_room(batch.num_rows, text_bytes)
        columns = Columns.of(batch)
        split = arrival.split(columns, self._slots, self._newest)
        with self._lock:
            self._active.add(columns, split, len(self._slots), marks or {})
            self._active.text_bytes += text_bytes
            self._remember_newest(split)
            if self._oldest_s is None:
                self._oldest_s = self._clock.monotonic_s()
            is_due = (
                self._active.rows >= self._settings.flush_rows
                or self._active.text_bytes >= self._settings.flush_bytes
            )
            if is_due:
                self._freeze()
        if is_due:
            self._flusher.wake()
        return int(batch.num_rows)

    def _remember_newest(self, split: arrival.Arrival) -> None:
        missing = len(self._slots) - len(self._newest)
        if missing > 0:
            more = np.full(missing + len(self._slots) // 4, NEVER)
            self._newest = np.append(self._newest, more)
        self._newest[split.slots] = split.last

    def _check_room(self, rows: int, text_bytes: int) -> None:
        generations = (self._active, *self._frozen)
        held = sum(g.rows for g in generations)
        text_held = sum(g.text_bytes for g in generations)
        settings = self._settings
        if not held or (
            held + rows <= settings.hot_max_rows
            and text_held + text_bytes <= settings.hot_max_bytes
        ):
            return
        self._flusher.wake()
        if self._failure is not None:
            raise DiskFull(str(self._failure), retry_after_s=self._settings.retry_s)
        msg = (
            f"{held} rows with {text_held} bytes of text wait to be written and at most "
            f"{settings.hot_max_rows} and {settings.hot_max_bytes} may; the disk is slower than "
            "what comes in"
        )
        raise Backpressure(msg, retry_after_s=0.1)

    # -- writing files

    def flush(self) -> Marks:
        """Write all hot rows to files and return `marks`."""
        with self._writing:
            with self._lock:
                self._freeze()
                last = self._frozen[-1] if self._frozen else None
            while last in self._frozen:
                self._flush_oldest()
            return self.marks

    def _flush_oldest(self) -> None:
        """Write the oldest hot rows; of those that wait, as many as one file should hold."""
        before, oldest = self._version, leading(self._frozen, self._settings.file_rows)
        marks = {name: at for generation in oldest for name, at in generation.marks.items()}
        try:
            settled = settle(oldest, before.manifest.files, self._reader)
            after = self._commit.add(before, settled, marks)
        except DiskFull as error:
            self._failure = error
            raise
        self._failure = None
        self._replace(before, after, flushed=len(oldest))

    def _freeze(self) -> None:
        if self._active.rows or self._active.marks:
            self._frozen = (*self._frozen, self._active)
            self._active = Generation()
        self._oldest_s = None

    def _replace(self, before: Version, after: Version, *, flushed: int = 0) -> None:
        with self._lock:
            self._version = after
            self._frozen = self._frozen[flushed:]
        self._trash.throw(before.manifest.paths() - after.manifest.paths())

    def _flush_when_due(self) -> None:
        settings = self._settings
        with self._lock:
            since = self._oldest_s
        age = 0.0 if since is None else self._clock.monotonic_s() - since
        if age >= settings.flush_interval_s:
            self.flush()
        while self._frozen:
            with self._writing:
                if self._frozen:
                    self._flush_oldest()
            self._merger.wake()
        for path in self._trash.empty():
            self._reader.forget(path)

    def _merge_when_due(self) -> None:
        settings = self._settings
        # Merging can wait while rows do.
        while len(self._frozen) < 2 and not self._flusher.is_stopping:
            files = self._version.manifest.files
            sources = choose_merge(
                files, merge_files=settings.merge_files, file_rows=settings.file_rows
            )
            if not sources:
                break
            self._merge(sources)
        self._widen()

    def _merge(self, sources: Sequence[DataFile]) -> None:
        # Sources that go meanwhile stay readable.
        with self._trash.reading():
            if not set(sources) <= set(self._version.manifest.files):
                return
            merged = self._commit.merge(sources)
            with self._writing:
                before = self._version
                after = self._commit.adopt(before, sources, merged)
                if after is not before:
                    self._replace(before, after)

    def _widen(self) -> None:
        """Bring roll-ups of many files together."""
        while True:
            with self._writing:
                before = self._version
                chosen = choose_rollups(before.manifest, self._settings.file_rows)
                if chosen is None:
                    return
                self._replace(before, self._commit.widen(before, chosen))

    def compact(self) -> None:
        """Flush, and merge small files whatever their sizes; for use when little comes in."""
        self.flush()
        rows = self._settings.file_rows
        while sources := choose_whole(self._version.manifest.files, file_rows=rows):
            self._merge(sources)
        self._widen()

    @property
    def marks(self) -> Marks:
        """The log positions up to which everything is in files."""
        return self._version.manifest.marks

    def close(self) -> None:
        """Flush and release. Safe to call twice."""
        if self._is_closed:
            return
        self._merger.stop()
        self._flusher.stop()
        try:
            self.flush()
        finally:
            self._is_closed = True
            self._trash.empty(at_once=True)
            self._directory_lock.close()

    # -- answering

    def scan(self, selection: Selection) -> pa.Table:
        """Return the rows chosen, in order."""
        with self._snapshot() as (snapshot, _):
            return snapshot.scan(selection)

    def skip(self, selection: Selection, rows: int) -> Skipped:
        """Skip at most so many of the first rows of a selection of one datastream."""
        whole = msgspec.structs.replace(selection, after=None, limit=None)
        with self._snapshot() as (snapshot, _):
            return skip(snapshot, whole, rows)

    def count(self) -> int:
        """Return the exact number of observations held."""
        with self._snapshot() as (snapshot, version):
            rows = version.manifest.observations
            rows += sum(fresh.rows for fresh in snapshot.fresh)
            return rows + self._count_new_late(snapshot, version)

    def _count_new_late(self, snapshot: Snapshot, version: Version) -> int:
        if not snapshot.late:
            return 0
        known_version, known_late, found = self._new_late
        # What is new can only change with the files or the late rows.
        if known_version is not version or known_late != snapshot.late:
            found = snapshot.new_late(Selection()).num_rows
            self._new_late = (version, snapshot.late, found)
        return found

    def summary(self, datastream: int) -> Summary | None:
        """Return count and extent of one datastream; None when it holds nothing."""
        with self._snapshot() as (snapshot, version):
            parts = [self._closed_summary(snapshot, version, datastream)]
            slot = self._slots.find(datastream)
            if slot is not None:
                parts += [fresh.summary(slot) for fresh in snapshot.fresh]
            late = snapshot.new_late(Selection(datastreams=(datastream,)))
            if late.num_rows:
                times = int64s(late["time"])
                parts.append(Summary(late.num_rows, int(times.min()), int(times.max())))
            held = [part for part in parts if part is not None]
        if not held:
            return None
        first, last = min(p.first_us for p in held), max(p.last_us for p in held)
        return Summary(sum(p.count for p in held), first, last)

    def summaries(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `SUMMARIES` of datastreams."""
        wanted = _wanted(datastreams)
        with self._snapshot() as (snapshot, version):
            self._find_first(snapshot, version, wanted)
            parts = [version.state.spans(wanted)]
            parts += [fresh.spans(wanted, self._slots.ids()) for fresh in snapshot.fresh]
            late = snapshot.new_late(_of(wanted))
            return spans_together([*parts, spans_of(late)]).table()

    def _find_first(self, snapshot: Snapshot, version: Version, wanted: Int64s | None) -> None:
        """Fill in first times that removal made unknown."""
        unknown = version.state.datastream[version.state.first_us == NEVER]
        for datastream in unknown if wanted is None else np.intersect1d(unknown, wanted):
            self._closed_summary(snapshot, version, int(datastream))

    def extents(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return `EXTENTS` of datastreams."""
        wanted = _wanted(datastreams)
        with self._snapshot() as (snapshot, version):
            state = version.state.extents
            lost = state.among(wanted)
            lost = lost.take(~lost.is_known)
            if len(lost.datastream):
                closed = Snapshot(snapshot.files, (), (), self._reader)
                spans = version.state.spans(lost.datastream)
                state.remember(look(closed, version.manifest.rollups, spans))
            parts = [state.among(wanted)]
            parts += [Extents.of(rows) for rows in scan_fresh(snapshot.views, _of(wanted))]
            late = snapshot.late_rows(_of(wanted))
            if not late.num_rows:
                return together(parts).table()
            found = together([*parts, Extents.of(late)])
            # A late row may have replaced one that reached further.
            again = _of(np.unique(int64s(late["datastream"])))
            return found.replacing(Extents.of(snapshot.scan(again))).table()

    def _closed_summary(
        self, snapshot: Snapshot, version: Version, datastream: int
    ) -> Summary | None:
        found = version.state.summary(datastream)
        if found is None or found.first_us != NEVER:
            return found
        closed = Snapshot(snapshot.files, (), (), self._reader)
        first = closed.scan(Selection(datastreams=(datastream,), limit=1))
        version.state.remember_first(datastream, int(int64s(first["time"])[0]))
        return version.state.summary(datastream)

    def latest(self, datastreams: Sequence[int] | None = None) -> pa.Table:
        """Return the newest row of each datastream, ordered by datastream."""
        wanted = _wanted(datastreams)
        only = _of(wanted)
        with self._snapshot() as (snapshot, version):
            tables = [version.state.newest_of(wanted)]
            tables += [fresh.newest_of(wanted, self._slots.ids()) for fresh in snapshot.fresh]
            tables.append(snapshot.late_rows(only))
            return last_of_each(newest_of_each(tables))

    def buckets(self, selection: Selection, width_us: int) -> pa.Table:
        """Return `BUCKETS` of `width_us`, aligned to the epoch."""
        check_width(width_us)
        whole = msgspec.structs.replace(selection, after=None, limit=None, descending=False)
        with self._snapshot() as (snapshot, version):
            return Downsampler(snapshot, version.manifest.rollups, width_us).buckets(whole)

    # -- removing

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen, durably, and return how many."""
        return self._remove(chosen_by(selection))

    def delete_rows(self, rows: pa.Table) -> int:
        """Remove the rows with the identities of these, durably, and return how many."""
        removal = identified_by(rows)
        return 0 if removal is None else self._remove(removal)

    def expire(self, retention_us: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows older than their datastream's retention and return how many."""
        removal = older_than(retention_us, default_us, now_us)
        return 0 if removal is None else self._remove(removal)

    def _remove(self, removal: Removal) -> int:
        with self._writing:
            self.flush()
            before = self._version
            after = self._commit.remove(before, removal)
            if after is not before:
                self._replace(before, after)
            return before.manifest.observations - after.manifest.observations

    # -- lifecycle

    @contextmanager
    def _snapshot(self) -> Iterator[tuple[Snapshot, Version]]:
        self._check_open()
        with self._trash.reading():
            with self._lock:
                version = self._version
                generations = [g for g in (*self._frozen, self._active) if g.rows]
                fresh = [g.view() for g in generations]
                late = tuple(g.late for g in generations if len(g.late))
            yield Snapshot(version.manifest.files, fresh, late, self._reader), version

    def _check_open(self) -> None:
        if self._is_closed:
            msg = "the lake is closed; open it again"
            raise NotConnected(msg)


def _wanted(datastreams: Sequence[int] | None) -> Int64s | None:
    if datastreams is None:
        return None
    wanted = np.array(datastreams, np.int64)
    # Looking whether they are in order already takes a tenth of the time.
    return wanted if (wanted[1:] > wanted[:-1]).all() else np.unique(wanted)


def _of(wanted: Int64s | None) -> Selection:
    return Selection(datastreams=None if wanted is None else tuple(wanted.tolist()))
