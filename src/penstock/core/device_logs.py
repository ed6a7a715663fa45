"""Logs of devices: lines, which of them are wanted, and the contract of who keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec


class Level(StrEnum):
    """How much a line of a device's log matters."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a device's log.

    Attributes:
        id: Ascending in the order in which lines came.
        device: Name of the device.
        system: Its system.
        time_us: When the device says that it was, else when it arrived.
        level: How much it matters.
        message: The text.
    """

    id: int = 0
    device: str
    system: int = 1
    time_us: int
    level: Level
    message: str


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines, newest first.

    Attributes:
        devices: Names; None is all.
        systems: Systems; None is all.
        things: (system, name) pairs that may be read beside those of `systems`.
        levels: Levels; empty is all.
        words: Each occurs in the text, upper and lower case alike.
        from_us: Not older.
        until_us: Older than this.
        before: Continue behind the line with this (time, id).
        limit: At most so many.
    """

    devices: Sequence[str] | None = None
    systems: frozenset[int] | None = None
    things: frozenset[tuple[int, str]] = frozenset()
    levels: frozenset[Level] = frozenset()
    words: Sequence[str] = ()
    from_us: int | None = None
    until_us: int | None = None
    before: tuple[int, int] | None = None
    limit: int = 100

    def takes(self, line: LogLine) -> bool:
        """Tell whether a line is among them; `before` and `limit` aside."""
        text = line.message.lower()
        return (
            (self.devices is None or line.device in self.devices)
            and (
                self.systems is None
                or line.system in self.systems
                or (line.system, line.device) in self.things
            )
            and (not self.levels or line.level in self.levels)
            and (self.from_us is None or line.time_us >= self.from_us)
            and (self.until_us is None or line.time_us < self.until_us)
            and all(word.lower() in text for word in self.words)
        )


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that were found, newest first.

    Attributes:
        lines: The lines; perhaps none, although there are older ones.
        next: The (time, id) behind which to go on; None when that was all.
        is_cut: Whether it ends here because enough lines were looked at, not because there are
            enough.
    """

    lines: Sequence[LogLine]
    next: tuple[int, int] | None = None
    is_cut: bool = False


class Following(Protocol):
    """One follower's queue; used from one asyncio task."""

    async def next(self) -> tuple[Sequence[LogLine], bool]:
        """Wait for lines and return all that wait, and whether some were skipped."""
        ...

    def close(self) -> None:
        """Stop following. Safe to call twice."""
        ...


class DeviceLogs(Protocol):
    """Keeps the logs of devices. Safe to call from any thread."""

    def append(self, lines: Sequence[LogLine]) -> int:
        """Keep lines, durably; those held already are left out. Returns how many are new.

        A line is known by device, time, level and text, so sending it twice is harmless.

        Raises:
            Backpressure: Nothing was kept.
        """
        ...

    def search(self, query: LogQuery) -> LogPage:
        """Return a page of lines, newest first; the work for it is bounded."""
        ...

    def follow(self, query: LogQuery) -> Following:
        """Follow lines that are kept from now on; called in the event loop that will wait."""
        ...

    def delete(self, system: int, device: str) -> int:
        """Remove all lines of a device and return how many."""
        ...
