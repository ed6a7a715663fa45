"""Alarms that changed, handed to whoever watches, without ever waiting for them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence

from penstock.core.alarms import Act, Alarm

#: Changes that wait for one watcher; the oldest go first.
MAX_WAITING = 1000


class LiveAlarms:
    """Hands changes to watchers; `tell` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watches: set[Watching] = set()

    def tell(self, changes: Sequence[tuple[Act, Alarm]]) -> None:
        """Hand changes on."""
        with self._lock:
            watches = list(self._watches)
        for watch in watches:
            watch.put(changes)

    def watch(self, sees: Callable[[Alarm], bool]) -> Watching:
        """Watch what `sees` lets through; to be called in the event loop that will wait."""
        watching = Watching(sees, self._leave)
        with self._lock:
            self._watches.add(watching)
        return watching

    def _leave(self, watching: Watching) -> None:
        with self._lock:
            self._watches.discard(watching)


class Watching:
    """One watcher's queue. See `core.alarms.AlarmWatch`."""

    def __init__(self, sees: Callable[[Alarm], bool], leave: Callable[[Watching], None]) -> None:
        self._sees = sees
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Act, Alarm]] = deque(maxlen=MAX_WAITING)
        self._event = asyncio.Event()

    def put(self, changes: Sequence[tuple[Act, Alarm]]) -> None:
        """Queue changes."""
        seen = [change for change in changes if self._sees(change[1])]
        if seen and not self._loop.is_closed():
            self._waiting.extend(seen)
            self._loop.call_soon_threadsafe(self._event.set)

    async def next(self) -> Sequence[tuple[Act, Alarm]]:
        """Wait for changes and return all that wait."""
        while True:
            self._event.clear()
            found = []
            while self._waiting:
                found.append(self._waiting.popleft())
            if found:
                return found
            await self._event.wait()

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        self._leave(self)
