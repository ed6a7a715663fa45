"""Backtests: what a rule would have raised over a range of the past."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from penstock.alarms.changing import differences
from penstock.alarms.folding import Outcome
from penstock.alarms.messages import render
from penstock.alarms.rows import Shape, subject_of
from penstock.alarms.watching import fold_of, query_of, shape_of
from penstock.core.alarms import AlarmBacktest, BacktestState, Episode, RuleSpec, Span
from penstock.core.errors import InvalidInput, NotFound, PenstockError, TooManyRequests
from penstock.core.queries import Query, Streams

_log = logging.getLogger(__name__)

#: Backtests that run at one time; that wait or run; and that are remembered.
RUNNING, WAITING, REMEMBERED = 1, 8, 50


class _Cancelled(Exception):
    """Somebody does not want to know any more."""


def episodes_over(
    streams: Streams, spec: RuleSpec, query: Query, shape: Shape, start_us: int, end_us: int
) -> Iterator[tuple[float, int, list[Episode]]]:
    """Give (share done, rows, all episodes so far changed since the last part) over a range.

    The same fold as live, over the rows in order: an episode that runs at the start of the range
    begins there, one that runs at its end has no end.
    """
    fold = fold_of(spec, shape)
    found: dict[tuple[str, int], Episode] = {}
    for part in streams.over(query, start_us, end_us):
        _note(found, fold.put(part, None, None), spec, shape)
        share = (fold.newest_us - start_us) / (end_us - start_us)
        yield min(max(share, 0.0), 1.0), fold.rows, _sorted(found)
    _note(found, fold.advance(end_us), spec, shape)
    yield 1.0, fold.rows, _sorted(found)


class Backtests:
    """Runs backtests, one after the other, and remembers the last ones.

    Args:
        streams: Computes queries over the past.
        max_episodes: How many are listed at most.
    """

    def __init__(self, streams: Streams, max_episodes: int) -> None:
        self._streams = streams
        self._max_episodes = max_episodes
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._known: dict[int, tuple[object, AlarmBacktest]] = {}
        self._pool = ThreadPoolExecutor(RUNNING, "backtest")

    def begin(
        self, owner: object, spec: RuleSpec, system: int, start_us: int, end_us: int
    ) -> AlarmBacktest:
        """Begin one.

        Raises:
            InvalidInput: The rule cannot be run, or the range is empty.
            TooManyRequests: Too many wait.
        """
        if start_us >= end_us:
            msg = "the range is empty: its start must be before its end"
            raise InvalidInput(msg)
        query = query_of(spec, system)
        shape = shape_of(spec, self._streams.explain(query))
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
        self._pool.submit(self._run, made, spec, query, shape)
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

    def cancel(self, owner: object, id_: int) -> None:
        """End one and forget it."""
        self.get(owner, id_)
        with self._lock:
            self._known.pop(id_, None)

    def close(self) -> None:
        """Cancel all."""
        with self._lock:
            self._known.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, made: AlarmBacktest, spec: RuleSpec, query: Query, shape: Shape) -> None:
        try:
            parts = episodes_over(self._streams, spec, query, shape, made.start_us, made.end_us)
            for share, rows, episodes in parts:
                self._tell(summary(made, share, rows, episodes, self._max_episodes))
            with self._lock:
                owner, last = self._known[made.id]
                done = msgspec.structs.replace(last, state=BacktestState.DONE, progress=1.0)
                self._known[made.id] = (owner, done)
        except (_Cancelled, KeyError):
            return
        except PenstockError as error:
            self._fail(made, str(error))
        except Exception:
            _log.exception("a backtest of %s failed", spec.name)
            self._fail(made, "it failed; the log of the platform says why")

    def _tell(self, now: AlarmBacktest) -> None:
        with self._lock:
            if now.id not in self._known:
                raise _Cancelled
            self._known[now.id] = (self._known[now.id][0], now)

    def _fail(self, made: AlarmBacktest, message: str) -> None:
        with self._lock:
            if made.id in self._known:
                owner, last = self._known[made.id]
                failed = msgspec.structs.replace(last, state=BacktestState.FAILED, message=message)
                self._known[made.id] = (owner, failed)


def summary(
    made: AlarmBacktest, share: float, rows: int, episodes: Sequence[Episode], limit: int
) -> AlarmBacktest:
    """Return a backtest with what was found so far."""
    lengths = [
        (made.end_us if one.span.cleared_us is None else one.span.cleared_us) - one.span.raised_us
        for one in episodes
    ]
    return msgspec.structs.replace(
        made,
        progress=share,
        rows=rows,
        episodes=list(episodes[:limit]),
        count=len(episodes),
        keys=len({one.key for one in episodes}),
        active_s=sum(lengths) / 1e6,
        longest_s=max(lengths, default=0) / 1e6,
    )


def _sorted(found: dict[tuple[str, int], Episode]) -> list[Episode]:
    return sorted(found.values(), key=lambda one: (one.span.start_us, one.key))


def _note(
    found: dict[tuple[str, int], Episode], outcome: Outcome, spec: RuleSpec, shape: Shape
) -> None:
    for key, (before, after) in outcome.changed.items():
        for was, now in differences(before, after):
            if was is not None:
                found.pop((key, was.start_us), None)
            if now is not None:
                found[key, now.start_us] = _episode(key, now, spec, shape)


def _episode(key: str, span: Span, spec: RuleSpec, shape: Shape) -> Episode:
    subject = subject_of(key, span.values, shape.keys)
    message = render(
        spec.message or "{subject}: {rule}",
        span.values,
        subject=subject,
        rule=spec.name,
        severity=spec.severity.value,
    )
    return Episode(key=key, subject=subject, span=span, message=message)
