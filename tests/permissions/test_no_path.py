"""No path leads from one company's data to another's without a grant in force."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.catalog.template import fast_passwords, fresh_catalog
from tests.permissions.oracle import NaiveGrant, NaiveTown

from penstock.catalog.identities import SqlIdentities
from penstock.catalog.settings import AccountSettings
from penstock.core.access import PLATFORM, Access, Action, Kind, Principal, Resource
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.errors import Conflict, Forbidden, InvalidInput, NotFound, PenstockError
from penstock.core.organisation import Client, Company, Grant, Organisation, System, User
from penstock.core.people import (
    Actor,
    ClientChange,
    NewClient,
    NewCompany,
    NewGrant,
    NewSystem,
    NewUser,
    UserChange,
)
from penstock.core.series import Series

NOW_US = 1_000_000_000
SYSTEMS = range(1, 6)
USERS = range(1, 5)
#: Each system has two Things with two Datastreams: ids follow from the system's.
STREAMS = [
    (system, 10 * system + thing, 100 * system + 10 * thing + stream)
    for system in SYSTEMS
    for thing in (1, 2)
    for stream in (1, 2)
]

ids = st.sets(st.sampled_from(USERS), max_size=3)
times = st.sampled_from([None, NOW_US - 1, NOW_US, NOW_US + 1])


@st.composite
def grants(draw: st.DrawFn) -> NaiveGrant:
    owner, reader = draw(st.lists(st.sampled_from(SYSTEMS), min_size=2, max_size=2, unique=True))
    kind = draw(st.sampled_from(["all", "thing", "datastream"]))
    stream = draw(st.sampled_from([stream for stream in STREAMS if stream[0] == owner]))
    return NaiveGrant(
        owner,
        reader,
        stream[1] if kind == "thing" else None,
        stream[2] if kind == "datastream" else None,
        draw(times),
    )


@st.composite
def towns(draw: st.DrawFn) -> NaiveTown:
    clients = draw(
        st.lists(st.tuples(st.sampled_from(SYSTEMS), st.booleans(), st.booleans()), max_size=4)
    )
    return NaiveTown(
        administrators=draw(st.sets(st.sampled_from(USERS), max_size=1)),
        disabled_users=draw(st.sets(st.sampled_from(USERS), max_size=1)),
        agents={system: draw(ids) for system in SYSTEMS},
        clients=dict(enumerate(clients, 1)),
        grants=draw(st.lists(grants(), max_size=5)),
    )


def name_of(system: int) -> str:
    return "default" if system == 1 else f"at.c{system % 2}.w.s{system}"


def picture(town: NaiveTown) -> Organisation:
    return Organisation(
        accounts=True,
        users=[
            User(
                id=user,
                name=f"u{user}",
                administrator=user in town.administrators,
                disabled=user in town.disabled_users,
            )
            for user in USERS
        ],
        companies=[
            Company(id=1, name="default"),
            # Whoever runs a company gains no data by that.
            Company(id=2, name="at.c0", administrators=frozenset(USERS)),
            Company(id=3, name="at.c1", administrators=frozenset(USERS)),
        ],
        systems=[
            System(
                id=system,
                company=1 if system == 1 else 2 + system % 2,
                name=name_of(system),
                agents=frozenset(town.agents[system]),
            )
            for system in SYSTEMS
        ],
        clients=[
            Client(id=id_, system=system, name=f"c{id_}", may_read=may_read, disabled=disabled)
            for id_, (system, may_read, disabled) in town.clients.items()
        ],
        grants=[
            Grant(
                id=at,
                owner=grant.owner,
                reader=grant.reader,
                thing=grant.thing,
                datastream=grant.datastream,
                expires_us=grant.until_us,
            )
            for at, grant in enumerate(town.grants, 1)
        ],
    )


@given(towns())
@settings(max_examples=300, deadline=None)
def test_access_opens_exactly_what_the_oracle_opens(town: NaiveTown) -> None:
    access = Access(picture(town), ManualClock(NOW_US))
    asking = [
        *((Principal(Kind.USER, user), user, town.user_reads) for user in USERS),
        *((Principal(Kind.CLIENT, c), c, town.client_reads) for c in town.clients),
    ]
    for who, id_, reads in asking:
        scope = access.scope(who)
        for stream in STREAMS:
            system, thing, datastream = stream
            expected = reads(id_, stream, NOW_US)
            what = Resource("datastream", datastream, system, thing)
            assert access.allows(who, Action.READ, what) is expected
            assert scope.holds(system, thing, datastream) is expected
        for system in SYSTEMS:
            # A whole system's messages only to those who may read all of it.
            topic = "some/topic" if system == 1 else f"{name_of(system)}/x"
            whole = all(reads(id_, stream, NOW_US) for stream in STREAMS if stream[0] == system)
            if access.may_receive(who, topic):
                assert whole
                assert access.may_subscribe(who, topic)
    assert not access.scope(Principal()).holds(*STREAMS[0])
    assert not access.may_receive(Principal(), "some/topic")


#: Bounds that no life here reaches.
WIDE = AccountSettings(max_companies_per_user=1000, max_keys_per_holder=1000)


class Life(RuleBasedStateMachine):
    """People do whatever they like; the oracle is told only what succeeded, in plain words."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.catalog = fresh_catalog(Path(self.folder.name))
        self.clock = ManualClock(NOW_US)
        self.people = SqlIdentities(self.catalog.database, self.clock, fast_passwords(), WIDE)
        self.root = Actor(PLATFORM)
        self.people.users.add(self.root, NewUser(name="root", password="long enough"))
        self.town = NaiveTown(administrators={1})
        self.users = [1]
        self.systems: list[int] = []
        self.companies: list[int] = []
        self.grants: dict[int, NaiveGrant] = {}
        self.streams: list[tuple[int, int, int]] = []
        for _ in range(3):
            self.add_user()

    def teardown(self) -> None:
        self.catalog.close()
        self.folder.cleanup()

    def add_user(self) -> None:
        user = self.people.users.add(self.root, NewUser(name=f"u{len(self.users)}"))
        self.users.append(user.id)

    def actor(self, at: int) -> Actor:
        return Actor(Principal(Kind.USER, self.users[at % len(self.users)]))

    @rule(at=st.integers(0, 9))
    def add_company_with_a_system(self, at: int) -> None:
        by = self.actor(at)
        number = len(self.companies)
        try:
            company = self.people.companies.add(by, NewCompany(name=f"at.c{number}"))
            system = self.people.systems.add(
                by, NewSystem(company=company.id, workcenter="w", station=f"s{number}")
            )
        except PenstockError:
            assert by.who.id in self.town.disabled_users
            return
        self.companies.append(company.id)
        self.systems.append(system.id)
        self.town.agents[system.id] = {by.who.id}
        series = [
            Series(thing=f"{system.name}.t{thing}", name=f"d{stream}", system=system.id)
            for thing in (1, 2)
            for stream in (1, 2)
        ]
        self.catalog.enrol(series, Policy.AUTOMATIC, NOW_US)
        found = self.catalog.datastreams(f"{system.name}.", limit=10)
        assert [info.system for info in found] == [system.id] * 4
        self.streams.extend((info.system, info.thing_id, info.id) for info in found)

    @precondition(lambda self: self.systems)
    @rule(at=st.integers(0, 9), place=st.integers(0, 9), user=st.integers(0, 9))
    def add_agent(self, at: int, place: int, user: int) -> None:
        by, system = self.actor(at), self.systems[place % len(self.systems)]
        name = "root" if user % len(self.users) == 0 else f"u{user % len(self.users)}"
        allowed = self.may_manage(by.who.id, system)
        try:
            member = self.people.systems.agents.add(by, system, name)
        except PenstockError as error:
            if not isinstance(error, Conflict):
                assert not allowed
            return
        assert allowed
        self.town.agents[system].add(member.id)

    @precondition(lambda self: self.systems)
    @rule(at=st.integers(0, 9), place=st.integers(0, 9), user=st.integers(0, 9))
    def remove_agent(self, at: int, place: int, user: int) -> None:
        by, system = self.actor(at), self.systems[place % len(self.systems)]
        other = self.users[user % len(self.users)]
        allowed = self.may_manage(by.who.id, system)
        try:
            self.people.systems.agents.remove(by, system, other)
        except PenstockError as error:
            if not isinstance(error, (Conflict, NotFound)):
                assert not allowed
            return
        assert allowed
        assert other != by.who.id
        self.town.agents[system].remove(other)
        assert self.town.agents[system]

    @precondition(lambda self: len(self.systems) > 1)
    @rule(
        at=st.integers(0, 9),
        owner=st.integers(0, 9),
        reader=st.integers(0, 9),
        part=st.sampled_from(["all", "thing", "datastream", "foreign"]),
        lasts_us=st.sampled_from([None, 5_000_000]),
    )
    def ask_or_offer(
        self, at: int, owner: int, reader: int, part: str, lasts_us: int | None
    ) -> None:
        by = self.actor(at)
        owner_id = self.systems[owner % len(self.systems)]
        reader_id = self.systems[reader % len(self.systems)]
        streams = [s for s in self.streams if (s[0] == owner_id) is (part != "foreign")]
        if not streams:
            return
        stream = streams[0]
        until_us = None if lasts_us is None else self.clock.now_us() + lasts_us
        new = NewGrant(
            owner=self.people.systems.get(self.root, owner_id).name,
            reader=self.people.systems.get(self.root, reader_id).name,
            thing=stream[1] if part in ("thing", "foreign") else None,
            datastream=stream[2] if part == "datastream" else None,
            expires_us=until_us,
        )
        owns = self.may_manage(by.who.id, owner_id)
        reads = self.may_manage(by.who.id, reader_id)
        try:
            grant = self.people.grants.add(by, new)
        except PenstockError as error:
            if not isinstance(error, (Conflict, NotFound)):
                assert not owns
                assert not reads
            return
        assert part != "foreign"
        assert owns or reads
        self.grants[grant.id] = NaiveGrant(
            owner_id, reader_id, new.thing, new.datastream, until_us, in_force=owns and reads
        )
        self.town.grants.append(self.grants[grant.id])

    @precondition(lambda self: self.grants)
    @rule(
        at=st.integers(0, 9),
        which=st.integers(0, 9),
        what=st.sampled_from(["accept", "accept", "refuse", "revoke"]),
    )
    def decide(self, at: int, which: int, what: str) -> None:
        by = self.actor(at)
        grant = list(self.grants)[which % len(self.grants)]
        held = self.grants[grant]
        before = self.people.grants.get(self.root, grant).state
        try:
            getattr(self.people.grants, what)(by, grant)
        except (Conflict, Forbidden, NotFound, InvalidInput):
            return
        except PenstockError:
            assert by.who.id in self.town.disabled_users
            return
        owns = self.may_manage(by.who.id, held.owner)
        reads = self.may_manage(by.who.id, held.reader)
        if what == "revoke":
            assert owns or reads
        else:
            assert owns if before == "requested" else reads
        held.in_force = what == "accept"

    @rule(at=st.integers(1, 9), disabled=st.booleans())
    def disable(self, at: int, disabled: bool) -> None:
        user = self.users[at % len(self.users)]
        if user == 1:
            return
        self.people.users.change(self.root, user, UserChange(disabled=disabled))
        (self.town.disabled_users.add if disabled else self.town.disabled_users.discard)(user)

    @precondition(lambda self: self.systems)
    @rule(at=st.integers(0, 9), place=st.integers(0, 9), may_read=st.booleans())
    def add_client(self, at: int, place: int, may_read: bool) -> None:
        by, system = self.actor(at), self.systems[place % len(self.systems)]
        new = NewClient(system=system, name=f"c{len(self.town.clients)}", may_read=may_read)
        try:
            (client,) = self.people.clients.add(by, [new])
        except PenstockError:
            assert not self.may_manage(by.who.id, system)
            return
        assert self.may_manage(by.who.id, system)
        self.town.clients[client.id] = (system, may_read, False)

    @precondition(lambda self: self.town.clients)
    @rule(which=st.integers(0, 9), disabled=st.booleans())
    def disable_client(self, which: int, disabled: bool) -> None:
        client = list(self.town.clients)[which % len(self.town.clients)]
        self.people.clients.change(self.root, client, ClientChange(disabled=disabled))
        system, may_read, _ = self.town.clients[client]
        self.town.clients[client] = (system, may_read, disabled)

    @rule()
    def let_time_pass(self) -> None:
        self.clock.advance(3)

    def may_manage(self, user: int, system: int) -> bool:
        if user in self.town.disabled_users:
            return False
        return user == 1 or user in self.town.agents[system]

    @invariant()
    def everybody_reads_what_the_oracle_says(self) -> None:
        access, now_us = self.people.access(), self.clock.now_us()
        asking = [
            *((Principal(Kind.USER, user), user, self.town.user_reads) for user in self.users),
            *((Principal(Kind.CLIENT, c), c, self.town.client_reads) for c in self.town.clients),
        ]
        for who, id_, reads in asking:
            expected = [s[2] for s in self.streams if reads(id_, s, now_us)]
            scope = access.scope(who)
            assert [s[2] for s in self.streams if scope.holds(*s)] == expected
            assert sorted(self.catalog.readable(scope)) == sorted(expected)


class TestLife(Life.TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=8,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
class TestLongLife(Life.TestCase):  # type: ignore[misc]
    settings = settings(
        max_examples=300,
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
