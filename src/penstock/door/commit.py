"""Group commit: everything that waits goes to disk with one sync, and is answered after it.

The sync runs in a thread of its own, so that the event loop receives the next group meanwhile.
Only that thread touches the log writer and the journal, one call at a time.

When a group touches what the journal keeps, the journal is written first and the log second. Each
row says which message of the log it is about, so that after a crash between the two, the rows of
messages that the log does not have are undone (see `restoring`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from penstock.core.clock import Arrivals, Clock
from penstock.core.log import LogWriter
from penstock.door.intake import Run
from penstock.door.journal import Changes, Journal
from penstock.door.keeping import Keeper
from penstock.door.stats import Stats

if TYPE_CHECKING:
    from penstock.door.session import Session

_log = logging.getLogger(__name__)

#: Time between attempts while the disk refuses; short, because devices wait.
RETRY_S = 1.0


class Owner(Protocol):
    """Whoever handed in a run."""

    def settle(self, run: Run) -> None:
        """Take note that the run is on disk: now it may be answered and passed on."""
        ...


@dataclass(slots=True)
class Entry:
    """A run on its way to the log.

    Attributes:
        session: The one that sent it, if it was one.
        is_counted: False for what the door itself has to say, which no client sent.
    """

    owner: Owner
    client: str
    protocol: int
    run: Run
    session: Session | None = None
    arrived_us: int = 0
    is_counted: bool = True


class GroupCommit:
    """Collects runs, syncs them in groups and settles them with their owners.

    Args:
        writer: Where the runs go; stays open when this ends.
        clock: Times the syncs.
        stats: Where the counts go.
        max_unsynced_bytes: Above this, `hold` asks for no more.
        hold: Called with True to stop the flow and with False to let it go on again.
        prepare: Called with a group and the offset of its first message before it is written.
        keeper: Gives what is to be written to the journal.
        journal: Where that goes; stays open when this ends.
    """

    def __init__(
        self,
        writer: LogWriter,
        clock: Clock,
        stats: Stats,
        max_unsynced_bytes: int,
        hold: Callable[[bool], None],
        prepare: Callable[[list[Entry], int], None],
        keeper: Keeper,
        journal: Journal | None = None,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._arrivals = Arrivals(clock)
        self._stats = stats
        self._max_unsynced_bytes = max_unsynced_bytes
        self._hold = hold
        self._prepare = prepare
        self._keeper = keeper
        self._journal = journal
        self._changes: Changes | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="door-commit")
        self._waiting: list[Entry] = []
        self._waiting_bytes = 0
        self._busy = False
        self._group: list[Entry] = []
        self._group_bytes = 0
        self._begun = False
        self._appended = 0
        self._holding = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_holding(self) -> bool:
        """Whether the flow is stopped."""
        return self._holding

    @property
    def is_stalled(self) -> bool:
        """Whether the disk refused the last sync."""
        return bool(self._stats.stalled)

    def add(self, entry: Entry) -> None:
        """Take a run; the sync starts when every socket of this loop turn had its say."""
        entry.arrived_us = self._arrivals.stamp(entry.run.count)
        self._waiting.append(entry)
        self._waiting_bytes += len(entry.run.packets)
        self._idle.clear()
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._start)
        self._balance()

    @property
    def is_busy(self) -> bool:
        """Whether a group is being written or about to be."""
        return self._busy

    def nudge(self) -> None:
        """Write what the keeper has, though no run needs it."""
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._start)

    async def drain(self) -> None:
        """Wait until everything taken is settled."""
        await self._idle.wait()

    async def close(self, timeout_s: float) -> bool:
        """Settle what was taken, or give up after `timeout_s`; say whether all is settled."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.drain()
        except TimeoutError:
            return False
        finally:
            self._thread.shutdown(wait=True)
        return True

    def _balance(self) -> None:
        unsynced = self._waiting_bytes + self._group_bytes
        self._stats.unsynced_bytes = unsynced
        hold = self.is_stalled or unsynced > self._max_unsynced_bytes
        if hold is not self._holding:
            self._holding = hold
            self._hold(hold)

    def _start(self) -> None:
        if not self._begun:
            self._begun = True
            self._appended = 0
            self._group, self._waiting = self._waiting, []
            self._group_bytes, self._waiting_bytes = self._waiting_bytes, 0
            # The thread rests now, so the offsets are those that it will give.
            self._prepare(self._group, self._writer.end_offset)
            self._changes = self._keeper.take(self._writer.durable_offset)
        try:
            done = self._loop.run_in_executor(self._thread, self._write)
        except RuntimeError:  # closed meanwhile: nothing more is acknowledged
            return
        done.add_done_callback(self._finish)

    def _write(self) -> float:
        """Append and sync the group; runs in the thread."""
        started_s = self._clock.monotonic_s()
        append = self._writer.append
        for entry in self._group[self._appended :]:
            run = entry.run
            if run.count:
                append(entry.client, entry.protocol, entry.arrived_us, run.packets, run.ends)
            self._appended += 1
        if self._changes is not None and self._journal is not None:
            self._journal.write(self._changes)
            self._changes = None
        self._writer.sync()
        return self._clock.monotonic_s() - started_s

    def _finish(self, done: asyncio.Future[float]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is not None:
            self._stall(error)
            return
        stats = self._stats
        stats.syncs += 1
        stats.sync_seconds += done.result()
        if stats.stalled:
            stats.stalled = 0
            _log.warning("The log takes messages again; devices go on")
        group, self._group, self._group_bytes, self._begun = self._group, [], 0, False
        self._keeper.saved()
        for entry in group:
            if entry.is_counted:
                stats.messages += entry.run.count
                stats.bytes += len(entry.run.packets)
            try:
                entry.owner.settle(entry.run)
            except Exception:
                # One client's trouble must not keep all others waiting for their answers.
                _log.exception("Answering %r failed; this is a bug, please report it", entry.client)
        if self._waiting or self._keeper.is_unsaved:
            self._loop.call_soon(self._start)
        else:
            self._busy = False
            self._idle.set()
        self._balance()

    def _stall(self, error: BaseException) -> None:
        self._stats.sync_failures += 1
        if not self._stats.stalled:
            self._stats.stalled = 1
            _log.error(
                "The log refuses messages, so devices wait and nothing is acknowledged; "
                "trying again every %g s: %s",
                RETRY_S,
                error,
            )
        self._balance()
        self._loop.call_later(RETRY_S, self._start)
