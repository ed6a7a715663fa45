"""What one company uses up, another does not miss: tasks, live streams, keys, clients, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.house import T0, AsgiStream, House

from penstock.api import ApiSettings
from penstock.catalog.settings import AccountSettings
from penstock.core.access import PLATFORM
from penstock.core.catalog import Policy
from penstock.core.people import Actor, NewClient, NewCompany, NewKey, NewSystem
from penstock.core.series import Series
from penstock.devices.settings import DeviceSettings

ROOT = Actor(PLATFORM)
STREAM = "/api/v1/device-logs/stream"


class Companies:
    """Two companies, `a` and `b`, each with an agent, a system, and three sensors."""

    def __init__(self, folder: Path) -> None:
        self.house = House(
            folder,
            ApiSettings(max_streams=10, max_streams_per_company=3, max_streams_per_account=2),
            people=AccountSettings(
                max_keys_per_holder=3,
                max_keys_per_company=5,
                max_clients_per_company=2,
                max_systems_per_company=1,
                max_companies_per_user=1,
                max_sessions_per_user=3,
            ),
            devices=DeviceSettings(max_open_tasks=100, max_open_tasks_per_company=4),
        )
        self.house.add_user("root")
        self.keys: dict[str, str] = {}
        self.agents: dict[str, Actor] = {}
        self.places: dict[str, tuple[int, int]] = {}
        people = self.house.identities
        for name in ("a", "b"):
            agent = self.agents[name] = self.house.add_user(name)
            company = people.companies.add(agent, NewCompany(name=f"at.{name}"))
            new = NewSystem(company=company.id, workcenter="w", station="s")
            system = people.systems.add(agent, new)
            self.places[name] = company.id, system.id
            (key,) = people.keys.add(agent, [NewKey()])
            self.keys[name] = key.secret
            things = [f"{system.name}.AAA-{at}" for at in range(3)]
            series = [Series(thing=thing, name="x", system=system.id) for thing in things]
            self.house.catalog.enrol(series, Policy.AUTOMATIC, T0)

    async def ask(
        self, who: str, method: str, path: str, status: int = 200, **more: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        answer = await self.house.client.request(method, f"/api/v1{path}", headers=headers, **more)
        assert answer.status_code == status, answer.text
        if status == 429:
            assert int(answer.headers["retry-after"]) >= 1
        return answer

    def stream(self, who: str) -> AsgiStream:
        return AsgiStream(self.house.app, STREAM, authorization=f"Bearer {self.keys[who]}")


@pytest.fixture
def companies(tmp_path: Path) -> Iterator[Companies]:
    companies = Companies(tmp_path)
    yield companies
    companies.house.passwords.close()
    companies.house.fleet.close()
    companies.house.catalog.close()


async def test_commands_that_wait(companies: Companies) -> None:
    dispatcher = companies.house.fleet.dispatcher
    for who in ("a", "b"):
        name = f"at.{who}.w.s.AAA-0"
        await companies.ask(who, "PATCH", f"/devices/{name}", json={"type": "accelerometer"})
    for _ in range(4):
        await companies.ask(
            "a", "POST", "/devices/at.a.w.s.AAA-0/commands", 202, json={"command": "sleep"}
        )
    refused = await companies.ask(
        "a", "POST", "/devices/at.a.w.s.AAA-0/commands", 429, json={"command": "sleep"}
    )
    assert "max_open_tasks_per_company" in refused.text
    await companies.ask(
        "b", "POST", "/devices/at.b.w.s.AAA-0/commands", 202, json={"command": "sleep"}
    )
    assert dispatcher.open_tasks == 5
    dispatcher.turn()
    companies.house.clock.advance(120)
    dispatcher.turn()  # they expire, and there is room again
    assert dispatcher.open_tasks == 0
    await companies.ask(
        "a", "POST", "/devices/at.a.w.s.AAA-0/commands", 202, json={"command": "sleep"}
    )


async def test_an_order_that_is_repeated_uses_up_nothing(companies: Companies) -> None:
    path = "/devices/at.a.w.s.AAA-0"
    await companies.ask("a", "PATCH", path, json={"type": "accelerometer"})
    for _ in range(10):
        headers = {
            "authorization": f"Bearer {companies.keys['a']}",
            "Idempotency-Key": "monday",
        }
        answer = await companies.house.client.post(
            f"/api/v1{path}/commands", headers=headers, json={"command": "sleep"}
        )
        assert answer.status_code == 202, answer.text
    assert companies.house.fleet.dispatcher.open_tasks == 1


async def test_live_streams(companies: Companies) -> None:
    people = companies.house.identities
    _, system = companies.places["a"]
    (client,) = people.clients.add(ROOT, [NewClient(system=system, name="c")])
    (key,) = people.keys.add(ROOT, [NewKey(client=client.id)])
    companies.keys["a client"] = key.secret
    async with companies.stream("a") as one, companies.stream("a") as two:
        await one.block()
        await two.block()
        refused = await companies.ask("a", "GET", "/device-logs/stream", 429)
        assert "max_streams_per_account" in refused.text
        async with companies.stream("a client") as three:
            await three.block()
            refused = await companies.ask("a client", "GET", "/device-logs/stream", 429)
            assert "max_streams_per_company" in refused.text
            async with companies.stream("b") as other:
                await other.block()
                assert other.status == 200
    assert len(companies.house.app.state.context.streams) == 0
    async with companies.stream("a") as again:
        await again.block()


async def test_keys_clients_systems_and_companies(companies: Companies) -> None:
    company, system = companies.places["a"]
    for name in ("c1", "c2"):
        body = {"system": system, "name": name}
        await companies.ask("a", "POST", "/clients", 201, json=body)
    await companies.ask("a", "POST", "/clients", 429, json={"system": system, "name": "c3"})
    for client, amount in ((1, 3), (2, 2)):
        for _ in range(amount):
            await companies.ask("a", "POST", "/keys", 201, json={"client": client})
    for client, setting in ((1, "max_keys_per_holder"), (2, "max_keys_per_company")):
        refused = await companies.ask("a", "POST", "/keys", 429, json={"client": client})
        assert setting in refused.text
    keys = (await companies.ask("a", "GET", "/keys?client=1")).json()["items"]
    await companies.ask("a", "POST", f"/keys/{keys[0]['id']}/renew", 201, json={})
    more = {"company": company, "workcenter": "w", "station": "t"}
    await companies.ask("a", "POST", "/systems", 429, json=more)
    await companies.ask("a", "POST", "/companies", 429, json={"name": "at.a2"})
    _, other = companies.places["b"]
    made = await companies.ask("b", "POST", "/clients", 201, json={"system": other, "name": "c1"})
    await companies.ask("b", "POST", "/keys", 201, json={"client": made.json()["id"]})


async def test_sessions_of_one_user(companies: Companies) -> None:
    sessions = companies.house.identities.sessions
    others = sessions.begin(companies.agents["b"].who.id).token
    mine = []
    for _ in range(5):
        mine.append(sessions.begin(companies.agents["a"].who.id).token)
        companies.house.clock.advance(1)
    assert [sessions.holder(token) is not None for token in mine] == [False] * 2 + [True] * 3
    assert sessions.holder(others) is not None
