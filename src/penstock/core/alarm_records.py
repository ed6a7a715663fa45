"""What is kept of alarms: rules, where each key stands, alarms, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from penstock.core.alarm_episodes import Span
from penstock.core.alarm_rules import AlarmMode, RuleSpec
from penstock.core.alarms import Alarm, AlarmEvent, AlarmQuery
from penstock.core.notifications import Delivery, TargetSpec


class RuleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it is kept; id 0 is a new one."""

    id: int = 0
    system_id: int
    spec: RuleSpec
    enabled: bool = True
    mode: AlarmMode = AlarmMode.NORMAL
    mode_reason: str = ""
    by: str
    changed_us: int


class TargetRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A target as it is kept, with its secret; id 0 is a new one."""

    id: int = 0
    system_id: int
    spec: TargetSpec
    by: str
    changed_us: int


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a rule that is shelved."""

    rule_id: int
    key: str
    until_us: int
    reason: str
    by: str


class Changes(msgspec.Struct, kw_only=True):
    """What becomes durable in one step.

    Attributes:
        rule_id: Whose keys.
        keys: Where keys stand, as the fold keeps it; None forgets.
        alarms: As they are now, new ones among them.
        events: Lines of the history of alarms, by id.
        spans: Activations of alarms, by id; one with the same start is replaced.
        dropped: Activations that never were: id and start.
        shelves: Keys that are shelved now.
        unshelved: Rule and key of those that are not any more.
        deliveries: What is to be sent; their ids are given when they are kept.
    """

    rule_id: int = 0
    keys: dict[str, bytes | None] = {}
    alarms: dict[int, Alarm] = {}
    events: list[tuple[int, AlarmEvent]] = []
    spans: list[tuple[int, Span]] = []
    dropped: list[tuple[int, int]] = []
    shelves: list[Shelf] = []
    unshelved: list[tuple[int, str]] = []
    deliveries: list[Delivery] = []

    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        parts = (self.keys, self.alarms, self.events, self.spans, self.dropped, self.shelves)
        return not any((*parts, self.unshelved, self.deliveries))


class AlarmRecords(Protocol):
    """Keeps rules and alarms. Safe to call from any thread; durable when a call returns."""

    def rules(self) -> Sequence[RuleRecord]:
        """Return all rules, by name."""
        ...

    def save_rule(self, rule: RuleRecord) -> RuleRecord:
        """Keep a rule and return it with its id.

        Raises:
            Conflict: Another one of its system has the name.
        """
        ...

    def remove_rule(self, rule: int) -> None:
        """Remove a rule with its alarms."""
        ...

    def keys(self, rule: int) -> Mapping[str, bytes]:
        """Return where the keys of a rule stand."""
        ...

    def last_alarm(self) -> int:
        """Return the highest id that an alarm ever had."""
        ...

    def open_alarms(self) -> Sequence[Alarm]:
        """Return all alarms that are not normal."""
        ...

    def shelves(self) -> Sequence[Shelf]:
        """Return all keys that are shelved."""
        ...

    def save(self, changes: Changes) -> None:
        """Keep changes, all or none."""
        ...

    def find(self, query: AlarmQuery, systems: frozenset[int] | None) -> Sequence[Alarm]:
        """Return alarms of some systems (None: of all), newest first."""
        ...

    def alarm(self, id_: int) -> Alarm | None:
        """Return an alarm, or None."""
        ...

    def history(self, alarm: int) -> tuple[Sequence[AlarmEvent], Sequence[Span]]:
        """Return the newest events of an alarm, newest first, and its activations by time."""
        ...

    def spans(self, rule: int, since_us: int) -> Mapping[tuple[str, int], int]:
        """Return the alarms of a rule's activations that end after a time, by key and start."""
        ...

    def forget(self, before_us: int) -> None:
        """Remove alarms that were normal, and notifications that were done, before then."""
        ...


class NotificationRecords(Protocol):
    """Keeps targets and what they were told. Safe to call from any thread; durable."""

    def targets(self) -> Sequence[TargetRecord]:
        """Return all targets, by name."""
        ...

    def save_target(self, target: TargetRecord) -> TargetRecord:
        """Keep a target and return it with its id.

        Raises:
            Conflict: Another one of its system has the name.
        """
        ...

    def remove_target(self, target: int) -> None:
        """Remove a target with what waits for it."""
        ...

    def add(self, delivery: Delivery) -> Delivery:
        """Keep a notification and return it with its id."""
        ...

    def due(self, now_us: int, but: Sequence[int], limit: int) -> Sequence[Delivery]:
        """Return notifications to be tried now, oldest first; not of the targets `but`.

        Those of a target of which another one waits for its time wait too.
        """
        ...

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what became of notifications."""
        ...

    def deliveries(
        self, targets: Sequence[int], before: int | None, limit: int
    ) -> Sequence[Delivery]:
        """Return notifications of some targets, newest first."""
        ...
