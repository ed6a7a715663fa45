"""What someone may read, as a condition."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_, true

from penstock.catalog.scoping import is_among
from penstock.core.access import Scope


def seen_by(scope: Scope, system: Any, thing: Any) -> ColumnElement[bool]:
    """Return the condition that a row's system or Thing is among what someone may read."""
    if scope.everything:
        return true()
    return or_(is_among(system, scope.systems), is_among(thing, scope.things))
