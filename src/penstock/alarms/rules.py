"""The rules of a platform, and their watches."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

import msgspec

from penstock.alarms.backtests import Backtests
from penstock.alarms.board import Board
from penstock.alarms.checking import columns_of
from penstock.alarms.episodes import Trial, trial_of
from penstock.alarms.permits import Permits
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.suppression import (
    Relations,
    check_not_needed,
    check_suppression,
    counts,
)
from penstock.alarms.watching import Expected, Watch, query_of
from penstock.core.access import Action
from penstock.core.alarm_episodes import AlarmBacktest
from penstock.core.alarm_records import AlarmRecords, RuleRecord
from penstock.core.alarm_rules import AlarmMode, RuleInfo, RuleSpec
from penstock.core.clock import Clock
from penstock.core.errors import Conflict, InvalidInput, NotFound, PenstockError
from penstock.core.people import Actor, Event
from penstock.core.queries import Streams

_log = logging.getLogger(__name__)

#: What of a rule may change while it is watched; everything else begins it anew.
_LIGHT = frozenset(
    {
        "severity",
        "message",
        "notify",
        "latched",
        "flapping",
        "description",
        "suppressed_by",
        "suppressed_on",
    }
)
#: Modes that a rule as a whole can have.
MODES = (AlarmMode.NORMAL, AlarmMode.SUPPRESSED, AlarmMode.OUT_OF_SERVICE)
#: How often it is looked who is expected, in microseconds.
EXPECT_EVERY_US = 10_000_000

Note = Callable[[Actor, Event], None]


class Rules:
    """Rules. See `core.alarm_rules.AlarmRules`."""

    def __init__(
        self,
        *,
        records: AlarmRecords,
        board: Board,
        streams: Streams,
        permits: Permits,
        expected: Expected,
        settings: AlarmSettings,
        clock: Clock,
        note: Note,
    ) -> None:
        self._records = records
        self._board = board
        self._streams = streams
        self._permits = permits
        self._expected = expected
        self._settings = settings
        self._clock = clock
        self._note = note
        self._changing = threading.RLock()
        self._rules = {rule.id: rule for rule in records.rules()}
        self._watches: dict[int, Watch] = {}
        self._troubles: dict[int, str] = {}
        self._expected_us = 0
        self.backtests = Backtests(streams, settings.max_episodes, clock)

    def start(self) -> None:
        """Watch all rules that are enabled."""
        with self._changing:
            self._relate()
            for rule in list(self._rules.values()):
                self._board.reconsider(rule, comment="it was looked at again")
                if rule.enabled:
                    self._try(rule)

    def close(self) -> None:
        """End to watch, and keep where everything stands."""
        self.backtests.close()
        with self._changing:
            for watch in self._watches.values():
                try:
                    watch.stop()
                except PenstockError as error:
                    _log.warning("rule %s: %s", watch.rule.spec.name, error)
            self._watches.clear()

    def tick(self) -> None:
        """Let time pass for all rules. Called by one thread, several times a second."""
        now_us = self._clock.now_us()
        is_time = now_us - self._expected_us > EXPECT_EVERY_US
        if is_time:
            self._expected_us = now_us
        for watch in list(self._watches.values()):
            try:
                watch.tick(now_us)
                if is_time and watch.rule.spec.expect:
                    watch.expect(self._expected(watch.rule), now_us)
            except PenstockError as error:
                _log.warning("rule %s: %s; trying again", watch.rule.spec.name, error)
            except Exception:
                _log.exception("rule %s cannot go on; trying again", watch.rule.spec.name)
        self._board.settle()
        for shelf in self._board.past_shelves():
            rule = self._rules.get(shelf.rule_id)
            if rule is not None:
                self._board.unshelve(rule, shelf)

    def record(self, rule: int) -> RuleRecord | None:
        """Return a rule, without looking who asks."""
        return self._rules.get(rule)

    def list(self, by: Actor) -> Sequence[RuleInfo]:
        """Return those that `by` may see, by name."""
        rules = sorted(self._rules.values(), key=lambda one: (one.spec.name, one.id))
        return [self._info(one) for one in rules if self._permits.sees(by, one.system_id)]

    def get(self, by: Actor, rule: int) -> RuleInfo:
        """Return one."""
        return self._info(self._find(by, rule, Action.READ))

    def add(self, by: Actor, spec: RuleSpec) -> RuleInfo:
        """Make one, and watch it."""
        system = self._permits.system_for(by, spec.system)
        columns = columns_of(self._streams, spec, system)
        with self._changing:
            check_suppression(spec, self._others(system, spec.name), columns)
            if len(self._rules) >= self._settings.max_rules:
                msg = f"there are {len(self._rules)} alarm rules, as many as may be (max_rules)"
                raise Conflict(msg)
            rule = self._keep(by, RuleRecord(system_id=system, spec=spec, by="", changed_us=0))
            self._try(rule)
        self._note(by, _event("add", rule))
        return self._info(rule)

    def check(self, by: Actor, specs: Sequence[RuleSpec]) -> None:
        """Refuse rules of which one could not be made, or changed, together."""
        for spec in specs:
            try:
                system = self._permits.system_for(by, spec.system)
                together = {one.name: one for one in self._others(system, spec.name)}
                together |= {one.name: one for one in specs if one.name != spec.name}
                check_suppression(spec, together.values(), columns_of(self._streams, spec, system))
            except InvalidInput as error:
                if len(specs) == 1:
                    raise
                msg = f"alarm rule {spec.name!r}: {error}"
                raise InvalidInput(msg) from error

    def change(self, by: Actor, rule: int, spec: RuleSpec) -> RuleInfo:
        """Replace what was said of one."""
        with self._changing:
            held = self._find(by, rule, Action.MANAGE)
            columns = columns_of(self._streams, spec, held.system_id)
            check_suppression(spec, self._others(held.system_id, held.spec.name), columns)
            if spec.name != held.spec.name:
                check_not_needed(held.spec.name, self._board.relations.below(rule))
            fields = RuleSpec.__struct_fields__
            changed = {one for one in fields if getattr(spec, one) != getattr(held.spec, one)}
            after = self._keep(by, msgspec.structs.replace(held, spec=spec))
            watch = self._watches.get(rule)
            if changed - _LIGHT - {"name", "system"} or watch is None:
                self._end(held, self._permits.name(by), "the rule was changed")
                if after.enabled:
                    self._try(after)
            else:
                watch.rule = after
            self._board.reconsider(after, self._permits.name(by), "the rule was changed")
        self._note(by, _event("change", after))
        return self._info(after)

    def set_enabled(self, by: Actor, rule: int, *, enabled: bool) -> RuleInfo:
        """Watch one, or stop watching it."""
        with self._changing:
            held = self._find(by, rule, Action.MANAGE)
            if held.enabled == enabled and (not enabled or rule in self._watches):
                return self._info(held)
            after = self._keep(by, msgspec.structs.replace(held, enabled=enabled))
            if enabled:
                self._try(after)
            else:
                self._end(after, self._permits.name(by), "the rule was disabled")
        self._note(by, _event("enable" if enabled else "disable", after))
        return self._info(after)

    def set_mode(self, by: Actor, rule: int, mode: AlarmMode, reason: str) -> RuleInfo:
        """Suppress the alarms of one, take it out of service, or go back to normal."""
        if mode not in MODES:
            msg = f"a rule can be {', '.join(MODES)}; shelving is for single alarms"
            raise InvalidInput(msg)
        if mode is not AlarmMode.NORMAL and not reason.strip():
            msg = "say why: `reason` must not be empty"
            raise InvalidInput(msg)
        with self._changing:
            held = self._find(by, rule, Action.MANAGE)
            after = msgspec.structs.replace(held, mode=mode, mode_reason=reason.strip()[:500])
            after = self._keep(by, after)
            if rule in self._watches:
                self._watches[rule].rule = after
            self._board.reconsider(after, self._permits.name(by), "the rule is told of again")
        self._note(by, _event(mode.value, after))
        return self._info(after)

    def remove(self, by: Actor, rule: int) -> None:
        """Delete one with its alarms."""
        with self._changing:
            held = self._find(by, rule, Action.MANAGE)
            check_not_needed(held.spec.name, self._board.relations.below(rule))
            self._end(held, self._permits.name(by), "the rule was deleted")
            self._records.remove_rule(rule)
            self._board.drop(rule)
            del self._rules[rule]
            self._relate()
        self._note(by, _event("remove", held))

    def begin_backtest(
        self, by: Actor, spec: RuleSpec, start_us: int, end_us: int
    ) -> AlarmBacktest:
        """Begin to find out what a rule would have raised."""
        system = self._permits.system_for(by, spec.system)
        columns = columns_of(self._streams, spec, system)
        trial = self._trial(spec, system)
        check_suppression(spec, self._others(system, spec.name), columns)
        above = [
            self._trial(one.spec, system)
            for one in list(self._rules.values())
            if one.system_id == system and one.spec.name in spec.suppressed_by and counts(one)
        ]
        return self.backtests.begin(by.who, trial, above, start_us, end_us)

    def backtest(self, by: Actor, id_: int) -> AlarmBacktest:
        """Return how a backtest fares."""
        return self.backtests.get(by.who, id_)

    def cancel_backtest(self, by: Actor, id_: int) -> AlarmBacktest:
        """End a backtest, and return what it had found."""
        return self.backtests.cancel(by.who, id_)

    # How

    def _find(self, by: Actor, rule: int, action: Action) -> RuleRecord:
        found = self._rules.get(rule)
        what = f"alarm rule with id {rule}"
        if found is None:
            msg = f"there is no {what}"
            raise NotFound(msg)
        self._permits.require(by, action, found.system_id, what)
        return found

    def _keep(self, by: Actor, rule: RuleRecord) -> RuleRecord:
        rule = msgspec.structs.replace(
            rule, by=self._permits.name(by), changed_us=self._clock.now_us()
        )
        kept = self._records.save_rule(rule)
        self._rules[kept.id] = kept
        self._relate()
        return kept

    def _trial(self, spec: RuleSpec, system: int) -> Trial:
        record = RuleRecord(system_id=system, spec=spec, by="", changed_us=0)
        expected = self._expected(record) if spec.expect else {}
        return trial_of(self._streams, spec, system, expected)

    def _relate(self) -> None:
        self._board.relations = Relations(self._rules.values())

    def _others(self, system: int, name: str) -> Iterable[RuleSpec]:
        """Return the rules of a system but the one of this name."""
        of_system = (one.spec for one in self._rules.values() if one.system_id == system)
        return [spec for spec in of_system if spec.name != name]

    def _try(self, rule: RuleRecord) -> None:
        """Begin to watch a rule; what hinders is shown."""
        self._troubles.pop(rule.id, None)
        try:
            query = query_of(rule.spec, rule.system_id)
            watch = Watch(
                rule,
                query,
                self._streams.explain(query),
                records=self._records,
                board=self._board,
                streams=self._streams,
            )
            watch.start()
        except PenstockError as error:
            self._troubles[rule.id] = str(error)
            _log.warning("alarm rule %s is not watched: %s", rule.spec.name, error)
            return
        self._watches[rule.id] = watch

    def _end(self, rule: RuleRecord, by: str, comment: str) -> None:
        watch = self._watches.pop(rule.id, None)
        self._troubles.pop(rule.id, None)
        if watch is not None:
            watch.stop()
            self._streams.forget(watch.id)
        keys = list(self._records.keys(rule.id))
        self._board.withdraw(rule, by, comment, keys)

    def _info(self, rule: RuleRecord) -> RuleInfo:
        watch = self._watches.get(rule.id)
        name = self._permits.system_name(rule.system_id)
        return RuleInfo(
            id=rule.id,
            spec=msgspec.structs.replace(rule.spec, system=name),
            system_id=rule.system_id,
            enabled=rule.enabled,
            mode=rule.mode,
            mode_reason=rule.mode_reason,
            run=None if watch is None else self._streams.status(watch.id),
            active=self._board.active(rule.id),
            by=rule.by,
            changed_us=rule.changed_us,
            sql="" if watch is None else watch.query.sql,
            trouble=self._troubles.get(rule.id, ""),
            suppressing=self._board.suppressing(rule),
        )


def _event(action: str, rule: RuleRecord) -> Event:
    return Event(
        action=action,
        kind="alarm-rule",
        object_id=rule.id,
        name=rule.spec.name,
        system=rule.system_id,
        after={"sql": rule.spec.sql, "severity": rule.spec.severity.value},
    )
