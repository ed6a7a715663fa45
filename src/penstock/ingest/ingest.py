"""Ingest: one thread that reads the log and keeps what it says as observations."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait

import pyarrow as pa
from prometheus_client import CollectorRegistry

from penstock.core.access import Access
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.codec import Codec
from penstock.core.errors import Bug, NotConnected
from penstock.core.listening import Listener
from penstock.core.log import Log
from penstock.core.platform import DeadLetter, Replayed
from penstock.core.store import Marks, Store
from penstock.core.tap import Tap
from penstock.ingest.approvals import Approvals
from penstock.ingest.columns import EMPTY
from penstock.ingest.data_flow import DataFlow, is_wanted
from penstock.ingest.dead_letters import DeadLetters
from penstock.ingest.decoding import NOT_DECODED, Decoder, Rejected
from penstock.ingest.deleted import Deleted
from penstock.ingest.enrolment import Enrolment
from penstock.ingest.hearing import Hearing
from penstock.ingest.keeping import Keeping
from penstock.ingest.live import LiveHub
from penstock.ingest.messages import Batch
from penstock.ingest.meters import Meters
from penstock.ingest.partitions import Partitions
from penstock.ingest.patience import Closing, Patience
from penstock.ingest.pipeline import Outcome, Pipeline
from penstock.ingest.replays import Replay, discard_letters, replay_letters, replay_range
from penstock.ingest.routes import TopicTable, routes_of
from penstock.ingest.settings import IngestSettings
from penstock.ingest.sources import Source, letters_of
from penstock.ingest.tenancy import Tenancy, no_organisation

_log = logging.getLogger(__name__)

#: Seconds between two rounds of housekeeping: new partitions, decisions on devices, commits.
HOUSEKEEPING_S = 0.5
#: Seconds between two looks for dead letters that are too many or too old.
TRIM_S = 10.0
#: How often one who waits for ingest looks whether it still runs, seconds.
LOOK_EVERY_S = 0.5
#: How often a batch may break ingest before all of it goes to the dead letters.
MAX_SURPRISES = 3


class Ingest:
    """Reads all partitions of the log, stores what they say, and tells watchers.

    A message that is stored is never lost: reading continues where the store stands durably. A
    message that cannot be stored waits in the dead letters with the reason.

    Args:
        log: Where the messages are; ingest writes the partitions `RESERVED` itself.
        catalog: Knows the datastreams.
        store: Keeps the observations; ingest is its only writer while it runs.
        codecs: Makes the codec of a name.
        settings: See there.
        clock: Tells the time.
        registry: Where histograms are offered to Prometheus.
        ends: Tells the offset behind the last message of each partition, for the lag.
        access: Gives the organisation as it is now; without it there is one system only.
        listener: Hears what devices say beside their results.
        deleted: Tells when devices were deleted; a replay passes over what they sent before.

    Raises:
        ConfigError: A route is not valid or names a codec that does not exist.
    """

    def __init__(
        self,
        log: Log,
        catalog: Catalog,
        store: Store,
        codecs: Callable[[str], Codec],
        settings: IngestSettings,
        clock: Clock,
        *,
        registry: CollectorRegistry | None = None,
        ends: Callable[[], Mapping[str, int]] | None = None,
        access: Callable[[], Access] | None = None,
        listener: Listener | None = None,
        deleted: Callable[[], Deleted] = dict,
    ) -> None:
        self.log = log
        self.deleted = deleted
        self.store = store
        self.live = LiveHub(settings.max_live_rows)
        self.meters = Meters(clock, registry)
        self._settings = settings
        self._clock = clock
        self._stop = threading.Event()
        self._wake = threading.Event()
        self.partitions = Partitions(log, store, ends, clock)
        self._replays: deque[Replay] = deque()
        self._to_forget: deque[threading.Event] = deque()
        self._housekeeping_s = self._trimmed_s = -1e9
        self._approvals = Approvals(catalog, clock)
        self._failure = ""
        self._fault = ""
        self._thread: threading.Thread | None = None
        self._tap: Tap | None = None
        self._letters: DeadLetters | None = None
        self.patience = Patience(self._stop, settings.max_retry_s)
        routes = routes_of(settings)
        self.table = TopicTable(routes, settings.max_topics, Tenancy(access or no_organisation()))
        names = dict.fromkeys(
            name for route in routes for name in route.codecs if name not in NOT_DECODED
        )
        known = {name: codecs(name) for name in names}
        self._enrolment = Enrolment(
            catalog, known, settings.enrolment, self.patience, clock,
            max_series=settings.max_series, refusal_ttl_s=settings.refusal_ttl_s,
            place_every_s=settings.place_every_s, tenancy=self.table.tenancy,
        )  # fmt: skip
        flow = DataFlow(sys.stdout, clock) if is_wanted(settings.debug_data_flow) else None
        hearing = None if listener is None else Hearing(listener, self.table, self.patience)
        self.pipeline = Pipeline(
            Decoder(known, self.table), self._enrolment, store, self.live, self.patience, flow,
            hearing,
        )  # fmt: skip
        self._keeping = Keeping(store, self.pipeline, self.patience)

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the dead letters and begin to read in a thread of its own.

        Raises:
            Conflict: Another process writes the dead letters.
        """
        self.partitions.start(self._tap)
        self._letters = DeadLetters(
            self.log, self._clock, marks=self.partitions.marks,
            max_letters=self._settings.max_dead_letters,
            max_age_s=self._settings.max_dead_letter_age_s,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the batch at hand, make the store durable and release the log."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.partitions.give_up()

    def follow(self, tap: Tap) -> None:
        """Let somebody follow all that is kept; to be called before `start`."""
        self._tap = self.pipeline.tap = tap

    def keep(self, rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None = None) -> None:
        """Keep rows that do not come from the log, with marks of their own, and hand them on.

        Waits until it is done; not to be called in ingest's thread. Marks of the store whose
        names have a `:` or a `.` are not positions in the log, and are free for this.

        Args:
            rows: In `core.observation.SCHEMA`.
            marks: Become durable with the rows, or after them.
            removed: Identities of rows that go first.

        Raises:
            NotConnected: Ingest does not run (any more); nothing was kept.
            PenstockError: The store refuses it for good.
        """
        done = self._keeping.wish(rows, marks, removed)
        self._wake.set()
        while not wait([done], LOOK_EVERY_S).done:
            if not self.is_running:
                self._keeping.give_up()
        done.result()

    def wake(self) -> None:
        """Look at the log now rather than in a few milliseconds."""
        self._wake.set()

    # -- what others may ask, from any thread -------------------------------------------------

    @property
    def letters(self) -> DeadLetters:
        """The dead letters."""
        if self._letters is None:
            raise Bug("ingest was not started")
        return self._letters

    @property
    def marks(self) -> Marks:
        """Where the store stands, including what is not durable yet."""
        return self.partitions.marks

    @property
    def trouble(self) -> str:
        """What keeps ingest from going on, or "" when nothing does."""
        return self.patience.trouble or self._failure or self._fault

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def position(self, partition: str) -> int:
        """Return the offset before which every message is in the store or a dead letter."""
        return self.partitions.position(partition)

    def wait(self, partition: str, offset: int, timeout_s: float) -> bool:
        """Wait until `position` has reached an offset and return whether it has."""
        self._wake.set()
        return self.partitions.wait(partition, offset, timeout_s)

    def stats(self) -> Mapping[str, float]:
        """Return counters and gauges by their Prometheus names; counters end in `_total`."""
        return {
            **self.meters.stats(),
            "penstock_ingest_retries_total": self.patience.retries,
            "penstock_ingest_lag_messages": self.partitions.lag_messages,
            "penstock_ingest_lag_seconds": self.partitions.lag_s,
            "penstock_ingest_dead_letters": self._letters.waiting if self._letters else 0,
            "penstock_ingest_dead_letters_dropped_total": (
                self._letters.dropped if self._letters else 0
            ),
            "penstock_ingest_topics": len(self.table),
            "penstock_live_watchers": self.live.watchers,
        }

    def dead_letters(self, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        """Return dead letters that wait by ascending id, those behind `after`."""
        return self.letters.list(after, limit)

    def forget_series(self, timeout_s: float) -> bool:
        """Ask the catalog anew about every series; return whether that is so from now on.

        Afterwards no result of a Datastream that was deleted before this call is kept any more.
        """
        forgotten = threading.Event()
        self._to_forget.append(forgotten)
        self._wake.set()
        return not self.is_running or forgotten.wait(timeout_s)

    def replay(
        self, partition: str, from_offset: int, until_offset: int | None = None
    ) -> Future[Replayed]:
        """Ingest a range of the log again with today's routes; harmless for what is stored.

        The future raises `NotFound` or `InvalidInput` when there is no such range.
        """
        until = self.position(partition)
        until = until if until_offset is None else min(until, until_offset)
        steps = replay_range(self, partition, from_offset, until, self._settings.max_batch_bytes)
        return self._begin(Replay(steps))

    def replay_dead_letters(self) -> Future[Replayed]:
        """Ingest all dead letters that wait again; what fails waits again."""
        return self._begin(Replay(replay_letters(self, self.letters.boxes)))

    def discard_dead_letters(self) -> Future[Replayed]:
        """Drop all dead letters that wait; `messages` says how many."""
        return self._begin(Replay(discard_letters(self)))

    def _begin(self, replay: Replay) -> Future[Replayed]:
        if not self.is_running or self._stop.is_set():
            replay.give_up(NotConnected("ingest is not running; start Penstock and try again"))
        else:
            self._replays.append(replay)
            self._wake.set()
        return replay.outcome

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._guarded_turn()
        except Closing:
            pass
        finally:
            self._end()

    def _guarded_turn(self) -> None:
        """Survive whatever the log or a mistake of ours throws, say so, and go on."""
        try:
            self._turn()
        except Closing:
            raise
        except Exception as error:
            self._fault = f"ingest cannot read the log: {type(error).__name__}: {error}"[:500]
            _log.exception("ingest cannot read the log; it will try again")
            self.partitions.rewind()
            self._stop.wait(min(1.0, self._settings.max_retry_s))
        else:
            self._fault = ""

    def _turn(self) -> None:
        began_s = self._clock.monotonic_s()
        self._wake.clear()
        if began_s - self._housekeeping_s >= HOUSEKEEPING_S:
            self._housekeeping_s = began_s
            self._keep_house()
        while self._to_forget:
            self._enrolment.forget()
            self._to_forget.popleft().set()
        worked = self._keeping.fulfil()
        for source in self.partitions:
            worked |= self._advance(source)
            worked |= self._keeping.fulfil()
        if self._replays:
            self._step()
            return
        self.meters.sample()
        if not self.partitions.is_behind:
            took_s = self._clock.monotonic_s() - began_s
            settings = self._settings
            pause_s = max(settings.poll_interval_s - took_s, took_s / 4)
            self._wake.wait(pause_s if worked else settings.idle_interval_s)

    def _advance(self, source: Source) -> bool:
        """Handle the next batch of a partition; return whether there was one."""
        batch = source.read(self._settings.max_batch_bytes, self.table)
        if batch is None:
            return False
        began_s = self._clock.monotonic_s()
        try:
            outcome = self._outcome(source, batch)
            self.letters.append(letters_of(batch, outcome.rejected), self.patience)
            # Of this partition alone: another may be read again from before what the store holds,
            # and what was deleted there would come back if that was forgotten.
            marks = {source.partition: batch.next_offset}
            if self.partitions.is_held(source.partition, batch.next_offset):
                self.pipeline.hold(outcome.observations, marks)
            else:
                self.pipeline.keep(outcome.observations, marks)
            self.pipeline.saw(outcome.sightings)
        except Closing:
            raise
        except Exception as error:
            self._surprised(source, batch, error)
            return True
        self._failure = ""
        source.done(batch)
        self.letters.passed(source.partition, batch.next_offset)
        self.meters.batch(
            batch.sent, len(outcome.rejected), outcome.observations.num_rows,
            self._clock.monotonic_s() - began_s, batch.arrived_us,
        )  # fmt: skip
        self.partitions.reach(source.partition, batch.next_offset)
        return True

    def _outcome(self, source: Source, batch: Batch) -> Outcome:
        if source.surprises < MAX_SURPRISES:
            return self.pipeline.read(batch)
        return Outcome(EMPTY, [Rejected(m, "", self._failure) for m in range(len(batch))])

    def _surprised(self, source: Source, batch: Batch, error: Exception) -> None:
        """Try the batch again; when that does not help either, give all of it up."""
        source.surprises += 1
        self._failure = f"ingest broke: {type(error).__name__}: {error}"[:500]
        _log.error(
            "ingest broke on %d messages from offset %d of partition %s",
            len(batch), source.position, source.partition, exc_info=error,
        )  # fmt: skip
        source.rewind()
        if self._stop.wait(min(1.0, self._settings.max_retry_s)):
            raise Closing from error

    def _step(self) -> None:
        done = self._replays[0].step()
        if done is None:
            self._replays.popleft()
        else:
            self.meters.replayed += done

    def _keep_house(self) -> None:
        try:
            self.partitions.open_new()
            self._commit()
            if self._clock.monotonic_s() - self._trimmed_s >= TRIM_S:
                self._trimmed_s = self._clock.monotonic_s()
                self.letters.trim()
            self._replay_enrolled()
        except Closing:
            raise
        except Exception:
            _log.exception("ingest could not do its housekeeping; it will try again")

    def _commit(self) -> None:
        self.partitions.commit(self._tap)
        self.meters.corrupt = self.partitions.corrupt

    def _replay_enrolled(self) -> None:
        """Replay letters that wait for a device once it is enrolled."""
        enrolled = self._approvals.enrolled(self.letters.held_devices)
        if enrolled:
            self._enrolment.forget_refusals()
            self.letters.held_devices -= enrolled
            self._replays.append(Replay(replay_letters(self, [self.letters.held])))

    def _end(self) -> None:
        self._keeping.give_up()
        for replay in self._replays:
            replay.give_up(NotConnected("Penstock was stopped before the replay was done"))
        try:
            self.store.flush()
            self._commit()
        except Exception:
            _log.exception("the store was not flushed; what is missing is read again from the log")
        self.partitions.close()
        self.letters.close()
        self.partitions.give_up()
