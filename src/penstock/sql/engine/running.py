"""A query that runs: computes what is due, and hands it on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from penstock.core.clock import Clock
from penstock.core.errors import InvalidQuery, PenstockError, TooMuch
from penstock.core.queries import RunState, RunStatus, Sink
from penstock.sql.engine.computing import Computer
from penstock.sql.engine.duck import TooSlow
from penstock.sql.engine.inputs import Scans, Wanted
from penstock.sql.engine.picture import Picture
from penstock.sql.engine.pieces import Pieces, Room
from penstock.sql.engine.ranges import ALWAYS_US, Int64s, Range, floor
from penstock.sql.engine.standing import Standing
from penstock.sql.engine.tap import chosen
from penstock.sql.plan import Plan

_log = logging.getLogger(__name__)

#: First wait after a failure, seconds; doubled up to the limit in the settings.
FIRST_WAIT_S = 0.5
#: Seconds of computing after which the others have their turn.
TURN_S = 0.5
#: Shortest time in which rows are gathered while a query answers row by row, seconds: somebody may
#: wait for it, as of an alarm.
GATHER_S = 0.02
#: Ticks that a pause after a long turn lasts at most.
MAX_TICKS = 5


class Running:
    """A query that runs.

    Args:
        standing: Where it stands.
        plan: What is to be run.
        sink: Takes the answer.
        clock: Tells the time.
        max_retry_s: Longest wait after a failure.
        room: Where pieces of long windows may be kept.
    """

    def __init__(
        self, standing: Standing, plan: Plan, sink: Sink, clock: Clock, max_retry_s: float,
        room: Room,
    ) -> None:  # fmt: skip
        self.standing = standing
        self.plan = plan
        self.sink = sink
        id_ = standing.entry.id
        self.pieces = Pieces(id_, plan, plan.staged, room) if plan.staged else None
        standing.pieces = self.pieces
        #: Held while a slice is computed.
        self.lock = threading.Lock()
        self.is_stopped = False
        self.rows_in = self.rows_out = self.repairs = self.slices = 0
        self.busy_s = 0.0
        self.state = RunState.CATCHING_UP
        self.message = ""
        self.is_behind = True
        self._late_before = (standing.late_rows, standing.too_late)
        self._clock = clock
        self._max_retry_s = max_retry_s
        self._retry_s = 0.0
        self._wait_s = FIRST_WAIT_S
        #: The longest range that is computed at once, and the one that was tried last.
        self._most_us = self._tried_us = ALWAYS_US

    def status(self) -> RunStatus:
        """Return how it fares."""
        standing, (late, too_late) = self.standing, self._late_before
        is_sliced = not standing.meaning.is_rowwise
        return RunStatus(
            state=self.state,
            done_us=standing.done_us if is_sliced else None,
            watermark_us=standing.watermark_us,
            rows_in=self.rows_in,
            rows_out=self.rows_out,
            late_rows=standing.late_rows - late,
            repairs=self.repairs,
            too_late=standing.too_late - too_late,
            busy_s=self.busy_s,
            message=self.message,
        )

    @property
    def may_work(self) -> bool:
        """Whether it is neither broken nor waiting after a failure."""
        return self.state is not RunState.FAILED and self._clock.monotonic_s() >= self._retry_s

    def ids(self) -> dict[str, Int64s]:
        """Return the datastreams of each input."""
        return {one.relation: self.standing.watches[one.source].ids for one in self.plan.inputs}

    def due(self) -> list[Range]:
        """Return ranges to be computed now; the first are repairs, the last may be new."""
        standing = self.standing
        boundary = standing.advance(self._clock.now_us(), self._clock.monotonic_s())
        ranges = list(standing.pending)
        if boundary > standing.done_us:
            ranges.append((standing.done_us, boundary))
        return ranges

    def wanted(self) -> Iterator[Wanted]:
        """Give what will be read for what is due."""
        ids, due = self.ids(), self.due()
        pieces, staged = self.pieces, self.plan.staged
        if pieces is None or staged is None:
            yield from (Wanted(self.plan, ids, *span) for span in due)
            return
        spans = [gap for span in due for gap in pieces.needed(span)]
        spans += self._ahead() if not due else []
        yield from (Wanted(staged.pieces, ids, *span) for span in spans)

    def _ahead(self) -> list[Range]:
        """Return the ranges whose pieces are to be made ahead of the end of their window."""
        standing, pieces = self.standing, self.pieces
        return [] if pieces is None else pieces.due(standing.done_us, standing.watermark_us)

    def work(self, computer: Computer, scans: Scans, picture: Picture, turn: int) -> None:
        """Compute what is due, as long as a turn allows; never raises."""
        began_s = self._clock.monotonic_s()
        try:
            self._direct(computer, picture)
            for span in self.due():
                self._cover(span, computer, scans, picture, turn, began_s + TURN_S)
            self._prepare(computer, scans, picture)
            self.is_behind = bool(self.standing.pending)
        except TooSlow as error:
            self._slower(error)
        except (InvalidQuery, TooMuch) as error:
            self.state, self.message = RunState.FAILED, str(error)
            _log.warning("query %d cannot go on: %s", self.standing.entry.id, error)
        except Exception as error:
            self._failed(error)
        else:
            self.state = RunState.CATCHING_UP if self.is_behind else RunState.RUNNING
            self.message, self._wait_s = "", FIRST_WAIT_S
        works = self.state in (RunState.RUNNING, RunState.CATCHING_UP)
        self.standing.is_direct = works and not self.is_stopped
        self.busy_s += self._clock.monotonic_s() - began_s

    def _slower(self, error: TooSlow) -> None:
        """Compute half as much at once from the next turn on; fail when that is of no use."""
        if self.pieces is not None and self.pieces.slower():
            self.is_behind, self.state = True, RunState.CATCHING_UP
            return
        meaning = self.plan.meaning
        least = max(meaning.grid_us, (meaning.back_us + meaning.ahead_us) // 2)
        if self._tried_us <= least:
            self.state, self.message = RunState.FAILED, str(error)
            _log.warning("query %d cannot go on: %s", self.standing.entry.id, error)
            return
        self._most_us, self.is_behind = self._tried_us // 2, True
        self.state = RunState.CATCHING_UP

    def _until(self, start: int, end: int) -> int:
        """Return the end of what is computed of a range at once."""
        if self._most_us < end - start:
            meaning = self.plan.meaning
            end = max(floor(start + self._most_us, meaning), start + meaning.grid_us)
        self._tried_us = end - start
        return end

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, PenstockError)
        self.state = RunState.FAILING
        self.message = str(error) if known else f"{type(error).__name__}: {error}"[:500]
        _log.warning(
            "query %d failed and is tried again in %g s: %s",
            self.standing.entry.id, self._wait_s, self.message, exc_info=None if known else error,
        )  # fmt: skip
        self._retry_s = self._clock.monotonic_s() + self._wait_s
        self._wait_s = min(2 * self._wait_s, self._max_retry_s)

    def _direct(self, computer: Computer, picture: Picture) -> None:
        """Answer new rows of a row-by-row query."""
        standing = self.standing
        batches, standing.direct = standing.direct, []
        if not batches:
            return
        rows = pa.Table.from_batches(batches)
        span = _span(rows)
        with self.lock:
            if self.is_stopped:
                standing.touch([span])
                return
            self._tried_us = span[1] - span[0]
            parts = {name: chosen(rows, ids) for name, ids in self.ids().items()}
            try:
                answer = computer.answer(self.plan, parts, span, picture)
                if answer.num_rows:
                    self.sink.put(answer, None, None)
            except BaseException:
                standing.touch([span])
                raise
        self.rows_in += rows.num_rows
        self.rows_out += answer.num_rows

    def _cover(
        self, span: Range, computer: Computer, scans: Scans, picture: Picture, turn: int,
        until_s: float,
    ) -> None:  # fmt: skip
        """Compute a range in parts; what the turn has no time for waits in `standing`."""
        standing = self.standing
        start, end = span
        while start < end:
            with self.lock:
                if self.is_stopped or self._clock.monotonic_s() > until_s:
                    return
                wanted = Wanted(self.plan, self.ids(), start, self._until(start, end))
                part = (
                    computer.part(wanted, scans, picture)
                    if self.pieces is None
                    else self.pieces.part(wanted, computer, scans, picture)
                )
                self.sink.put(part.answer, start, part.end_us)
                done = (start, part.end_us)
                if start < standing.done_us or standing.meaning.is_rowwise:
                    standing.pending = _without(standing.pending, done)
                    standing.settling.append((turn, done))
                    self.repairs += 1
                if not standing.meaning.is_rowwise:
                    standing.done_us = max(standing.done_us, part.end_us)
                    self.slices += (part.end_us - start) // standing.meaning.grid_us
            self.rows_in += part.rows_in
            self.rows_out += part.answer.num_rows
            start = part.end_us

    def _prepare(self, computer: Computer, scans: Scans, picture: Picture) -> None:
        """Make pieces of a window that is not at its end yet."""
        if self.pieces is None:
            return
        with self.lock:
            if self.is_stopped:
                return
            self.pieces.tidy(self.standing.done_us)
            self.rows_in += self.pieces.make(self._ahead(), self.ids(), computer, scans, picture)


def _span(rows: pa.Table) -> Range:
    times = rows.column("time").combine_chunks().view(pa.int64())
    times = times.to_numpy()
    return int(times.min()), int(times.max()) + 1


def _without(ranges: list[Range], done: Range) -> list[Range]:
    """Return ranges without one that is done."""
    left: list[Range] = []
    for a, b in ranges:
        left += [(x, y) for x, y in ((a, min(b, done[0])), (max(a, done[1]), b)) if x < y]
    return left


def by_id(queries: Mapping[int, Running]) -> list[Running]:
    """Return queries in the order of their ids."""
    return [queries[key] for key in sorted(queries)]


def pause_s(running: Sequence[Running], tick_s: float, took_s: float) -> float:
    """Return for how many seconds rows are gathered after a turn that took so long.

    Long turns are followed by pauses as long, up to a few ticks: many queries share what they
    read then. With queries that answer row by row, no longer than twice what the turn took:
    short turns follow each other soon, and take no more than a third of a core for that.
    """
    pause = max(tick_s - took_s, min(took_s, MAX_TICKS * tick_s))
    if any(one.plan.meaning.is_rowwise for one in running):
        return min(pause, max(GATHER_S, 2 * took_s))
    return pause


def stats_of(running: Sequence[Running], now_us: int) -> dict[str, float]:
    """Return what queries amount to, by Prometheus names."""
    sliced = [one.standing for one in running if not one.standing.meaning.is_rowwise]
    lags = [(now_us - one.done_us) / 1e6 for one in sliced if one.watermark_us is not None]
    failing = sum(one.state in (RunState.FAILED, RunState.FAILING) for one in running)
    return {
        "penstock_sql_queries": len(running),
        "penstock_sql_queries_failing": failing,
        "penstock_sql_slices_total": sum(one.slices for one in running),
        "penstock_sql_repairs_total": sum(one.repairs for one in running),
        "penstock_sql_late_rows_total": sum(one.standing.late_rows for one in running),
        "penstock_sql_lag_seconds": max(lags, default=0.0),
    }
