"""Suppressed by design: alarms that mean nothing while those of another rule are active.

A pump that is switched off has no flow. ISA-18.2 calls it suppression by design: the condition is
watched on, and people are told of it only when it is still there afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from penstock.core.alarm_records import RuleRecord
from penstock.core.alarm_rules import AlarmMode, RuleSpec
from penstock.core.alarms import ACTIVE, Alarm
from penstock.core.errors import Conflict, InvalidInput


class Relations:
    """Which rules suppress which, as the rules are at one moment. Never changes."""

    def __init__(self, rules: Iterable[RuleRecord] = ()) -> None:
        known = {(one.system_id, one.spec.name): one for one in rules}
        self._above: dict[int, list[RuleRecord]] = {}
        self._below: dict[int, list[RuleRecord]] = {}
        for rule in known.values():
            for name in dict.fromkeys(rule.spec.suppressed_by):
                above = known.get((rule.system_id, name))
                if above is not None:
                    self._above.setdefault(rule.id, []).append(above)
                    self._below.setdefault(above.id, []).append(rule)

    def above(self, rule: int) -> Sequence[RuleRecord]:
        """Return the rules that suppress one."""
        return self._above.get(rule, ())

    def suppressing(self) -> Collection[int]:
        """Return the ids of all rules that suppress another one."""
        return self._below.keys()

    def below(self, rule: int) -> Sequence[RuleRecord]:
        """Return the rules that one suppresses."""
        return self._below.get(rule, ())


class Suppressor:
    """What the active alarms of one rule suppress of another one's, at one moment.

    Args:
        rule: The rule whose alarms suppress.
        columns: What must be the same in both alarms; none means nothing.
        alarms: The alarms of the rule that are open.
    """

    def __init__(self, rule: RuleRecord, columns: Sequence[str], alarms: Iterable[Alarm]) -> None:
        self._rule = rule
        self._columns = columns
        active = (one for one in alarms if counts(rule) and one.state in ACTIVE)
        self._by_spot = {spot_of(one.values, columns): one for one in active}

    @property
    def is_active(self) -> bool:
        """Whether it suppresses anything now."""
        return bool(self._by_spot)

    def why(self, values: Mapping[str, Any]) -> str:
        """Return why an alarm with such values is suppressed, or ""."""
        alarm = self._by_spot.get(spot_of(values, self._columns))
        if alarm is None:
            return ""
        return f"while {self._rule.spec.name} is active (alarm {alarm.id}: {alarm.subject})"


def counts(rule: RuleRecord) -> bool:
    """Tell whether a rule suppresses others; of one out of service nobody may rely on it."""
    return rule.enabled and rule.mode is not AlarmMode.OUT_OF_SERVICE


def spot_of(values: Mapping[str, Any], columns: Sequence[str]) -> bytes:
    """Return what some columns of a row say, to be compared."""
    return msgspec.json.encode([values.get(name) for name in columns])


def check_suppression(spec: RuleSpec, others: Iterable[RuleSpec], columns: Iterable[str]) -> None:
    """Refuse a rule that names rules that are not there, or that suppress one another in a ring.

    Args:
        spec: Of the rule.
        others: All others of its system.
        columns: Of its query.

    Raises:
        InvalidInput: What is allowed.
    """
    if spec.suppressed_on and not spec.suppressed_by:
        msg = "`suppressed-on` needs `suppressed-by`: the rules that suppress this one"
        raise InvalidInput(msg)
    known = list(columns)
    for name in spec.suppressed_on:
        if name not in known:
            msg = f"suppressed-on: the query has no column {name!r}; it has {', '.join(known)}"
            raise InvalidInput(msg)
    by_name = {one.name: one for one in others}
    for name in spec.suppressed_by:
        if name not in by_name and name != spec.name:
            has = ", ".join(sorted(by_name)[:20]) or "none"
            msg = f"suppressed-by: the system has no rule {name!r}; others of it: {has}"
            raise InvalidInput(msg)
    by_name[spec.name] = spec
    path = _ring(spec.name, by_name)
    if path:
        msg = (
            f"suppressed-by: {' by '.join(path)}: rules that suppress one another would keep "
            "everybody from being told"
        )
        raise InvalidInput(msg)


def check_not_needed(name: str, below: Sequence[RuleRecord]) -> None:
    """Refuse to take away a rule that others name.

    Raises:
        Conflict: Which these are.
    """
    if below:
        names = ", ".join(one.spec.name for one in below)
        msg = f"{name} suppresses {names}; change `suppressed-by` there first"
        raise Conflict(msg)


def in_order(specs: Sequence[RuleSpec]) -> list[RuleSpec]:
    """Return rules with those that suppress others before these; a ring stays as it came."""
    by_name = {one.name: one for one in specs}
    if len(by_name) < len(specs):
        return list(specs)
    above = {one.name: [name for name in one.suppressed_by if name in by_name] for one in specs}
    try:
        return [by_name[name] for name in TopologicalSorter(above).static_order()]
    except CycleError:
        return list(specs)


def _ring(start: str, by_name: Mapping[str, RuleSpec]) -> list[str]:
    """Return the names of a ring through a rule, or none."""
    paths = [[start]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for name in by_name[path[-1]].suppressed_by if path[-1] in by_name else ():
            if name == start:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
