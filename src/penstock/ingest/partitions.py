"""All partitions of the log as ingest reads them, and how far it is in each."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from penstock.core.clock import Clock
from penstock.core.log import Log
from penstock.core.store import Marks, Store
from penstock.core.tap import Tap
from penstock.ingest.columns import EMPTY
from penstock.ingest.dead_letters import RESERVED
from penstock.ingest.sources import Source

_log = logging.getLogger(__name__)


class Partitions:
    """Opens partitions as they appear. One thread reads; positions may be asked by any.

    Args:
        log: Holds them; those of `RESERVED` are ingest's own.
        store: Knows up to where it holds them.
        ends: Tells the offset behind the last message of each; None when nobody knows.
        clock: Tells the time.
    """

    def __init__(
        self,
        log: Log,
        store: Store,
        ends: Callable[[], Mapping[str, int]] | None,
        clock: Clock,
    ) -> None:
        self._log = log
        self._store = store
        self._ends = ends
        self._clock = clock
        self._sources: dict[str, Source] = {}
        self._positions: dict[str, int] = {}
        #: Up to where the store held everything at the start.
        self._held: Marks = {}
        self._moved = threading.Condition()
        self._is_closed = False

    def __iter__(self) -> Iterator[Source]:
        """Give those that are open."""
        return iter(list(self._sources.values()))

    def start(self, tap: Tap | None) -> None:
        """Begin where the store stands, or where who follows it needs it."""
        self._held = marks = of_log(self._store.marks)
        self._positions.update(marks if tap is None else tap.reads_from(marks))

    # How far, from any thread.

    @property
    def marks(self) -> dict[str, int]:
        """Where each stands, including what is not durable yet."""
        return dict(self._positions)

    def position(self, partition: str) -> int:
        """Return the offset before which every message is in the store or a dead letter."""
        return self._positions.get(partition, 0)

    def is_held(self, partition: str, offset: int) -> bool:
        """Tell whether the store held everything before this offset at the start."""
        return offset <= self._held.get(partition, 0)

    def reach(self, partition: str, offset: int) -> None:
        """Take note that everything before an offset is dealt with."""
        with self._moved:
            self._positions[partition] = offset
            self._moved.notify_all()

    def wait(self, partition: str, offset: int, timeout_s: float) -> bool:
        """Wait until `position` has reached an offset and return whether it has."""
        with self._moved:
            self._moved.wait_for(
                lambda: self.position(partition) >= offset or self._is_closed, timeout_s
            )
        return self.position(partition) >= offset

    def give_up(self) -> None:
        """Let nobody wait any more."""
        with self._moved:
            self._is_closed = True
            self._moved.notify_all()

    @property
    def lag_messages(self) -> int:
        """Messages in the log that are not in the store yet."""
        if self._ends is None:
            return 0
        ends = self._ends().items()
        return sum(max(0, end - self.position(p)) for p, end in ends if p not in RESERVED)

    @property
    def lag_s(self) -> float:
        """Age in seconds of the oldest message that was read and is not stored yet."""
        oldest = [source.oldest_us for source in self if source.oldest_us is not None]
        return max(0.0, (self._clock.now_us() - min(oldest)) / 1e6) if oldest else 0.0

    # The reading thread.

    @property
    def is_behind(self) -> bool:
        """Whether there may be more to read at once."""
        return any(source.is_behind for source in self._sources.values())

    @property
    def corrupt(self) -> int:
        """How often messages were found to be lost."""
        return sum(source.corrupt for source in self._sources.values())

    def open_new(self) -> None:
        """Open what has appeared since the last time."""
        for partition in self._log.partitions():
            if partition not in self._sources and partition not in RESERVED:
                self._open(partition)

    def rewind(self) -> None:
        """Read again what is not stored."""
        for source in self._sources.values():
            source.rewind()

    def commit(self, tap: Tap | None) -> None:
        """Tell the log what it need not keep for ingest any more."""
        for partition, mark in self._store.marks.items():
            if partition in self._sources:
                done = mark if tap is None else tap.dealt_with(partition, mark)
                self._sources[partition].commit(done)

    def close(self) -> None:
        """Release the readers."""
        for source in self._sources.values():
            source.close()

    def _open(self, partition: str) -> None:
        mark = self._positions.setdefault(partition, 0)
        source = Source(self._log, partition, mark)
        end = mark if self._ends is None else self._ends().get(partition, mark)
        # A log that knows where ingest stood is the same log: after a power loss its end may look
        # too small until its writer has opened it.
        if end < mark and not source.is_known:
            _log.error(
                "the store has messages of partition %s up to offset %d, but the log ends at %d: "
                "the log is another one; reading it from its beginning",
                partition, mark, end,
            )  # fmt: skip
            self._positions[partition] = 0
            self._held = {**self._held, partition: 0}
            self._store.append(EMPTY, {partition: 0})
            self._store.flush()
            source.restart()
        self._sources[partition] = source


def of_log(marks: Marks) -> Marks:
    """Return the marks that are positions in the log."""
    return {name: at for name, at in marks.items() if ":" not in name and "." not in name}
