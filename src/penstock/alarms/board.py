"""All alarms that are not normal, and the one place where they change."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from penstock.alarms.changing import Difference, differences
from penstock.alarms.messages import render
from penstock.alarms.rows import subject_of
from penstock.core.alarm_records import (
    AlarmRecords,
    Changes,
    RuleRecord,
    Shelf,
    TargetRecord,
)
from penstock.core.alarms import (
    ACTIVE,
    Act,
    Alarm,
    AlarmEvent,
    AlarmMode,
    Severity,
    Span,
    AlarmState,
    follow,
)
from penstock.core.clock import Clock
from penstock.core.errors import Conflict
from penstock.core.notifications import Delivery, DeliveryState

#: Time over which activations are counted for the flapping limit, in microseconds.
FLAPPING_US = 600_000_000
#: Activations remembered to find an alarm again when late data changes it, of one rule.
MAX_STARTS = 20_000

Told = Callable[[Sequence[tuple[Act, Alarm]]], None]
_Key = tuple[int, str]


class Board:
    """Keeps what is not normal at hand. Safe to call from any thread.

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
        self._records = records
        self._clock = clock
        self._targets = targets
        self._told = told
        self._lock = threading.RLock()
        self._open: dict[_Key, Alarm] = {
            (one.rule_id, one.key): one for one in sorted(records.open_alarms(), key=lambda a: a.id)
        }
        self._shelves = {(one.rule_id, one.key): one for one in records.shelves()}
        self._starts: dict[int, dict[tuple[str, int], int]] = {}
        self._raised: dict[_Key, deque[int]] = {}
        self._next = records.last_alarm() + 1

    def active(self, rule: int) -> int:
        """Return how many alarms of a rule are active."""
        with self._lock:
            return sum(
                one.state in ACTIVE for (owner, _), one in self._open.items() if owner == rule
            )

    def load(self, rule: int, since_us: int) -> None:
        """Remember the activations of a rule that late data may still change."""
        starts = dict(self._records.spans(rule, since_us))
        with self._lock:
            self._starts[rule] = starts

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
            desk = _Desk(self, rule, shape_keys, Changes(rule_id=rule.id, keys=dict(keys)))
            for key, (before, after) in changed.items():
                for one in differences(before, after):
                    desk.take(key, one)
            desk.finish()

    def act(self, rule: RuleRecord, alarm: Alarm, act: Act, by: str, comment: str) -> Alarm:
        """Let somebody do something to an alarm.

        Raises:
            Conflict: It may not follow.
        """
        with self._lock:
            held = self._open.get((rule.id, alarm.key))
            if held is not None and held.id == alarm.id:
                alarm = held
            desk = _Desk(self, rule, (), Changes(rule_id=rule.id))
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
            held = self._open.get(spot)
            is_open = held is not None and held.id == alarm.id
            alarm = held if is_open and held is not None else alarm
            changes = Changes(rule_id=rule.id)
            if shelf is None and spot not in self._shelves:
                msg = f"alarm {alarm.id} is not shelved"
                raise Conflict(msg)
            desk = _Desk(self, rule, (), changes)
            if shelf is None:
                changes.unshelved.append(spot)
            else:
                changes.shelves.append(shelf)
            act = Act.UNSHELVE if shelf is None else Act.SHELVE
            mode = AlarmMode.SHELVED if shelf is not None else AlarmMode.NORMAL
            mode = rule.mode if rule.mode is not AlarmMode.NORMAL else mode
            until = None if shelf is None else shelf.until_us
            moved = msgspec.structs.replace(alarm, mode=mode, shelved_until_us=until)
            after = desk.move(moved, act, by=by, comment="" if shelf is None else shelf.reason)
            desk.finish()
            return after or alarm

    def set_mode(self, rule: RuleRecord, by: str) -> None:
        """Let the open alarms of a rule have its mode."""
        with self._lock:
            desk = _Desk(self, rule, (), Changes(rule_id=rule.id))
            for (owner, _), alarm in list(self._open.items()):
                if owner == rule.id:
                    moved = msgspec.structs.replace(alarm, mode=desk.mode_of(alarm.key))
                    comment = f"{rule.mode}: {rule.mode_reason}" if rule.mode_reason else rule.mode
                    desk.move(moved, Act.COMMENT, by=by, comment=str(comment))
            desk.finish()

    def withdraw(self, rule: RuleRecord, by: str, comment: str, keys: Sequence[str]) -> None:
        """End the active alarms of a rule, since it is not watched as it was any more."""
        with self._lock:
            changes = Changes(rule_id=rule.id, keys=dict.fromkeys(keys))
            desk = _Desk(self, rule, (), changes)
            for (owner, _), alarm in list(self._open.items()):
                if owner == rule.id and alarm.state in ACTIVE:
                    ended = msgspec.structs.replace(alarm, cleared_us=self._clock.now_us())
                    desk.move(ended, Act.WITHDRAW, by=by, comment=comment)
            desk.finish()
            self._starts.pop(rule.id, None)

    def drop(self, rule: int) -> None:
        """Forget everything of a rule that was removed."""
        with self._lock:
            for spot in [one for one in self._open if one[0] == rule]:
                del self._open[spot]
            for spot in [one for one in self._shelves if one[0] == rule]:
                del self._shelves[spot]
            self._starts.pop(rule, None)

    def past_shelves(self) -> list[Shelf]:
        """Return the shelves whose time is over."""
        now_us = self._clock.now_us()
        with self._lock:
            return [one for one in self._shelves.values() if one.until_us <= now_us]

    def unshelve(self, rule: RuleRecord, shelf: Shelf) -> None:
        """Take a key off its shelf when its time is over."""
        with self._lock:
            held = self._open.get((rule.id, shelf.key))
            if held is not None:
                self.shelve(rule, held, None, "")
                return
            self._records.save(Changes(rule_id=rule.id, unshelved=[(rule.id, shelf.key)]))
            self._shelves.pop((rule.id, shelf.key), None)


class _Desk:
    """One step: everything is worked out, kept, and only then true."""

    def __init__(
        self, board: Board, rule: RuleRecord, shape_keys: Sequence[str], changes: Changes
    ) -> None:
        self._board = board
        self._rule = rule
        self._shape_keys = shape_keys
        self._changes = changes
        self._now_us = board._clock.now_us()
        self._held: dict[str, Alarm] = {}
        self._starts: dict[tuple[str, int], int | None] = {}
        self._said: list[tuple[Act, Alarm]] = []
        self._next = board._next

    def mode_of(self, key: str) -> AlarmMode:
        """Return whether people are told of a key."""
        if self._rule.mode is not AlarmMode.NORMAL:
            return self._rule.mode
        return AlarmMode.SHELVED if (self._rule.id, key) in self._board._shelves else AlarmMode.NORMAL

    def take(self, key: str, change: Difference) -> None:
        """Let the alarm of a key follow one difference."""
        before, after = change
        if after is None:
            if before is not None:
                self._never_was(key, before)
            return
        if before is None:
            self._begin(key, after)
            return
        alarm = self._alarm(key)
        owner = self._start(key, before.start_us)
        if before.start_us != after.start_us and owner is not None:
            self._changes.dropped.append((owner, before.start_us))
            self._starts[key, before.start_us] = None
        if owner is not None:
            self._starts[key, after.start_us] = owner
            self._changes.spans.append((owner, after))
        if alarm is None or alarm.start_us != before.start_us:
            if after.cleared_us is None and before.cleared_us is not None:
                self._begin(key, after)
            return
        more = after.occurrences - before.occurrences
        alarm = msgspec.structs.replace(
            alarm,
            start_us=after.start_us,
            raised_us=after.raised_us,
            cleared_us=after.cleared_us,
            occurrences=max(1, alarm.occurrences + more),
        )
        if before.cleared_us is None and after.cleared_us is not None:
            self.move(alarm, Act.RETURN)
        elif before.cleared_us is not None and after.cleared_us is None:
            self.move(alarm, Act.RAISE)
        else:
            self._keep(alarm)

    def move(self, alarm: Alarm, act: Act, by: str = "", comment: str = "") -> Alarm | None:
        """Let something happen to an alarm; None when it cannot."""
        state = follow(alarm.state, act, latched=self._rule.spec.latched)
        if state is None:
            return None
        values: dict[str, object] = {"state": state, "updated_us": self._now_us}
        if act is Act.ACKNOWLEDGE:
            values |= {"acknowledged_us": self._now_us, "acknowledged_by": by}
        after = msgspec.structs.replace(alarm, **values)  # type: ignore[arg-type]
        line = AlarmEvent(time_us=self._now_us, act=act, state=state, by=by, comment=comment)
        self._changes.events.append((after.id, line))
        self._keep(after)
        self._said.append((act, after))
        if act is not Act.COMMENT and after.mode is AlarmMode.NORMAL and not after.flapping:
            self._notify(act, after, by, comment)
        return after

    def finish(self) -> None:
        """Keep everything, then let it be true and tell of it."""
        board = self._board
        if self._changes.is_empty():
            return
        board._records.save(self._changes)
        board._next = self._next
        for _, alarm in sorted(self._changes.alarms.items()):
            spot = (self._rule.id, alarm.key)
            held = board._open.get(spot)
            if alarm.state is not AlarmState.NORMAL:
                board._open[spot] = alarm
            elif held is not None and held.id == alarm.id:
                del board._open[spot]
        starts = board._starts.setdefault(self._rule.id, {})
        for at, owner in self._starts.items():
            if owner is None:
                starts.pop(at, None)
            else:
                starts[at] = owner
        while len(starts) > MAX_STARTS:
            del starts[next(iter(starts))]
        for shelf in self._changes.shelves:
            board._shelves[shelf.rule_id, shelf.key] = shelf
        for spot in self._changes.unshelved:
            board._shelves.pop(spot, None)
        board._told(self._said)

    # How

    def _alarm(self, key: str) -> Alarm | None:
        return self._held.get(key) or self._board._open.get((self._rule.id, key))

    def _start(self, key: str, start_us: int) -> int | None:
        at = (key, start_us)
        if at in self._starts:
            return self._starts[at]
        return self._board._starts.get(self._rule.id, {}).get(at)

    def _keep(self, alarm: Alarm) -> None:
        self._held[alarm.key] = alarm
        self._changes.alarms[alarm.id] = alarm

    def _begin(self, key: str, span: Span) -> None:
        """Take a new activation: into the alarm that is open, or into a new one."""
        alarm = self._alarm(key)
        if alarm is None or alarm.state is AlarmState.NORMAL:
            alarm = Alarm(
                id=self._next,
                rule_id=self._rule.id,
                rule=self._rule.spec.name,
                system_id=self._rule.system_id,
                key=key,
                subject="",
                severity=Severity.LOW,
                message="",
                values={},
                state=AlarmState.NORMAL,
                start_us=span.start_us,
                raised_us=span.raised_us,
                occurrences=0,
                activations=0,
            )
            self._next += 1
        is_newest = span.start_us >= alarm.start_us or alarm.state is AlarmState.NORMAL
        alarm = msgspec.structs.replace(
            alarm,
            occurrences=alarm.occurrences + span.occurrences,
            activations=alarm.activations + 1,
        )
        self._starts[key, span.start_us] = alarm.id
        self._changes.spans.append((alarm.id, span))
        if not is_newest:
            self._keep(alarm)
            return
        alarm = self._told_of(alarm, span)
        after = self.move(alarm, Act.RAISE) or alarm
        if span.cleared_us is not None:
            after = msgspec.structs.replace(after, cleared_us=span.cleared_us)
            after = self.move(after, Act.RETURN) or after
        self._keep(after)

    def _told_of(self, alarm: Alarm, span: Span) -> Alarm:
        spec = self._rule.spec
        values = span.values or alarm.values
        subject = subject_of(alarm.key, values, self._shape_keys)
        default = "{subject} sends nothing" if spec.absent_s else "{subject}: {rule}"
        message = render(
            spec.message or default,
            values,
            subject=subject,
            rule=spec.name,
            severity=spec.severity.value,
        )
        return msgspec.structs.replace(
            alarm,
            subject=subject,
            severity=spec.severity,
            message=message,
            values=values,
            mode=self.mode_of(alarm.key),
            start_us=span.start_us,
            raised_us=span.raised_us,
            cleared_us=None,
            flapping=self._is_flapping(alarm.key, span.raised_us),
        )

    def _is_flapping(self, key: str, raised_us: int) -> bool:
        limit = self._rule.spec.flapping
        if not limit:
            return False
        recent = self._board._raised.setdefault((self._rule.id, key), deque(maxlen=limit + 1))
        recent.append(raised_us)
        return len(recent) > limit and recent[-1] - recent[0] < FLAPPING_US

    def _never_was(self, key: str, span: Span) -> None:
        owner = self._start(key, span.start_us)
        if owner is not None:
            self._changes.dropped.append((owner, span.start_us))
        self._starts[key, span.start_us] = None
        alarm = self._alarm(key)
        if alarm is None or alarm.start_us != span.start_us:
            return
        alarm = msgspec.structs.replace(
            alarm,
            occurrences=max(0, alarm.occurrences - span.occurrences),
            activations=max(0, alarm.activations - 1),
            cleared_us=alarm.cleared_us or span.raised_us,
        )
        comment = "late data shows that its condition did not hold"
        if alarm.activations == 0:
            self.move(alarm, Act.WITHDRAW, comment=comment)
        elif self.move(alarm, Act.RETURN, comment=comment) is None:
            self._keep(alarm)

    def _notify(self, act: Act, alarm: Alarm, by: str, comment: str) -> None:
        spec = self._rule.spec
        for target in self._board._targets():
            wants = target.spec
            is_meant = (
                target.system_id == alarm.system_id
                and wants.enabled
                and act.value in wants.events
                and (not spec.notify or wants.name in spec.notify)
                and (not wants.rules or spec.name in wants.rules)
                and alarm.severity.rank >= Severity(wants.severity).rank
            )
            if is_meant:
                self._changes.deliveries.append(
                    delivery(target, act.value, body_of(act.value, alarm, by, comment), alarm.id,
                             self._now_us)
                )  # fmt: skip


def body_of(event: str, alarm: Alarm, by: str = "", comment: str = "") -> str:
    """Return the document that a target is sent."""
    document = {"event": event, "by": by, "comment": comment, "alarm": alarm}
    return msgspec.json.encode(document).decode()


def delivery(
    target: TargetRecord, event: str, body: str, alarm: int | None, now_us: int
) -> Delivery:
    """Return a new notification for a target."""
    return Delivery(
        id=0,
        key=uuid.uuid4().hex,
        target_id=target.id,
        alarm_id=alarm,
        event=event,
        body=body,
        state=DeliveryState.WAITING,
        created_us=now_us,
        due_us=now_us,
    )


