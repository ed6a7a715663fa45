"""What a rule would have raised over a range: the same fold as live, over the rows in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.alarms.changing import differences
from penstock.alarms.folding import Outcome
from penstock.alarms.messages import render
from penstock.alarms.rows import Shape, subject_of
from penstock.alarms.runs import Runs
from penstock.alarms.step import FLAPPING_US, default_message
from penstock.alarms.suppression import spot_of
from penstock.alarms.watching import fold_of, query_of, shape_of
from penstock.core.alarm_episodes import AlarmBacktest, Episode, Span
from penstock.core.alarm_rules import RuleSpec
from penstock.core.queries import Query, Streams

#: Called with the share that is done, 0 to 1; raises to give up.
Progress = Callable[[float], None]
#: Rows that are folded between two looks at whether somebody still wants to know.
CHUNK_ROWS = 10_000


class Trial(msgspec.Struct, frozen=True):
    """A rule that is tried on the past.

    Attributes:
        spec: What is said of it.
        query: Its query.
        shape: Of that.
        expected: Who must send, by key, for a rule about absence.
    """

    spec: RuleSpec
    query: Query
    shape: Shape
    expected: Mapping[str, Mapping[str, Any]] = {}


def trial_of(
    streams: Streams, spec: RuleSpec, system: int, expected: Mapping[str, Mapping[str, Any]]
) -> Trial:
    """Return what is needed to try a rule.

    Raises:
        InvalidInput: It cannot be run.
    """
    query = query_of(spec, system)
    return Trial(spec, query, shape_of(spec, streams.explain(query)), expected)


class Stretches:
    """When a rule was active, by what its alarms say in some columns.

    Args:
        columns: What must be the same for one alarm to suppress another.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._found: dict[bytes, list[tuple[int, int]]] = {}

    def add(self, values: Mapping[str, Any], start_us: int, end_us: int) -> None:
        """Add an activation."""
        if start_us < end_us:
            spot = spot_of(values, self._columns)
            self._found.setdefault(spot, []).append((start_us, end_us))

    def merge(self) -> None:
        """Put in order what was added, before it is asked for."""
        for spot, some in self._found.items():
            self._found[spot] = union(some)

    def within(
        self, values: Mapping[str, Any], start_us: int, end_us: int
    ) -> list[tuple[int, int]]:
        """Return the parts of a range in which it was active."""
        some = self._found.get(spot_of(values, self._columns), [])
        low = bisect_right(some, start_us, key=lambda one: one[1])
        high = bisect_left(some, end_us, key=lambda one: one[0])
        return [(max(start, start_us), min(end, end_us)) for start, end in some[low:high]]


class Tally:
    """Counts the episodes of a rule, and lists the first of them.

    Args:
        trial: The rule.
        made: The backtest: its range.
        limit: How many are listed.
        above: When rules were active that suppress it.
    """

    def __init__(
        self, trial: Trial, made: AlarmBacktest, limit: int, above: Sequence[Stretches]
    ) -> None:
        self._trial = trial
        self._made = made
        self._limit = limit
        self._above = above
        self._going: dict[tuple[str, int], Episode] = {}
        self._listed: dict[tuple[str, int], Episode] = {}
        self._raised: dict[str, deque[int]] = {}
        self._flapping: set[tuple[str, int]] = set()
        self._keys: set[str] = set()
        self._ended = _Sums()
        self.rows = 0

    def take(self, outcome: Outcome) -> None:
        """Take what rows changed."""
        for key, (before, after) in outcome.changed.items():
            for was, now in differences(before, after):
                if was is not None:
                    self._remove(key, was)
                if now is not None:
                    self._add(key, now)

    def summary(self, share: float) -> AlarmBacktest:
        """Return the backtest with what was found so far."""
        going = [self._judged(one) for one in self._going.values()]
        sums = self._ended
        for one in going:
            sums = sums.with_(one, self._made.end_us, 1)
        listed = sorted((*self._listed.values(), *going), key=_place)[: self._limit]
        return msgspec.structs.replace(
            self._made,
            progress=share,
            rows=self.rows,
            episodes=listed,
            count=sums.count,
            keys=len(self._keys),
            active_s=sums.active_us / 1e6,
            longest_s=sums.longest_us / 1e6,
            told=sums.told,
            suppressed_s=sums.suppressed_us / 1e6,
        )

    # How

    def _add(self, key: str, span: Span) -> None:
        at = (key, span.start_us)
        self._keys.add(key)
        limit = self._trial.spec.flapping
        if limit:
            recent = self._raised.setdefault(key, deque(maxlen=limit + 1))
            if not recent or recent[-1] < span.raised_us:
                recent.append(span.raised_us)
                if len(recent) > limit and recent[-1] - recent[0] < FLAPPING_US:
                    self._flapping.add(at)
        made = self._episode(key, span, at in self._flapping)
        if span.cleared_us is None:
            self._going[at] = made
            return
        self._flapping.discard(at)
        made = self._judged(made)
        self._ended = self._ended.with_(made, self._made.end_us, 1)
        if len(self._listed) < self._limit:
            self._listed[at] = made

    def _remove(self, key: str, span: Span) -> None:
        at = (key, span.start_us)
        if self._going.pop(at, None) is None:
            made = self._listed.pop(at, None) or self._judged(self._episode(key, span, False))
            self._ended = self._ended.with_(made, self._made.end_us, -1)

    def _episode(self, key: str, span: Span, is_flapping: bool) -> Episode:
        spec = self._trial.spec
        subject = subject_of(key, span.values, self._trial.shape.keys)
        message = render(
            spec.message or default_message(spec),
            span.values,
            subject=subject,
            rule=spec.name,
            severity=spec.severity.value,
        )
        return Episode(key=key, subject=subject, span=span, message=message, flapping=is_flapping)

    def _judged(self, made: Episode) -> Episode:
        """Return an episode with when it was suppressed, and whether people were told."""
        start_us, end_us = made.span.raised_us, _end(made.span, self._made.end_us)
        values = made.span.values
        some = [part for one in self._above for part in one.within(values, start_us, end_us)]
        suppressed = union(some)
        is_told = not made.flapping and suppressed != [(start_us, end_us)]
        if not suppressed and is_told:
            return made
        return msgspec.structs.replace(made, suppressed=suppressed, is_told=is_told)


class _Sums(msgspec.Struct, frozen=True):
    """Figures over episodes."""

    count: int = 0
    told: int = 0
    active_us: int = 0
    suppressed_us: int = 0
    longest_us: int = 0

    def with_(self, one: Episode, end_us: int, sign: int) -> _Sums:
        """Return them with an episode more (1), or less (-1)."""
        length_us = _end(one.span, end_us) - one.span.raised_us
        quiet_us = sum(end - start for start, end in one.suppressed)
        return _Sums(
            self.count + sign,
            self.told + sign * one.is_told,
            self.active_us + sign * length_us,
            self.suppressed_us + sign * quiet_us,
            max(self.longest_us, length_us),
        )


def fold_over(
    streams: Streams,
    trial: Trial,
    start_us: int,
    end_us: int,
    take: Callable[[Outcome, int], None],
    progress: Progress,
) -> None:
    """Fold the rows of a range in order, and hand on what they change, and how many there were.

    An episode that runs at the start of the range begins there; one that runs at its end has none.
    """
    fold = fold_of(trial.spec, trial.shape)
    if isinstance(fold, Runs) and trial.expected:
        take(fold.expect(trial.expected, start_us, start_us), 0)
    done = 0.0

    def tell(share: float) -> None:
        nonlocal done
        done = max(done, share)
        progress(done)

    for part in streams.over(trial.query, start_us, end_us, tell):
        for at in range(0, part.num_rows, CHUNK_ROWS):
            take(fold.put(part.slice(at, CHUNK_ROWS), None, None), fold.rows)
            tell((fold.newest_us - start_us) / (end_us - start_us))
    if isinstance(fold, Runs):
        take(fold.count(fold.uncounted()), fold.rows)
    take(fold.advance(end_us), fold.rows)


def stretches_of(
    streams: Streams,
    trial: Trial,
    columns: Sequence[str],
    start_us: int,
    end_us: int,
    progress: Progress,
) -> Stretches:
    """Return when a rule was active over a range, to tell what it suppressed."""
    found = Stretches(columns)
    going: dict[tuple[str, int], Span] = {}

    def take(outcome: Outcome, _: int) -> None:
        for key, (before, after) in outcome.changed.items():
            for was, now in differences(before, after):
                if was is not None:
                    going.pop((key, was.start_us), None)
                if now is None:
                    continue
                if now.cleared_us is None:
                    going[key, now.start_us] = now
                else:
                    found.add(now.values, now.raised_us, now.cleared_us)

    fold_over(streams, trial, start_us, end_us, take, progress)
    for span in going.values():
        found.add(span.values, span.raised_us, end_us)
    found.merge()
    return found


def union(some: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of ranges, by time; those that touch become one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(some):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _end(span: Span, end_us: int) -> int:
    return end_us if span.cleared_us is None else span.cleared_us


def _place(one: Episode) -> tuple[int, str]:
    return one.span.start_us, one.key
