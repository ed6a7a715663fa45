"""Notifications: who is told of alarms, how, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.people import Actor


class TargetKind(StrEnum):
    """How somebody is told."""

    #: HTTP POST of a JSON document.
    WEBHOOK = "webhook"
    MAIL = "mail"
    MQTT = "mqtt"


class TargetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of a target.

    Attributes:
        name: Unique among the targets of its system; 1 to 63 letters, digits, `-` and `_`.
        system: Name of the system that owns it; "" for one's own.
        kind: How it is told.
        address: URL, mail addresses separated by commas, or MQTT topic, by kind.
        secret: Key of the signature of a webhook; "" leaves what there is. Never shown.
        severity: Told of alarms of at least this severity.
        rules: Names of the rules that it is told of; empty means all.
        events: What it is told of: `raise`, `return`, `acknowledge`, `reset`, `withdraw`,
            `shelve`, `unshelve`, `suppress`, `unsuppress`, `out of service`, `in service`. Who is
            told of `raise` is told so too when an alarm is still active when its quiet ends.
        enabled: Whether it is told at all.
    """

    name: str
    kind: TargetKind
    address: str
    system: str = ""
    secret: str = ""
    severity: str = "low"
    rules: Sequence[str] = ()
    events: Sequence[str] = ("raise", "return", "withdraw")
    enabled: bool = True


class TargetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A target as lists show it; of the secret only whether there is one."""

    id: int
    spec: TargetSpec
    system_id: int
    has_secret: bool
    by: str
    changed_us: int


#: What the event of a test is called.
TEST_EVENT = "test"


class DeliveryState(StrEnum):
    """What became of a notification."""

    WAITING = "waiting"
    SENT = "sent"
    #: Given up.
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notification for one target.

    Attributes:
        id: Ascending.
        key: Unique name that the receiver sees; the same whenever it is tried again.
        target_id: For whom.
        alarm_id: About which alarm; None for a test.
        event: What happened to it.
        body: What is sent: a JSON document.
        state: What became of it.
        attempts: How often it was tried.
        created_us: When it was made.
        due_us: When it is tried (again).
        done_us: When it was sent or given up.
        outcome: What the other side answered last, or why it could not be reached.
    """

    id: int
    key: str
    target_id: int
    alarm_id: int | None
    event: str
    body: str
    state: DeliveryState
    attempts: int = 0
    created_us: int
    due_us: int
    done_us: int | None = None
    outcome: str = ""


class Notifications(Protocol):
    """Targets, and the record of what they were told. Safe to call from any thread.

    Changing and seeing need MANAGE on the system: addresses may be private.
    """

    def targets(self, by: Actor) -> Sequence[TargetInfo]:
        """Return those that `by` may see, by name."""
        ...

    def target(self, by: Actor, target: int) -> TargetInfo:
        """Return one."""
        ...

    def add(self, by: Actor, spec: TargetSpec) -> TargetInfo:
        """Make one.

        Raises:
            InvalidInput: Its address is not allowed.
            Conflict: The name is taken.
        """
        ...

    def change(self, by: Actor, target: int, spec: TargetSpec) -> TargetInfo:
        """Replace what was said of one."""
        ...

    def remove(self, by: Actor, target: int) -> None:
        """Delete one, with what waits for it."""
        ...

    def test(self, by: Actor, target: int) -> Delivery:
        """Send it a test, now, once; the answer says what became of it."""
        ...

    def deliveries(
        self, by: Actor, target: int | None = None, before: int | None = None, limit: int = 100
    ) -> Sequence[Delivery]:
        """Return what was sent and what waits, newest first."""
        ...
