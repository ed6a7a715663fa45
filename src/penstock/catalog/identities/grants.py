"""Grants: asked for or offered, consented, ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.orm import aliased

from penstock.catalog.identities.desk import Change, Desk, check_text
from penstock.catalog.models import Datastream, Thing
from penstock.catalog.organisation_models import DataGrant, SystemRow
from penstock.core.access import Action, Resource
from penstock.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from penstock.core.people import Actor, Event, GrantInfo, GrantState, NewGrant

_WAITING = (GrantState.REQUESTED, GrantState.OFFERED)


class SqlGrants:
    """See `core.identity.Grants`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def list(
        self, by: Actor, *, system: int | None = None, state: GrantState | None = None
    ) -> Sequence[GrantInfo]:
        """Return those of systems that `by` works with, newest first."""
        with self._desk.read() as connection:
            rows = connection.execute(_GRANTS.order_by(DataGrant.id.desc())).all()
        now_us = self._desk.clock.now_us()
        found = [_info(row, now_us) for row in rows if self._is_visible(by, row)]
        return [
            grant
            for grant in found
            if (state is None or grant.state is state)
            and (system is None or system in (grant.owner_id, grant.reader_id))
        ]

    def get(self, by: Actor, grant: int) -> GrantInfo:
        """Return one."""
        with self._desk.read() as connection:
            row = _row(connection, grant)
        if row is None or not self._is_visible(by, row):
            raise _missing(grant)
        return _info(row, self._desk.clock.now_us())

    def add(self, by: Actor, new: NewGrant) -> GrantInfo:
        """Ask for one, or offer one; with the consent of both sides it is in force."""
        check_text("note", new.note)
        with self._desk.change(by) as change:
            owner, reader = self._system(change, new.owner), self._system(change, new.reader)
            is_owner, is_reader = _works_with(change, owner), _works_with(change, reader)
            if not (is_owner or is_reader):
                change.access.require(by.who, Action.MANAGE, Resource("system", owner))
            if owner == reader:
                msg = "a system reads its own data anyway; name two different ones"
                raise Conflict(msg)
            _check_time(new.expires_us, change.now_us)
            self._check_part(change, owner, new)
            self._refuse_double(change, owner, reader, new)
            state = GrantState.OFFERED if is_owner else GrantState.REQUESTED
            decided: dict[str, Any] = {}
            if is_owner and is_reader:
                state = GrantState.IN_FORCE
                decided = {"decided_us": change.now_us, "decided_by": change.name}
            id_ = change.connection.execute(
                insert(DataGrant)
                .values(
                    owner_id=owner,
                    reader_id=reader,
                    thing_id=new.thing if new.datastream is None else None,
                    datastream_id=new.datastream,
                    state=state.value,
                    note=new.note,
                    expires_us=new.expires_us,
                    **decided,
                    **change.made,
                )
                .returning(DataGrant.id)
            ).scalar_one()
            row = _row(change.connection, id_)
            action = {GrantState.OFFERED: "offer", GrantState.REQUESTED: "request"}.get(
                state, "add"
            )
            _record(change, action, row, after=_facts(row))
        return _info(row, change.now_us)

    def accept(self, by: Actor, grant: int, expires_us: int | None = None) -> GrantInfo:
        """Consent, as the side that was asked; the owner may set or shorten its time."""
        with self._desk.change(by) as change:
            held = self._waiting(change, grant)
            values: dict[str, Any] = {"state": GrantState.IN_FORCE.value}
            if expires_us is not None:
                if not _works_with(change, held.owner_id):
                    msg = "only an agent of the owner says how long; accept it without expires_us"
                    raise Forbidden(msg)
                _check_time(expires_us, change.now_us)
                values["expires_us"] = expires_us
            return self._decide(change, held, "accept", values)

    def refuse(self, by: Actor, grant: int) -> GrantInfo:
        """Say no, as the side that was asked."""
        with self._desk.change(by) as change:
            held = self._waiting(change, grant)
            return self._decide(change, held, "refuse", {"state": GrantState.REFUSED.value})

    def revoke(self, by: Actor, grant: int) -> GrantInfo:
        """End one, from either side, at once."""
        with self._desk.change(by) as change:
            held = self._held(change, grant)
            state = _state(held, change.now_us)
            if state not in (*_WAITING, GrantState.IN_FORCE):
                msg = f"grant {grant} is {state} already"
                raise Conflict(msg)
            return self._decide(change, held, "revoke", {"state": GrantState.REVOKED.value})

    @staticmethod
    def _decide(change: Change, held: Any, action: str, values: dict[str, Any]) -> GrantInfo:
        change.connection.execute(
            update(DataGrant)
            .where(DataGrant.id == held.id)
            .values(decided_us=change.now_us, decided_by=change.name, **values)
        )
        _record(change, action, held, before={"state": held.state}, after=values)
        return _info(_row(change.connection, held.id), change.now_us)

    def _waiting(self, change: Change, grant: int) -> Any:
        """Return a grant that waits for who asks."""
        held = self._held(change, grant)
        state = _state(held, change.now_us)
        if state not in _WAITING:
            msg = f"grant {grant} is {state}; only one that was requested or offered can be decided"
            raise Conflict(msg)
        side = held.owner_id if state is GrantState.REQUESTED else held.reader_id
        change.access.require(change.by.who, Action.MANAGE, Resource("system", side))
        return held

    def _held(self, change: Change, grant: int) -> Any:
        row = _row(change.connection, grant)
        if row is None or not self._is_visible(change.by, row):
            change.access.require(change.by.who, Action.VIEW, Resource("platform"))
            raise _missing(grant)
        return row

    def _is_visible(self, by: Actor, row: Any) -> bool:
        access = self._desk.access
        return any(
            access.allows(by.who, Action.MANAGE, Resource("system", system))
            for system in (row.owner_id, row.reader_id)
        )

    @staticmethod
    def _system(change: Change, given: int | str) -> int:
        """Return a system's id; by name also of one that who asks may not see."""
        missing = f"there is no system {given!r}"
        if isinstance(given, int):
            change.require(Action.VIEW, Resource("system", given), missing)
            return given
        query = select(SystemRow.id).where(SystemRow.folded == given.lower())
        found = change.connection.execute(query).scalar()
        if found is None:
            raise NotFound(missing)
        return int(found)

    @staticmethod
    def _check_part(change: Change, owner: int, new: NewGrant) -> None:
        for what, id_, query in (
            ("thing", new.thing, select(Thing.system_id).where(Thing.id == new.thing)),
            (
                "datastream",
                new.datastream,
                select(Thing.system_id)
                .join(Datastream, Datastream.thing_id == Thing.id)
                .where(Datastream.id == new.datastream),
            ),
        ):
            if id_ is None:
                continue
            in_range = 0 < id_ < 2**63
            if not in_range or change.connection.execute(query).scalar() != owner:
                raise NotFound(f"the owner has no {what} with id {id_}")

    @staticmethod
    def _refuse_double(change: Change, owner: int, reader: int, new: NewGrant) -> None:
        rows = change.connection.execute(
            _GRANTS.where(DataGrant.owner_id == owner, DataGrant.reader_id == reader)
        )
        thing = new.thing if new.datastream is None else None
        for row in rows:
            state = _state(row, change.now_us)
            same = (row.thing_id, row.datastream_id) == (thing, new.datastream)
            if same and state in (*_WAITING, GrantState.IN_FORCE):
                msg = f"grant {row.id} between the two is {state}; accept or revoke it instead"
                raise Conflict(msg)


_OWNER, _READER = aliased(SystemRow), aliased(SystemRow)
_GRANTS = (
    select(
        DataGrant,
        _OWNER.name.label("owner"),
        _OWNER.company_id.label("owner_company"),
        _READER.name.label("reader"),
        _READER.company_id.label("reader_company"),
        Thing.name.label("thing_name"),
        Datastream.full_name.label("datastream_name"),
    )
    .join(_OWNER, _OWNER.id == DataGrant.owner_id)
    .join(_READER, _READER.id == DataGrant.reader_id)
    .outerjoin(Thing, Thing.id == DataGrant.thing_id)
    .outerjoin(Datastream, Datastream.id == DataGrant.datastream_id)
)


def _row(connection: Connection, grant: int) -> Any:
    return connection.execute(_GRANTS.where(DataGrant.id == grant)).first()


def _works_with(change: Change, system: int) -> bool:
    return change.access.allows(change.by.who, Action.MANAGE, Resource("system", system))


def _check_time(expires_us: int | None, now_us: int) -> None:
    if expires_us is not None and not now_us < expires_us < 2**62:
        msg = f"expires_us = {expires_us} is not in the future; give microseconds UTC"
        raise InvalidInput(msg)


def _missing(grant: int) -> NotFound:
    return NotFound(f"there is no grant with id {grant}")


def _state(row: Any, now_us: int) -> GrantState:
    state = GrantState(row.state)
    is_over = row.expires_us is not None and row.expires_us <= now_us
    return GrantState.EXPIRED if is_over and state in (*_WAITING, GrantState.IN_FORCE) else state


def _facts(row: Any) -> dict[str, object]:
    return {
        "owner": row.owner,
        "reader": row.reader,
        # Their names: the trail is read when they may be gone.
        "thing": row.thing_name,
        "datastream": row.datastream_name,
        "state": row.state,
        "expires_us": row.expires_us,
    }


def _record(change: Change, action: str, row: Any, **more: Any) -> None:
    """Write it down for both sides."""
    for company, system in (
        (row.owner_company, row.owner_id),
        (row.reader_company, row.reader_id),
    ):
        change.record(
            Event(
                action=action,
                kind="grant",
                object_id=row.id,
                name=f"{row.owner} to {row.reader}",
                company=company,
                system=system,
                **more,
            )
        )


def _info(row: Any, now_us: int) -> GrantInfo:
    return GrantInfo(
        id=row.id,
        owner_id=row.owner_id,
        owner=row.owner,
        reader_id=row.reader_id,
        reader=row.reader,
        thing=row.thing_id,
        datastream=row.datastream_id,
        state=_state(row, now_us),
        note=row.note,
        created_us=row.created_us,
        created_by=row.created_by,
        decided_us=row.decided_us,
        decided_by=row.decided_by,
        expires_us=row.expires_us,
    )
