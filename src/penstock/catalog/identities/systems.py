"""Systems: made, changed, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from penstock.catalog.alarm_models import AlarmRuleRow, NotificationTargetRow
from penstock.catalog.app_models import AppRow
from penstock.catalog.identities.bounds import Bounds
from penstock.catalog.identities.companies import refuse_taken_name
from penstock.catalog.identities.desk import Change, Desk, check_text, only_users
from penstock.catalog.identities.members import (
    AGENT,
    SqlMembers,
    count_members,
    give_role,
    members_of,
)
from penstock.catalog.models import Device, Thing
from penstock.catalog.organisation_models import ClientRow, CompanyRow, SystemRow
from penstock.core.access import Action, Resource
from penstock.core.errors import Conflict, InvalidInput, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM, TOPIC_KINDS, check_system_name
from penstock.core.people import Actor, Event, Member, NewSystem, SystemChange, SystemInfo
from penstock.core.topics import check_filter, overlaps

#: Most topic filters of one system or client.
MAX_TOPICS = 100


class SqlSystems:
    """See `core.identity.Systems`."""

    def __init__(self, desk: Desk, bounds: Bounds) -> None:
        self._desk = desk
        self._bounds = bounds
        self.agents = SqlMembers(desk, AGENT)

    def list(self, by: Actor, search: str = "", company: int | None = None) -> Sequence[SystemInfo]:
        """Return those that `by` may see, by name."""
        access = self._desk.access
        query = _SYSTEMS.order_by(SystemRow.folded)
        if company is not None:
            query = query.where(SystemRow.company_id == company)
        with self._desk.read() as connection:
            rows = connection.execute(query).all()
            members = members_of(connection, AGENT, None)
        words = search.casefold().split()
        return [
            _info(row, members.get(row.id, ()), is_own=self._is_own(by, row))
            for row in rows
            if access.allows(by.who, Action.VIEW, Resource("system", row.id))
            and all(word in f"{row.folded}\n{row.description.casefold()}" for word in words)
        ]

    def get(self, by: Actor, system: int) -> SystemInfo:
        """Return one."""
        access = self._desk.access
        with self._desk.read() as connection:
            row = connection.execute(_SYSTEMS.where(SystemRow.id == system)).first()
            members = members_of(connection, AGENT, [system])[system]
        if row is None or not access.allows(by.who, Action.VIEW, Resource("system", system)):
            raise NotFound(f"there is no system with id {system}")
        return _info(row, members, is_own=self._is_own(by, row))

    def add(self, by: Actor, new: NewSystem) -> SystemInfo:
        """Make one; who makes it becomes its agent."""
        description = check_text("description", new.description)
        with self._desk.change(by) as change:
            company = change.connection.execute(
                select(CompanyRow).where(CompanyRow.id == new.company)
            ).first()
            if company is None:
                raise NotFound(f"there is no company with id {new.company}")
            change.require(Action.MANAGE, Resource("company", company.id))
            creator = only_users(by, change.access)
            name = check_system_name(f"{company.name}.{new.workcenter}.{new.station}")
            refuse_taken_name(change, SystemRow, name)
            self._refuse_claimed(change, name)
            self._bounds.check_systems(change, company.id)
            id_ = change.connection.execute(
                insert(SystemRow)
                .values(
                    company_id=company.id,
                    name=name,
                    folded=name.lower(),
                    description=description,
                    topics=[],
                    **change.made,
                )
                .returning(SystemRow.id)
            ).scalar_one()
            if creator is not None:
                give_role(change, AGENT, id_, creator)
            row = self._row(change, id_)
            change.record(_event("add", row, after={"name": name, "description": description}))
            members = members_of(change.connection, AGENT, [id_])[id_]
        return _info(row, members, is_own=True)

    def change(self, by: Actor, system: int, change: SystemChange) -> SystemInfo:
        """Change one; its topics only as the platform's administrator."""
        wanted: dict[str, Any] = {}
        if change.description is not None:
            wanted["description"] = check_text("description", change.description)
        if change.topics is not None:
            wanted["topics"] = check_filters(change.topics)
        with self._desk.change(by) as at:
            held = self._held(at, system)
            at.require(Action.MANAGE, Resource("system", system))
            if "topics" in wanted:
                at.access.require(by.who, Action.MANAGE, Resource("platform"))
                self._refuse_overlap(at, system, wanted["topics"])
            at.is_visible = "topics" in wanted
            if wanted:
                at.connection.execute(
                    update(SystemRow).where(SystemRow.id == system).values(**wanted)
                )
                before = {name: getattr(held, name) for name in wanted}
                at.record(_event("change", held, before=before, after=wanted))
            row = self._row(at, system)
            members = members_of(at.connection, AGENT, [system])[system]
        return _info(row, members, is_own=True)

    def remove(self, by: Actor, system: int, *, move_things: bool = False) -> None:
        """Remove one that has no clients, as its sole agent."""
        with self._desk.change(by) as change:
            held = self._held(change, system)
            change.require(Action.MANAGE, Resource("system", system))
            if system == DEFAULT_SYSTEM:
                msg = "the default system cannot be removed; it holds what no other does"
                raise Conflict(msg)
            is_recovery = change.access.allows(by.who, Action.MANAGE, Resource("platform"))
            if not is_recovery and count_members(change.connection, AGENT, system) > 1:
                msg = f"system {held.name} has further agents; remove them first"
                raise Conflict(msg)
            query = select(func.count()).where(ClientRow.system_id == system)
            if count := change.connection.execute(query).scalar_one():
                msg = f"system {held.name} has {count} clients; remove them first"
                raise Conflict(msg)
            apps = select(func.count()).where(AppRow.system_id == system)
            if count := change.connection.execute(apps).scalar_one():
                msg = f"system {held.name} has {count} stream apps; delete them first"
                raise Conflict(msg)
            for row, what in (
                (AlarmRuleRow, "alarm rules"),
                (NotificationTargetRow, "notification targets"),
            ):
                kept = select(func.count()).select_from(row).where(row.system_id == system)
                if count := change.connection.execute(kept).scalar_one():
                    msg = f"system {held.name} has {count} {what}; delete them first"
                    raise Conflict(msg)
            if move_things:
                change.access.require(by.who, Action.MANAGE, Resource("platform"))
            moved = self._clear_things(change, held, move=move_things)
            change.connection.execute(delete(SystemRow).where(SystemRow.id == system))
            change.record(_event("remove", held, before={"name": held.name, "things": moved}))

    @staticmethod
    def _clear_things(change: Change, held: Any, *, move: bool) -> int:
        query = select(func.count()).where(Thing.system_id == held.id)
        count = int(change.connection.execute(query).scalar_one())
        if count and not move:
            msg = (
                f"system {held.name} has {count} Things with data; remove them first, or let the "
                "platform's administrator move them to the default system (move_things)"
            )
            raise Conflict(msg)
        connection = change.connection
        waiting = Device.thing_id.is_(None)
        connection.execute(delete(Device).where(Device.system_id == held.id, waiting))
        # Their names begin with the system's, which nobody else's may: they stay unique.
        for table in (Thing, Device):
            connection.execute(
                update(table).where(table.system_id == held.id).values(system_id=DEFAULT_SYSTEM)
            )
        return count

    @staticmethod
    def _refuse_claimed(change: Change, name: str) -> None:
        for claim, other in _claims(change):
            if any(overlaps(claim, own) for own in _own_topics(name)):
                msg = f"the topics of {name!r} belong to system {other} by its filter {claim!r}"
                raise Conflict(msg)

    @staticmethod
    def _refuse_overlap(change: Change, system: int, topics: Sequence[str]) -> None:
        taken = [(claim, name) for claim, name in _claims(change, but=system)]
        for other in change.access.organisation.systems:
            if other.id not in (system, DEFAULT_SYSTEM):
                taken.extend((own, other.name) for own in _own_topics(other.name))
        for topic in topics:
            for claim, name in taken:
                if overlaps(topic, claim):
                    msg = f"topic {topic!r} overlaps with {claim!r} of system {name}"
                    raise Conflict(msg)

    def _is_own(self, by: Actor, row: Any) -> bool:
        access = self._desk.access
        return access.allows(by.who, Action.MANAGE, Resource("system", row.id)) or access.allows(
            by.who, Action.MANAGE, Resource("company", row.company_id)
        )

    @staticmethod
    def _row(change: Change, system: int) -> Any:
        return change.connection.execute(_SYSTEMS.where(SystemRow.id == system)).first()

    def _held(self, change: Change, system: int) -> Any:
        change.require(Action.VIEW, Resource("system", system))
        row = self._row(change, system)
        if row is None:
            raise NotFound(f"there is no system with id {system}")
        return row


def check_filters(topics: Sequence[str]) -> list[str]:
    """Return topic filters, each once, if all are well-formed.

    Raises:
        InvalidInput: One is not, or there are too many.
    """
    if len(topics) > MAX_TOPICS:
        msg = f"{len(topics)} topics are too many; up to {MAX_TOPICS} are allowed"
        raise InvalidInput(msg)
    return [check_filter(topic) for topic in dict.fromkeys(topics)]


def _claims(change: Change, but: int = 0) -> list[tuple[str, str]]:
    return [
        (claim, system.name)
        for system in change.access.organisation.systems
        if system.id != but
        for claim in system.topics
    ]


def _own_topics(name: str) -> list[str]:
    return [f"{name}/#", *(f"{name}{kind}/#" for kind in TOPIC_KINDS)]


_SYSTEMS = select(
    SystemRow.id,
    SystemRow.company_id,
    SystemRow.name,
    SystemRow.folded,
    SystemRow.description,
    SystemRow.topics,
    SystemRow.created_us,
    SystemRow.created_by,
    CompanyRow.name.label("company"),
).join(CompanyRow, CompanyRow.id == SystemRow.company_id)


def _event(action: str, row: Any, **more: Any) -> Event:
    return Event(
        action=action,
        kind="system",
        object_id=row.id,
        name=row.name,
        company=row.company_id,
        system=row.id,
        **more,
    )


def _info(row: Any, members: Sequence[Member], *, is_own: bool) -> SystemInfo:
    """Return a system as `by` sees it: who only reads its data learns its name, no more."""
    return SystemInfo(
        id=row.id,
        company_id=row.company_id,
        company=row.company,
        name=row.name,
        description=row.description if is_own else "",
        topics=tuple(row.topics) if is_own else (),
        agents=members if is_own else (),
        created_us=row.created_us,
        created_by=row.created_by if is_own else "",
    )
