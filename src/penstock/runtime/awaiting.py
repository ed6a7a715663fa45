"""Waiting for ingest: any number of clients, one look at its position for all of them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class Awaited:
    """Wakes those who wait for a position, in one event loop; waiting costs no thread.

    Args:
        position: Gives the position now.
        hurry: Asks for it to move soon.
        every_s: Time between two looks while anybody waits, seconds.
    """

    def __init__(
        self, position: Callable[[], int], hurry: Callable[[], None], every_s: float
    ) -> None:
        self._position = position
        self._hurry = hurry
        self._every_s = every_s
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._looking: asyncio.Task[None] | None = None

    async def reach(self, offset: int, timeout_s: float) -> bool:
        """Wait until the position is at an offset and return whether it is."""
        if self._position() >= offset:
            return True
        loop = asyncio.get_running_loop()
        reached: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (offset, next(self._numbers), reached))
        self._hurry()
        if self._looking is None or self._looking.done():
            self._looking = loop.create_task(self._look())
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except TimeoutError:
            return self._position() >= offset
        return True

    async def _look(self) -> None:
        while self._waiting:
            position = self._position()
            while self._waiting and self._waiting[0][0] <= position:
                reached = heapq.heappop(self._waiting)[2]
                if not reached.done():
                    reached.set_result(None)
            self._waiting = [one for one in self._waiting if not one[2].done()]
            heapq.heapify(self._waiting)
            if self._waiting:
                await asyncio.sleep(self._every_s)
