"""Selections as SQL conditions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.core.selection import Selection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID_BITS = 63


def instant(time_us: int) -> str:
    """Return a time within the years 1 to 9999 as an SQL constant."""
    return f"timestamptz '{(_EPOCH + timedelta(microseconds=time_us)).isoformat(' ')}'"


def literal(text: str) -> str:
    """Return a text as an SQL constant."""
    return "'" + text.replace("'", "''") + "'"


def ids(values: Iterable[int]) -> str:
    """Return ids as an SQL array; those beyond 64 bits, which no row has, are left out."""
    fitting = (value for value in values if -(2**_ID_BITS) <= value < 2**_ID_BITS)
    return "'{" + ",".join(map(str, fitting)) + "}'::bigint[]"


def among(column: str, values: Iterable[int] | None) -> str:
    """Return the condition that a column is one of some ids; None means any."""
    return "true" if values is None else f"{column} = ANY ({ids(values)})"


def chosen(selection: Selection, *, alias: str = "") -> str:
    """Return the condition that a selection sets, without its limit."""
    dot = f"{alias}." if alias else ""
    tests = []
    if selection.datastreams is not None:
        tests.append(among(f"{dot}datastream", selection.datastreams))
    if selection.features is not None:
        tests.append(among(f"{dot}feature", selection.features))
    tests.append(within(f"{dot}time", selection.start_us, selection.end_us))
    if selection.after is not None:
        tests += _behind(dot, selection)
    return " AND ".join(tests)


def within(column: str, start_us: int | None, end_us: int | None) -> str:
    """Return the condition of a range of times, whose ends may be beyond what can be kept."""
    tests = []
    if start_us is not None and start_us > MIN_TIME_US:
        tests.append(f"{column} >= {instant(start_us)}" if start_us < MAX_TIME_US else "false")
    if end_us is not None and end_us < MAX_TIME_US:
        tests.append(f"{column} < {instant(end_us)}" if end_us > MIN_TIME_US else "false")
    return " AND ".join(tests) or "true"


def _behind(dot: str, selection: Selection) -> list[str]:
    after, descending = selection.after, selection.descending
    assert after is not None
    if after.time_us < MIN_TIME_US:
        return ["false"] if descending else []
    if after.time_us >= MAX_TIME_US:
        return [] if descending else ["false"]
    sign = "<" if descending else ">"
    time = instant(after.time_us)
    row = f"({dot}time, {dot}datastream, {dot}feature)"
    # The first of them is what an index can use.
    return [
        f"{dot}time {sign}= {time}",
        f"{row} {sign} ({time}, '{after.datastream}'::bigint, '{after.feature}'::bigint)",
    ]
