"""All alarms that are not normal, and the one place where they change."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from penstock.alarms.changing import differences
from penstock.alarms.step import Step
from penstock.alarms.suppression import Relations, Suppressor
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import (
    AlarmRecords,
    Changes,
    RuleRecord,
    Shelf,
    TargetRecord,
)
from penstock.core.alarm_rules import AlarmMode
from penstock.core.alarms import ACTIVE, Act, Alarm
from penstock.core.clock import Clock
from penstock.core.errors import Conflict, PenstockError

_log = logging.getLogger(__name__)

Told = Callable[[Sequence[tuple[Act, Alarm]]], None]
_Key = tuple[int, str]


class Board:
    """Keeps what is not normal at hand. Its methods are safe to call from any thread.

    Args:
        records: Where everything is kept.
        clock: Tells when things happen.
        targets: Who may be told, as of now.
        told: Called with what changed, after it is kept.
    """

    def __init__(
        self,
        records: AlarmRecords,
        clock: Clock,
        targets: Callable[[], Sequence[TargetRecord]],
        told: Told,
    ) -> None:
        self.records = records
        self.clock = clock
        self.targets = targets
        self.told = told
        self._lock = threading.RLock()
        #: Which rules suppress which, as of now.
        self.relations = Relations()
        #: Alarms that are not normal, by rule and key.
        self.open: dict[int, dict[str, Alarm]] = {}
        for one in sorted(records.open_alarms(), key=lambda alarm: alarm.id):
            self.open.setdefault(one.rule_id, {})[one.key] = one
        self.shelves = {(one.rule_id, one.key): one for one in records.shelves()}
        self.starts: dict[int, dict[tuple[str, int], int]] = {}
        self.raised: dict[_Key, deque[int]] = {}
        self.next = records.last_alarm() + 1
        #: Rules whose alarms may have to be told of, or not any more, since others changed: why.
        self._stale: dict[int, str] = {}

    def active(self, rule: int) -> int:
        """Return how many alarms of a rule are active."""
        with self._lock:
            return sum(one.state in ACTIVE for one in self.open.get(rule, {}).values())

    def held(self, rule: int, key: str) -> Alarm | None:
        """Return the open alarm of a key, or None."""
        return self.open.get(rule, {}).get(key)

    def suppressors(self, rule: RuleRecord) -> list[Suppressor]:
        """Return what suppresses alarms of a rule now."""
        on = rule.spec.suppressed_on
        with self._lock:
            return [
                Suppressor(above, on, self.open.get(above.id, {}).values())
                for above in self.relations.above(rule.id)
            ]

    def suppressing(self, rule: RuleRecord) -> list[str]:
        """Return the names of the rules that suppress alarms of a rule now."""
        with self._lock:
            return [
                above.spec.name
                for above in self.relations.above(rule.id)
                if Suppressor(above, (), self.open.get(above.id, {}).values()).is_active
            ]

    def load(self, rule: int, since_us: int) -> None:
        """Remember the activations of a rule that late data may still change."""
        starts = dict(self.records.spans(rule, since_us))
        with self._lock:
            self.starts[rule] = starts

    def apply(
        self,
        rule: RuleRecord,
        shape_keys: Sequence[str],
        changed: Mapping[str, tuple[Sequence[Span], Sequence[Span]]],
        keys: Mapping[str, bytes | None],
    ) -> None:
        """Let alarms follow what became of the activations of a rule's keys; durable.

        Raises:
            PenstockError: It could not be kept, and nothing changed.
        """
        with self._lock:
            desk = Step(self, rule, shape_keys, Changes(rule_id=rule.id, keys=dict(keys)))
            for key, (before, after) in changed.items():
                for one in differences(before, after):
                    desk.take(key, one)
            self._finish(desk, rule)

    def act(self, rule: RuleRecord, alarm: Alarm, act: Act, by: str, comment: str) -> Alarm:
        """Let somebody do something to an alarm.

        Raises:
            Conflict: It may not follow.
        """
        with self._lock:
            held = self.held(rule.id, alarm.key)
            if held is not None and held.id == alarm.id:
                alarm = held
            desk = Step(self, rule, (), Changes(rule_id=rule.id))
            after = desk.move(alarm, act, by=by, comment=comment)
            if after is None:
                msg = f"alarm {alarm.id} is {alarm.state}: {act} does not follow from that"
                raise Conflict(msg)
            desk.finish()
            return after

    def shelve(self, rule: RuleRecord, alarm: Alarm, shelf: Shelf | None, by: str) -> Alarm:
        """Shelve the key of an alarm, or take it off its shelf (None)."""
        with self._lock:
            spot = (rule.id, alarm.key)
            held = self.held(*spot)
            is_open = held is not None and held.id == alarm.id
            alarm = held if is_open and held is not None else alarm
            changes = Changes(rule_id=rule.id)
            if shelf is None and spot not in self.shelves:
                msg = f"alarm {alarm.id} is not shelved"
                raise Conflict(msg)
            desk = Step(self, rule, (), changes)
            mode, why = desk.mode_of(alarm.key, alarm.values, unshelved=True)
            if shelf is None:
                changes.unshelved.append(spot)
            else:
                changes.shelves.append(shelf)
                mode = rule.mode if rule.mode is not AlarmMode.NORMAL else AlarmMode.SHELVED
                why = shelf.reason
            act = Act.UNSHELVE if shelf is None else Act.SHELVE
            until = None if shelf is None else shelf.until_us
            moved = msgspec.structs.replace(alarm, mode=mode, shelved_until_us=until)
            after = desk.move(moved, act, by=by, comment=why)
            desk.finish()
            return after or alarm

    def reconsider(self, rule: RuleRecord, by: str = "", comment: str = "") -> None:
        """Let people be told of the open alarms of a rule as it, and the rules above it, want it.

        So too for the rules that it suppresses.
        """
        with self._lock:
            self._reconsider(rule, by, comment)
            for below in self.relations.below(rule.id):
                self._reconsider(below, by, comment)

    def withdraw(self, rule: RuleRecord, by: str, comment: str, keys: Sequence[str]) -> None:
        """End the active alarms of a rule, since it is not watched as it was any more."""
        with self._lock:
            changes = Changes(rule_id=rule.id, keys=dict.fromkeys(keys))
            desk = Step(self, rule, (), changes)
            for alarm in list(self.open.get(rule.id, {}).values()):
                if alarm.state in ACTIVE:
                    ended = msgspec.structs.replace(alarm, cleared_us=self.clock.now_us())
                    desk.move(ended, Act.WITHDRAW, by=by, comment=comment)
            self._finish(desk, rule)
            self.starts.pop(rule.id, None)

    def drop(self, rule: int) -> None:
        """Forget everything of a rule that was removed."""
        with self._lock:
            self.open.pop(rule, None)
            for spot in [one for one in self.shelves if one[0] == rule]:
                del self.shelves[spot]
            self.starts.pop(rule, None)

    def settle(self) -> None:
        """Try again what could not be kept of suppression."""
        with self._lock:
            for rule in self.relations.suppressing() if self._stale else ():
                self._settle(rule)

    def past_shelves(self) -> list[Shelf]:
        """Return the shelves whose time is over."""
        now_us = self.clock.now_us()
        with self._lock:
            return [one for one in self.shelves.values() if one.until_us <= now_us]

    def unshelve(self, rule: RuleRecord, shelf: Shelf) -> None:
        """Take a key off its shelf when its time is over."""
        with self._lock:
            held = self.held(rule.id, shelf.key)
            if held is not None:
                self.shelve(rule, held, None, "")
                return
            self.records.save(Changes(rule_id=rule.id, unshelved=[(rule.id, shelf.key)]))
            self.shelves.pop((rule.id, shelf.key), None)

    # How

    def _finish(self, desk: Step, rule: RuleRecord) -> None:
        """Let a step be true, and what follows from it for the rules that this one suppresses."""
        desk.finish()
        if desk.has_turned:
            for below in self.relations.below(rule.id):
                self._stale[below.id] = f"{rule.spec.name} is not active any more"
            self._settle(rule.id)

    def _settle(self, rule: int) -> None:
        """Look again at what a rule suppresses; what is kept of the rule itself stays kept."""
        for below in self.relations.below(rule):
            comment = self._stale.get(below.id)
            if comment is None:
                continue
            try:
                self._reconsider(below, "", comment)
            except PenstockError as error:
                _log.warning("rule %s is looked at again later: %s", below.spec.name, error)
                return
            self._stale.pop(below.id)

    def _reconsider(self, rule: RuleRecord, by: str, comment: str) -> None:
        desk = Step(self, rule, (), Changes(rule_id=rule.id))
        for alarm in list(self.open.get(rule.id, {}).values()):
            desk.reconsider(alarm, by, comment)
        desk.finish()
