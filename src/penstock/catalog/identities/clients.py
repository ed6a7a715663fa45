"""Clients of systems: made, changed, removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update

from penstock.catalog.identities.bounds import Bounds
from penstock.catalog.identities.desk import Change, Desk, check_text
from penstock.catalog.identities.systems import check_filters
from penstock.catalog.organisation_models import ClientRow, SystemRow
from penstock.core.access import Action, Resource
from penstock.core.errors import Conflict, InvalidInput, NotFound
from penstock.core.organisation import check_client_name
from penstock.core.people import Actor, ClientChange, ClientInfo, Event, NewClient

#: Most clients (or keys) that one call makes.
MAX_BATCH = 10_000


class SqlClients:
    """See `core.identity.Clients`."""

    def __init__(self, desk: Desk, bounds: Bounds) -> None:
        self._desk = desk
        self._bounds = bounds

    def list(self, by: Actor, search: str = "", system: int | None = None) -> Sequence[ClientInfo]:
        """Return those that `by` may see, by system and name."""
        access = self._desk.access
        query = _CLIENTS.order_by(SystemRow.name, ClientRow.name)
        if system is not None:
            query = query.where(ClientRow.system_id == system)
        with self._desk.read() as connection:
            rows = connection.execute(query).all()
        words = search.casefold().split()
        return [
            _info(row)
            for row in rows
            if access.allows(by.who, Action.VIEW, Resource("client", row.id))
            and all(
                word in f"{row.name}\n{row.system}\n{row.description}".casefold() for word in words
            )
        ]

    def get(self, by: Actor, client: int) -> ClientInfo:
        """Return one."""
        access = self._desk.access
        with self._desk.read() as connection:
            row = connection.execute(_CLIENTS.where(ClientRow.id == client)).first()
        if row is None or not access.allows(by.who, Action.VIEW, Resource("client", client)):
            raise NotFound(f"there is no client with id {client}")
        return _info(row)

    def add(self, by: Actor, new: Sequence[NewClient]) -> Sequence[ClientInfo]:
        """Make some, all or none."""
        check_batch(len(new))
        rows = [_row(one) for one in new]
        with self._desk.change(by) as change:
            for system in dict.fromkeys(one.system for one in new):
                change.require(Action.VIEW, Resource("system", system))
                change.require(Action.MANAGE, Resource("system", system))
                self._refuse_taken(
                    change, system, [one.name for one in new if one.system == system]
                )
            self._bounds.check_clients(change, [one.system for one in new])
            ids = (
                change.connection.execute(
                    insert(ClientRow).returning(ClientRow.id, sort_by_parameter_order=True),
                    [{**row, **change.made} for row in rows],
                )
                .scalars()
                .all()
            )
            query = _CLIENTS.where(ClientRow.id >= min(ids), ClientRow.id <= max(ids))
            made = change.connection.execute(query.order_by(ClientRow.id)).all()
            change.record(*(_event("add", row, after=_facts(row)) for row in made))
        return [_info(row) for row in made]

    def change(self, by: Actor, client: int, change: ClientChange) -> ClientInfo:
        """Change one."""
        wanted: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        if "description" in wanted:
            check_text("description", wanted["description"])
        if wanted.get("topics") is not None:
            wanted["topics"] = check_filters(wanted["topics"])
        with self._desk.change(by) as at:
            held = self._held(at, client)
            at.require(Action.MANAGE, Resource("client", client))
            at.is_visible = bool(wanted.keys() - {"description"})
            if wanted:
                at.connection.execute(
                    update(ClientRow).where(ClientRow.id == client).values(**wanted)
                )
                before = {name: getattr(held, name) for name in wanted}
                at.record(_event("change", held, before=before, after=wanted))
            row = self._held(at, client)
        return _info(row)

    def remove(self, by: Actor, client: int) -> None:
        """Remove one, and its keys."""
        with self._desk.change(by) as change:
            held = self._held(change, client)
            change.require(Action.MANAGE, Resource("client", client))
            change.connection.execute(delete(ClientRow).where(ClientRow.id == client))
            change.record(_event("remove", held, before=_facts(held)))

    @staticmethod
    def _held(change: Change, client: int) -> Any:
        change.require(Action.VIEW, Resource("client", client))
        row = change.connection.execute(_CLIENTS.where(ClientRow.id == client)).first()
        if row is None:
            raise NotFound(f"there is no client with id {client}")
        return row

    @staticmethod
    def _refuse_taken(change: Change, system: int, names: Sequence[str]) -> None:
        query = select(ClientRow.name).where(ClientRow.system_id == system)
        taken = set(change.connection.execute(query).scalars())
        for name in names:
            if name in taken:
                msg = f"the system has a client {name!r} already; choose another name"
                raise Conflict(msg)
            taken.add(name)


def check_batch(count: int) -> None:
    """Do nothing if so many can be made in one call.

    Raises:
        InvalidInput: None, or too many.
    """
    if not 1 <= count <= MAX_BATCH:
        msg = f"{count} cannot be made at once; 1 to {MAX_BATCH} can"
        raise InvalidInput(msg)


_CLIENTS = select(
    ClientRow.id,
    ClientRow.system_id,
    SystemRow.name.label("system"),
    SystemRow.company_id,
    ClientRow.name,
    ClientRow.description,
    ClientRow.may_read,
    ClientRow.may_write,
    ClientRow.topics,
    ClientRow.disabled,
    ClientRow.created_us,
    ClientRow.created_by,
).join(SystemRow, SystemRow.id == ClientRow.system_id)


def _row(new: NewClient) -> dict[str, Any]:
    return {
        "system_id": new.system,
        "name": check_client_name(new.name),
        "description": check_text("description", new.description),
        "may_read": new.may_read,
        "may_write": new.may_write,
        "topics": None if new.topics is None else check_filters(new.topics),
        "disabled": False,
    }


def _facts(row: Any) -> dict[str, object]:
    return {
        name: getattr(row, name) for name in ("name", "may_read", "may_write", "topics", "disabled")
    }


def _event(action: str, row: Any, **more: Any) -> Event:
    return Event(
        action=action,
        kind="client",
        object_id=row.id,
        name=row.name,
        company=row.company_id,
        system=row.system_id,
        **more,
    )


def _info(row: Any) -> ClientInfo:
    return ClientInfo(
        id=row.id,
        system_id=row.system_id,
        system=row.system,
        name=row.name,
        description=row.description,
        may_read=row.may_read,
        may_write=row.may_write,
        topics=None if row.topics is None else tuple(row.topics),
        disabled=row.disabled,
        created_us=row.created_us,
        created_by=row.created_by,
    )
