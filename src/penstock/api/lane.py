"""A narrow lane for calls in threads: few at once, so that they do not fight over the interpreter.

Python runs one thread at a time. Threads that all have a little to do hand it to each other at
every call into Arrow or SQLite, and with eight of them half of the processor's time goes into the
handing over. So a call begins when one of the places is free. Whoever takes longer than a moment
leaves the lane and goes on beside it: slow calls keep nobody waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

#: Calls that are in the lane at once.
PLACES = 1
#: After so long a call gives its place to another one, seconds.
MOMENT_S = 0.02


class Lane:
    """Lets calls begin one after the other. For use in one event loop.

    Args:
        places: Calls at once.
        moment_s: After so long a call no longer counts, seconds.
    """

    def __init__(self, places: int = PLACES, moment_s: float = MOMENT_S) -> None:
        self._gate = asyncio.Semaphore(places)
        self._moment_s = moment_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it until the block ends or a moment is over."""
        await self._gate.acquire()
        place = _Place(self._gate)
        timer = asyncio.get_running_loop().call_later(self._moment_s, place.leave)
        try:
            yield
        finally:
            timer.cancel()
            place.leave()


class _Place:
    """A place in the lane, which is left once."""

    __slots__ = ("_gate",)

    def __init__(self, gate: asyncio.Semaphore) -> None:
        self._gate: asyncio.Semaphore | None = gate

    def leave(self) -> None:
        if self._gate is not None:
            self._gate.release()
            self._gate = None
