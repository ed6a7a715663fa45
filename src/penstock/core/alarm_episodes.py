"""Activations of alarms, and what a rule would have raised over the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One activation: from when a condition held until it was cleared. Microseconds UTC.

    Attributes:
        start_us: The condition holds since then.
        raised_us: The alarm is raised since then: it has held for the hold time.
        cleared_us: It returned to normal then; None while it has not.
        occurrences: How often the condition came true in it.
        values: Of the row that began it.
    """

    start_us: int
    raised_us: int
    cleared_us: int | None = None
    occurrences: int = 1
    values: Mapping[str, Any] = {}


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """An activation of one key, as a backtest finds it.

    Attributes:
        key: As of alarms.
        subject: What it is about, for people.
        span: When it was active; without an end when it runs at the end of the range.
        message: What people would have been told.
        suppressed: When in it the state of another rule would have suppressed it: pairs of
            start and end, microseconds UTC, by time.
        flapping: Whether it comes too often to be told of.
        is_told: Whether people would have been told of it at all.
    """

    key: str
    subject: str
    span: Span
    message: str = ""
    suppressed: Sequence[tuple[int, int]] = ()
    flapping: bool = False
    is_told: bool = True


class BacktestState(StrEnum):
    """How a backtest fares."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AlarmBacktest(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have raised over a range of event time.

    Attributes:
        id: Unique while the platform runs.
        state: How it fares. One that failed or was cancelled has what it had found until then.
        progress: 0 to 1; what it was when it failed or was cancelled.
        start_us: Of the range.
        end_us: Of the range, exclusive.
        ended_us: When it was done, failed or was cancelled, microseconds UTC; None while it runs.
        rows: Rows of the query looked at.
        episodes: Found so far, by time; at most as many as the settings say.
        count: How many there are.
        keys: How many keys had one.
        active_s: Sum of their lengths within the range.
        longest_s: The longest of them.
        told: Of how many people would have been told.
        suppressed_s: How long they would have been suppressed, in all.
        message: What went wrong, or "".
    """

    id: int
    state: BacktestState
    progress: float
    start_us: int
    end_us: int
    ended_us: int | None = None
    rows: int = 0
    episodes: Sequence[Episode] = ()
    count: int = 0
    keys: int = 0
    active_s: float = 0.0
    longest_s: float = 0.0
    told: int = 0
    suppressed_s: float = 0.0
    message: str = ""
