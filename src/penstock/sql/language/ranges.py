"""Ranges: SQL that keeps values where nothing that is computed of them stops a query.

Each mentions what it is given once, so that nesting does not multiply it, and works around
aggregates too, where DuckDB's `TRY` does not.
"""

from __future__ import annotations

#: Times of values that are computed: the years 1 to 9999, as in Flink. Times of observations and
#: differences of times stay far from the ends of what DuckDB can hold.
FIRST_US, END_US = -62_135_596_800_000_000, 253_402_300_800_000_000

#: Longest text that is put together, in characters, and what each occurrence is replaced by.
MAX_TEXT, MAX_REPLACEMENT = 65_536, 256


def between(sql: str, low: str, high: str) -> str:
    """Return what lies between two values, both exclusive; else NULL, also for NULL."""
    # `least` and `greatest` leave NULL out: it becomes a bound, and a bound becomes NULL.
    return f"nullif(nullif(greatest(least({sql}, {high}), {low}), {high}), {low})"


def time(sql: str) -> str:
    """Return a time within the years 1 to 9999; others, and the infinite ones, are NULL."""
    return between(sql, f"make_timestamp({FIRST_US - 1})", f"make_timestamp({END_US})")


def moment(sql: str) -> str:
    """Return the time that a text says, with its offset or zone; UTC where there is none.

    NULL for what is no time.
    """
    return f"CAST(TRY_CAST({sql} AS TIMESTAMPTZ) AS TIMESTAMP)"


def whole(sql: str) -> str:
    """Return a whole number of 64 bits, or NULL for one of more."""
    return f"TRY_CAST({sql} AS BIGINT)"


def wide(sql: str) -> str:
    """Return a whole number with room to calculate."""
    return f"CAST({sql} AS HUGEINT)"


def count(sql: str) -> str:
    """Return a whole number of 32 bits, as DuckDB wants it of places and digits, or NULL."""
    return f"TRY_CAST({sql} AS INTEGER)"


def number(sql: str) -> str:
    """Return a number, or NULL where a function is not defined."""
    return f"nullif({sql}, 'nan'::DOUBLE)"


def text(sql: str) -> str:
    """Return a text, cut to the longest that there may be."""
    return f"left({sql}, {MAX_TEXT})"
