"""Who there is and what belongs to whom: companies, systems, users, clients, grants, keys.

Company > System > Client and Thing. Users are administrators of companies and agents of systems.
One `Organisation` is a complete picture at one moment: everything that a decision needs and
nothing else, so that every process can decide alike (`core.access`) from the same picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec

from penstock.core.errors import InvalidInput

#: Everything that no other system owns belongs to the default system of the default company.
DEFAULT_COMPANY = DEFAULT_SYSTEM = 1
DEFAULT_SYSTEM_NAME = "default"

#: Endings of a system's own topics: its data, what others share with it, its log.
TOPIC_KINDS = (".int", ".ext", ".log")

#: How the secrets of keys begin, so that one finds them where they should not be.
KEY_PREFIX = "pnk_"

Id = Annotated[int, msgspec.Meta(ge=1)]


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person.

    Attributes:
        id: Never used again.
        name: What they sign in with, lower case, an e-mail address or a short name.
        administrator: Runs the platform and may do everything.
        disabled: May not come in.
        password_hash: Argon2; empty when there is no password.
    """

    id: Id
    name: str
    administrator: bool = False
    disabled: bool = False
    password_hash: str = ""


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """A company, `<domain>.<enterprise>`, and the users who are its administrators."""

    id: Id
    name: str
    administrators: frozenset[int] = frozenset()


class System(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a company that sends data: a car, a hall, a service.

    Attributes:
        id: Never used again.
        company: Its company.
        name: `<domain>.<enterprise>.<workcenter>.<station>`; "default" for the default system.
        agents: Users who work with it.
        topics: MQTT topic filters that belong to it beside those that begin with its name. No
            two systems' filters overlap.
    """

    id: Id
    company: Id
    name: str
    agents: frozenset[int] = frozenset()
    topics: Sequence[str] = ()


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A program or device that acts for a system.

    Attributes:
        id: Never used again.
        system: Its system.
        name: Unique within the system.
        may_read: Whether it receives what its system owns and was granted.
        may_write: Whether it publishes to its system's topics, and commands its devices.
        topics: Topic filters that it is held to; None leaves it all those of its system.
        disabled: May not come in.
    """

    id: Id
    system: Id
    name: str
    may_read: bool = True
    may_write: bool = True
    topics: Sequence[str] | None = None
    disabled: bool = False


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that stands for a user or a client; only its digest is kept.

    Attributes:
        id: Never used again.
        digest: SHA-256 of the secret, 64 hexadecimal digits.
        user: Whom it stands for, or None.
        client: What it stands for, or None; one of the two is set.
        expires_us: From when it is no longer valid, microseconds UTC; None is never.
    """

    id: Id
    digest: str
    user: int | None = None
    client: int | None = None
    expires_us: int | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What one system lets another read, with its consent; what was not consented is not here.

    Attributes:
        id: Never used again.
        owner: The system whose data it is.
        reader: The system whose agents and clients may read it.
        thing: Only this Thing; None for all.
        datastream: Only this Datastream; None for all.
        expires_us: From when it is no longer valid, microseconds UTC; None is never.
    """

    id: Id
    owner: Id
    reader: Id
    thing: int | None = None
    datastream: int | None = None
    expires_us: int | None = None


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """The complete picture.

    Attributes:
        accounts: Whether everybody must say who they are. Without, everybody may do everything.
        version: Grows with every change.
        users: All users.
        companies: All companies.
        systems: All systems, the default one among them.
        clients: All clients.
        keys: All keys that were not revoked.
        grants: All grants in force.
    """

    accounts: bool = False
    version: int = 0
    users: Sequence[User] = ()
    companies: Sequence[Company] = ()
    systems: Sequence[System] = (
        System(id=DEFAULT_SYSTEM, company=DEFAULT_COMPANY, name=DEFAULT_SYSTEM_NAME),
    )
    clients: Sequence[Client] = ()
    keys: Sequence[Key] = ()
    grants: Sequence[Grant] = ()


_PART = re.compile(r"[a-zA-Z0-9-]+")
_CLIENT = re.compile(r"[a-zA-Z0-9_-]{1,60}")
#: Parts of a system's name and the most characters of each.
_PARTS = (("domain", 4), ("enterprise", 15), ("workcenter", 30), ("station", 20))


def check_company_name(name: str) -> str:
    """Return a company's name if it is `<domain>.<enterprise>`.

    Raises:
        InvalidInput: It is not.
    """
    return _check_parts("company", name, _PARTS[:2])


def check_system_name(name: str) -> str:
    """Return a system's name if it is `<domain>.<enterprise>.<workcenter>.<station>`.

    Raises:
        InvalidInput: It is not.
    """
    return _check_parts("system", name, _PARTS)


def is_system_name(name: str) -> bool:
    """Tell whether a name is of the form that systems' names have."""
    try:
        check_system_name(name)
    except InvalidInput:
        return False
    return True


def check_client_name(name: str) -> str:
    """Return a client's name if it is 1 to 60 letters, digits, `_` and `-`.

    Raises:
        InvalidInput: It is not.
    """
    if _CLIENT.fullmatch(name) is None:
        msg = f"client name {name[:80]!r} is not allowed; 1 to 60 of a-z, A-Z, 0-9, '_' and '-' are"
        raise InvalidInput(msg)
    return name


def _check_parts(what: str, name: str, parts: Sequence[tuple[str, int]]) -> str:
    given = name.split(".")
    form = ".".join(f"<{part}>" for part, _ in parts)
    if len(given) != len(parts):
        msg = f"{what} name {name[:100]!r} is not of the form {form}"
        raise InvalidInput(msg)
    for text, (part, most) in zip(given, parts, strict=True):
        if len(text) > most or _PART.fullmatch(text) is None:
            msg = (
                f"{what} name {name[:100]!r}: {part} {text[:40]!r} is not allowed; it has 1 to "
                f"{most} of a-z, A-Z, 0-9 and '-'"
            )
            raise InvalidInput(msg)
    return name
