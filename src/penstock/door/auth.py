"""Who is at the other end of a connection."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.core.access import ANYONE, Kind, Principal
from penstock.core.organisation import DEFAULT_SYSTEM

#: User name of the platform's own connections; their client identifiers begin with it, and
#: nobody else's do.
INTERNAL = "$penstock"
#: User name of devices that the platform brings along for its demo: a client of the default
#: system, with the same password.
COMPANION = f"{INTERNAL}-demo"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Someone who was let in.

    Attributes:
        client: Client identifier.
        username: Name that was shown, or that is in the certificate.
        who: Whom it stands for.
        proof: What proved that: see `Permissions.is_still`.
        system: The system that it acts for.
        session: Name of its session: see `Permissions.session_name`.
    """

    client: str
    username: str | None
    who: Principal = ANYONE
    proof: str = ""
    system: int = DEFAULT_SYSTEM
    session: str = ""

    @property
    def label(self) -> str:
        """What to call it in a message."""
        name = f" of user {self.username!r}" if self.username else ""
        return f"client {self.client!r}{name}"

    @property
    def is_internal(self) -> bool:
        """Whether it is the platform itself, which may do everything that a client can."""
        return self.who.kind is Kind.PLATFORM


def is_reserved(client: str) -> bool:
    """Say whether a client identifier is for the platform's own connections."""
    return client.startswith(INTERNAL)


def hash_password(password: str) -> str:
    """Return the hash to put into `User.password_hash`."""
    import argon2

    hashed: str = argon2.PasswordHasher().hash(password)
    return hashed
