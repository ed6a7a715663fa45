"""Alarms: conditions that people want to be told of, and where each of them stands.

The words are those of ANSI/ISA-18.2-2016 and IEC 62682:2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from penstock.core.alarm_episodes import Span
from penstock.core.alarm_rules import AlarmMode, AlarmRules, Severity
from penstock.core.notifications import Notifications
from penstock.core.people import Actor


class AlarmState(StrEnum):
    """Where an alarm stands (ISA-18.2, figure 3), but for whether people are told of it."""

    #: Nothing to do: it returned, and was acknowledged.
    NORMAL = "normal"
    #: Active, and nobody has acknowledged it.
    UNACKNOWLEDGED = "unacknowledged"
    #: Active and acknowledged.
    ACKNOWLEDGED = "acknowledged"
    #: It returned before anybody acknowledged it.
    RETURNED = "returned"
    #: It returned, is not acknowledged, and waits for a reset.
    LATCHED = "latched"
    #: It returned, is acknowledged, and waits for a reset.
    LATCHED_ACKNOWLEDGED = "latched acknowledged"


#: States in which the condition is there.
ACTIVE = frozenset({AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED})
#: States in which an alarm is in the list of those that want attention.
OPEN = frozenset(AlarmState) - {AlarmState.NORMAL}


class Act(StrEnum):
    """What happens to an alarm."""

    RAISE = "raise"
    #: Its condition cleared.
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    #: Somebody resets a latched alarm.
    RESET = "reset"
    #: Late data shows that its condition never held.
    WITHDRAW = "withdraw"
    COMMENT = "comment"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    #: Its rule is taken out of service.
    REMOVE = "out of service"
    RESTORE = "in service"


#: From here on nobody is told of an alarm.
QUIETING = frozenset({Act.SHELVE, Act.SUPPRESS, Act.REMOVE})
#: From here on people are told again.
UNQUIETING = frozenset({Act.UNSHELVE, Act.UNSUPPRESS, Act.RESTORE})


_FOLLOWS: Mapping[tuple[AlarmState, Act], AlarmState] = {
    (AlarmState.NORMAL, Act.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.RETURNED, Act.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.LATCHED, Act.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.LATCHED_ACKNOWLEDGED, Act.RAISE): AlarmState.UNACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, Act.RETURN): AlarmState.RETURNED,
    (AlarmState.ACKNOWLEDGED, Act.RETURN): AlarmState.NORMAL,
    (AlarmState.UNACKNOWLEDGED, Act.ACKNOWLEDGE): AlarmState.ACKNOWLEDGED,
    (AlarmState.RETURNED, Act.ACKNOWLEDGE): AlarmState.NORMAL,
    (AlarmState.LATCHED, Act.ACKNOWLEDGE): AlarmState.LATCHED_ACKNOWLEDGED,
    (AlarmState.LATCHED_ACKNOWLEDGED, Act.RESET): AlarmState.NORMAL,
}
_LATCHED_FOLLOWS: Mapping[tuple[AlarmState, Act], AlarmState] = {
    (AlarmState.UNACKNOWLEDGED, Act.RETURN): AlarmState.LATCHED,
    (AlarmState.ACKNOWLEDGED, Act.RETURN): AlarmState.LATCHED_ACKNOWLEDGED,
}


def follow(state: AlarmState, act: Act, *, latched: bool = False) -> AlarmState | None:
    """Return the state that follows when something happens to an alarm, or None if it cannot.

    The one place that says so. What only speaks of an alarm (comments, whether people are told)
    leaves its state; a withdrawal ends it whatever it is, since there was nothing to tell.
    """
    if act is Act.COMMENT or act in QUIETING or act in UNQUIETING:
        return state
    if act is Act.WITHDRAW:
        return None if state is AlarmState.NORMAL else AlarmState.NORMAL
    found = _LATCHED_FOLLOWS.get((state, act)) if latched else None
    return found or _FOLLOWS.get((state, act))


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm, from its first activation until it is normal again.

    Attributes:
        id: Unique, never used again.
        rule_id: Its rule.
        rule: Name of that.
        system_id: System of that.
        key: Tells the alarms of one rule apart.
        subject: What it is about, for people.
        severity: Of the rule when it was raised.
        message: Made from the rule's template.
        values: Of the row that raised it last.
        state: Where it stands.
        mode: Whether people are told.
        shelved_until_us: When it is told of again, while it is shelved.
        start_us: Its condition holds since then; of the last activation, as the next two.
        raised_us: It is raised since then.
        cleared_us: It returned then; None while it is active.
        occurrences: How often its condition came true.
        activations: How often it was raised, before it was normal again.
        flapping: Whether nobody is told because it comes and goes too often.
        acknowledged_us: When it was acknowledged last.
        acknowledged_by: By whom.
        updated_us: When something happened to it last.
    """

    id: int
    rule_id: int
    rule: str
    system_id: int
    key: str
    subject: str
    severity: Severity
    message: str
    values: Mapping[str, Any]
    state: AlarmState
    mode: AlarmMode = AlarmMode.NORMAL
    shelved_until_us: int | None = None
    start_us: int
    raised_us: int
    cleared_us: int | None = None
    occurrences: int = 1
    activations: int = 1
    flapping: bool = False
    acknowledged_us: int | None = None
    acknowledged_by: str = ""
    updated_us: int = 0


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an alarm's history: what happened, when, who did it, and what they said."""

    time_us: int
    act: Act
    state: AlarmState
    by: str = ""
    comment: str = ""


class AlarmQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which alarms, newest first.

    Attributes:
        states: In these states; empty means all.
        modes: Told of in these ways; empty means all.
        severity: At least this one.
        rule: Of this rule only.
        system: Of this system only.
        search: Text in subject, message or rule.
        start_us: Active at or after this time.
        end_us: Active before this time.
        before: Ids below this one.
        limit: At most so many.
    """

    states: frozenset[AlarmState] = frozenset()
    modes: frozenset[AlarmMode] = frozenset()
    severity: Severity = Severity.LOW
    rule: int | None = None
    system: int | None = None
    search: str = ""
    start_us: int | None = None
    end_us: int | None = None
    before: int | None = None
    limit: int = 100


class AlarmWatch(Protocol):
    """One watcher's queue of alarms that changed; used from one asyncio task."""

    async def next(self) -> Sequence[tuple[Act, Alarm]]:
        """Wait for changes and return all that wait; the oldest go first when there are many."""
        ...

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        ...


class Alarms(Protocol):
    """The alarms. Safe to call from any thread.

    Seeing needs READ on the system of the rule; acknowledging, shelving, resetting and commenting
    WRITE: whoever may send data may say that it was seen.
    """

    @property
    def rules(self) -> AlarmRules:
        """Their rules."""
        ...

    @property
    def notifications(self) -> Notifications:
        """Who is told."""
        ...

    def list(self, by: Actor, query: AlarmQuery) -> Sequence[Alarm]:
        """Return alarms, newest first."""
        ...

    def get(self, by: Actor, alarm: int) -> tuple[Alarm, Sequence[AlarmEvent], Sequence[Span]]:
        """Return one, its history (newest first) and its activations (oldest first)."""
        ...

    def act(self, by: Actor, alarm: int, act: Act, comment: str = "") -> Alarm:
        """Acknowledge, reset or comment on one.

        Raises:
            Conflict: It may not follow from where the alarm stands.
        """
        ...

    def shelve(self, by: Actor, alarm: int, until_us: int, reason: str) -> Alarm:
        """Tell nobody of this rule and key until then.

        Raises:
            InvalidInput: It is past, or longer than the settings allow, or there is no reason.
        """
        ...

    def unshelve(self, by: Actor, alarm: int) -> Alarm:
        """Tell people of it again."""
        ...

    def watch(self, by: Actor) -> AlarmWatch:
        """Watch those that `by` may see; to be called in the event loop that will wait."""
        ...
