"""Sessions: who is signed in. Held in memory, kept in the database."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update

from penstock.catalog.admission import chunks
from penstock.catalog.identities.desk import Desk
from penstock.catalog.organisation_models import SignIn
from penstock.catalog.settings import AccountSettings
from penstock.core.access import Action, Kind, Principal, Resource, digest
from penstock.core.errors import NotFound
from penstock.core.people import Actor, Event, IssuedSession, Session


class _Held(NamedTuple):
    """A session, and when it is over by monotonic time: a clock that is set ends none.

    Attributes:
        over_s: Unless it is used until then.
        most_s: Even if it is.
    """

    session: Session
    over_s: float
    most_s: float


#: How tokens begin.
PREFIX = "pns_"


class SqlSessions:
    """See `core.accounts.Sessions`."""

    def __init__(self, desk: Desk, settings: AccountSettings) -> None:
        self._desk = desk
        self._idle_us = round(settings.session_idle_s * 1e6)
        self._most_us = round(settings.session_most_s * 1e6)
        self._most_places = settings.max_sessions_per_user
        self._lock = threading.Lock()
        self._used: set[str] = set()
        with desk.read() as connection:
            rows = connection.execute(select(SignIn)).all()
        self._sessions = {row.digest: self._restored(row) for row in rows}

    def _restored(self, row: Any) -> _Held:
        session = Session(
            id=row.id,
            user=row.account_id,
            created_us=row.created_us,
            used_us=row.used_us,
            expires_us=row.expires_us,
            address=row.address,
            agent=row.agent,
        )
        clock = self._desk.clock
        now_us, now_s = clock.now_us(), clock.monotonic_s()
        most_us = min(row.created_us + self._most_us - now_us, self._most_us)
        left_us = min(row.expires_us - now_us, self._idle_us, most_us)
        return _Held(session, now_s + left_us / 1e6, now_s + most_us / 1e6)

    def begin(self, user: int, address: str = "", agent: str = "") -> IssuedSession:
        """Sign a user in whose password was right."""
        token = PREFIX + secrets.token_urlsafe(32)
        key = digest(token)
        agent = "".join(c for c in agent if c.isprintable())[:200]
        who = Actor(Principal(Kind.USER, user), address)
        with self._desk.change(who) as change:
            change.is_visible = False
            now_us = change.now_us
            values = {
                "account_id": user,
                "created_us": now_us,
                "used_us": now_us,
                "expires_us": now_us + min(self._idle_us, self._most_us),
                "address": address,
                "agent": agent,
            }
            id_ = change.connection.execute(
                insert(SignIn).values(digest=key, **values).returning(SignIn.id)
            ).scalar_one()
            change.record(Event(action="sign-in", kind="user", object_id=user, name=change.name))
        values.pop("account_id")
        session = msgspec.convert({"id": id_, "user": user, **values}, Session)
        now_s = self._desk.clock.monotonic_s()
        idle_s, most_s = self._idle_us / 1e6, self._most_us / 1e6
        with self._lock:
            over = [at for at, held in self._sessions.items() if held.over_s <= now_s]
            self._sessions[key] = _Held(session, now_s + min(idle_s, most_s), now_s + most_s)
            own = [
                (held.session.used_us, at)
                for at, held in self._sessions.items()
                if held.session.user == user
            ]
            over += [at for _, at in sorted(own)[: max(0, len(own) - self._most_places)]]
        self._forget(over)
        return IssuedSession(session=session, token=token)

    def holder(self, token: str) -> Session | None:
        """Return the session of a token, which now lasts longer; None when it is over."""
        key = digest(token)
        now_us, now_s = self._desk.clock.now_us(), self._desk.clock.monotonic_s()
        with self._lock:
            held = self._sessions.get(key)
            if held is None or held.over_s <= now_s:
                return None
            over_s = min(now_s + self._idle_us / 1e6, held.most_s)
            until_us = now_us + round((over_s - now_s) * 1e6)
            session = msgspec.structs.replace(held.session, used_us=now_us, expires_us=until_us)
            self._sessions[key] = _Held(session, over_s, held.most_s)
            self._used.add(key)
            return session

    def list(self, by: Actor, user: int) -> Sequence[Session]:
        """Return where a user is signed in."""
        self._require(by, Action.VIEW, user)
        now_s = self._desk.clock.monotonic_s()
        with self._lock:
            own = [
                held.session
                for held in self._sessions.values()
                if held.session.user == user and held.over_s > now_s
            ]
        return sorted(own, key=lambda session: -session.used_us)

    def end(self, token: str) -> None:
        """Sign out. Harmless when it is over."""
        key = digest(token)
        with self._lock:
            is_there = key in self._sessions
        if is_there:
            self._forget([key])

    def end_all(self, by: Actor, user: int) -> int:
        """Sign a user out everywhere and return from how many places."""
        self._require(by, Action.MANAGE, user)
        count = self.forget_user(user)
        with self._desk.change(by) as change:
            change.is_visible = False
            held = next((u.name for u in change.access.organisation.users if u.id == user), "")
            change.record(Event(action="sign-out", kind="user", object_id=user, name=held))
        return count

    def forget_user(self, user: int) -> int:
        """End all sessions of a user and return how many there were."""
        with self._lock:
            keys = [key for key, held in self._sessions.items() if held.session.user == user]
        self._forget(keys)
        return len(keys)

    def flush(self) -> None:
        """Write down how long sessions last by now."""
        with self._lock:
            used = [
                {"at": key, "used": held.session.used_us, "until": held.session.expires_us}
                for key in self._used
                if (held := self._sessions.get(key)) is not None
            ]
            self._used.clear()
        if used:
            statement = (
                update(SignIn)
                .where(SignIn.digest == bindparam("at"))
                .values(used_us=bindparam("used"), expires_us=bindparam("until"))
            )
            with self._desk.database.write() as connection:
                connection.execute(statement, used)

    def _forget(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        with self._lock:
            for key in keys:
                self._sessions.pop(key, None)
        with self._desk.database.write() as connection:
            for some in chunks(keys):
                connection.execute(delete(SignIn).where(SignIn.digest.in_(some)))

    def _require(self, by: Actor, action: Action, user: int) -> None:
        access = self._desk.access
        what = Resource("user", user)
        if access.is_welcome(by.who) and not access.allows(by.who, action, what):
            raise NotFound(f"there is no user with id {user}")
        access.require(by.who, action, what)
