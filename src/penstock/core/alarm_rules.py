"""Rules of alarms: what is watched, and how people are told of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.alarm_episodes import AlarmBacktest
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

    def cancel_backtest(self, by: Actor, id_: int) -> AlarmBacktest:
        """End a backtest, and return what it had found; one that has ended stays as it is."""
        ...
