"""The engine: one thread that computes whatever is due of all queries, turn by turn."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.apps import Output
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import Conflict, PenstockError
from penstock.core.queries import Meaning, Progress, Query, RunStatus, Sink
from penstock.core.selection import Selection
from penstock.core.store import Marks, Store
from penstock.sql.engine.computing import Computer
from penstock.sql.engine.derived import DatastreamSink, Origin
from penstock.sql.engine.duck import duck_of
from penstock.sql.engine.expiry import Expiry
from penstock.sql.engine.guard import Guard
from penstock.sql.engine.history import over
from penstock.sql.engine.inputs import Scans
from penstock.sql.engine.keeping import Keeper, of_log
from penstock.sql.engine.ledger import Entry, Ledger
from penstock.sql.engine.newest import Newest
from penstock.sql.engine.outlet import Keep, Outlet
from penstock.sql.engine.picture import Picture, Pictures
from penstock.sql.engine.pieces import Room
from penstock.sql.engine.ranges import Int64s
from penstock.sql.engine.removals import Removals
from penstock.sql.engine.running import Running, by_id, pause_s, stats_of
from penstock.sql.engine.standing import Standing
from penstock.sql.engine.starting import stand
from penstock.sql.engine.tap import Heard, Tap
from penstock.sql.plan import Plan
from penstock.sql.settings import SqlSettings

_log = logging.getLogger(__name__)

#: Seconds between two turns while nothing is heard, for sources that follow the clock.
IDLE_S = 0.2
#: Seconds that a turn may still take when the engine is closed.
PATIENCE_S = 2.0
#: Rounds of a turn in which apps read what other apps derived in it.
MAX_ROUNDS = 16


class Engine:
    """Runs queries live. Implements `core.queries.Streams` and `core.tap.Tap`.

    Args:
        store: Where rows are; read only.
        catalog: Who they are of.
        keep: Brings derived rows to the store, in ingest's turn.
        plan_of: Makes a plan of a query; raises `InvalidQuery`.
        scope_of: Tells what a system may read.
        folder: Where the ledger is.
        clock: Tells the time.
        settings: See there.
        positions: Tells where the log is read, by partition.
        retention_s: How long the store keeps what has no retention of its own.
        system_name: Gives the name of a system.
    """

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        keep: Keep,
        plan_of: Callable[[Query], Plan],
        scope_of: Callable[[int], Scope],
        folder: Path,
        clock: Clock,
        settings: SqlSettings | None = None,
        *,
        positions: Callable[[], Marks] = dict,
        retention_s: float | None = None,
        system_name: Callable[[int], str] = str,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self.settings = settings or SqlSettings()
        self._plan_of = plan_of
        self._scope_of = scope_of
        self._clock = clock
        self._positions = positions
        self.tap = Tap(self.settings.max_waiting_rows)
        self.outlet = Outlet(keep, self.tap.touched)
        self.pictures = Pictures(catalog, clock, self.settings.catalog_age_s, system_name)
        self._expiry = Expiry(catalog, clock, retention_s)
        self._guard = Guard(self.settings)
        ledger = Ledger(folder)
        self._lock = threading.RLock()
        self._entries = {entry.id: entry for entry in ledger.read()}
        marks = store.marks
        now_s = clock.monotonic_s()
        self._standings = {
            id_: Standing(entry, _stood(entry, marks), now_s)
            for id_, entry in self._entries.items()
        }
        self._seen: Int64s = np.zeros(0, np.int64)
        self._removals = Removals(folder, store, self._all, lambda ids: np.isin(ids, self._seen))
        self._keeper = Keeper(store, self.outlet, ledger, self._removals, clock)
        self._running: dict[int, Running] = {}
        self._newest = Newest(store)
        self._computer: Computer | None = None
        self._scans = Scans(store, self.settings.max_slice_rows)
        self._room = Room(self.settings.pieces_bytes)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.turns = 0
        self.busy_s = 0.0
        self.tap.is_open = bool(self._entries)

    # -- life

    def open(self) -> None:
        """Begin to compute in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="sql", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Compute what is due of what was heard, and end; ingest must still run.

        What takes long is given up: it is computed when the query is started again.
        """
        self._stop.set()
        self.tap.wake.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)
            while self._thread.is_alive():
                if self._computer is not None:
                    self._computer.give_up()
                self._thread.join(0.05)
            self._thread = None
            if self._computer is None or not self._computer.is_given_up:
                self._guarded_turn()
        self._guard.close()
        if self._computer is not None:
            self._computer.close()

    # -- core.tap.Tap

    def heard(self, rows: pa.RecordBatch | pa.Table, marks: Marks) -> None:
        """Take what was kept or removed; see `core.tap.Tap`."""
        self.tap.heard(rows, marks)

    @contextmanager
    def removing(self, gone: pa.Table | Selection) -> Iterator[None]:
        """Compute again without what is removed from the store within, even after a kill.

        Args:
            gone: Identities of the rows, or which are chosen. Callable from any thread.
        """
        with self._removals.removing(gone) as (ids, first, last):
            yield
        if isinstance(gone, pa.Table):
            self.tap.heard(gone, {})
            return
        self.tap.touched_each(ids, first, last)

    def reads_from(self, marks: Marks) -> Marks:
        """Return where ingest is to read the log from, given how far the store is durable."""
        if not self._entries:
            return marks
        return {name: min(at, self.dealt_with(name, at)) for name, at in marks.items()}

    def dealt_with(self, partition: str, at: int) -> int:
        """Return up to where the engine has durably dealt with a partition, at most `at`."""
        with self._lock:
            if not self._entries:
                return at
            return self._keeper.dealt_with(partition, at, self._entries.values())

    # -- core.queries.Streams

    def explain(self, query: Query) -> Meaning:
        """Check a query and tell what is known of it."""
        plan = self._plan_of(query)
        self._guard.check(plan)
        return plan.meaning

    def start(self, id_: int, query: Query, sink: Sink, start_us: int | None) -> None:
        """Run a query from now on, until `stop`."""
        plan = self._plan_of(query)
        with self._lock:
            if id_ in self._running:
                msg = f"query {id_} runs already; stop it first"
                raise Conflict(msg)
            self.tap.is_open = True
            standing = stand(
                id_, query, plan, start_us, self._standings.get(id_), store=self._store,
                clock=self._clock, picture=self.pictures.newest(),
                scope=self._scope_of(query.system), positions=of_log(self._positions()),
            )  # fmt: skip
            self._standings[id_] = standing
            self._entries[id_] = standing.entry
            self._keeper.write(self._standings.values())
            self._running[id_] = Running(
                standing, plan, sink, self._clock, self.settings.max_retry_s, self._room
            )
        self.tap.wake.set()

    def stop(self, id_: int) -> None:
        """Stop a query after the slice at hand."""
        with self._lock:
            running = self._running.pop(id_, None)
        if running is not None:
            with running.lock:
                running.is_stopped = True
            standing = running.standing
            standing.is_direct, standing.pieces = False, None
            self._room.leave(id_)

    def forget(self, id_: int) -> None:
        """Stop a query and forget where it stood."""
        self.stop(id_)
        with self._lock:
            self._standings.pop(id_, None)
            if self._entries.pop(id_, None) is not None:
                self._keeper.write(self._standings.values())
            self.tap.is_open = bool(self._entries)

    def status(self, id_: int) -> RunStatus | None:
        """Return how a query fares, or None when it does not run."""
        running = self._running.get(id_)
        return None if running is None else running.status()

    def answered(self, id_: int) -> tuple[int, int] | None:
        """Return the event times that a query, as it is now, has answered."""
        with self._lock:
            standing = self._standings.get(id_)
        if standing is None:
            return None
        entry = standing.entry
        asked = entry.began_us if entry.asked_us is None else entry.asked_us
        return max(entry.began_us, asked), standing.done_us

    def over(
        self, query: Query, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Iterator[pa.Table]:
        """Compute the answer for a range of event time from what is stored, in order, in parts."""
        return over(
            self._plan_of(query), start_us, end_us, store=self._store,
            picture=self.pictures.newest(), scope=self._scope_of(query.system),
            settings=self.settings, progress=progress,
        )  # fmt: skip

    def sink(self, origin: Origin, output: Output, meaning: Meaning) -> Sink:
        """Return what keeps the answers of an app as derived Datastreams."""
        return DatastreamSink(
            origin, output, meaning, outlet=self.outlet, pictures=self.pictures,
            catalog=self._catalog, store=self._store, clock=self._clock,
            inputs=lambda: self._inputs(origin.id),
        )  # fmt: skip

    def _inputs(self, id_: int) -> Int64s:
        standing = self._standings.get(id_)
        return np.zeros(0, np.int64) if standing is None else standing.ids

    def stats(self) -> Mapping[str, float]:
        """Return counters and gauges by their Prometheus names; counters end in `_total`."""
        return {
            **stats_of(list(self._running.values()), self._clock.now_us()),
            "penstock_sql_rows_read_total": self._scans.rows_read,
            "penstock_sql_rows_kept_total": self.outlet.rows_kept,
            "penstock_sql_waiting_rows": self.tap.waiting_rows,
            "penstock_sql_pieces_bytes": self._room.held_bytes,
            "penstock_sql_busy_seconds_total": self.busy_s,
        }

    # -- the thread

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = self._clock.monotonic_s()
            self.tap.wake.clear()
            is_done = self._guarded_turn()
            took_s = self._clock.monotonic_s() - began_s
            if not is_done:
                continue
            self._stop.wait(pause_s(list(self._running.values()), self.settings.tick_s, took_s))
            self.tap.wake.wait(IDLE_S if self._running else 1.0)

    def _guarded_turn(self) -> bool:
        try:
            return self.turn()
        except Exception as error:
            known = isinstance(error, PenstockError)
            _log.warning(
                "what queries answered was not kept; trying again: %s", error,
                exc_info=None if known else error,
            )  # fmt: skip
            self._stop.wait(0.2)
            return True

    def turn(self) -> bool:
        """Deal with what was heard and what is due; return whether nothing is left to do.

        Raises:
            PenstockError: What was answered could not be kept; it waits for the next turn.
        """
        began_s = self._clock.monotonic_s()
        try:
            return self._whole_turn()
        finally:
            self.turns += 1
            self.busy_s += self._clock.monotonic_s() - began_s

    def _whole_turn(self) -> bool:
        self._keeper.turn += 1
        for _ in range(MAX_ROUNDS):
            heard = self.tap.take()
            self.outlet.begin()
            self._round(heard)
            if not self._is_chained():
                self._commit()
                return not any(r.is_behind and r.may_work for r in self._running.values())
            self.outlet.flush()
        return False

    def _round(self, heard: Sequence[Heard]) -> None:
        with self._lock:
            standings, running = list(self._standings.values()), by_id(self._running)
            if not standings:
                return
            picture = self._hear(standings, heard)
        for standing in standings:
            self._expiry.cut(standing)
        self._work(running, picture)
        for standing in standings:
            standing.spill()

    def _hear(self, standings: Sequence[Standing], heard: Sequence[Heard]) -> Picture:
        picture = self._resolve(standings, heard)
        self._keeper.follow(standings)
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        for one in heard:
            if one.rows:
                before = self._newest.before(one)
                for standing in standings:
                    standing.hear(one, before, now_us, now_s)
            if one.marks:
                self._keeper.hear(one.marks)
        return picture

    def _work(self, running: Sequence[Running], picture: Picture) -> None:
        ready = [one for one in running if one.may_work]
        if not ready:
            return
        computer = self._computing()
        self._scans.forget()
        for query in ready:
            for wanted in query.wanted():
                self._scans.expect(wanted)
        for query in ready:
            if computer.is_given_up:
                break
            computer.scope = partial(self._scope_of, query.standing.entry.query.system)
            query.work(computer, self._scans, picture, self._keeper.turn)
        self._scans.forget()

    def _resolve(self, standings: Sequence[Standing], heard: Sequence[Heard]) -> Picture:
        ids = [one.datastream for one in heard if one.rows]
        every = np.unique(np.concatenate(ids)) if ids else np.zeros(0, np.int64)
        picture = self.pictures.knowing(every)
        self._see(standings, picture)
        return picture

    def _all(self) -> Sequence[Standing]:
        with self._lock:
            return list(self._standings.values())

    def _see(self, standings: Sequence[Standing], picture: Picture) -> None:
        """Let queries find their datastreams."""
        if len(picture.ids) != len(self._seen) or not np.array_equal(picture.ids, self._seen):
            self._seen = np.union1d(self._seen, picture.ids)
        scopes = {s.entry.query.system: Scope() for s in standings}
        scopes = {system: self._scope_of(system) for system in scopes}
        for standing in standings:
            standing.resolve(picture, scopes[standing.entry.query.system])

    def _computing(self) -> Computer:
        if self._computer is None:
            duck = duck_of(self.settings, self.settings.max_slice_s)
            self._computer = Computer(duck, self.settings.max_slice_rows)
        return self._computer

    def _is_chained(self) -> bool:
        """Tell whether a query reads what was answered in this turn."""
        ids = self.outlet.news
        if not len(ids):
            return False
        standings = self._all()
        self._see(standings, self.pictures.knowing(ids))
        return any(np.isin(s.ids, ids, assume_unique=True).any() for s in standings)

    def _commit(self) -> None:
        """Keep what was answered, and how far that is."""
        with self._lock:
            standings = list(self._standings.values())
            self._keeper.settle(standings)
        self._keeper.keep(standings, is_last=self._stop.is_set())


def _stood(entry: Entry, marks: Marks) -> int:
    return marks.get(entry.mark, entry.began_us)
