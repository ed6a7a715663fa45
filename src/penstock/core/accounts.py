"""The contracts of who comes in: users, keys and sessions. See `core.identity` for their rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from penstock.core.people import (
    Actor,
    IssuedKey,
    IssuedSession,
    KeyInfo,
    NewKey,
    NewRegistration,
    NewUser,
    RegistrationInfo,
    Session,
    UserChange,
    UserInfo,
)


class Users(Protocol):
    """The users."""

    def list(self, by: Actor, search: str = "") -> Sequence[UserInfo]:
        """Return those that `by` may see, by name: themselves, or all."""
        ...

    def get(self, by: Actor, user: int) -> UserInfo:
        """Return one."""
        ...

    def add(self, by: Actor, new: NewUser) -> UserInfo:
        """Make one. The first switches accounts on: from then on, everybody must sign in.

        Raises:
            InvalidInput: The name or the password is not allowed.
            Conflict: The name is taken.
        """
        ...

    def change(self, by: Actor, user: int, change: UserChange) -> UserInfo:
        """Change one. The last administrator of the platform stays one.

        Raises:
            Conflict: It is the last administrator.
        """
        ...

    def set_password(self, by: Actor, user: int, new: str, old: str | None = None) -> None:
        """Set a password and end the user's sessions; one's own only with the old one.

        Raises:
            InvalidInput: The new one is too short or too long.
            Forbidden: The old one is not right.
        """
        ...

    def remove(self, by: Actor, user: int) -> None:
        """Remove one.

        Raises:
            Conflict: They are the last administrator or agent of something; it is named.
        """
        ...


class Registrations(Protocol):
    """People who make themselves users, or wait for an administrator."""

    @property
    def mode(self) -> Literal["closed", "approval", "open"]:
        """Whether they may."""
        ...

    def register(self, new: NewRegistration, address: str = "") -> UserInfo | None:
        """Make a user of who asks, or let them wait for approval (None).

        Whoever waits, or would take the name of a user, gets the same answer.

        Raises:
            Forbidden: Registration is closed.
            InvalidInput: Name, password or text is not allowed.
            Conflict: The name is taken, where registration is open.
            TooManyRequests: Too many wait.
        """
        ...

    def list(self, by: Actor) -> Sequence[RegistrationInfo]:
        """Return those that wait, oldest first; for administrators."""
        ...

    def approve(self, by: Actor, registration: int) -> UserInfo:
        """Make a user of somebody who waits, with the password that they chose.

        Raises:
            NotFound: Nobody waits by that id.
            Conflict: The name was taken meanwhile.
        """
        ...

    def refuse(self, by: Actor, registration: int) -> None:
        """Forget somebody who waits.

        Raises:
            NotFound: Nobody waits by that id.
        """
        ...


class Keys(Protocol):
    """Keys of users and of clients."""

    def list(
        self, by: Actor, *, user: int | None = None, client: int | None = None
    ) -> Sequence[KeyInfo]:
        """Return the keys of a user or a client, newest first; one's own without both."""
        ...

    def add(self, by: Actor, new: Sequence[NewKey]) -> Sequence[IssuedKey]:
        """Make some, all or none."""
        ...

    def renew(
        self, by: Actor, key: int, *, overlap_s: float = 0.0, expires_us: int | None = None
    ) -> IssuedKey:
        """Make a new key in place of one, which stays valid for `overlap_s` at most."""
        ...

    def revoke(self, by: Actor, key: int) -> None:
        """End one, at once."""
        ...

    def note_use(self, secret: str) -> None:
        """Remember that a key was used; costs nothing most of the time."""
        ...


class Sessions(Protocol):
    """Who is signed in. Cheap: asked with every request."""

    def begin(self, user: int, address: str = "", agent: str = "") -> IssuedSession:
        """Sign a user in whose password was right."""
        ...

    def holder(self, token: str) -> Session | None:
        """Return the session of a token, which now lasts longer; None when it is over."""
        ...

    def list(self, by: Actor, user: int) -> Sequence[Session]:
        """Return where a user is signed in."""
        ...

    def end(self, token: str) -> None:
        """Sign out. Harmless when it is over."""
        ...

    def end_all(self, by: Actor, user: int) -> int:
        """Sign a user out everywhere and return from how many places."""
        ...
