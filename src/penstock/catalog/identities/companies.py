"""Companies: made, described, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from penstock.catalog.identities.bounds import Bounds
from penstock.catalog.identities.desk import Change, Desk, check_text, only_users
from penstock.catalog.identities.members import (
    ADMINISTRATOR,
    SqlMembers,
    count_members,
    give_role,
    members_of,
)
from penstock.catalog.organisation_models import AuditRow, CompanyRow, SystemRow
from penstock.core.access import Action, Resource
from penstock.core.errors import Conflict, NotFound
from penstock.core.organisation import DEFAULT_COMPANY, check_company_name
from penstock.core.people import Actor, CompanyInfo, Event, Member, NewCompany


class SqlCompanies:
    """See `core.identity.Companies`."""

    def __init__(self, desk: Desk, bounds: Bounds) -> None:
        self._desk = desk
        self._bounds = bounds
        self.administrators = SqlMembers(desk, ADMINISTRATOR)

    def list(self, by: Actor, search: str = "") -> Sequence[CompanyInfo]:
        """Return those that `by` may see, by name."""
        access = self._desk.access
        with self._desk.read() as connection:
            rows = connection.execute(select(CompanyRow).order_by(CompanyRow.folded)).all()
            members = members_of(connection, ADMINISTRATOR, None)
        words = search.casefold().split()
        return [
            _info(row, members.get(row.id, ()))
            for row in rows
            if access.allows(by.who, Action.VIEW, Resource("company", row.id))
            and all(word in f"{row.folded}\n{row.description.casefold()}" for word in words)
        ]

    def get(self, by: Actor, company: int) -> CompanyInfo:
        """Return one."""
        for found in self.list(by):
            if found.id == company:
                return found
        raise NotFound(f"there is no company with id {company}")

    def add(self, by: Actor, new: NewCompany) -> CompanyInfo:
        """Make one; who makes it becomes its administrator."""
        name = check_company_name(new.name)
        description = check_text("description", new.description)
        with self._desk.change(by) as change:
            change.require(Action.MANAGE, Resource("company"))
            creator = only_users(by, change.access)
            self._bounds.check_companies(change, creator)
            refuse_taken_name(change, CompanyRow, name)
            _refuse_former_name(change, name)
            row = change.connection.execute(
                insert(CompanyRow)
                .values(name=name, folded=name.lower(), description=description, **change.made)
                .returning(CompanyRow)
            ).one()
            members = []
            if creator is not None:
                give_role(change, ADMINISTRATOR, row.id, creator)
                members = members_of(change.connection, ADMINISTRATOR, [row.id])[row.id]
            change.record(_event("add", row, after={"name": name, "description": description}))
        return _info(row, members)

    def describe(self, by: Actor, company: int, description: str) -> CompanyInfo:
        """Set its description."""
        check_text("description", description)
        with self._desk.change(by) as change:
            held = self._held(change, company)
            change.require(Action.MANAGE, Resource("company", company))
            change.is_visible = False
            row = change.connection.execute(
                update(CompanyRow)
                .where(CompanyRow.id == company)
                .values(description=description)
                .returning(CompanyRow)
            ).one()
            change.record(
                _event(
                    "change",
                    held,
                    before={"description": held.description},
                    after={"description": description},
                )
            )
            members = members_of(change.connection, ADMINISTRATOR, [company])[company]
        return _info(row, members)

    def remove(self, by: Actor, company: int) -> None:
        """Remove one that has no systems, as its sole administrator."""
        with self._desk.change(by) as change:
            held = self._held(change, company)
            change.require(Action.MANAGE, Resource("company", company))
            if company == DEFAULT_COMPANY:
                msg = "the default company cannot be removed; it holds what no other does"
                raise Conflict(msg)
            query = select(func.count()).where(SystemRow.company_id == company)
            if count := change.connection.execute(query).scalar_one():
                msg = f"company {held.name} has {count} systems; remove them first"
                raise Conflict(msg)
            is_recovery = change.access.allows(by.who, Action.MANAGE, Resource("platform"))
            if not is_recovery and count_members(change.connection, ADMINISTRATOR, company) > 1:
                msg = f"company {held.name} has further administrators; remove them first"
                raise Conflict(msg)
            change.connection.execute(delete(CompanyRow).where(CompanyRow.id == company))
            change.record(_event("remove", held, before={"name": held.name}))

    @staticmethod
    def _held(change: Change, company: int) -> Any:
        change.require(Action.VIEW, Resource("company", company))
        query = select(CompanyRow).where(CompanyRow.id == company)
        row = change.connection.execute(query).first()
        if row is None:
            raise NotFound(f"there is no company with id {company}")
        return row


def refuse_taken_name(change: Change, table: type[CompanyRow | SystemRow], name: str) -> None:
    """Do nothing if no company (or system) has this name, in upper or lower case.

    Raises:
        Conflict: One has.
    """
    query = select(table.name).where(table.folded == name.lower())
    held = change.connection.execute(query).scalar()
    if held is not None:
        msg = f"the name {held!r} is taken; choose another one"
        raise Conflict(msg)


def _refuse_former_name(change: Change, name: str) -> None:
    """Do nothing if no company had this name: topics below it may still hold that one's messages.

    Raises:
        Conflict: One had, and who asks does not run the platform.
    """
    if change.access.allows(change.by.who, Action.MANAGE, Resource("platform")):
        return
    query = select(AuditRow.id).where(
        AuditRow.kind == "company",
        AuditRow.action == "remove",
        func.lower(AuditRow.name) == name.lower(),
    )
    if change.connection.execute(query.limit(1)).first() is not None:
        msg = (
            f"the name {name!r} was another company's; choose another one, or let the platform's "
            "administrator make it"
        )
        raise Conflict(msg)


def _event(action: str, row: Any, **more: Any) -> Event:
    return Event(
        action=action, kind="company", object_id=row.id, name=row.name, company=row.id, **more
    )


def _info(row: Any, members: Sequence[Member]) -> CompanyInfo:
    return CompanyInfo(
        id=row.id,
        name=row.name,
        description=row.description,
        administrators=members,
        created_us=row.created_us,
        created_by=row.created_by,
    )
