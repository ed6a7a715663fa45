"""Backtests: what a rule would have raised over a range of the past."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from penstock.alarms.episodes import Progress, Tally, Trial, fold_over, stretches_of
from penstock.alarms.folding import Outcome
from penstock.core.alarm_episodes import AlarmBacktest, BacktestState
from penstock.core.clock import Clock
from penstock.core.errors import InvalidInput, NotFound, PenstockError, TooManyRequests
from penstock.core.queries import Streams

_log = logging.getLogger(__name__)

#: Backtests that run at one time; that wait or run; and that are remembered.
RUNNING, WAITING, REMEMBERED = 1, 8, 50
#: How often it is told what was found so far, in seconds.
TELL_EVERY_S = 0.2


class _Cancelled(Exception):
    """Somebody does not want to know any more."""


class Backtests:
    """Runs backtests, one after the other, and remembers the last ones.

    Args:
        streams: Computes queries over the past.
        max_episodes: How many are listed at most.
        clock: Tells when they end.
    """

    def __init__(self, streams: Streams, max_episodes: int, clock: Clock) -> None:
        self._streams = streams
        self._max_episodes = max_episodes
        self._clock = clock
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._known: dict[int, tuple[object, AlarmBacktest]] = {}
        self._pool = ThreadPoolExecutor(RUNNING, "backtest")

    def begin(
        self, owner: object, trial: Trial, above: Sequence[Trial], start_us: int, end_us: int
    ) -> AlarmBacktest:
        """Begin one.

        Args:
            owner: Who may ask how it fares.
            trial: The rule.
            above: The rules that suppress it.
            start_us: Of the range.
            end_us: Of the range, exclusive.

        Raises:
            InvalidInput: The range is empty.
            TooManyRequests: Too many wait.
        """
        if start_us >= end_us:
            msg = "the range is empty: its start must be before its end"
            raise InvalidInput(msg)
        with self._lock:
            going = sum(one.state is BacktestState.RUNNING for _, one in self._known.values())
            if going >= WAITING:
                msg = f"{going} backtests run or wait already; wait for one, or cancel it"
                raise TooManyRequests(msg, retry_after_s=5.0)
            id_ = next(self._ids)
            made = AlarmBacktest(
                id=id_,
                state=BacktestState.RUNNING,
                progress=0.0,
                start_us=start_us,
                end_us=end_us,
            )
            self._known[id_] = (owner, made)
            while len(self._known) > REMEMBERED:
                oldest = next(iter(self._known))
                del self._known[oldest]
        self._pool.submit(self._run, made, trial, above)
        return made

    def get(self, owner: object, id_: int) -> AlarmBacktest:
        """Return how one fares.

        Raises:
            NotFound: There is none of this owner.
        """
        with self._lock:
            whose, found = self._known.get(id_, (None, None))
        if found is None or whose != owner:
            msg = f"there is no backtest with id {id_} (any more)"
            raise NotFound(msg)
        return found

    def cancel(self, owner: object, id_: int) -> AlarmBacktest:
        """End one, and return it as it is remembered: with what it had found when it last told.

        Raises:
            NotFound: There is none of this owner.
        """
        self.get(owner, id_)
        self._end(id_, BacktestState.CANCELLED)
        return self.get(owner, id_)

    def close(self) -> None:
        """Cancel all."""
        with self._lock:
            self._known.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, made: AlarmBacktest, trial: Trial, above: Sequence[Trial]) -> None:
        start_us, end_us = made.start_us, made.end_us
        parts = len(above) + 1
        try:
            self._still(made.id)
            on = trial.spec.suppressed_on
            stretches = [
                stretches_of(
                    self._streams, one, on, start_us, end_us, self._teller(made, at, parts)
                )
                for at, one in enumerate(above)
            ]
            tally = Tally(trial, made, self._max_episodes, stretches)

            def take(outcome: Outcome, rows: int) -> None:
                tally.rows = rows
                tally.take(outcome)

            tell = self._teller(made, parts - 1, parts, tally.summary)
            fold_over(self._streams, trial, start_us, end_us, take, tell)
            self._tell(tally.summary(1.0))
            self._end(made.id, BacktestState.DONE)
        except _Cancelled:
            return
        except PenstockError as error:
            self._end(made.id, BacktestState.FAILED, str(error))
        except Exception:
            _log.exception("a backtest of %s failed", trial.spec.name)
            why = "it failed; the log of the platform says why"
            self._end(made.id, BacktestState.FAILED, why)

    def _teller(
        self,
        made: AlarmBacktest,
        part: int,
        parts: int,
        summary: Callable[[float], AlarmBacktest] | None = None,
    ) -> Progress:
        """Return what tells how far one of several passes over the range is, now and then."""
        last_s = 0.0

        def tell(share: float) -> None:
            nonlocal last_s
            now_s = time.monotonic()
            if now_s - last_s < TELL_EVERY_S:
                self._still(made.id)
                return
            last_s = now_s
            share = (part + min(max(share, 0.0), 1.0)) / parts
            now = msgspec.structs.replace(made, progress=share)
            self._tell(summary(share) if summary else now)

        return tell

    def _still(self, id_: int) -> None:
        with self._lock:
            self._running(id_)

    def _tell(self, now: AlarmBacktest) -> None:
        with self._lock:
            owner, _ = self._running(now.id)
            self._known[now.id] = (owner, now)

    def _running(self, id_: int) -> tuple[object, AlarmBacktest]:
        """Return one that somebody still wants; the lock is held."""
        owner, held = self._known.get(id_, (None, None))
        if held is None or held.state is not BacktestState.RUNNING:
            raise _Cancelled
        return owner, held

    def _end(self, id_: int, state: BacktestState, message: str = "") -> None:
        """Let one that runs be over, with what it last told."""
        with self._lock:
            owner, held = self._known.get(id_, (None, None))
            if held is None or held.state is not BacktestState.RUNNING:
                return
            ended = msgspec.structs.replace(
                held, state=state, message=message, ended_us=self._clock.now_us()
            )
            self._known[id_] = (owner, ended)
