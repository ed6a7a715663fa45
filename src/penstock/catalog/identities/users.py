"""Users: made, changed, removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from penstock.catalog.identities.desk import Change, Desk, check_text
from penstock.catalog.organisation_models import (
    Account,
    CompanyAdministrator,
    CompanyRow,
    SignIn,
    SystemAgent,
    SystemRow,
)
from penstock.core.access import Action, Kind, Resource
from penstock.core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from penstock.core.passwords import Passwords, check_password
from penstock.core.people import Actor, Event, NewUser, UserChange, UserInfo

_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*(@[a-z0-9-]+(\.[a-z0-9-]+)*)?")


def check_user_name(name: str) -> str:
    """Return a user's name in lower case if it is an e-mail address or a short name.

    Raises:
        InvalidInput: It is neither.
    """
    name = name.strip().lower()
    if len(name) > 254 or _NAME.fullmatch(name) is None:
        msg = (
            f"user name {name[:80]!r} is not allowed; an e-mail address or a name of a-z, 0-9, "
            "'.', '_', '+' and '-' is"
        )
        raise InvalidInput(msg)
    return name


class SqlUsers:
    """See `core.accounts.Users`.

    Args:
        desk: Where changes are made.
        passwords: Hashes them.
        end_sessions: Called with a user's id when they must sign in again.
    """

    def __init__(
        self, desk: Desk, passwords: Passwords, end_sessions: Callable[[int], object]
    ) -> None:
        self._desk = desk
        self._passwords = passwords
        self._end_sessions = end_sessions

    def list(self, by: Actor, search: str = "") -> Sequence[UserInfo]:
        """Return those that `by` may see, by name."""
        query = select(Account).order_by(Account.name)
        if not self._desk.access.allows(by.who, Action.VIEW, Resource("user")):
            if by.who.kind is not Kind.USER:
                return []
            query = query.where(Account.id == by.who.id)
        with self._desk.read() as connection:
            rows = connection.execute(query)
            found = [_info(row) for row in rows]
        words = search.casefold().split()
        return [
            user
            for user in found
            if all(word in f"{user.name}\n{user.display_name}".casefold() for word in words)
        ]

    def get(self, by: Actor, user: int) -> UserInfo:
        """Return one."""
        self._require_view(by, user)
        with self._desk.read() as connection:
            row = connection.execute(select(Account).where(Account.id == user)).first()
        if row is None:
            raise _missing(user)
        return _info(row)

    def add(self, by: Actor, new: NewUser) -> UserInfo:
        """Make one. The first switches accounts on."""
        access = self._desk.access
        access.require(by.who, Action.MANAGE, Resource("user"))
        name = check_user_name(new.name)
        display_name = check_text("display_name", new.display_name, 200)
        is_first = not access.organisation.users
        if is_first and new.password is None:
            msg = "the first user needs a password, since nobody else could let them in"
            raise InvalidInput(msg)
        hashed = ""
        if new.password is not None:
            hashed = self._passwords.hash(check_password(new.password))
        return self.keep(by, name, hashed, display_name, administrator=new.administrator)

    def keep(
        self, by: Actor, name: str, hashed: str, display_name: str, *, administrator: bool
    ) -> UserInfo:
        """Make a user from a password's hash."""
        with self._desk.change(by) as change:
            change.require(Action.MANAGE, Resource("user"))
            is_first = not change.access.organisation.users
            if change.access.user(name) is not None:
                msg = f"there is a user {name!r} already; choose another name"
                raise Conflict(msg)
            row = change.connection.execute(
                insert(Account)
                .values(
                    name=name,
                    display_name=display_name,
                    administrator=administrator or is_first,
                    disabled=False,
                    password_hash=hashed,
                    **change.made,
                )
                .returning(Account)
            ).one()
            after = {"name": name, "administrator": administrator or is_first}
            change.record(
                Event(action="add", kind="user", object_id=row.id, name=name, after=after)
            )
        return _info(row)

    def change(self, by: Actor, user: int, change: UserChange) -> UserInfo:
        """Change one. The last administrator of the platform stays one."""
        wanted: dict[str, Any] = {
            name: value
            for name in ("display_name", "administrator", "disabled")
            if (value := getattr(change, name)) is not None
        }
        if change.display_name is not None:
            check_text("display_name", change.display_name, 200)
        with self._desk.change(by) as at:
            held = self._held(at, user)
            at.require(Action.MANAGE, Resource("user", user))
            if wanted.keys() & {"administrator", "disabled"}:
                # One may change oneself, but not what one may do.
                at.require(Action.MANAGE, Resource("user"))
            is_leaving = wanted.get("administrator") is False or wanted.get("disabled") is True
            if is_leaving:
                self._refuse_last(at, user, "be disabled or lose that role")
            row = held
            if wanted:
                row = at.connection.execute(
                    update(Account).where(Account.id == user).values(**wanted).returning(Account)
                ).one()
                at.record(
                    Event(
                        action="change",
                        kind="user",
                        object_id=user,
                        name=held.name,
                        before={name: getattr(held, name) for name in wanted},
                        after=wanted,
                    )
                )
        if wanted.get("disabled"):
            self._end_sessions(user)
        return _info(row)

    def set_password(self, by: Actor, user: int, new: str, old: str | None = None) -> None:
        """Set a password and end the user's sessions; one's own only with the old one."""
        access = self._desk.access
        self._require_view(by, user)
        access.require(by.who, Action.MANAGE, Resource("user", user))
        check_password(new)
        held = next((one for one in access.organisation.users if one.id == user), None)
        if held is None:
            raise _missing(user)
        is_own = by.who.kind is Kind.USER and by.who.id == user
        if (
            is_own
            and held.password_hash
            and not (old and self._passwords.check(held.password_hash, old).result())
        ):
            msg = "the old password is not right; your password stays as it is"
            raise Forbidden(msg)
        self.keep_password(by, user, self._passwords.hash(new))

    def keep_password(self, by: Actor, user: int, hashed: str) -> None:
        """Set a password by its hash, and end the user's sessions."""
        with self._desk.change(by) as change:
            held = self._held(change, user)
            change.require(Action.MANAGE, Resource("user", user))
            change.connection.execute(
                update(Account).where(Account.id == user).values(password_hash=hashed)
            )
            change.connection.execute(delete(SignIn).where(SignIn.account_id == user))
            change.record(Event(action="set-password", kind="user", object_id=user, name=held.name))
        self._end_sessions(user)

    def remove(self, by: Actor, user: int) -> None:
        """Remove one."""
        with self._desk.change(by) as change:
            held = self._held(change, user)
            change.require(Action.MANAGE, Resource("user"))
            self._refuse_last(change, user, "be removed")
            self._refuse_needed(change, user, held.name)
            change.connection.execute(delete(Account).where(Account.id == user))
            change.record(
                Event(
                    action="remove",
                    kind="user",
                    object_id=user,
                    name=held.name,
                    before={"name": held.name, "administrator": held.administrator},
                )
            )
        self._end_sessions(user)

    def _require_view(self, by: Actor, user: int) -> None:
        access = self._desk.access
        if access.allows(by.who, Action.VIEW, Resource("user", user)):
            return
        if not access.is_welcome(by.who):
            raise Unauthenticated("sign in, or show a key that is valid, to do this")
        raise _missing(user)

    @staticmethod
    def _held(change: Change, user: int) -> Any:
        what = Resource("user", user)
        change.require(Action.VIEW, what, f"there is no user with id {user}")
        row = change.connection.execute(select(Account).where(Account.id == user)).first()
        if row is None:
            raise _missing(user)
        return row

    @staticmethod
    def _refuse_last(change: Change, user: int, what: str) -> None:
        others = select(func.count()).where(
            Account.administrator, Account.disabled.is_(False), Account.id != user
        )
        held = change.connection.execute(select(Account).where(Account.id == user)).one()
        if held.administrator and change.connection.execute(others).scalar_one() == 0:
            msg = (
                f"{held.name} is the platform's only administrator and cannot {what}; make "
                "another one first"
            )
            raise Conflict(msg)

    @staticmethod
    def _refuse_needed(change: Change, user: int, name: str) -> None:
        sole: list[str] = []
        for row, role, place in (
            (CompanyRow, CompanyAdministrator, CompanyAdministrator.company_id),
            (SystemRow, SystemAgent, SystemAgent.system_id),
        ):
            counts = select(place).group_by(place).having(func.count() == 1).scalar_subquery()
            query = (
                select(row.name)
                .join(role, place == row.id)
                .where(role.account_id == user, row.id.in_(counts))
                .order_by(row.name)
            )
            sole.extend(change.connection.execute(query).scalars())
        if sole:
            msg = (
                f"{name} is the only administrator or agent of {', '.join(sole[:5])}"
                f"{' and more' if len(sole) > 5 else ''}; add another one first, or disable them"
            )
            raise Conflict(msg)


def _missing(user: int) -> NotFound:
    return NotFound(f"there is no user with id {user}")


def _info(row: Any) -> UserInfo:
    return UserInfo(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        administrator=row.administrator,
        disabled=row.disabled,
        created_us=row.created_us,
        created_by=row.created_by,
    )
