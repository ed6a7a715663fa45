"""Files that are no longer part of the lake, removed once nobody reads them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.core.clock import Clock


class Trash:
    """Counts readers by the version of the lake that they see. Safe from any thread."""

    def __init__(self, directory: Path, clock: Clock, grace_s: float) -> None:
        self._directory = directory
        self._clock = clock
        self._grace_s = grace_s
        self._version = 0
        self._readers: Counter[int] = Counter()
        self._waiting: list[tuple[int, float, str]] = []
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep everything that is not thrown away yet, for as long as the context lasts."""
        with self._lock:
            version = self._version
            self._readers[version] += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers[version] -= 1
                if not self._readers[version]:
                    del self._readers[version]

    def throw(self, paths: Iterable[str]) -> None:
        """Remove files when all who read now are done and the grace period is over."""
        now = self._clock.monotonic_s()
        with self._lock:
            self._waiting += [(self._version, now, path) for path in paths]
            self._version += 1

    def empty(self, *, at_once: bool = False) -> list[str]:
        """Remove what can be removed and return it; `at_once` without the grace period."""
        until = self._clock.monotonic_s() - self._grace_s
        with self._lock:
            oldest = min(self._readers, default=self._version)
            ready = [
                item for item in self._waiting if item[0] < oldest and (at_once or item[1] <= until)
            ]
            self._waiting = [item for item in self._waiting if item not in ready]
        for _, _, path in ready:
            (self._directory / path).unlink(missing_ok=True)
        return [path for _, _, path in ready]
