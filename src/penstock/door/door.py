"""The front door: listens, admits, looks at the clock, and closes in good order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from pathlib import Path

from penstock.core.clock import Clock
from penstock.core.errors import Bug, PenstockError
from penstock.core.log import LogWriter
from penstock.door.broker import Broker
from penstock.door.commit import GroupCommit
from penstock.door.connection import Connection, Phase
from penstock.door.counters import Counters
from penstock.door.encoding import refusal
from penstock.door.journal import Journal
from penstock.door.listeners import Listeners
from penstock.door.mistakes import Mistakes
from penstock.door.permissions import Permissions
from penstock.door.posted import Posted, Source
from penstock.door.presence import Presence
from penstock.door.quotas import Quotas
from penstock.door.reasons import ProtocolViolation, Reason
from penstock.door.restoring import restore
from penstock.door.settings import DoorSettings
from penstock.door.sign_in import SignIn
from penstock.door.stats import Stats

_log = logging.getLogger(__name__)

#: Time between looks at keep-alives, timeouts, wills and sessions.
TICK_S = 1.0
#: Time between looks at who may do what; also looked at with every CONNECT.
LOOK_S = 0.25
#: A connection may say nothing for so long before it makes way for others of its address.
SILENT_S = 1.0
#: Answers that mean that somebody did not get in for who they are.
_REFUSALS = {Reason.BAD_USER_NAME_OR_PASSWORD, Reason.NOT_AUTHORIZED, Reason.SERVER_BUSY}
#: Time that `close` waits for the last sync.
CLOSE_TIMEOUT_S = 10.0


class Door:
    """An MQTT 3.1.1 and 5.0 listener that acknowledges what is on disk.

    Args:
        settings: Where to listen and the bounds.
        writer: Takes the messages; the caller opens it and closes it after `close`.
        clock: Tells the time.
        internal_secret: Password of the platform's own connections; empty means there are none.
        journal: Keeps sessions and retained messages over restarts; they end with the door
            without it. The door opens and closes it.
        organisation: File in which the hub leaves who may do what. While there is none, and
            nobody but this machine can reach the door, nobody needs an account.
        posted: Where the messages are that come another way than MQTT; none without it.

    Raises:
        ConfigError: Settings do not fit.
    """

    def __init__(
        self,
        settings: DoorSettings,
        writer: LogWriter,
        clock: Clock,
        internal_secret: str = "",
        journal: Journal | None = None,
        organisation: Path | None = None,
        posted: Source | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.counts = Stats()
        self.mistakes = Mistakes(clock)
        self._listeners = Listeners(settings)
        self.permissions = Permissions(
            clock, organisation, settings.users, is_exposed=self._listeners.is_exposed
        )
        self.sign_in = SignIn(self.permissions, clock, internal_secret)
        self.quotas = Quotas(settings, self.permissions, self.counts, self.mistakes)
        self.broker = Broker(settings, clock, self.counts, self.permissions, self.quotas)
        self._counters = Counters(
            settings.sys_interval_s,
            clock,
            self.counts,
            self.broker.count_subscriptions,
            self.broker.publish,
        )
        self._writer = writer
        self._journal = journal
        self._commit: GroupCommit | None = None
        self._presence: Presence | None = None
        self._source = posted
        self._posted: Posted | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections: set[Connection] = set()
        self._pending: set[Connection] = set()
        #: The same by where they come from, the oldest first.
        self._crowds: dict[str, dict[Connection, None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.TimerHandle | None = None
        self._looker: asyncio.TimerHandle | None = None
        self._closing = False
        self._empty = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens for plain MQTT; the port is the real one."""
        return self.addresses["mqtt"]

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where it listens, by scheme: `mqtt`, `mqtts`, `ws`, `wss`."""
        if not self._listeners.addresses:
            raise Bug("the front door was asked for its address before it was started")
        return self._listeners.addresses

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop it runs in."""
        if self._loop is None:
            raise Bug("the front door was used before it was started")
        return self._loop

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    @property
    def commit(self) -> GroupCommit:
        """Where runs of messages go."""
        if self._commit is None:
            raise Bug("the front door was used before it was started")
        return self._commit

    @property
    def presence(self) -> Presence:
        """Where it is noted who comes and goes."""
        if self._presence is None:
            raise Bug("the front door was used before it was started")
        return self._presence

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: An address is taken or not ours, or a certificate cannot be used.
            Corrupt: The journal is damaged; the message says what to do.
        """
        settings = self.settings
        self._loop = asyncio.get_running_loop()
        if self._journal is not None:
            restore(self._journal, self.broker, self._writer.end_offset)
        self._commit = GroupCommit(
            self._writer,
            self.clock,
            self.counts,
            settings.max_unsynced_bytes,
            self._hold,
            self.broker.prepare,
            self.broker.keeper,
            self._journal,
        )
        self.broker.use(self._commit)
        self._presence = Presence(self.broker, self._commit, self.clock)
        self._presence.start()  # before anyone can come in
        self._counters.tick()
        if self._source is not None:
            self._posted = Posted(
                self._source, self.broker, self._commit, settings.max_packet_bytes
            )
            self._posted.start()
        try:
            await self._listeners.open(lambda: Connection(self), self.mistakes, self.counts)
        except PenstockError:
            if self._posted is not None:
                self._posted.close()
            await self._commit.close(CLOSE_TIMEOUT_S)
            if self._journal is not None:
                self._journal.close()
            raise
        self.broker.tick()
        self._ticker = self.loop.call_later(TICK_S, self._keep_ticking)
        self._looker = self.loop.call_later(LOOK_S, self._keep_looking)
        if self._listeners.is_exposed and not self.permissions.knows_anyone:
            _log.warning(
                "Others can reach the front door, and nobody has an account or a key yet, so that "
                "nobody is let in; make a user, or list device accounts in `door.users`"
            )

    async def close(self) -> None:
        """Acknowledge what is synced, say goodbye and close. Safe to call twice."""
        if self._closing or self._commit is None:
            return
        self._closing = True
        for timer in (self._ticker, self._looker):
            if timer is not None:
                timer.cancel()
        self._listeners.close()
        if self._posted is not None:
            self._posted.close()
        for connection in list(self._connections):
            connection.hold("closing", on=True)
            connection.farewell(Reason.SERVER_SHUTTING_DOWN)
        self.broker.write_all()
        if not await self._commit.close(CLOSE_TIMEOUT_S):
            _log.error("The log still refuses messages; what was not acknowledged is given up")
        for connection in list(self._connections):
            connection.end(Reason.SERVER_SHUTTING_DOWN, "the door closes", with_will=False)
        for task in self._tasks:
            task.cancel()
        if self._connections:
            await self._empty.wait()
        self.sign_in.close()
        if self._journal is not None:
            self._journal.close()

    def reload(self) -> None:
        """Read the certificate again now; connections stay as they are."""
        self._listeners.reload()

    def stats(self) -> dict[str, float]:
        """Return every figure under its Prometheus name."""
        return self.counts.as_metrics()

    # What connections call.

    def admit(self, connection: Connection) -> bool:
        """Take a new connection, unless there are too many."""
        settings = self.settings
        full = len(self._connections) >= settings.max_connections
        crowded = len(self._pending) >= settings.max_pending_connections
        if full or self._closing or (crowded and not self._make_way(connection)):
            self.counts.rejected += 1
            if full:
                self.mistakes.report(
                    "full",
                    f"{len(self._connections)} connections are open and no more are taken; raise "
                    "`door.max_connections`, or the limit of open files if that is the lower one",
                )
            return False
        self._connections.add(connection)
        self._pending.add(connection)
        self._crowds.setdefault(connection.home, {})[connection] = None
        self.counts.accepted += 1
        self.counts.connections = len(self._connections)
        if self._commit is not None and self._commit.is_holding:
            connection.hold("log", on=True)
        return True

    def _make_way(self, newcomer: Connection) -> bool:
        """Push out who waits longest from the address that most wait from.

        If that is the newcomer's own, only one that has said nothing for `SILENT_S`: many devices
        behind one address that all come at once would else push each other out.
        """
        greedy, theirs = max(self._crowds.items(), key=lambda crowd: len(crowd[1]))
        oldest: Connection | None = next(iter(theirs))
        if len(self._crowds.get(newcomer.home, ())) + 1 >= len(theirs):
            greedy, theirs = newcomer.home, self._crowds.get(newcomer.home, {})
            oldest = self._silent(theirs)
        if oldest is None:
            return False
        self.counts.rejected += 1
        self.mistakes.report("crowd", f"{len(theirs)} connections from {greedy} say no CONNECT")
        oldest.end(Reason.SERVER_BUSY, "others wait")
        oldest.cut()
        return True

    def _silent(self, crowd: Iterable[Connection]) -> Connection | None:
        """Return who of a crowd, the oldest first, has said nothing for long enough."""
        until_s = self.clock.monotonic_s() - SILENT_S
        for connection in crowd:
            if connection.opened_at_s > until_s:
                return None
            if connection.phase is Phase.NEW:
                return connection
        return None

    def greeted(self, connection: Connection) -> None:
        """Take note that no CONNECT is waited for any more: it came, or never will."""
        self._pending.discard(connection)
        crowd = self._crowds.get(connection.home, {})
        crowd.pop(connection, None)
        if not crowd:
            self._crowds.pop(connection.home, None)

    def dismiss(self, connection: Connection) -> None:
        """Forget a connection that ended."""
        self.greeted(connection)
        self._connections.discard(connection)
        self.counts.connections = len(self._connections)
        if not self._connections and self._closing:
            self._empty.set()

    def refuse(self, connection: Connection, problem: ProtocolViolation) -> None:
        """End a connection that broke the rules, with CONNACK if it is not in yet."""
        if connection.phase in (Phase.NEW, Phase.GREETING):
            self.counts.rejected += 1
            if problem.reason in _REFUSALS:
                self.counts.refused += 1
                self.mistakes.report("sign-in", f"{connection.caller.who}: {problem}")
            if connection.heard_connect or problem.reason is Reason.UNSUPPORTED_PROTOCOL_VERSION:
                connection.send(
                    refusal(
                        problem.reason,
                        str(problem),
                        connection.protocol,
                        connection.packet_limit,
                    )
                )
        connection.end(problem.reason, str(problem))

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Run something slow beside the event loop's other work."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Inside.

    def _hold(self, on: bool) -> None:
        for connection in list(self._connections):
            connection.hold("log", on=on)

    def _keep_looking(self) -> None:
        self._looker = self.loop.call_later(LOOK_S, self._keep_looking)
        self.look()

    def look(self) -> None:
        """Take the newest organisation, and end connections of those who are not let in any more.

        Cheap while nothing has changed.
        """
        if not self.permissions.look():
            return
        self.broker.permissions_changed()
        for connection in list(self._connections):
            visitor = connection.who
            if visitor is None or connection.phase is not Phase.OPEN:
                continue
            if not self.permissions.is_still(visitor.who, visitor.proof):
                self.counts.revoked += 1
                connection.end(Reason.ADMINISTRATIVE_ACTION, "is not let in any more")

    def _keep_ticking(self) -> None:
        self._ticker = self.loop.call_later(TICK_S, self._keep_ticking)
        self.tick()

    def tick(self) -> None:
        """Look at the clock: end who is silent too long, send wills that are due."""
        now_s = self.clock.monotonic_s()
        for connection in list(self._connections):
            if connection.is_held:
                continue
            idle_s = now_s - connection.heard_at_s
            if connection in self._pending:
                if now_s - connection.opened_at_s > self.settings.connect_timeout_s:
                    self.counts.rejected += 1
                    connection.end(Reason.KEEP_ALIVE_TIMEOUT, "no CONNECT came")
            elif 0 < connection.keep_alive_s * 1.5 < idle_s:
                connection.end(Reason.KEEP_ALIVE_TIMEOUT, f"nothing heard for {idle_s:.1f} s")
        self.broker.tick()
        self._counters.tick()
        self._listeners.tick(now_s)
