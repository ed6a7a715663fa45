"""What a consumer missed that the platform's log does not hold any more, read from the store.

The log keeps messages for days, the store keeps rows for good. The rows behind the newest one dealt
with are read, Datastream by Datastream. What comes by MQTT too is known by its identity: Datastream
and phenomenon time.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from penstock.client.inbox import Seen
from penstock.core.errors import PenstockError

_log = logging.getLogger(__name__)

#: What is acknowledged is in the store a moment later: it is looked at again after so many seconds,
#: until there is nothing new.
AGAIN_S = 3.0
#: Rows so much older than the connection are not expected live any more, in microseconds.
_LIVE_US = 600_000_000

#: A row of the store, by column.
Row = Mapping[str, Any]


class Places(msgspec.Struct):
    """How far a consumer has come; times in microseconds UTC.

    Attributes:
        since_us: When it subscribed for the first time; 0 before.
        newest: Phenomenon time of the newest result dealt with, by Datastream.
        position: Offset in the platform's log behind the last message dealt with; -1 when that is
            not known.
    """

    since_us: int = 0
    newest: dict[int, int] = {}
    position: int = -1


class CatchingUp:
    """Knows what was dealt with, and gives what was missed.

    Args:
        stored: Returns the rows of a Datastream from a time on.
        seen: Remembers what was dealt with.
        most: How many it remembers.
        file: Keeps the places over the end of the program; None keeps them in memory.
    """

    def __init__(
        self,
        stored: Callable[[int, int], Iterable[Row]],
        seen: Seen,
        most: int,
        file: Path | None,
    ) -> None:
        self._stored = stored
        self._seen = seen
        self._most = most
        self._file = file
        self.places = self._read()
        #: Whether there may be more to catch up with.
        self.is_active = False
        self._has_run = False
        #: When to look the next time, on the monotonic clock.
        self._due_s = 0.0
        self._begun_us = 0
        self._rows: Iterator[Row] | None = None
        self._found = 0
        #: The last row given, by Datastream, and the newest that came live meanwhile.
        self._given: dict[int, int] = {}
        self._ahead: dict[int, int] = {}
        self._remembered = 0
        #: What was handed out and is not dealt with: identity, Datastream, time, whether stored.
        self._open: dict[bytes, tuple[int, int, bool]] = {}

    @property
    def has_history(self) -> bool:
        """Whether this consumer was here before."""
        return self.places.since_us > 0

    def begin(self, now_us: int) -> None:
        """Catch up: a connection was made, and something may have been missed."""
        if not self.has_history:
            self.places.since_us = now_us
            self._write()
            return
        self.is_active = self._has_run = True
        self._begun_us = now_us
        self._due_s = 0.0
        self._rows = None
        self._remembered = 0

    def wait_s(self) -> float:
        """Return in how many seconds to look again."""
        return max(self._due_s - time.monotonic(), 0.0)

    def next(self, ids: Iterable[int], most: int) -> list[Row]:
        """Return rows that were missed; none for now, or no more.

        Args:
            ids: Which Datastreams, beside those of which something was dealt with.
            most: How many rows at most.
        """
        if not self.is_active or self.wait_s() > 0:
            return []
        if self._rows is None:
            self._found = 0
            self._rows = self._missed(dict.fromkeys([*self.places.newest, *ids]))
        found: list[Row] = []
        try:
            for row in self._rows:
                found.append(row)
                if len(found) == most:
                    return found
        except PenstockError as error:
            _log.warning("what was missed cannot be read now, and is tried again: %s", error)
            self._found += 1
        self._rows = None
        self._due_s = time.monotonic() + AGAIN_S
        if not self._found:
            self._end()
        return found

    def give_again(self) -> None:
        """Take back what `next` returned and nobody handed out."""
        self._rows = None
        self._given.clear()

    def is_known(self, datastream: int, time_us: int) -> bool:
        """Tell whether a result was handed out already."""
        if not self._has_run:
            return False
        mark = identity(datastream, time_us)
        return mark in self._open or mark in self._seen

    def hand_out(self, datastream: int, time_us: int, *, is_stored: bool) -> None:
        """Take note that a result is handed out."""
        self._open[identity(datastream, time_us)] = (datastream, time_us, is_stored)

    def save(self) -> None:
        """Keep the places."""
        self._write()

    def deal_with(self, *, has_moved: bool = False) -> None:
        """Take note that all that was handed out is dealt with; the position may have moved too."""
        if not self._open:
            if has_moved:
                self._write()
            return
        for datastream, time_us, is_stored in self._open.values():
            into = self._ahead if self.is_active and not is_stored else self.places.newest
            into[datastream] = max(time_us, into.get(datastream, time_us))
        if self._has_run:
            marks = [mark for mark, one in self._open.items() if self._is_worth(*one)]
            self._seen.add(dict.fromkeys(marks))
        self._open.clear()
        self._write()

    def _is_worth(self, _datastream: int, time_us: int, is_stored: bool) -> bool:
        """Tell whether it may come again: by the queue, which has the oldest, or live."""
        if not is_stored or time_us > self._begun_us - _LIVE_US:
            return is_stored or self.is_active
        self._remembered += 1
        return self._remembered <= self._most // 2

    def _missed(self, ids: Iterable[int]) -> Iterator[Row]:
        for id_ in ids:
            newest = max(self.places.newest.get(id_, self.places.since_us), self._given.get(id_, 0))
            for row in self._stored(id_, newest + 1):
                self._given[id_] = row["time"]
                if not self.is_known(id_, row["time"]):
                    self._found += 1
                    yield row

    def _end(self) -> None:
        self.is_active = False
        for id_, time_us in self._ahead.items():
            self.places.newest[id_] = max(time_us, self.places.newest.get(id_, time_us))
        self._ahead.clear()
        self._given.clear()
        self._write()

    def _read(self) -> Places:
        if self._file is None or not self._file.exists():
            return Places()
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Places)
        except msgspec.DecodeError:
            _log.warning("%s cannot be read; what was missed is not caught up with", self._file)
            return Places()

    def _write(self) -> None:
        if self._file is not None:
            new = self._file.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(self.places))
            new.replace(self._file)


def identity(datastream: int, time_us: int) -> bytes:
    """Return what tells a result from others, however it came."""
    return hashlib.blake2b(b"%d %d" % (datastream, time_us), digest_size=16).digest()
