"""What can be a rule: its numbers, its conditions and its query, and where a mistake is."""

from __future__ import annotations

import msgspec

from penstock.alarms.permits import check_name
from penstock.alarms.watching import query_of, shape_of
from penstock.core.alarm_rules import RuleSpec
from penstock.core.errors import InvalidInput, InvalidQuery
from penstock.core.queries import Meaning, Query, Streams

#: Longest time that a rule may name, in seconds: a year.
MAX_S = 31_536_000.0
_TIMES = ("hold_s", "off_delay_s", "absent_s", "lateness_s", "idle_s", "reach_s")


def columns_of(streams: Streams, spec: RuleSpec, system: int) -> list[str]:
    """Return the columns of a rule's query.

    Raises:
        InvalidQuery: Its query cannot be run; the place is told in the SQL as it was written.
        InvalidInput: Something else of it cannot be.
    """
    _check_plain(spec)
    if spec.sql.strip():
        streams.explain(Query(sql=spec.sql, system=system, reach_s=spec.reach_s))
    meaning = _with_conditions(streams, spec, system)
    shape_of(spec, meaning)
    return [column.name for column in meaning.columns]


def _with_conditions(streams: Streams, spec: RuleSpec, system: int) -> Meaning:
    """Return what is known of the query with its conditions; it is in order without them."""
    try:
        return streams.explain(query_of(spec, system))
    except InvalidQuery as error:
        # Its place is one in the query that is made of all, which nobody wrote.
        place = f"line {error.line}, column {error.column}: "
        raise InvalidInput(
            f"{_culprit(streams, spec, system)}{str(error).removeprefix(place)}"
        ) from error


def _culprit(streams: Streams, spec: RuleSpec, system: int) -> str:
    """Return which condition it is that cannot be."""
    if not spec.raise_ and not spec.clear:
        return ""
    if not spec.clear:
        return "raise: "
    try:
        streams.explain(query_of(msgspec.structs.replace(spec, clear=""), system))
    except InvalidQuery:
        return "raise: " if spec.raise_ else ""
    return "clear: "


def _check_plain(spec: RuleSpec) -> None:
    check_name(spec.name, "alarm rule")
    for name in _TIMES:
        value = getattr(spec, name)
        if not 0 <= value <= MAX_S:
            msg = f"{name} is {value}; 0 to {MAX_S:.0f} seconds are allowed"
            raise InvalidInput(msg)
    if not 0 <= spec.flapping <= 1000:
        msg = f"flapping is {spec.flapping}; 0 to 1000 are allowed"
        raise InvalidInput(msg)
    if spec.absent_s and (spec.raise_ or spec.clear or spec.hold_s or spec.off_delay_s):
        msg = "a rule about absence has no `raise`, `clear`, `hold` and `off-delay`"
        raise InvalidInput(msg)
    if spec.expect and not spec.absent_s:
        msg = "`expect` needs `absent`: how long the datastreams may send nothing"
        raise InvalidInput(msg)
