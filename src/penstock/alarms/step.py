"""One change of alarms: worked out, kept, and only then true."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from penstock.alarms.changing import Difference
from penstock.alarms.messages import render
from penstock.alarms.rows import subject_of
from penstock.core.alarm_records import Changes, RuleRecord, TargetRecord
from penstock.core.alarms import (
    Act,
    Alarm,
    AlarmEvent,
    AlarmMode,
    AlarmState,
    Severity,
    Span,
    follow,
)
from penstock.core.notifications import Delivery, DeliveryState

if TYPE_CHECKING:
    from penstock.alarms.board import Board

#: Time over which activations are counted for the flapping limit, in microseconds.
FLAPPING_US = 600_000_000
#: Activations remembered to find an alarm again when late data changes it, of one rule.
MAX_STARTS = 20_000


class Step:
    """One step: everything is worked out, kept, and only then true."""

    def __init__(
        self, board: Board, rule: RuleRecord, shape_keys: Sequence[str], changes: Changes
    ) -> None:
        self._board = board
        self._rule = rule
        self._shape_keys = shape_keys
        self._changes = changes
        self._now_us = board.clock.now_us()
        self._held: dict[str, Alarm] = {}
        self._starts: dict[tuple[str, int], int | None] = {}
        self._said: list[tuple[Act, Alarm]] = []
        self._next = board.next

    def mode_of(self, key: str) -> AlarmMode:
        """Return whether people are told of a key."""
        if self._rule.mode is not AlarmMode.NORMAL:
            return self._rule.mode
        return (
            AlarmMode.SHELVED if (self._rule.id, key) in self._board.shelves else AlarmMode.NORMAL
        )

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
        after = msgspec.structs.replace(alarm, **values)
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
        board.records.save(self._changes)
        board.next = self._next
        for _, alarm in sorted(self._changes.alarms.items()):
            spot = (self._rule.id, alarm.key)
            held = board.open.get(spot)
            if alarm.state is not AlarmState.NORMAL:
                board.open[spot] = alarm
            elif held is not None and held.id == alarm.id:
                del board.open[spot]
        starts = board.starts.setdefault(self._rule.id, {})
        for at, owner in self._starts.items():
            if owner is None:
                starts.pop(at, None)
            else:
                starts[at] = owner
        while len(starts) > MAX_STARTS:
            del starts[next(iter(starts))]
        for shelf in self._changes.shelves:
            board.shelves[shelf.rule_id, shelf.key] = shelf
        for spot in self._changes.unshelved:
            board.shelves.pop(spot, None)
        board.told(self._said)

    # How

    def _alarm(self, key: str) -> Alarm | None:
        return self._held.get(key) or self._board.open.get((self._rule.id, key))

    def _start(self, key: str, start_us: int) -> int | None:
        at = (key, start_us)
        if at in self._starts:
            return self._starts[at]
        return self._board.starts.get(self._rule.id, {}).get(at)

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
        recent = self._board.raised.setdefault((self._rule.id, key), deque(maxlen=limit + 1))
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
        for target in self._board.targets():
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
