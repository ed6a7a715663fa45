"""Registrations: people who make themselves users, or ask to become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select

from penstock.catalog.identities.desk import Change, Desk, check_text
from penstock.catalog.identities.users import SqlUsers, check_user_name
from penstock.catalog.organisation_models import RegistrationRow
from penstock.catalog.settings import AccountSettings, RegistrationMode
from penstock.core.access import PLATFORM, Action, Resource
from penstock.core.errors import Conflict, Forbidden, NotFound, TooManyRequests
from penstock.core.passwords import Passwords, check_password
from penstock.core.people import Actor, Event, NewRegistration, RegistrationInfo, UserInfo

#: Longest note, in characters.
MAX_NOTE = 500
#: Seconds after which it makes sense to try again when too many wait.
RETRY_AFTER_S = 3600.0


class SqlRegistrations:
    """See `core.accounts.Registrations`.

    Args:
        desk: Where changes are made.
        users: Where users are made.
        passwords: Hashes them.
        settings: Whether people may register, and how many may wait.
    """

    def __init__(
        self, desk: Desk, users: SqlUsers, passwords: Passwords, settings: AccountSettings
    ) -> None:
        self._desk = desk
        self._users = users
        self._passwords = passwords
        self._settings = settings

    @property
    def mode(self) -> RegistrationMode:
        """Whether people may register: closed as long as there is no user at all."""
        organisation = self._desk.access.organisation
        return self._settings.registration if organisation.users else "closed"

    def register(self, new: NewRegistration, address: str = "") -> UserInfo | None:
        """Make a user of who asks, or let them wait for approval (None)."""
        if self.mode == "closed":
            msg = (
                "registration is closed here (`registration` in [accounts]); ask an administrator "
                "of this platform for an account"
            )
            raise Forbidden(msg)
        name = check_user_name(new.name)
        display_name = check_text("display_name", new.display_name, 200)
        note = check_text("note", new.note, MAX_NOTE)
        hashed = self._passwords.hash(check_password(new.password))
        if self.mode == "open":
            by = Actor(PLATFORM, address)
            return self._users.keep(by, name, hashed, display_name, administrator=False)
        with self._desk.change(Actor(PLATFORM, address)) as change:
            change.is_visible = False
            self._forget_old(change)
            waiting = select(func.count()).select_from(RegistrationRow)
            if change.connection.execute(waiting).scalar_one() >= self._settings.max_registrations:
                msg = (
                    f"{self._settings.max_registrations} people wait for approval already; try "
                    "again later, or ask an administrator of this platform"
                )
                raise TooManyRequests(msg, RETRY_AFTER_S)
            held = select(RegistrationRow.id).where(RegistrationRow.name == name)
            is_taken = change.access.user(name) is not None
            if is_taken or change.connection.execute(held).first() is not None:
                # The answer is the same: nobody learns here who has an account.
                return None
            id_ = change.connection.execute(
                insert(RegistrationRow)
                .values(
                    name=name,
                    display_name=display_name,
                    note=note,
                    password_hash=hashed,
                    address=address,
                    at_us=change.now_us,
                )
                .returning(RegistrationRow.id)
            ).scalar_one()
            change.record(Event(action="register", kind="registration", object_id=id_, name=name))
        return None

    def list(self, by: Actor) -> Sequence[RegistrationInfo]:
        """Return those that wait, oldest first."""
        self._desk.access.require(by.who, Action.MANAGE, Resource("user"))
        with self._desk.read() as connection:
            rows = connection.execute(select(RegistrationRow).order_by(RegistrationRow.id))
            return [_info(row) for row in rows]

    def approve(self, by: Actor, registration: int) -> UserInfo:
        """Make a user of somebody who waits."""
        row = self._take(by, registration, "approve")
        return self._users.keep(
            by, row.name, row.password_hash, row.display_name, administrator=False
        )

    def refuse(self, by: Actor, registration: int) -> None:
        """Forget somebody who waits."""
        self._take(by, registration, "refuse")

    def _take(self, by: Actor, registration: int, action: str) -> Any:
        """Take somebody from those who wait."""
        with self._desk.change(by) as change:
            change.is_visible = False
            change.require(Action.MANAGE, Resource("user"))
            which = RegistrationRow.id == registration
            row = change.connection.execute(select(RegistrationRow).where(which)).first()
            if row is None:
                msg = f"there is no registration with id {registration} that waits"
                raise NotFound(msg)
            if action == "approve" and change.access.user(row.name) is not None:
                msg = f"there is a user {row.name!r} by now; refuse this registration"
                raise Conflict(msg)
            change.connection.execute(delete(RegistrationRow).where(which))
            event = Event(action=action, kind="registration", object_id=row.id, name=row.name)
            change.record(event)
        return row

    def _forget_old(self, change: Change) -> None:
        oldest_us = change.now_us - round(self._settings.registration_wait_s * 1e6)
        change.connection.execute(delete(RegistrationRow).where(RegistrationRow.at_us < oldest_us))


def _info(row: Any) -> RegistrationInfo:
    return RegistrationInfo(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        note=row.note,
        address=row.address,
        at_us=row.at_us,
    )
