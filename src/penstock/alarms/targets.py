"""Who is told: the targets, and the record of what they were told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from penstock.alarms.mail import addresses
from penstock.alarms.notifying import Notifier, Publish
from penstock.alarms.permits import Permits, check_name
from penstock.alarms.settings import AlarmSettings
from penstock.alarms.step import delivery
from penstock.alarms.webhooks import check_url
from penstock.core.access import Action
from penstock.core.alarm_records import NotificationRecords, TargetRecord
from penstock.core.alarm_rules import Severity
from penstock.core.alarms import Act
from penstock.core.clock import Clock
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.notifications import (
    TEST_EVENT,
    Delivery,
    DeliveryState,
    TargetInfo,
    TargetKind,
    TargetSpec,
)
from penstock.core.people import Actor, Event

Note = Callable[[Actor, Event], None]
#: A test is not tried by the notifier: whoever asked gets the answer.
_NEVER_US = 2**62


class Targets:
    """Targets. See `core.notifications.Notifications`."""

    def __init__(
        self,
        records: NotificationRecords,
        permits: Permits,
        publish: Publish,
        settings: AlarmSettings,
        clock: Clock,
        note: Note,
    ) -> None:
        self._records = records
        self._permits = permits
        self._settings = settings
        self._clock = clock
        self._note = note
        self._known: Sequence[TargetRecord] = records.targets()
        self.notifier = Notifier(records, self.all, publish, settings, clock)

    def all(self) -> Sequence[TargetRecord]:
        """Return all targets as of now, without looking who asks."""
        return self._known

    def targets(self, by: Actor) -> Sequence[TargetInfo]:
        """Return those that `by` may see, by name."""
        return [self._info(one) for one in self._known if self._permits.manages(by, one.system_id)]

    def target(self, by: Actor, target: int) -> TargetInfo:
        """Return one."""
        return self._info(self._find(by, target))

    def add(self, by: Actor, spec: TargetSpec) -> TargetInfo:
        """Make one."""
        system = self._permits.system_for(by, spec.system)
        self._check(spec, system)
        return self._keep(by, TargetRecord(system_id=system, spec=spec, by="", changed_us=0))

    def change(self, by: Actor, target: int, spec: TargetSpec) -> TargetInfo:
        """Replace what was said of one."""
        held = self._find(by, target)
        self._check(spec, held.system_id)
        if not spec.secret:
            spec = msgspec.structs.replace(spec, secret=held.spec.secret)
        return self._keep(by, msgspec.structs.replace(held, spec=spec))

    def remove(self, by: Actor, target: int) -> None:
        """Delete one, with what waits for it."""
        held = self._find(by, target)
        self._records.remove_target(target)
        self._known = self._records.targets()
        self._note(by, _event("remove", held))

    def test(self, by: Actor, target: int) -> Delivery:
        """Send it a test, now, once."""
        held = self._find(by, target)
        now_us = self._clock.now_us()
        document = {"event": TEST_EVENT, "by": self._permits.name(by), "comment": "", "alarm": None}
        body = msgspec.json.encode(document).decode()
        made = delivery(held, TEST_EVENT, body, None, now_us)
        made = self._records.add(msgspec.structs.replace(made, due_us=_NEVER_US))
        done = self.notifier.attempt(held, made)
        if done.state is DeliveryState.WAITING:
            done = msgspec.structs.replace(
                done, state=DeliveryState.FAILED, done_us=self._clock.now_us()
            )
        self._records.settle([done])
        return done

    def deliveries(
        self, by: Actor, target: int | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[Delivery]:
        """Return what was sent and what waits, newest first."""
        if target is not None:
            ids = [self._find(by, target).id]
        else:
            ids = [one.id for one in self._known if self._permits.manages(by, one.system_id)]
        return self._records.deliveries(ids, before, limit)

    # How

    def _find(self, by: Actor, target: int) -> TargetRecord:
        found = next((one for one in self._known if one.id == target), None)
        if found is None:
            msg = f"there is no notification target with id {target}"
            raise NotFound(msg)
        what = f"notification target with id {target}"
        self._permits.require(by, Action.MANAGE, found.system_id, what)
        return found

    def _keep(self, by: Actor, record: TargetRecord) -> TargetInfo:
        is_new = record.id == 0
        record = msgspec.structs.replace(
            record, by=self._permits.name(by), changed_us=self._clock.now_us()
        )
        kept = self._records.save_target(record)
        self._known = self._records.targets()
        self._note(by, _event("add" if is_new else "change", kept))
        self.notifier.wake()
        return self._info(kept)

    def _check(self, spec: TargetSpec, system: int) -> None:
        check_name(spec.name, "target")
        if spec.severity not in list(Severity):
            msg = f"severity {spec.severity[:40]!r}: allowed are {', '.join(Severity)}"
            raise InvalidInput(msg)
        for event in spec.events:
            if event not in list(Act):
                msg = f"event {event[:40]!r}: allowed are {', '.join(Act)}"
                raise InvalidInput(msg)
        if spec.kind is TargetKind.WEBHOOK:
            check_url(spec.address, self._settings)
        elif spec.kind is TargetKind.MAIL:
            addresses(spec.address)
        else:
            self._check_topic(spec.address, system)

    def _check_topic(self, topic: str, system: int) -> None:
        is_plain = topic and not any(char in topic for char in "+#\0") and topic[0] != "$"
        if not is_plain or len(topic.encode()) > 1000:
            msg = f"topic {topic[:100]!r} cannot be published to: no '+', '#' or '$' in front"
            raise InvalidInput(msg)
        if self._permits.owner_of(topic) != system:
            name = self._permits.system_name(system)
            msg = f"topic {topic[:100]!r} does not belong to system {name}; use {name}/..."
            raise InvalidInput(msg)

    def _info(self, target: TargetRecord) -> TargetInfo:
        name = self._permits.system_name(target.system_id)
        return TargetInfo(
            id=target.id,
            spec=msgspec.structs.replace(target.spec, secret="", system=name),
            system_id=target.system_id,
            has_secret=bool(target.spec.secret),
            by=target.by,
            changed_us=target.changed_us,
        )


def _event(action: str, target: TargetRecord) -> Event:
    return Event(
        action=action,
        kind="notification-target",
        object_id=target.id,
        name=target.spec.name,
        system=target.system_id,
        after={"kind": target.spec.kind.value, "address": target.spec.address},
    )
