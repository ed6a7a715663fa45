"""The time that retention may believe: a clock that jumps ahead must not delete what is young."""

from __future__ import annotations

import threading

import msgspec

from penstock.core.clock import Clock


class ClockMark(msgspec.Struct, frozen=True, kw_only=True):
    """What a settled clock knows, kept while the platform does not run.

    Attributes:
        believed_us: The time that was believed last.
        ahead_s: For how long, while running, the clock has been too far ahead of it.
    """

    believed_us: int
    ahead_s: float = 0.0


class SettledClock:
    """A clock whose jumps ahead are believed only when they have stood for long enough.

    Time that passes while the platform runs is known from the monotonic clock. When the wall clock
    is further ahead of that than a margin, something is wrong: a bad battery, a bad time server, a
    wrong command. Or the platform was away for long. Nobody can tell these apart at once, so the
    time goes on from what was believed until the clock has stood at the new time for `settle_s` of
    running. A clock that goes back is believed at once: less is deleted then. Safe to use from any
    thread.

    Args:
        clock: The machine's.
        margin_s: How far the clock may jump ahead and be believed.
        settle_s: How long it must stand further ahead until it is.
        mark: What was known when the platform last ran; None when there is nothing.
    """

    def __init__(
        self, clock: Clock, margin_s: float, settle_s: float, mark: ClockMark | None = None
    ) -> None:
        self._clock = clock
        self._margin_us = round(margin_s * 1e6)
        self._settle_s = settle_s
        self._lock = threading.Lock()
        self._believed_us = clock.now_us() if mark is None else mark.believed_us
        self._ahead_s = 0.0 if mark is None else mark.ahead_s
        self._looked_s = clock.monotonic_s()
        self._looked_us = clock.now_us()

    def now_us(self) -> int:
        """Return the time that may be believed, microseconds since the Unix epoch, UTC."""
        with self._lock:
            self._look()
            return self._believed_us

    @property
    def ahead_s(self) -> float:
        """By how much the machine's clock is ahead of what is believed, in seconds."""
        with self._lock:
            self._look()
            return max(0.0, (self._looked_us - self._believed_us) / 1e6)

    def mark(self) -> ClockMark:
        """Return what is to be known when the platform runs again."""
        with self._lock:
            self._look()
            return ClockMark(believed_us=self._believed_us, ahead_s=self._ahead_s)

    def _look(self) -> None:
        wall_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        passed_s = now_s - self._looked_s
        passed_us = round(passed_s * 1e6)
        has_jumped = wall_us - self._looked_us - passed_us > self._margin_us
        self._looked_us, self._looked_s = wall_us, now_s
        steady_us = self._believed_us + passed_us
        if wall_us - steady_us <= self._margin_us:
            self._believed_us, self._ahead_s = wall_us, 0.0
            return
        self._ahead_s = 0.0 if has_jumped else self._ahead_s + passed_s
        self._believed_us = steady_us
        if self._ahead_s >= self._settle_s:
            self._believed_us, self._ahead_s = wall_us, 0.0
