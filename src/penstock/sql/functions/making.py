"""Making SQL of values."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.sql.signature import Kind, Value


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def merged(values: Sequence[Value], sql: str, kind: Kind, unit: str | None = None) -> Value:
    """Return what was made of several values: it depends on all that they depend on."""
    uses = frozenset[tuple[int, str]]().union(*(value.uses for value in values))
    return Value(sql=sql, kind=kind, unit=unit, uses=uses)
