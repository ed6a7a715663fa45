"""Keys: made, shown once, renewed, revoked."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from penstock.catalog.identities.bounds import Bounds
from penstock.catalog.identities.clients import check_batch
from penstock.catalog.identities.desk import Change, Desk, check_text
from penstock.catalog.organisation_models import ApiKey, ClientRow, SystemRow
from penstock.core.access import Action, Kind, Resource, digest
from penstock.core.errors import Conflict, InvalidInput, NotFound
from penstock.core.organisation import KEY_PREFIX
from penstock.core.people import Actor, Event, IssuedKey, KeyInfo, NewKey

#: Random bytes in a secret.
SECRET_BYTES = 32
#: Characters of a secret that are kept to tell keys apart: of 43 random ones, these are given away.
HINT_LENGTH = 10
#: Longest time that an old key may stay valid beside its new one, in seconds.
MAX_OVERLAP_S = 30 * 86_400.0

#: (user, client) to company, system and name.
Holders = dict[tuple[int | None, int | None], tuple[int | None, int | None, str]]


class SqlKeys:
    """See `core.accounts.Keys`."""

    def __init__(self, desk: Desk, bounds: Bounds) -> None:
        self._desk = desk
        self._bounds = bounds
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()

    def list(
        self, by: Actor, *, user: int | None = None, client: int | None = None
    ) -> Sequence[KeyInfo]:
        """Return the keys of a user or a client, newest first; one's own without both."""
        user, client = self._holder(by, user, client)
        self._require(by, Action.VIEW, user, client)
        self.flush()
        query = select(ApiKey).order_by(ApiKey.id.desc())
        query = query.where(
            ApiKey.account_id == user if client is None else ApiKey.client_id == client
        )
        with self._desk.read() as connection:
            return [_info(row) for row in connection.execute(query)]

    def add(self, by: Actor, new: Sequence[NewKey]) -> Sequence[IssuedKey]:
        """Make some, all or none."""
        check_batch(len(new))
        wanted = []
        for one in new:
            check_text("label", one.label, 200)
            wanted.append((one, *self._holder(by, one.user, one.client)))
        with self._desk.change(by) as change:
            return self._make(change, wanted)

    def renew(
        self, by: Actor, key: int, *, overlap_s: float = 0.0, expires_us: int | None = None
    ) -> IssuedKey:
        """Make a new key in place of one, which stays valid for `overlap_s` at most."""
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            msg = f"overlap_s = {overlap_s} is not allowed; 0 to {MAX_OVERLAP_S:.0f} seconds are"
            raise InvalidInput(msg)
        with self._desk.change(by) as change:
            held = self._held(change, key)
            if held.revoked_us is not None:
                msg = f"key {key} was revoked; make a new one"
                raise Conflict(msg)
            if expires_us is None and held.expires_us is not None:
                expires_us = change.now_us + held.expires_us - held.created_us
            again = NewKey(label=held.label, expires_us=expires_us)
            wanted = [(again, held.account_id, held.client_id)]
            (issued,) = self._make(change, wanted, in_place_of=key)
            until_us = change.now_us + round(overlap_s * 1e6)
            if held.expires_us is not None:
                until_us = min(until_us, held.expires_us)
            ends = {"expires_us": until_us} if overlap_s else {"revoked_us": change.now_us}
            change.connection.execute(update(ApiKey).where(ApiKey.id == key).values(**ends))
            after = {"replaced_by": f"{issued.key.hint}...", **ends}
            change.record(_event("renew", held, self._names(change, [held]), after))
        return issued

    def revoke(self, by: Actor, key: int) -> None:
        """End one, at once."""
        with self._desk.change(by) as change:
            held = self._held(change, key)
            if held.revoked_us is None:
                change.connection.execute(
                    update(ApiKey).where(ApiKey.id == key).values(revoked_us=change.now_us)
                )
                change.record(_event("revoke", held, self._names(change, [held])))

    def note_use(self, secret: str) -> None:
        """Remember that a key was used; it is written down now and then."""
        with self._lock:
            self._used[digest(secret)] = self._desk.clock.now_us()

    def flush(self) -> None:
        """Write down which keys were used."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        statement = (
            update(ApiKey)
            .where(ApiKey.digest == bindparam("at"))
            .values(used_us=bindparam("time_us"))
        )
        with self._desk.database.write() as connection:
            connection.execute(
                statement, [{"at": at, "time_us": time_us} for at, time_us in used.items()]
            )

    def _make(
        self,
        change: Change,
        wanted: Sequence[tuple[NewKey, int | None, int | None]],
        in_place_of: int | None = None,
    ) -> Sequence[IssuedKey]:
        found = []
        rows = []
        for new, user, client in wanted:
            what = _resource(user, client)
            change.require(Action.VIEW, what)
            change.require(Action.MANAGE, what)
            if new.expires_us is not None and not change.now_us < new.expires_us < 2**62:
                msg = f"expires_us = {new.expires_us} is not in the future; give microseconds UTC"
                raise InvalidInput(msg)
            secret = KEY_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
            found.append(secret)
            rows.append(
                {
                    "digest": digest(secret),
                    "hint": secret[:HINT_LENGTH],
                    "label": new.label,
                    "account_id": user,
                    "client_id": client,
                    "expires_us": new.expires_us,
                    **change.made,
                }
            )
        holders = [(user, client) for _, user, client in wanted]
        self._bounds.check_keys(change, holders, in_place_of)
        statement = insert(ApiKey).returning(ApiKey, sort_by_parameter_order=True)
        made = change.connection.execute(statement, rows).all()
        names = self._names(change, made)
        for row in made:
            facts = {"label": row.label, "expires_us": row.expires_us}
            change.record(_event("add", row, names, facts))
        return [
            IssuedKey(key=_info(row), secret=secret)
            for row, secret in zip(made, found, strict=True)
        ]

    @staticmethod
    def _names(change: Change, rows: Sequence[Any]) -> Holders:
        """Return company, system and name of those that keys stand for."""
        found: Holders = {}
        query = (
            select(ClientRow.id, SystemRow.company_id, SystemRow.id, SystemRow.name, ClientRow.name)
            .join(SystemRow, ClientRow.system_id == SystemRow.id)
            .where(ClientRow.id.between(bindparam("low"), bindparam("high")))
        )
        clients = [row.client_id for row in rows if row.client_id is not None]
        if clients:
            span = {"low": min(clients), "high": max(clients)}
            for id_, company, system, name, client in change.connection.execute(query, span):
                found[(None, id_)] = (company, system, f"{name}/{client}")
        names = {user.id: user.name for user in change.access.organisation.users}
        for row in rows:
            if row.client_id is None:
                found[(row.account_id, None)] = (None, None, names[row.account_id])
        return found

    def _holder(
        self, by: Actor, user: int | None, client: int | None
    ) -> tuple[int | None, int | None]:
        if user is not None and client is not None:
            msg = "a key stands for a user or a client, not for both"
            raise InvalidInput(msg)
        if user is None and client is None:
            if by.who.kind is Kind.USER:
                return by.who.id, None
            if by.who.kind is Kind.CLIENT:
                return None, by.who.id
            msg = "say whose key: give user or client"
            raise InvalidInput(msg)
        return user, client

    def _require(self, by: Actor, action: Action, user: int | None, client: int | None) -> None:
        what = _resource(user, client)
        access = self._desk.access
        if access.is_welcome(by.who) and not access.allows(by.who, action, what):
            raise NotFound(f"there is no {what.kind} with id {what.id}")
        access.require(by.who, action, what)

    @staticmethod
    def _held(change: Change, key: int) -> Any:
        row = change.connection.execute(select(ApiKey).where(ApiKey.id == key)).first()
        missing = f"there is no key with id {key}"
        if row is None:
            raise NotFound(missing)
        what = _resource(row.account_id, row.client_id)
        change.require(Action.VIEW, what, missing)
        change.require(Action.MANAGE, what, missing)
        return row


def _event(
    action: str, row: Any, names: Holders, after: Mapping[str, object] | None = None
) -> Event:
    company, system, holder = names[(row.account_id, row.client_id)]
    return Event(
        action=action,
        kind="key",
        object_id=row.id,
        name=f"{row.hint}... of {holder}",
        company=company,
        system=system,
        after=after,
    )


def _resource(user: int | None, client: int | None) -> Resource:
    return Resource("client", client) if client is not None else Resource("user", user or 0)


def _info(row: Any) -> KeyInfo:
    return KeyInfo(
        id=row.id,
        label=row.label,
        hint=row.hint,
        user=row.account_id,
        client=row.client_id,
        created_us=row.created_us,
        created_by=row.created_by,
        expires_us=row.expires_us,
        revoked_us=row.revoked_us,
        used_us=row.used_us,
    )
