"""Alarms: conditions that people want to be told of, and where each of them stands.

The words are those of ANSI/ISA-18.2-2016 and IEC 62682:2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from penstock.core.notifications import Notifications
from penstock.core.people import Actor
from penstock.core.queries import RunStatus


class Severity(StrEnum):
    """Priority of an alarm, by how soon somebody must act and what follows if nobody does."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Severity).index(self)


class RuleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says of a rule. As text: a header of `-- key: value` lines, and the SQL.

    Attributes:
        name: Unique among the rules of its system; 1 to 63 letters, digits, `-` and `_`.
        system: Name of the system that owns it and whose data it may read; "" for one's own.
        sql: One `SELECT`. Every key of its answer has an alarm of its own.
        raise_: Condition on its rows, in SQL, that raises; "" takes the column `raised`, else what
            the query asks of its rows (`WHERE`, `HAVING`), else every row raises.
        clear: Condition that clears; "" takes the column `cleared`, else that it is not raised.
        severity: Its priority.
        hold_s: How long the condition must hold, in event time, before the alarm is raised.
        off_delay_s: How long it must be cleared before the alarm returns to normal.
        message: What people are told; `{column}` stands for a value of the row.
        absent_s: Raised when a key has sent no row for so long; 0 when it is not about absence.
        expect: Full names of datastreams that must send, `*` standing for any characters, for
            rules about absence: they are missed even if they never sent.
        suppressed_by: Names of rules of the same system: while an alarm of one of them is active,
            nobody is told of alarms of this one.
        suppressed_on: Columns that must have the same value in both alarms for that; empty means
            that any alarm of the other rule suppresses all of this one.
        notify: Names of the targets to be told; empty means all of the system.
        latched: Whether an alarm that returned stays until somebody resets it.
        flapping: After so many activations of one key within 10 minutes nobody is told of further
            ones, until it is calm again; 0 for no limit.
        lateness_s: See `core.queries.Query`, as for the next two.
        idle_s: See there.
        reach_s: See there.
        description: For people: cause, consequence, what to do.
    """

    name: str
    sql: str = ""
    system: str = ""
    raise_: str = msgspec.field(default="", name="raise")
    clear: str = ""
    severity: Severity = Severity.MEDIUM
    hold_s: float = 0.0
    off_delay_s: float = 0.0
    message: str = ""
    absent_s: float = 0.0
    expect: Sequence[str] = ()
    suppressed_by: Sequence[str] = ()
    suppressed_on: Sequence[str] = ()
    notify: Sequence[str] = ()
    latched: bool = False
    flapping: int = 10
    lateness_s: float = 2.0
    idle_s: float = 30.0
    reach_s: float = 3600.0
    description: str = ""


class AlarmMode(StrEnum):
    """Whether people are told of alarms of a rule, or of one key; the condition is watched on."""

    NORMAL = "normal"
    #: By somebody, for a limited time.
    SHELVED = "shelved"
    #: By design: the plant is in a state in which it means nothing. Another rule says so, or
    #: somebody does for a whole rule.
    SUPPRESSED = "suppressed"
    #: Taken out of service, for maintenance.
    OUT_OF_SERVICE = "out of service"


class RuleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as lists and pages show it.

    Attributes:
        id: Unique, positive, never used again.
        spec: What somebody said of it.
        system_id: Its system.
        enabled: Whether it is watched.
        mode: Whether people are told.
        mode_reason: Why not.
        run: How its query fares; None while it does not run.
        active: Alarms of it that are active now.
        suppressing: Rules whose active alarms keep people from being told of this one now.
        by: Who changed it last.
        changed_us: When, microseconds UTC.
        sql: The query that runs: that of the rule with its conditions as columns.
        trouble: Why it cannot be watched, or "".
    """

    id: int
    spec: RuleSpec
    system_id: int
    enabled: bool
    mode: AlarmMode
    mode_reason: str
    run: RunStatus | None
    active: int
    by: str
    changed_us: int
    sql: str = ""
    trouble: str = ""
    suppressing: Sequence[str] = ()


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


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One activation: from when a condition held until it was cleared. Microseconds UTC.

    Attributes:
        start_us: The condition holds since then.
        raised_us: The alarm is raised since then: it has held for the hold time.
        cleared_us: It returned to normal then; None while it has not.
        occurrences: How often the condition came true in it.
        values: Of the row that began it.
    """

    start_us: int
    raised_us: int
    cleared_us: int | None = None
    occurrences: int = 1
    values: Mapping[str, Any] = {}


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


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """An activation of one key, as a backtest finds it.

    Attributes:
        key: As of alarms.
        subject: What it is about, for people.
        span: When it was active; without an end when it runs at the end of the range.
        message: What people would have been told.
        suppressed: When in it the state of another rule would have suppressed it: pairs of
            start and end, microseconds UTC, by time.
        flapping: Whether it comes too often to be told of.
        is_told: Whether people would have been told of it at all.
    """

    key: str
    subject: str
    span: Span
    message: str = ""
    suppressed: Sequence[tuple[int, int]] = ()
    flapping: bool = False
    is_told: bool = True


class BacktestState(StrEnum):
    """How a backtest fares."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class AlarmBacktest(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would have raised over a range of event time.

    Attributes:
        id: Unique while the platform runs.
        state: How it fares.
        progress: 0 to 1.
        start_us: Of the range.
        end_us: Of the range, exclusive.
        rows: Rows of the query looked at.
        episodes: Found so far, by time; at most as many as the settings say.
        count: How many there are.
        keys: How many keys had one.
        active_s: Sum of their lengths within the range.
        longest_s: The longest of them.
        told: Of how many people would have been told.
        suppressed_s: How long they would have been suppressed, in all.
        message: What went wrong, or "".
    """

    id: int
    state: BacktestState
    progress: float
    start_us: int
    end_us: int
    rows: int = 0
    episodes: Sequence[Episode] = ()
    count: int = 0
    keys: int = 0
    active_s: float = 0.0
    longest_s: float = 0.0
    told: int = 0
    suppressed_s: float = 0.0
    message: str = ""


class AlarmWatch(Protocol):
    """One watcher's queue of alarms that changed; used from one asyncio task."""

    async def next(self) -> Sequence[tuple[Act, Alarm]]:
        """Wait for changes and return all that wait; the oldest go first when there are many."""
        ...

    def close(self) -> None:
        """Stop watching. Safe to call twice."""
        ...


class AlarmRules(Protocol):
    """The rules. Safe to call from any thread; changing needs MANAGE on the system.

    What one may not see does not exist: `NotFound`.
    """

    def list(self, by: Actor) -> Sequence[RuleInfo]:
        """Return those that `by` may see, by name."""
        ...

    def get(self, by: Actor, rule: int) -> RuleInfo:
        """Return one."""
        ...

    def add(self, by: Actor, spec: RuleSpec) -> RuleInfo:
        """Make one, and watch it.

        Raises:
            InvalidQuery: Its query cannot be run.
            InvalidInput: Something else of it cannot be kept; rules that suppress it must be there.
            Conflict: The name is taken.
        """
        ...

    def check(self, by: Actor, specs: Sequence[RuleSpec]) -> None:
        """Refuse rules of which one could not be made, or changed, together; nothing is kept.

        Raises:
            InvalidInput: As for `add`; the name of the rule is in it.
        """
        ...

    def change(self, by: Actor, rule: int, spec: RuleSpec) -> RuleInfo:
        """Replace what was said of one; its alarms of before end as withdrawn if still active.

        Raises:
            InvalidInput: As for `add`.
            Conflict: The name is taken, or a rule that it suppresses knows it by the old one.
        """
        ...

    def set_enabled(self, by: Actor, rule: int, *, enabled: bool) -> RuleInfo:
        """Watch one, or stop watching it."""
        ...

    def set_mode(self, by: Actor, rule: int, mode: AlarmMode, reason: str) -> RuleInfo:
        """Suppress the alarms of one, take it out of service, or go back to normal."""
        ...

    def remove(self, by: Actor, rule: int) -> None:
        """Delete one with its alarms.

        Raises:
            Conflict: It suppresses another rule.
        """
        ...

    def begin_backtest(
        self, by: Actor, spec: RuleSpec, start_us: int, end_us: int
    ) -> AlarmBacktest:
        """Begin to find out what a rule would have raised; it needs not be kept for that.

        Raises:
            InvalidInput: The rule cannot be run, or the range is empty.
            TooManyRequests: Too many run already.
        """
        ...

    def backtest(self, by: Actor, id_: int) -> AlarmBacktest:
        """Return how a backtest fares."""
        ...

    def cancel_backtest(self, by: Actor, id_: int) -> None:
        """End a backtest and forget it."""
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
