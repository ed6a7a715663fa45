"""What somebody may read, as a condition on rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, literal, or_

from penstock.catalog.dialects.words import Among
from penstock.catalog.models import Datastream, Thing
from penstock.core.access import Scope


def is_within(scope: Scope) -> list[ColumnElement[bool]]:
    """Return the conditions that a scope sets on Datastreams joined with their Things."""
    if scope.everything:
        return []
    parts = [
        is_among(column, ids)
        for column, ids in (
            (Thing.system_id, scope.systems),
            (Thing.id, scope.things),
            (Datastream.id, scope.datastreams),
        )
        if ids
    ]
    return [or_(literal(value=False), *parts)]


def is_among(column: Any, ids: Collection[int]) -> ColumnElement[bool]:
    """Compare with a list given as one value: however long it is, it is one statement."""
    if len(ids) <= 50:
        return column.in_(sorted(ids))  # type: ignore[no-any-return]
    text = "[" + ",".join(map(str, sorted(ids))) + "]"
    return Among(column, literal(text))
