"""Time as microseconds since 1970-01-01T00:00:00Z, and a clock that tests can turn."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; the only way code here learns it, so that tests can set it."""

    def now_us(self) -> int:
        """Return wall-clock time in microseconds since the Unix epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return wall-clock time in microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        return time.monotonic()


#: How far arrival times may run ahead of the clock, in microseconds: a burst of a million messages.
#: A clock that was set back by more is believed at once.
MAX_AHEAD_US = 1_000_000


def is_older(at_us: int, held_us: int | None, now_us: int) -> bool:
    """Tell whether news is older than what is held of the same, and is to be passed over.

    News may come twice, and late. What is held from a time that is still to come was written down
    by a clock that was wrong then: it is older than anything.
    """
    return held_us is not None and at_us < held_us <= now_us + MAX_AHEAD_US


class Arrivals:
    """Gives messages their arrival times, so that no two of one writer share a microsecond.

    A device without a clock is told apart by arrival times alone, and an observation is
    identified by its time: two values in one packet of the network must not become one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_us = 0

    def stamp(self, count: int) -> int:
        """Return when the first of `count` messages arrived; each further one is 1 us later."""
        now_us = self._clock.now_us()
        if 0 < self._next_us - now_us <= MAX_AHEAD_US:
            now_us = self._next_us
        self._next_us = now_us + count
        return now_us


class ManualClock:
    """A clock that stands still until it is told to move; for tests."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self._now_us = now_us
        self._passed_s = 0.0

    def now_us(self) -> int:
        """Return the time it was last set to."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Return seconds advanced since it was made."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_us += round(seconds * 1e6)
        self._passed_s += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, while no time passes."""
        self._now_us += round(seconds * 1e6)
