"""What waits to be sent, in order: in memory, or in a folder (`folder_spool`)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from penstock.core.errors import Backpressure


class Spool(Protocol):
    """Keeps records in order. One thread appends at a time, another may read and trim."""

    stamped_us: int

    def append(self, records: Sequence[bytes], stamped_us: int = 0) -> int:
        """Keep records and return the number of the last.

        Raises:
            Backpressure: There is no room; nothing was kept.
        """
        ...

    def read(self, after: int, count: int) -> list[tuple[int, bytes]]:
        """Return up to `count` records by number, those behind `after`."""
        ...

    def trim(self, until: int) -> None:
        """Forget all records up to this number."""
        ...

    def sync(self) -> None:
        """Bring what was appended to the disk, so that a power cut cannot take it."""
        ...

    def note(self) -> None:
        """Write down now what was trimmed, so that a crash of the program does not undo it."""
        ...

    @property
    def trimmed(self) -> int:
        """Number of the last record that is forgotten; 0 at first."""
        ...

    @property
    def last(self) -> int:
        """Number of the last record; 0 at first."""
        ...

    @property
    def dropped(self) -> int:
        """How many were dropped for lack of room, since this was opened."""
        ...

    def close(self) -> None:
        """Release; a folder keeps what waits. Safe to call twice."""
        ...


def full(what: str, most: int) -> Backpressure:
    """Return the error of a spool that is full."""
    return Backpressure(
        f"{what} holds {most} bytes that wait to be sent, which is all it may; connect again, "
        "allow more, or let it drop the oldest (drop_oldest)",
        retry_after_s=1.0,
    )


class MemorySpool:
    """Keeps records in memory; they are gone with the process."""

    def __init__(self, max_bytes: int, *, drop_oldest: bool) -> None:
        self.stamped_us = 0
        self.dropped = 0
        self.last = 0
        self.trimmed = 0
        self._max_bytes = max_bytes
        self._drop_oldest = drop_oldest
        self._records: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, records: Sequence[bytes], stamped_us: int = 0) -> int:
        """Keep records."""
        size = sum(map(len, records))
        with self._lock:
            while self._bytes + size > self._max_bytes:
                if not self._drop_oldest or size > self._max_bytes or not self._records:
                    raise full("the buffer in memory", self._max_bytes)
                self._bytes -= len(self._records.popleft())
                self.trimmed += 1
                self.dropped += 1
            self._records.extend(records)
            self._bytes += size
            self.last += len(records)
            self.stamped_us = max(self.stamped_us, stamped_us)
            return self.last

    def read(self, after: int, count: int) -> list[tuple[int, bytes]]:
        """Return records behind `after`."""
        with self._lock:
            first = max(after - self.trimmed, 0)
            start = self.trimmed + first + 1
            return list(enumerate(islice(self._records, first, first + count), start))

    def trim(self, until: int) -> None:
        """Forget records."""
        with self._lock:
            while self._records and self.trimmed < until:
                self._bytes -= len(self._records.popleft())
                self.trimmed += 1

    def sync(self) -> None:
        """Do nothing."""

    def note(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
