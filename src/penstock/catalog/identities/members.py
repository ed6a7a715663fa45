"""Users in roles: administrators of companies, agents of systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select

from penstock.catalog.identities.desk import Change, Desk
from penstock.catalog.organisation_models import (
    Account,
    CompanyAdministrator,
    CompanyRow,
    SystemAgent,
    SystemRow,
)
from penstock.core.access import Action, Kind, Resource
from penstock.core.errors import Conflict, NotFound
from penstock.core.organisation import DEFAULT_COMPANY
from penstock.core.people import Actor, Event, Member


@dataclass(frozen=True, slots=True)
class Role:
    """What a user can be of a place, and the table that says so."""

    name: str
    kind: Literal["company", "system"]
    table: type[CompanyAdministrator | SystemAgent]
    place: type[CompanyRow | SystemRow]

    @property
    def column(self) -> Any:
        """The column that names the place."""
        if self.table is CompanyAdministrator:
            return CompanyAdministrator.company_id
        return SystemAgent.system_id


ADMINISTRATOR = Role("administrator", "company", CompanyAdministrator, CompanyRow)
AGENT = Role("agent", "system", SystemAgent, SystemRow)


class SqlMembers:
    """See `core.identity.Members`."""

    def __init__(self, desk: Desk, role: Role) -> None:
        self._desk = desk
        self._role = role

    def add(self, by: Actor, place: int, user: str) -> Member:
        """Give the role to the user of this name."""
        role = self._role
        with self._desk.change(by) as change:
            held = self._place(change, place)
            found = change.access.user(user)
            if found is None:
                msg = f"there is no user {user[:80]!r}; the platform's administrator makes users"
                raise NotFound(msg)
            if found.id in members_of(change.connection, role, [place], ids_only=True)[place]:
                msg = f"{found.name} is {role.name} of {held.name} already"
                raise Conflict(msg)
            give_role(change, role, place, found.id)
            change.record(self._event("add", held, found.name))
            return Member(id=found.id, name=found.name, since_us=change.now_us, by=change.name)

    def remove(self, by: Actor, place: int, user: int) -> None:
        """Take the role from a user, not from oneself."""
        role = self._role
        with self._desk.change(by) as change:
            held = self._place(change, place)
            members = {m.id: m for m in members_of(change.connection, role, [place])[place]}
            if user not in members:
                msg = f"no user with id {user} is {role.name} of {held.name}"
                raise NotFound(msg)
            if by.who.kind is Kind.USER and by.who.id == user:
                msg = f"you cannot stop being {role.name} of {held.name} yourself; another one can"
                raise Conflict(msg)
            if len(members) == 1 and place != DEFAULT_COMPANY:
                msg = f"{members[user].name} is the only {role.name} of {held.name}; add one first"
                raise Conflict(msg)
            change.connection.execute(
                delete(role.table).where(role.column == place, role.table.account_id == user)
            )
            change.record(self._event("remove", held, members[user].name))

    def _place(self, change: Change, place: int) -> Any:
        role = self._role
        row = change.connection.execute(select(role.place).where(role.place.id == place)).first()
        if row is None:
            raise NotFound(f"there is no {role.kind} with id {place}")
        change.require(Action.MANAGE, Resource(role.kind, place))
        return row

    def _event(self, action: str, held: Any, user: str) -> Event:
        is_system = self._role.kind == "system"
        fact = {self._role.name: user}
        return Event(
            action=f"{action}-{self._role.name}",
            kind=self._role.kind,
            object_id=held.id,
            name=held.name,
            company=held.company_id if is_system else held.id,
            system=held.id if is_system else None,
            before=fact if action == "remove" else None,
            after=fact if action == "add" else None,
        )


def give_role(change: Change, role: Role, place: int, user: int) -> None:
    """Write down that a user has a role."""
    change.connection.execute(
        insert(role.table).values(
            {role.column.key: place, "account_id": user, **change.made},
        )
    )


def count_members(connection: Connection, role: Role, place: int) -> int:
    """Return how many users have a role in a place."""
    query = select(func.count()).select_from(role.table).where(role.column == place)
    return int(connection.execute(query).scalar_one())


def members_of(
    connection: Connection, role: Role, places: Sequence[int] | None, *, ids_only: bool = False
) -> Any:
    """Return the members of places, of all when None, by name; places without any are there too."""
    query = (
        select(role.column, Account.id, Account.name, role.table.created_us, role.table.created_by)
        .join(Account, Account.id == role.table.account_id)
        .order_by(Account.name)
    )
    if places is not None:
        query = query.where(role.column.in_(places))
    found: dict[int, list[Any]] = {place: [] for place in places or ()}
    for place, id_, name, since_us, giver in connection.execute(query):
        member = id_ if ids_only else Member(id=id_, name=name, since_us=since_us, by=giver)
        found.setdefault(place, []).append(member)
    return found
