"""The audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from penstock.catalog.identities.desk import Desk
from penstock.catalog.organisation_models import AuditRow
from penstock.core.access import Action, Kind, Resource
from penstock.core.people import Actor, AuditEntry, Event


class SqlTrail:
    """See `core.identity.Trail`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def write(self, by: Actor, event: Event) -> None:
        """Remember something that was done elsewhere."""
        with self._desk.change(by) as change:
            change.is_visible = False
            change.record(event)

    def list(
        self,
        by: Actor,
        *,
        kind: str | None = None,
        object_id: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return entries that `by` may see, newest first, with ids below `before`."""
        # What is between two systems is written down for both, in rows that follow each other.
        query = select(AuditRow).order_by(AuditRow.id.desc()).limit(2 * limit + 1)
        condition = self._visible(by)
        if condition is not None:
            query = query.where(condition)
        if kind is not None:
            query = query.where(AuditRow.kind == kind)
        if object_id is not None:
            query = query.where(AuditRow.object_id == object_id)
        if before is not None:
            query = query.where(AuditRow.id < before)
        with self._desk.read() as connection:
            entries = [_entry(row) for row in connection.execute(query)]
        # The older row stands for both, so that the next page begins behind them.
        single = [
            entry
            for entry, older in zip(entries, [*entries[1:], None], strict=False)
            if older is None or _what(entry) != _what(older)
        ]
        return single[:limit]

    def _visible(self, by: Actor) -> ColumnElement[bool] | None:
        """Return what restricts the trail to what who asks manages, and to themselves."""
        access = self._desk.access
        if access.allows(by.who, Action.READ, Resource("platform")):
            return None
        organisation = access.organisation
        companies = [
            company.id
            for company in organisation.companies
            if access.allows(by.who, Action.MANAGE, Resource("company", company.id))
        ]
        systems = [
            system.id
            for system in organisation.systems
            if access.allows(by.who, Action.MANAGE, Resource("system", system.id))
        ]
        parts: list[ColumnElement[bool]] = [
            AuditRow.company_id.in_(companies),
            AuditRow.system_id.in_(systems),
        ]
        if by.who.kind is Kind.USER:
            parts.append(and_(AuditRow.by_kind == "user", AuditRow.by_id == by.who.id))
            parts.append(and_(AuditRow.kind == "user", AuditRow.object_id == by.who.id))
        return or_(*parts)


def _what(entry: AuditEntry) -> tuple[object, ...]:
    return (entry.at_us, entry.action, entry.kind, entry.object_id, entry.by)


def _entry(row: Any) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at_us=row.at_us,
        by=row.by_name,
        address=row.address,
        action=row.action,
        kind=row.kind,
        object_id=row.object_id,
        name=row.name,
        company=row.company_id,
        system=row.system_id,
        before=row.before,
        after=row.after,
    )
