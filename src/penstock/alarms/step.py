"""One change of alarms: worked out, kept, and only then true."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.alarms.changing import Difference
from penstock.alarms.messages import render
from penstock.alarms.rows import subject_of
from penstock.alarms.suppression import Suppressor
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import Changes, RuleRecord, TargetRecord
from penstock.core.alarm_rules import AlarmMode, RuleSpec, Severity
from penstock.core.alarms import (
    ACTIVE,
    QUIETING,
    UNQUIETING,
    Act,
    Alarm,
    AlarmEvent,
    AlarmState,
    follow,
)
from penstock.core.notifications import Delivery, DeliveryState

if TYPE_CHECKING:
    from penstock.alarms.board import Board

#: What happens to an alarm that comes into a mode, and that leaves it.
_INTO = {
    AlarmMode.SHELVED: Act.SHELVE,
    AlarmMode.SUPPRESSED: Act.SUPPRESS,
    AlarmMode.OUT_OF_SERVICE: Act.REMOVE,
}
_OUT_OF = {
    AlarmMode.SHELVED: Act.UNSHELVE,
    AlarmMode.SUPPRESSED: Act.UNSUPPRESS,
    AlarmMode.OUT_OF_SERVICE: Act.RESTORE,
}
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
        self._suppressors: list[Suppressor] | None = None
        self.has_turned = False

    def mode_of(
        self, key: str, values: Mapping[str, Any], *, unshelved: bool = False
    ) -> tuple[AlarmMode, str]:
        """Return whether people are told of a key, and why not."""
        if self._rule.mode is not AlarmMode.NORMAL:
            return self._rule.mode, self._rule.mode_reason
        shelf = self._board.shelves.get((self._rule.id, key))
        if shelf is not None and not unshelved:
            return AlarmMode.SHELVED, shelf.reason
        if self._suppressors is None:
            self._suppressors = self._board.suppressors(self._rule)
        why = next((why for one in self._suppressors if (why := one.why(values))), "")
        return (AlarmMode.SUPPRESSED if why else AlarmMode.NORMAL), why

    def reconsider(self, alarm: Alarm, by: str, comment: str) -> None:
        """Let an alarm be told of, or not, as its rule and the state of others want it."""
        mode, why = self.mode_of(alarm.key, alarm.values)
        if mode is alarm.mode:
            return
        act = _OUT_OF[alarm.mode] if mode is AlarmMode.NORMAL else _INTO[mode]
        self.move(msgspec.structs.replace(alarm, mode=mode), act, by, why or comment)

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
        self.has_turned |= (state in ACTIVE) != (alarm.state in ACTIVE)
        is_told = after.mode is AlarmMode.NORMAL or act in QUIETING
        if act is not Act.COMMENT and is_told and not after.flapping:
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
            if alarm.state is not AlarmState.NORMAL:
                board.open.setdefault(self._rule.id, {})[alarm.key] = alarm
            elif (held := board.held(*spot)) is not None and held.id == alarm.id:
                del board.open[self._rule.id][alarm.key]
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
        return self._held.get(key) or self._board.held(self._rule.id, key)

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
        was = alarm.mode
        mode, why = self.mode_of(key, span.values or alarm.values)
        alarm = msgspec.structs.replace(self._told_of(alarm, span), mode=mode)
        after = self.move(alarm, Act.RAISE) or alarm
        if mode not in (AlarmMode.NORMAL, was):
            after = self.move(after, _INTO[mode], comment=why) or after
        if span.cleared_us is not None:
            after = msgspec.structs.replace(after, cleared_us=span.cleared_us)
            after = self.move(after, Act.RETURN) or after
        self._keep(after)

    def _told_of(self, alarm: Alarm, span: Span) -> Alarm:
        spec = self._rule.spec
        values = span.values or alarm.values
        subject = subject_of(alarm.key, values, self._shape_keys)
        message = render(
            spec.message or default_message(spec),
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
            event = act.value if act.value in wants.events else ""
            if not event and act in UNQUIETING and alarm.state is AlarmState.UNACKNOWLEDGED:
                # Who is told of what is raised has not heard of it, or must hear of it again.
                event = Act.RAISE.value if Act.RAISE.value in wants.events else ""
            is_meant = (
                target.system_id == alarm.system_id
                and wants.enabled
                and event
                and (not spec.notify or wants.name in spec.notify)
                and (not wants.rules or spec.name in wants.rules)
                and alarm.severity.rank >= Severity(wants.severity).rank
            )
            if is_meant:
                self._changes.deliveries.append(
                    delivery(target, event, body_of(event, alarm, by, comment), alarm.id,
                             self._now_us)
                )  # fmt: skip


def default_message(spec: RuleSpec) -> str:
    """Return the template of a rule that says none."""
    return "{subject} sends nothing" if spec.absent_s else "{subject}: {rule}"


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
