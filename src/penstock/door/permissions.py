"""What everybody may do at the door, by the organisation as the hub has written it down.

The hub replaces the file before a change is answered, and the door looks at it at every CONNECT
and a few times a second: what was granted works at once, what was taken back ends within a
second. `core.access` decides; here its answers are kept as long as they hold.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from penstock.core.access import Access, Kind, Principal, digest
from penstock.core.clock import MAX_AHEAD_US, Clock
from penstock.core.organisation import DEFAULT_SYSTEM, Client, Key, Organisation
from penstock.door.auth import COMPANION
from penstock.door.settings import User
from penstock.door.topics import split_share

_log = logging.getLogger(__name__)

#: Ids of the accounts in the configuration, as clients of the default system; the organisation's
#: own ids are counted up from 1.
FIRST_ACCOUNT = 1 << 62
#: The devices of the demo.
COMPANION_CLIENT = Principal(Kind.CLIENT, FIRST_ACCOUNT - 1)
#: Answers remembered; beyond it all are forgotten.
MAX_ANSWERS = 100_000
#: Longer topics are decided anew every time, so that hostile ones cannot fill the memory.
MAX_TOPIC_CHARACTERS = 512
#: First level, below a system's name, of the topics that clients are answered on.
RESPONSES = "responses"
#: How the first level of the topics ends that a system's own data come by.
OWN_DATA = ".int"
#: What stands between the owner and the client identifier in the name of a session; no client
#: identifier holds it.
_BEHIND_OWNER = "\0"


_COMPANION = Client(id=COMPANION_CLIENT.id, system=DEFAULT_SYSTEM, name=COMPANION)


class Permissions:
    """Decides for the door.

    Args:
        clock: Tells which keys and grants have expired.
        file: Where the hub leaves the organisation; nobody needs an account while there is none.
        users: Device accounts of the configuration, clients of the default system.
        is_exposed: Whether others than this machine can reach the door, so that everybody must
            say who they are.
    """

    def __init__(
        self,
        clock: Clock,
        file: Path | None = None,
        users: Sequence[User] = (),
        *,
        is_exposed: bool = False,
    ) -> None:
        self._clock = clock
        self._file = file
        self._accounts = {
            user.name: Client(
                id=FIRST_ACCOUNT + number,
                system=DEFAULT_SYSTEM,
                name=user.name,
                may_read="read" in user.access,
                may_write="write" in user.access,
            )
            for number, user in enumerate(users)
        }
        self._account_hashes = {
            Principal(Kind.CLIENT, self._accounts[user.name].id): user.password_hash
            for user in users
        }
        self._needs_accounts = bool(users) or is_exposed
        self._version: tuple[int, ...] | None = None
        #: Grows whenever an answer may have become another one.
        self.age = 0
        self._take(Organisation())
        self.look()

    # The organisation.

    def look(self) -> bool:
        """Take the newest organisation; return whether an answer may have become another one."""
        version = self._version_now()
        if version is not None and version != self._version:
            self._version = version
            found = self._read()
            if found is not None:
                self._take(found)
                return True
        now_us = self._clock.now_us()
        is_over = self._until_us is not None and now_us >= self._until_us
        # Of what was over by a clock that was ahead, some is not.
        if is_over or now_us < self._taken_us - MAX_AHEAD_US:
            self._take(self._organisation)
            return True
        return False

    def _version_now(self) -> tuple[int, ...] | None:
        if self._file is None:
            return None
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> Organisation | None:
        """Return what the file holds; nobody is let in by a first one that cannot be read."""
        try:
            return msgspec.json.decode((self._file or Path()).read_bytes(), type=Organisation)
        except (OSError, msgspec.DecodeError) as error:
            _log.error(
                "who may do what cannot be read from %s, so what was known holds: %s",
                self._file, error,
            )  # fmt: skip
            return None if self.age > 1 else Organisation(accounts=True)

    def _take(self, organisation: Organisation) -> None:
        self._organisation = organisation
        whole = msgspec.structs.replace(
            organisation,
            accounts=organisation.accounts or self._needs_accounts,
            clients=(*organisation.clients, *self._accounts.values(), _COMPANION),
        )
        self.access = Access(whole, self._clock)
        self._clients = {client.id: client for client in whole.clients}
        self._keys: dict[str, Key] = {key.digest: key for key in whole.keys}
        self._named: dict[str, list[Client]] = {}
        for client in organisation.clients:
            self._named.setdefault(client.name, []).append(client)
        self._hashes = {
            Principal(Kind.USER, user.id): user.password_hash for user in whole.users
        } | self._account_hashes
        self._taken_us = self._clock.now_us()
        self._until_us = self._next_expiry_us()
        self._take_companies(whole)
        self._answers: dict[tuple[Principal, str], bool] = {}
        self.age += 1

    def _take_companies(self, whole: Organisation) -> None:
        self._system_companies = {system.id: system.company for system in whole.systems}
        self._system_names = {system.id: system.name for system in whole.systems}
        pairs = [
            (user, company.id) for company in whole.companies for user in company.administrators
        ]
        pairs += [(user, system.company) for system in whole.systems for user in system.agents]
        # Of several companies the one with the lowest id stays.
        self._user_companies = dict(sorted(pairs, reverse=True))
        present = {
            self._system_companies.get(client.system, 0)
            for client in whole.clients
            if client is not _COMPANION
        }
        #: Whether nobody else could want anything.
        self.is_one_company = len(present | set(self._user_companies.values())) <= 1

    def _next_expiry_us(self) -> int | None:
        now_us = self._clock.now_us()
        organisation = self._organisation
        times = [
            *(key.expires_us for key in organisation.keys),
            *(grant.expires_us for grant in organisation.grants),
        ]
        return min((time for time in times if time is not None and time > now_us), default=None)

    # Who is it?

    @property
    def has_accounts(self) -> bool:
        """Whether everybody must say who they are."""
        return self.access.organisation.accounts

    @property
    def knows_anyone(self) -> bool:
        """Whether there is anybody who could come in."""
        return bool(self._organisation.users or self._organisation.clients or self._accounts)

    def holder(self, secret: str) -> tuple[Principal, str] | None:
        """Return whom a key stands for, and what proves it later on, without the key."""
        who = self.access.holder(secret)
        return None if who is None else (who, f"key {digest(secret)}")

    def account(self, name: str) -> tuple[Principal, str] | None:
        """Return whom a name with a password stands for, and the hash of the password."""
        account = self._accounts.get(name)
        if account is not None:
            who = Principal(Kind.CLIENT, account.id)
        else:
            user = self.access.user(name)
            if user is None or user.disabled:
                return None
            who = Principal(Kind.USER, user.id)
        return who, self._hashes[who]

    def certified(self, name: str) -> Principal | None:
        """Return the client of a certificate's name: `<system>/<client>`, an account, a client.

        A name that two systems have is nobody's.
        """
        account = self._accounts.get(name)
        system, slash, client_name = name.rpartition("/")
        found = [account] if account is not None else self._named.get(client_name, [])
        if slash and account is None:
            ids = {one.id for one in self.access.organisation.systems if one.name == system}
            found = [client for client in found if client.system in ids]
        if len(found) != 1:
            return None
        who = Principal(Kind.CLIENT, found[0].id)
        return who if self.access.is_welcome(who) else None

    def is_still(self, who: Principal, proof: str) -> bool:
        """Tell whether someone who was let in would be let in again with the same proof."""
        if not self.access.is_welcome(who):
            return False
        kind, _, value = proof.partition(" ")
        if kind == "key":
            key = self._keys.get(value)
            expires_us = None if key is None else key.expires_us
            is_over = expires_us is not None and expires_us <= self._clock.now_us()
            return key is not None and not is_over
        return kind != "password" or self._hashes.get(who) == value

    def session_name(self, who: Principal, client: str) -> str:
        """Return the name of a session: no system and no user takes over another's.

        Sessions of the default system keep their names when accounts are switched on.
        """
        owner = ""
        if who.kind is Kind.USER:
            owner = f"u{who.id}"
        elif who.kind is Kind.CLIENT and who.id in self._clients:
            system = self._clients[who.id].system
            owner = "" if system == DEFAULT_SYSTEM else f"s{system}"
        return f"{owner}{_BEHIND_OWNER}{client}" if owner else client

    def system(self, who: Principal) -> int:
        """Return the system that someone acts for; the default one for who acts for none."""
        client = self._clients.get(who.id) if who.kind is Kind.CLIENT else None
        return DEFAULT_SYSTEM if client is None else client.system

    def response_topic(self, who: Principal, client: str) -> str | None:
        """Return a topic below which a client may be answered; None if it may not receive there.

        The platform keeps what is published below it and reads no data in it.
        """
        system = self.system(who)
        name = self._system_names.get(system, "")
        home = "" if system == DEFAULT_SYSTEM else f"{name}/"
        topic = f"{home}{RESPONSES}/{quote(client, safe='')}"
        is_own = who.kind is not Kind.USER and (name or system == DEFAULT_SYSTEM)
        return topic if is_own and self.may_receive(who, topic) else None

    def company(self, who: Principal) -> int:
        """Return the company that someone belongs to; 0 for none.

        A user of several belongs to the one that was made first.
        """
        if who.kind is Kind.USER:
            return self._user_companies.get(who.id, 0)
        if who.kind is Kind.CLIENT and who.id not in self._clients:
            return 0
        return self._system_companies.get(self.system(who), 0)

    def company_of(self, topic: str) -> int:
        """Return the company whose system owns a topic; 0 for none."""
        return self._system_companies.get(self.access.system_of(topic), 0)

    # May they?

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Tell whether someone may publish to a topic; whoever asks keeps the answer."""
        if not self.has_accounts or self.access.may_publish(who, topic):
            return True
        # The demo has cars of a company, too: they send data, and nothing else.
        if who != COMPANION_CLIENT or not topic.partition("/")[0].endswith(OWN_DATA):
            return False
        return self.access.system_of(topic) in self._system_names.keys() - {DEFAULT_SYSTEM}

    def acts_for(self, who: Principal, topic: str) -> bool:
        """Tell whether someone is of the system that owns a topic, and does not only read it."""
        if not self.has_accounts:
            return True
        if who.kind is Kind.CLIENT:
            return self.system(who) == self.access.system_of(topic)
        return self.access.may_publish(who, topic)

    def may_subscribe(self, who: Principal, wanted: str) -> bool:
        """Tell whether a filter, shared or not, is worth listening to for someone."""
        return self.access.may_subscribe(who, split_share(wanted)[1])

    def may_receive(self, who: Principal, topic: str) -> bool:
        """Tell whether messages of a topic may be handed to someone."""
        if not self.has_accounts:
            return True
        answer = self._answers.get((who, topic))
        if answer is None:
            answer = self.access.may_receive(who, topic)
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            if len(topic) <= MAX_TOPIC_CHARACTERS:
                self._answers[who, topic] = answer
        return answer


def client_of(session: str) -> str:
    """Return the client identifier in the name of a session."""
    return session.rpartition(_BEHIND_OWNER)[2]


def owner_of(session: str) -> str:
    """Return the owner in the name of a session; "" is the default system."""
    return session.rpartition(_BEHIND_OWNER)[0]
