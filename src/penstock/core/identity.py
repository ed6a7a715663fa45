"""The identity contracts: the organisation as it is kept, changed and looked at.

Every method takes `by`: who asks, and from where. Each decides through `Access` whether they may,
and then keeps the rules that depend on the state. A change is on disk, in the audit trail, in
`Identities.access` and with the other processes when the method returns; one that is refused
changed nothing. What one may not see does not exist: `NotFound`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from penstock.core.access import Access
from penstock.core.accounts import Keys, Registrations, Sessions, Users
from penstock.core.organisation import Organisation
from penstock.core.people import (
    Actor,
    AuditEntry,
    ClientChange,
    ClientInfo,
    CompanyInfo,
    Event,
    GrantInfo,
    GrantState,
    Member,
    NewClient,
    NewCompany,
    NewGrant,
    NewSystem,
    Repeated,
    SystemChange,
    SystemInfo,
)


class Members(Protocol):
    """Users in one role: administrators of companies, or agents of systems."""

    def add(self, by: Actor, place: int, user: str) -> Member:
        """Give the role in a company or system to the user of this name.

        Raises:
            NotFound: There is no such user.
            Conflict: They have it.
        """
        ...

    def remove(self, by: Actor, place: int, user: int) -> None:
        """Take the role from a user, not from oneself.

        Raises:
            NotFound: They do not have it.
            Conflict: It is oneself.
        """
        ...


class Companies(Protocol):
    """The companies."""

    @property
    def administrators(self) -> Members:
        """Those who run a company."""
        ...

    def list(self, by: Actor, search: str = "") -> Sequence[CompanyInfo]:
        """Return those that `by` may see, by name."""
        ...

    def get(self, by: Actor, company: int) -> CompanyInfo:
        """Return one."""
        ...

    def add(self, by: Actor, new: NewCompany) -> CompanyInfo:
        """Make one.

        Raises:
            InvalidInput: The name is not allowed.
            Conflict: The name is taken.
        """
        ...

    def describe(self, by: Actor, company: int, description: str) -> CompanyInfo:
        """Set its description."""
        ...

    def remove(self, by: Actor, company: int) -> None:
        """Remove one.

        Raises:
            Conflict: It has systems, or further administrators, or is the default one.
        """
        ...


class Systems(Protocol):
    """The systems."""

    @property
    def agents(self) -> Members:
        """Those who work with a system."""
        ...

    def list(self, by: Actor, search: str = "", company: int | None = None) -> Sequence[SystemInfo]:
        """Return those that `by` may see, by name."""
        ...

    def get(self, by: Actor, system: int) -> SystemInfo:
        """Return one."""
        ...

    def add(self, by: Actor, new: NewSystem) -> SystemInfo:
        """Make one.

        Raises:
            InvalidInput: The name is not allowed.
            Conflict: The name is taken.
        """
        ...

    def change(self, by: Actor, system: int, change: SystemChange) -> SystemInfo:
        """Change one.

        Raises:
            Conflict: A topic overlaps with one of another system.
        """
        ...

    def remove(self, by: Actor, system: int, *, move_things: bool = False) -> None:
        """Remove one.

        With `move_things`, which is the platform administrator's, its Things and their data go to
        the default system, under the names that they have.

        Raises:
            Conflict: It has clients, Things, or further agents, or is the default one.
        """
        ...


class Clients(Protocol):
    """The clients of systems."""

    def list(self, by: Actor, search: str = "", system: int | None = None) -> Sequence[ClientInfo]:
        """Return those that `by` may see, by system and name."""
        ...

    def get(self, by: Actor, client: int) -> ClientInfo:
        """Return one."""
        ...

    def add(self, by: Actor, new: Sequence[NewClient]) -> Sequence[ClientInfo]:
        """Make some, all or none.

        Raises:
            InvalidInput: A name or topic is not allowed.
            Conflict: A name is taken within its system.
        """
        ...

    def change(self, by: Actor, client: int, change: ClientChange) -> ClientInfo:
        """Change one."""
        ...

    def remove(self, by: Actor, client: int) -> None:
        """Remove one, and its keys."""
        ...


class Grants(Protocol):
    """What systems let each other read."""

    def list(
        self, by: Actor, *, system: int | None = None, state: GrantState | None = None
    ) -> Sequence[GrantInfo]:
        """Return those of systems that `by` works with, newest first."""
        ...

    def get(self, by: Actor, grant: int) -> GrantInfo:
        """Return one."""
        ...

    def add(self, by: Actor, new: NewGrant) -> GrantInfo:
        """Ask for one, or offer one; with the consent of both sides it is in force.

        Raises:
            NotFound: There is no such system, Thing or Datastream.
            Conflict: There is one like it already, or both systems are the same.
        """
        ...

    def accept(self, by: Actor, grant: int, expires_us: int | None = None) -> GrantInfo:
        """Consent, as the side that was asked; the owner may set or shorten its time.

        Raises:
            Conflict: It is not waiting for this.
        """
        ...

    def refuse(self, by: Actor, grant: int) -> GrantInfo:
        """Say no, as the side that was asked."""
        ...

    def revoke(self, by: Actor, grant: int) -> GrantInfo:
        """End one, from either side, at once."""
        ...


class Trail(Protocol):
    """The audit trail: who changed what."""

    def write(self, by: Actor, event: Event) -> None:
        """Remember something that was done elsewhere: to a device, a Datastream, the log."""
        ...

    def list(
        self,
        by: Actor,
        *,
        kind: str | None = None,
        object_id: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return entries that `by` may see, newest first, with ids below `before`."""
        ...


class Repeats(Protocol):
    """Answers to requests that may come twice, by the digest of their idempotency key."""

    def claim(self, digest: str, request_digest: str) -> Repeated | None:
        """Return the answer given before; None means that this is the first time."""
        ...

    def settle(self, digest: str, status: int, body: str) -> None:
        """Keep the answer for a day."""
        ...

    def release(self, digest: str) -> None:
        """Forget that the request ever came, since it failed."""
        ...


class Identities(Protocol):
    """Everything about who there is. Safe to call from any thread."""

    @property
    def users(self) -> Users:
        """The users."""
        ...

    @property
    def registrations(self) -> Registrations:
        """People who want to become users."""
        ...

    @property
    def companies(self) -> Companies:
        """The companies and their administrators."""
        ...

    @property
    def systems(self) -> Systems:
        """The systems and their agents."""
        ...

    @property
    def clients(self) -> Clients:
        """The clients of systems."""
        ...

    @property
    def keys(self) -> Keys:
        """Keys of users and clients."""
        ...

    @property
    def grants(self) -> Grants:
        """What systems let each other read."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Who is signed in."""
        ...

    @property
    def trail(self) -> Trail:
        """Who changed what."""
        ...

    @property
    def repeats(self) -> Repeats:
        """Answers to requests that may come twice."""
        ...

    def access(self) -> Access:
        """Return what decides, from the newest picture; costs nothing."""
        ...

    def organisation(self) -> Organisation:
        """Return the newest picture."""
        ...
