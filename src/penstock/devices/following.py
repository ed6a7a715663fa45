"""Following logs: new lines go to whoever follows, without ever waiting for them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

from penstock.core.device_logs import LogLine, LogQuery

#: Lines that wait for one follower at most; the oldest are skipped.
MAX_WAITING = 10_000


class FollowingQueue:
    """One follower's queue. See `core.device_logs.Following`."""

    def __init__(self, followers: Followers, query: LogQuery) -> None:
        self.query = query
        self.loop = asyncio.get_running_loop()
        self._followers = followers
        self._lock = threading.Lock()
        self._lines: deque[LogLine] = deque(maxlen=MAX_WAITING)
        self._is_skipped = False
        self._event = asyncio.Event()

    def put(self, lines: Sequence[LogLine]) -> None:
        """Queue lines and wake who waits; from any thread."""
        with self._lock:
            self._is_skipped |= len(self._lines) + len(lines) > MAX_WAITING
            self._lines.extend(lines)
        try:
            self.loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed
            self.close()

    async def next(self) -> tuple[Sequence[LogLine], bool]:
        """Wait for lines and return all that wait, and whether some were skipped."""
        while True:
            self._event.clear()
            with self._lock:
                lines = list(self._lines)
                self._lines.clear()
                is_skipped, self._is_skipped = self._is_skipped, False
            if lines:
                return lines, is_skipped
            await self._event.wait()

    def close(self) -> None:
        """Stop following. Safe to call twice."""
        self._followers.remove(self)


class Followers:
    """All who follow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: list[FollowingQueue] = []

    def add(self, query: LogQuery) -> FollowingQueue:
        """Let someone follow; called in the event loop that will wait."""
        follower = FollowingQueue(self, query)
        with self._lock:
            self._queues.append(follower)
        return follower

    def remove(self, follower: FollowingQueue) -> None:
        """Forget a follower; does nothing if it is forgotten already."""
        with self._lock:
            if follower in self._queues:
                self._queues.remove(follower)

    def tell(self, lines: Sequence[LogLine]) -> None:
        """Hand lines to those who want them."""
        if not lines:
            return
        with self._lock:
            queues = list(self._queues)
        for follower in queues:
            wanted = [line for line in lines if follower.query.takes(line)]
            if wanted:
                follower.put(wanted)
