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


class ManualClock:
    """A clock that stands still until it is told to move; for tests."""

    def __init__(self, now_us: int = 1_700_000_000_000_000) -> None:
        self._now_us = now_us
        self._start_us = now_us

    def now_us(self) -> int:
        """Return the time it was last set to."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Return seconds advanced since it was made."""
        return (self._now_us - self._start_us) / 1e6

    def advance(self, seconds: float) -> None:
        """Move forward (or, to test clock jumps, back) by `seconds`."""
        self._now_us += round(seconds * 1e6)
