"""Who may do what where: the one place that decides, for MQTT, HTTP, live events and commands.

An `Access` is made from one `Organisation` and never changes; whoever holds one takes the next
when the organisation changes. Nothing here touches disk or network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

import msgspec

from penstock.core.clock import Clock
from penstock.core.errors import Forbidden, NotFound, Unauthenticated
from penstock.core.organisation import (
    DEFAULT_SYSTEM,
    Client,
    Grant,
    Key,
    Organisation,
    System,
    User,
)
from penstock.core.topic_owners import TopicOwners
from penstock.core.topics import matches, overlaps


class Action(StrEnum):
    """What someone wants to do."""

    #: Know that it exists: name and facts.
    VIEW = "view"
    #: Read observations, messages, logs and the state of devices.
    READ = "read"
    #: Send observations and messages.
    WRITE = "write"
    #: Send commands to devices.
    COMMAND = "command"
    #: Change it: members, clients, devices, grants.
    MANAGE = "manage"


_READING = (Action.VIEW, Action.READ)


class Kind(StrEnum):
    """Kinds of principal."""

    #: Nobody in particular; may do everything while there are no accounts, else nothing.
    ANYONE = "anyone"
    USER = "user"
    CLIENT = "client"
    #: A part of the platform itself.
    PLATFORM = "platform"


class Principal(msgspec.Struct, frozen=True):
    """Who asks: a kind, and the id of the user or client (0 for the other kinds)."""

    kind: Kind = Kind.ANYONE
    id: int = 0


ANYONE = Principal()
PLATFORM = Principal(Kind.PLATFORM)


class Resource(msgspec.Struct, frozen=True):
    """What is asked for.

    `platform` is everything that belongs to no company: routes, log, dead letters, health; whoever
    may come in may view it. `metrics` are its counters, for those who work with the default system.
    For things and datastreams `system` is theirs, and `thing` is set for datastreams too. Without
    an id, "user" is all users, and "company" one that does not exist yet.
    """

    kind: Literal[
        "platform", "metrics", "company", "system", "client", "thing", "datastream", "user"
    ]
    id: int = 0
    system: int = 0
    thing: int = 0


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """All that someone may read, for lists: the sum of the parts; `everything` needs no parts."""

    everything: bool = False
    systems: frozenset[int] = frozenset()
    things: frozenset[int] = frozenset()
    datastreams: frozenset[int] = frozenset()

    def holds(self, system: int, thing: int, datastream: int) -> bool:
        """Tell whether a Datastream, of this Thing of this system, is among it."""
        return (
            self.everything
            or system in self.systems
            or thing in self.things
            or datastream in self.datastreams
        )


#: What nobody is kept from.
EVERYTHING = Scope(everything=True)


def digest(secret: str) -> str:
    """Return what is kept of a secret: SHA-256, enough for random secrets of 128 bits and more."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Access:
    """Decides.

    Args:
        organisation: The picture to decide from.
        clock: Tells which keys and grants have expired.
    """

    def __init__(self, organisation: Organisation, clock: Clock) -> None:
        self.organisation = organisation
        self._clock = clock
        self._users = {user.id: user for user in organisation.users}
        self._clients = {client.id: client for client in organisation.clients}
        self._systems = {system.id: system for system in organisation.systems}
        self._companies = {company.id: company for company in organisation.companies}
        self._keys: dict[str, Key] = {key.digest: key for key in organisation.keys}
        self._names = {user.name: user for user in organisation.users}
        self._owners = TopicOwners(organisation)
        self._agent_of: dict[int, set[int]] = {}
        for system in organisation.systems:
            for user_id in system.agents:
                self._agent_of.setdefault(user_id, set()).add(system.id)
        self._granted: dict[int, list[Grant]] = {}
        for grant in organisation.grants:
            self._granted.setdefault(grant.reader, []).append(grant)

    # Who is it?

    def holder(self, secret: str) -> Principal | None:
        """Return whom a key stands for, or None when it is unknown, expired or disabled."""
        key = self._keys.get(digest(secret))
        if key is None or self._is_past(key.expires_us):
            return None
        if key.client is not None:
            principal = Principal(Kind.CLIENT, key.client)
        else:
            principal = Principal(Kind.USER, key.user or 0)
        return principal if self.is_welcome(principal) else None

    def user(self, name: str) -> User | None:
        """Return a user by the name they sign in with, or None."""
        return self._names.get(name.strip().lower())

    def is_welcome(self, who: Principal) -> bool:
        """Tell whether someone (still) exists and is not disabled."""
        if who.kind is Kind.USER:
            user = self._users.get(who.id)
            return user is not None and not user.disabled
        if who.kind is Kind.CLIENT:
            client = self._clients.get(who.id)
            return client is not None and not client.disabled
        return who.kind is Kind.PLATFORM or not self.organisation.accounts

    def name(self, who: Principal) -> str:
        """Return how a principal is called in lists and in the audit trail."""
        if who.kind is Kind.USER and who.id in self._users:
            return self._users[who.id].name
        if who.kind is Kind.CLIENT and who.id in self._clients:
            client = self._clients[who.id]
            return f"{self._systems[client.system].name}/{client.name}"
        return str(who.kind)

    def company_of(self, who: Principal) -> int:
        """Return the company whose share of the platform someone uses up; 0 when they have none.

        Of a user who runs or works for several it is the oldest one: nobody gets the shares of
        several by joining them.
        """
        if who.kind is Kind.CLIENT:
            client = self._clients.get(who.id)
            return 0 if client is None else self._systems[client.system].company
        run = (one.id for one in self.organisation.companies if who.id in one.administrators)
        works_for = (self._systems[id_].company for id_ in self._agent_of.get(who.id, ()))
        return min((*run, *works_for), default=0) if who.kind is Kind.USER else 0

    # May they?

    def allows(self, who: Principal, action: Action, what: Resource) -> bool:
        """Decide. What does not exist is nobody's."""
        if not self._exists(what):
            return False
        if self._may_everything(who):
            return True
        if not self.is_welcome(who):
            return False
        if who.kind is Kind.USER:
            return self._user_may(who.id, action, what)
        return self._client_may(self._clients[who.id], action, what)

    def require(self, who: Principal, action: Action, what: Resource) -> None:
        """Do nothing if it is allowed.

        Raises:
            Unauthenticated: Nobody has said who asks.
            NotFound: There is no such company, system, client or user.
            Forbidden: The one who asks may not.
        """
        if self.allows(who, action, what):
            return
        if not self._exists(what) and self.is_welcome(who):
            msg = f"there is no {what.kind} with id {what.id}"
            raise NotFound(msg)
        if not self.is_welcome(who):
            msg = "sign in, or show a key that is valid, to do this"
            raise Unauthenticated(msg)
        place = f"{what.kind} {what.id}" if what.id else f"the {what.kind}"
        msg = (
            f"{self.name(who)} may not {action} {place}; ask its company administrator, an agent "
            "of its system or the platform's administrator"
        )
        raise Forbidden(msg)

    def scope(self, who: Principal) -> Scope:
        """Return all that someone may read."""
        if self._may_everything(who):
            return Scope(everything=True)
        return self._granted_to(self._own_systems(who))

    def system_scope(self, system: int) -> Scope:
        """Return all that a system may read: its own, and what it was granted."""
        if not self.organisation.accounts:
            return Scope(everything=True)
        return self._granted_to({system})

    def _granted_to(self, own: set[int]) -> Scope:
        grants = [grant for system in own for grant in self._grants_to(system)]
        whole = {g.owner for g in grants if g.thing is None and g.datastream is None}
        return Scope(
            systems=frozenset(own | whole),
            things=frozenset(g.thing for g in grants if g.thing and g.datastream is None),
            datastreams=frozenset(g.datastream for g in grants if g.datastream),
        )

    # Topics

    def system_of(self, topic: str) -> int:
        """Return the system that owns a topic; the default one where no other does."""
        return self._owners.system_of(topic)

    def is_reserved(self, topic: str) -> bool:
        """Tell whether a topic is nobody's; see `TopicOwners`."""
        return self._owners.is_reserved(topic)

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Tell whether someone may publish to a topic."""
        if topic.startswith("$") or (self.is_reserved(topic) and who.kind is not Kind.PLATFORM):
            return False
        what = Resource("system", self.system_of(topic))
        return self.allows(who, Action.WRITE, what) and self._is_held_to(who, topic)

    def may_receive(self, who: Principal, topic: str) -> bool:
        """Tell whether messages of a topic may be handed to someone."""
        if topic.startswith("$"):
            return self.allows(who, Action.READ, Resource("platform"))
        system = self.system_of(topic)
        if self._may_everything(who):
            return True
        if self.is_reserved(topic):
            return False
        return system in self.scope(who).systems and self._is_held_to(who, topic, system)

    def may_subscribe(self, who: Principal, wanted: str) -> bool:
        """Tell whether a filter could match anything that someone may receive.

        A filter may be wider than that: what arrives is decided for each topic.
        """
        if wanted.startswith("$") or self._may_everything(who):
            return self.allows(who, Action.READ, Resource("platform"))
        systems = self.scope(who).systems
        held = self._clients[who.id].topics if who.kind is Kind.CLIENT else None
        if held is not None and not any(overlaps(wanted, one) for one in held):
            return bool(systems - self._own_systems(who)) and self._owners.meets(wanted, systems)
        return self._owners.meets(wanted, systems)

    # How

    def _exists(self, what: Resource) -> bool:
        """Tell whether there is such a company, system, client or user; others are not known."""
        if what.kind == "system":
            return what.id in self._systems
        if what.kind == "client":
            return what.id in self._clients
        if what.kind == "company":
            return what.id == 0 or what.id in self._companies
        return what.kind != "user" or what.id == 0 or what.id in self._users

    def _is_past(self, time_us: int | None) -> bool:
        return time_us is not None and time_us <= self._clock.now_us()

    def _may_everything(self, who: Principal) -> bool:
        if who.kind is Kind.PLATFORM or not self.organisation.accounts:
            return True
        if who.kind is not Kind.USER:
            return False
        user = self._users.get(who.id)
        return user is not None and user.administrator and not user.disabled

    def _own_systems(self, who: Principal) -> set[int]:
        if not self.is_welcome(who):
            return set()
        if who.kind is Kind.USER:
            return set(self._agent_of.get(who.id, ()))
        client = self._clients.get(who.id)
        return {client.system} if client is not None and client.may_read else set()

    def _grants_to(self, system: int) -> Sequence[Grant]:
        return [g for g in self._granted.get(system, ()) if not self._is_past(g.expires_us)]

    def _user_may(self, user: int, action: Action, what: Resource) -> bool:
        agent_of = self._agent_of.get(user, set())
        if what.kind == "user":
            return what.id == user
        if what.kind == "company" and what.id == 0:
            return action is Action.MANAGE
        if what.kind == "company":
            company = self._companies.get(what.id)
            if company is not None and user in company.administrators:
                return True
            systems = (self._systems[id_] for id_ in agent_of)
            return action is Action.VIEW and any(s.company == what.id for s in systems)
        if what.kind == "platform":
            return action is Action.VIEW
        if what.kind == "metrics":
            return action in _READING and DEFAULT_SYSTEM in agent_of
        system = self._home(what)
        if system is None:
            return False
        if system.id in agent_of:
            return True
        company = self._companies.get(system.company)
        if what.kind == "system" and company is not None and user in company.administrators:
            return action is Action.VIEW
        return self._is_shared(Principal(Kind.USER, user), action, what)

    def _client_may(self, client: Client, action: Action, what: Resource) -> bool:
        if what.kind == "platform":
            return action is Action.VIEW
        if what.kind == "metrics":
            is_near = client.system == DEFAULT_SYSTEM and client.may_read
            return action in _READING and is_near
        if what.kind == "client" and what.id == client.id:
            return action is Action.VIEW
        system = self._home(what)
        if system is None or what.kind == "client":
            return False
        if system.id != client.system:
            return self._is_shared(Principal(Kind.CLIENT, client.id), action, what)
        if action is Action.READ:
            return client.may_read
        if action in (Action.WRITE, Action.COMMAND):
            return client.may_write
        return action is Action.VIEW

    def _is_shared(self, who: Principal, action: Action, what: Resource) -> bool:
        if action not in _READING:
            return False
        scope = self.scope(who)
        if what.kind == "system":
            return what.id in scope.systems
        if what.kind == "thing":
            return scope.holds(what.system, what.id, 0)
        if what.kind == "datastream":
            return scope.holds(what.system, what.thing, what.id)
        return False

    def _home(self, what: Resource) -> System | None:
        if what.kind == "system":
            return self._systems.get(what.id)
        if what.kind == "client":
            client = self._clients.get(what.id)
            return None if client is None else self._systems.get(client.system)
        return self._systems.get(what.system)

    def _is_held_to(self, who: Principal, topic: str, system: int | None = None) -> bool:
        """Tell whether a topic is among those that a client is held to, within its own system."""
        if who.kind is not Kind.CLIENT:
            return True
        client = self._clients[who.id]
        if client.topics is None or (system is not None and system != client.system):
            return True
        return any(matches(one, topic) for one in client.topics)
