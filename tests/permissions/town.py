"""The organisation of the permission matrix, made through the identity contracts."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from tests.api.house import T0, House
from tests.catalog.template import copy_of

from penstock.core.access import PLATFORM
from penstock.core.catalog import Policy
from penstock.core.organisation import Organisation
from penstock.core.people import (
    Actor,
    ClientChange,
    NewClient,
    NewCompany,
    NewGrant,
    NewKey,
    NewSystem,
    NewUser,
    UserChange,
)
from penstock.core.series import Series
from penstock.testing import permission_matrix as matrix

ROOT = Actor(PLATFORM)


def settle(folder: Path) -> tuple[House, Town]:
    """Return a house with the organisation in it."""
    content, town = _template()
    house = House(folder, content=content)
    house.clock.advance(1)
    return house, town


@functools.cache
def _template() -> tuple[bytes, Town]:
    """Make it once for all tests of a process."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        town = Town(house)
        house.passwords.close()
        house.catalog.close()
        return copy_of(Path(folder)), town


class Town:
    """Makes it in a house, with the ids that the matrix speaks of, and keys for all who have one.

    What cannot come in (any more) had a key before.
    """

    def __init__(self, house: House) -> None:
        self._people = house.identities
        self._house = house
        self._secrets: dict[str, str] = {}
        wanted = matrix.organisation()
        self._make_users(wanted)
        self._make_places(wanted)
        self._make_clients(wanted)
        series = [
            Series(thing=f"at.a.w.a1.{thing}", name=name, system=2)
            for thing, name in (("t1", "s1"), ("t1", "s2"), ("t2", "s3"))
        ]
        house.catalog.enrol(series, Policy.AUTOMATIC, T0)
        self._make_grants(wanted)
        self._disable(wanted)

    def headers(self, name: str) -> dict[str, str]:
        """Return what somebody shows with a request."""
        secret = self._secrets.get(name)
        return {} if secret is None else {"authorization": f"Bearer {secret}"}

    def _make_users(self, wanted: Organisation) -> None:
        for user in wanted.users:
            new = NewUser(name=user.name, password="long enough", administrator=user.administrator)
            info = self._people.users.add(ROOT, new)
            assert info.id == user.id
            (key,) = self._people.keys.add(ROOT, [NewKey(user=info.id)])
            self._secrets[user.name] = key.secret

    def _make_places(self, wanted: Organisation) -> None:
        names = {user.id: user.name for user in wanted.users}
        people = self._people
        for company in wanted.companies[1:]:
            assert people.companies.add(ROOT, NewCompany(name=company.name)).id == company.id
            for user in company.administrators:
                people.companies.administrators.add(ROOT, company.id, names[user])
        for system in wanted.systems:
            if system.id > 1:
                workcenter, station = system.name.split(".")[2:]
                new = NewSystem(company=system.company, workcenter=workcenter, station=station)
                assert people.systems.add(ROOT, new).id == system.id
            for user in system.agents:
                people.systems.agents.add(ROOT, system.id, names[user])

    def _make_clients(self, wanted: Organisation) -> None:
        for client in wanted.clients:
            new = NewClient(
                system=client.system,
                name=client.name,
                may_read=client.may_read,
                may_write=client.may_write,
                topics=client.topics,
            )
            (info,) = self._people.clients.add(ROOT, [new])
            assert info.id == client.id
            (key,) = self._people.keys.add(ROOT, [NewKey(client=info.id)])
            self._secrets[client.name] = key.secret

    def _make_grants(self, wanted: Organisation) -> None:
        for grant in wanted.grants:
            is_over = grant.expires_us is not None
            self._people.grants.add(
                ROOT,
                NewGrant(
                    owner=grant.owner,
                    reader=grant.reader,
                    thing=grant.thing,
                    datastream=grant.datastream,
                    expires_us=self._house.clock.now_us() + 1 if is_over else None,
                ),
            )
        self._house.clock.advance(1)

    def _disable(self, wanted: Organisation) -> None:
        for user in wanted.users:
            if user.disabled:
                self._people.users.change(ROOT, user.id, UserChange(disabled=True))
        for client in wanted.clients:
            if client.disabled:
                self._people.clients.change(ROOT, client.id, ClientChange(disabled=True))
