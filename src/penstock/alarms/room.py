"""The alarms of a platform, put together. See `core.alarms.Alarms`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from penstock.alarms.board import Board
from penstock.alarms.live import LiveAlarms
from penstock.alarms.notifying import Publish
from penstock.alarms.permits import Permits
from penstock.alarms.rules import Note, Rules
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.targets import Targets
from penstock.alarms.watching import Expected
from penstock.core.access import Access, Action
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import AlarmRecords, NotificationRecords, RuleRecord, Shelf
from penstock.core.alarms import Act, Alarm, AlarmEvent, AlarmQuery, AlarmWatch
from penstock.core.clock import Clock
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.people import Actor
from penstock.core.queries import Streams

_log = logging.getLogger(__name__)

#: How often the time is looked at, in seconds.
TICK_S = 0.2
#: How often old alarms are removed, in seconds.
FORGET_EVERY_S = 3600.0
#: Longest comment, in characters.
MAX_COMMENT = 2000


class AlarmRoom:
    """Alarms, their rules, and who is told.

    Args:
        records: Keeps rules and alarms.
        notifications: Keeps targets and what they were told.
        streams: Runs queries.
        publish: Publishes to MQTT topics.
        expected: Tells which datastreams a rule about absence expects.
        settings: Bounds.
        clock: Tells the time.
        access: Gives the organisation as it is now.
        note: Writes the audit trail.
    """

    def __init__(
        self,
        *,
        records: AlarmRecords,
        notifications: NotificationRecords,
        streams: Streams,
        publish: Publish,
        expected: Expected,
        settings: AlarmSettings,
        clock: Clock,
        access: Callable[[], Access],
        note: Note,
    ) -> None:
        self._records = records
        self._clock = clock
        self._settings = settings
        self._permits = Permits(access)
        self._live = LiveAlarms()
        self.notifications = Targets(notifications, self._permits, publish, settings, clock, note)
        self._board = Board(records, clock, self.notifications.all, self._tell)
        self.rules = Rules(
            records=records,
            board=self._board,
            streams=streams,
            permits=self._permits,
            expected=expected,
            settings=settings,
            clock=clock,
            note=note,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin to watch and to tell."""
        self.notifications.notifier.start()
        self.rules.start()
        self._thread.start()

    def close(self) -> None:
        """End to watch, and keep where everything stands."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.rules.close()
        self.notifications.notifier.close()

    def list(self, by: Actor, query: AlarmQuery) -> Sequence[Alarm]:
        """Return alarms, newest first."""
        systems = {one.system_id for one in self.rules.list(by)}
        return self._records.find(query, frozenset(systems))

    def get(self, by: Actor, alarm: int) -> tuple[Alarm, Sequence[AlarmEvent], Sequence[Span]]:
        """Return one, its history and its activations."""
        found, _ = self._find(by, alarm, Action.READ)
        return (found, *self._records.history(alarm))

    def act(self, by: Actor, alarm: int, act: Act, comment: str = "") -> Alarm:
        """Acknowledge, reset or comment on one."""
        if act not in (Act.ACKNOWLEDGE, Act.RESET, Act.COMMENT):
            msg = f"{act} is not for people"
            raise InvalidInput(msg)
        if act is Act.COMMENT and not comment.strip():
            msg = "a comment must not be empty"
            raise InvalidInput(msg)
        found, rule = self._find(by, alarm, Action.WRITE)
        return self._board.act(
            rule, found, act, self._permits.name(by), comment.strip()[:MAX_COMMENT]
        )

    def shelve(self, by: Actor, alarm: int, until_us: int, reason: str) -> Alarm:
        """Tell nobody of this rule and key until then."""
        found, rule = self._find(by, alarm, Action.WRITE)
        length_s = (until_us - self._clock.now_us()) / 1e6
        if not 0 < length_s <= self._settings.max_shelve_s:
            most = self._settings.max_shelve_s
            msg = f"an alarm can be shelved for up to {most:.0f} seconds, not for {length_s:.0f}"
            raise InvalidInput(msg)
        if not reason.strip():
            msg = "say why: `reason` must not be empty"
            raise InvalidInput(msg)
        name = self._permits.name(by)
        shelf = Shelf(
            rule_id=rule.id,
            key=found.key,
            until_us=until_us,
            reason=reason.strip()[:MAX_COMMENT],
            by=name,
        )
        return self._board.shelve(rule, found, shelf, name)

    def unshelve(self, by: Actor, alarm: int) -> Alarm:
        """Tell people of it again."""
        found, rule = self._find(by, alarm, Action.WRITE)
        return self._board.shelve(rule, found, None, self._permits.name(by))

    def watch(self, by: Actor) -> AlarmWatch:
        """Watch those that `by` may see."""
        return self._live.watch(lambda alarm: self._permits.sees(by, alarm.system_id))

    # How

    def _find(self, by: Actor, alarm: int, action: Action) -> tuple[Alarm, RuleRecord]:
        found = self._records.alarm(alarm)
        rule = None if found is None else self.rules.record(found.rule_id)
        what = f"alarm with id {alarm}"
        if found is None or rule is None:
            msg = f"there is no {what}"
            raise NotFound(msg)
        self._permits.require(by, action, found.system_id, what)
        return found, rule

    def _tell(self, changes: Sequence[tuple[Act, Alarm]]) -> None:
        if changes:
            self._live.tell(changes)
            self.notifications.notifier.wake()

    def _run(self) -> None:
        since_s = 0.0
        while not self._stop.wait(TICK_S):
            try:
                self.rules.tick()
                since_s += TICK_S
                if since_s >= FORGET_EVERY_S:
                    since_s = 0.0
                    kept_us = round(self._settings.retention_s * 1e6)
                    self._records.forget(self._clock.now_us() - kept_us)
            except Exception:
                _log.exception("alarms cannot go on; trying again")
