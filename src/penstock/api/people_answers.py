"""What the endpoints about people take and answer, as types; the rest is in `core.people`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from penstock.core.people import (
    AuditEntry,
    ClientInfo,
    CompanyInfo,
    GrantInfo,
    IssuedKey,
    KeyInfo,
    NewClient,
    NewKey,
    RegistrationInfo,
    Session,
    SystemInfo,
    UserInfo,
)


class SignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name and password. With `cookie`, the token comes as a cookie that scripts cannot read."""

    name: str
    password: str
    cookie: bool = False


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A session that has begun; `token` is null when it went into a cookie."""

    token: str | None
    session: Session
    user: UserInfo


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A company or system that somebody works with."""

    id: int
    name: str


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks.

    `accounts` says whether everybody must sign in; `anyone` is somebody who has not said.
    `registration` says whether people may make themselves users.
    """

    accounts: bool
    kind: Literal["anyone", "user", "client", "platform"]
    id: int
    name: str
    administrator: bool
    registration: Literal["closed", "approval", "open"]
    companies: Sequence[Place]
    systems: Sequence[Place]


class Password(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password; `old` is needed for one's own."""

    new: str
    old: str | None = None


class Description(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A description, for people."""

    description: str


class MemberName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Name of the user who gets a role."""

    user: str


class Renewal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the old key stays valid beside the new one, and when the new one expires."""

    overlap_s: float = 0.0
    expires_us: int | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when; only the owner's side may say."""

    expires_us: int | None = None


class Users(msgspec.Struct, frozen=True):
    """Users by name."""

    items: Sequence[UserInfo]


class SessionList(msgspec.Struct, frozen=True):
    """Sessions, those used last first."""

    items: Sequence[Session]


class Joined(msgspec.Struct, frozen=True):
    """What became of a registration: `user` may sign in now, `waiting` is for approval."""

    status: Literal["user", "waiting"]


class RegistrationList(msgspec.Struct, frozen=True):
    """Registrations that wait, oldest first."""

    items: Sequence[RegistrationInfo]


class Ended(msgspec.Struct, frozen=True):
    """How many sessions were ended."""

    ended: int


class Companies(msgspec.Struct, frozen=True):
    """Companies by name."""

    items: Sequence[CompanyInfo]


class Systems(msgspec.Struct, frozen=True):
    """Systems by name."""

    items: Sequence[SystemInfo]


class Clients(msgspec.Struct, frozen=True):
    """Clients by system and name."""

    items: Sequence[ClientInfo]


class NewClients(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Clients to be made, all or none."""

    items: Sequence[NewClient]


class Keys(msgspec.Struct, frozen=True):
    """Keys, newest first."""

    items: Sequence[KeyInfo]


class NewKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys to be made, all or none."""

    items: Sequence[NewKey]


class IssuedKeys(msgspec.Struct, frozen=True):
    """Keys with their secrets, in the order in which they were asked for."""

    items: Sequence[IssuedKey]


class Grants(msgspec.Struct, frozen=True):
    """Grants, newest first."""

    items: Sequence[GrantInfo]


class Audit(msgspec.Struct, frozen=True):
    """Entries of the audit trail, newest first; `next` continues as `before`."""

    items: Sequence[AuditEntry]
    next: int | None


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a search found."""

    kind: Literal["user", "company", "system", "client", "datastream"]
    id: int
    name: str
    description: str = ""


class Hits(msgspec.Struct, frozen=True):
    """What a search found, kind by kind."""

    items: Sequence[Hit]
