"""What the identity contracts take and give: users, companies, systems, clients, keys, grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from penstock.core.access import ANYONE, Principal


class Actor(msgspec.Struct, frozen=True):
    """Who does something, and from which network address; the audit trail keeps both."""

    who: Principal = ANYONE
    address: str = ""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A user in a role, and who gave it to them."""

    id: int
    name: str
    since_us: int
    by: str


class UserInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A user as lists show it."""

    id: int
    name: str
    display_name: str
    administrator: bool
    disabled: bool
    created_us: int
    created_by: str


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user to be made; without a password they can only come with keys.

    The first of all becomes administrator of the platform, whatever is said here.
    """

    name: str
    password: str | None = None
    display_name: str = ""
    administrator: bool = False


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change about a user; None leaves it."""

    display_name: str | None = None
    administrator: bool | None = None
    disabled: bool | None = None


class CompanyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A company as lists show it."""

    id: int
    name: str
    description: str
    administrators: Sequence[Member]
    created_us: int
    created_by: str


class NewCompany(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A company to be made; who makes it becomes its administrator."""

    name: str
    description: str = ""


class SystemInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A system as lists show it."""

    id: int
    company_id: int
    company: str
    name: str
    description: str
    topics: Sequence[str]
    agents: Sequence[Member]
    created_us: int
    created_by: str


class NewSystem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system to be made; who makes it becomes its agent.

    Attributes:
        company: Id of its company.
        workcenter: Third part of its name.
        station: Fourth part of its name.
        description: For people.
    """

    company: int
    workcenter: str
    station: str
    description: str = ""


class SystemChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change about a system; None leaves it. Topics only by the platform's administrator.

    They may not overlap with those of another system.
    """

    description: str | None = None
    topics: Sequence[str] | None = None


class ClientInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A client as lists show it."""

    id: int
    system_id: int
    system: str
    name: str
    description: str
    may_read: bool
    may_write: bool
    topics: Sequence[str] | None
    disabled: bool
    created_us: int
    created_by: str


class NewClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client to be made, of the system with the id given."""

    system: int
    name: str
    description: str = ""
    may_read: bool = True
    may_write: bool = True
    topics: Sequence[str] | None = None


class ClientChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change about a client; UNSET leaves it."""

    description: str | msgspec.UnsetType = msgspec.UNSET
    may_read: bool | msgspec.UnsetType = msgspec.UNSET
    may_write: bool | msgspec.UnsetType = msgspec.UNSET
    topics: Sequence[str] | msgspec.UnsetType | None = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A key as lists show it: never its secret.

    Attributes:
        id: Never used again.
        label: What it is for.
        hint: How the secret begins, to tell keys apart.
        user: Whom it stands for, or None.
        client: What it stands for, or None.
        created_us: When it was made.
        created_by: Who made it.
        expires_us: From when it is no longer valid; None is never.
        revoked_us: When it was revoked; None is not.
        used_us: When it was last used, to a few minutes; None is never.
    """

    id: int
    label: str
    hint: str
    user: int | None
    client: int | None
    created_us: int
    created_by: str
    expires_us: int | None
    revoked_us: int | None
    used_us: int | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made, for a user or a client; without both, for who asks."""

    label: str = ""
    user: int | None = None
    client: int | None = None
    expires_us: int | None = None


class IssuedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its secret, which is shown this once."""

    key: KeyInfo
    secret: str


class GrantState(StrEnum):
    """How a grant stands."""

    #: A reader's agent asked; an agent of the owner decides.
    REQUESTED = "requested"
    #: An agent of the owner offered; an agent of the reader accepts.
    OFFERED = "offered"
    IN_FORCE = "in_force"
    #: The other side said no.
    REFUSED = "refused"
    #: One side ended it, or took its request or offer back.
    REVOKED = "revoked"
    #: Its time is over.
    EXPIRED = "expired"


class GrantInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A grant as lists show it: what the system `owner` lets the system `reader` read."""

    id: int
    owner_id: int
    owner: str
    reader_id: int
    reader: str
    thing: int | None
    datastream: int | None
    state: GrantState
    note: str
    created_us: int
    created_by: str
    decided_us: int | None
    decided_by: str
    expires_us: int | None


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grant to be asked for or offered.

    An agent of `owner` offers it; an agent of `reader` asks for it; who is agent of both puts it
    in force. Systems may be given by name, since one need not see the other's.
    """

    owner: int | str
    reader: int | str
    thing: int | None = None
    datastream: int | None = None
    note: str = ""
    expires_us: int | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who signed in, somewhere."""

    id: int
    user: int
    created_us: int
    used_us: int
    expires_us: int
    address: str
    agent: str


class IssuedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its token, which is shown this once."""

    session: Session
    token: str


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as it is remembered.

    Attributes:
        id: Ascending; the handle for paging.
        at_us: When, microseconds UTC.
        by: Name of who did it.
        address: Network address it came from, where known.
        action: What was done, like `add`, `change`, `remove`, `sign-in`.
        kind: Kind of what it was done to, like `user`, `system`, `device`.
        object_id: Its id.
        name: Its name then.
        company: Company that it belongs to, or None.
        system: System that it belongs to, or None.
        before: What changed, as it was; no secrets.
        after: What changed, as it is; no secrets.
    """

    id: int
    at_us: int
    by: str
    address: str
    action: str
    kind: str
    object_id: int
    name: str
    company: int | None
    system: int | None
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


class NewRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who wants to become a user.

    Attributes:
        name: To sign in with; an e-mail address or a short name.
        password: 10 to 1000 characters.
        display_name: Full name.
        note: For the administrator who decides; up to 500 characters.
    """

    name: str
    password: str
    display_name: str = ""
    note: str = ""


class RegistrationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A registration that waits for approval.

    Attributes:
        id: Never used again.
        name: To sign in with.
        display_name: Full name.
        note: What they say.
        address: Network address that it came from.
        at_us: When.
    """

    id: int
    name: str
    display_name: str
    note: str
    address: str
    at_us: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A change to be remembered; see `AuditEntry`."""

    action: str
    kind: str
    object_id: int = 0
    name: str = ""
    company: int | None = None
    system: int | None = None
    before: Mapping[str, object] | None = None
    after: Mapping[str, object] | None = None


class Repeated(msgspec.Struct, frozen=True):
    """What was answered to the same request before; status 0 while it is being worked on."""

    request_digest: str
    status: int
    body: str
