"""People who make themselves users, or wait for an administrator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api.house import PASSWORD, House

from penstock.catalog.settings import AccountSettings

SUE = {"name": "Sue@Example.com", "password": PASSWORD, "display_name": "Sue", "note": "cars"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def one(mode: str, *, root: bool = True, **more: Any) -> House:
        settings = AccountSettings(registration=mode, **more)  # type: ignore[arg-type]
        houses.append(House(tmp_path, people=settings))
        if root:
            houses[-1].add_user("root")
        return houses[-1]

    yield one
    for house in houses:
        house.passwords.close()
        house.catalog.close()


async def register(house: House, address: str = "192.0.2.1", **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(house.app, client=(address, 1), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post("/api/v1/register", json={**SUE, **more})


async def sign_in(house: House, name: str = "sue@example.com") -> httpx.Response:
    body = {"name": name, "password": PASSWORD}
    return await house.client.post("/api/v1/session", json=body)


async def as_user(house: House, name: str) -> Callable[..., Any]:
    token = (await sign_in(house, name)).json()["token"]

    async def ask(method: str, path: str, status: int = 200, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {token}"}
        answer = await house.client.request(method, f"/api/v1{path}", headers=headers, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    return ask


async def actions(root: Callable[..., Any]) -> list[tuple[str, str, str]]:
    found = (await root("GET", "/audit"))["items"]
    return [(one["action"], one["kind"], one["name"]) for one in found if "sue" in one["name"]]


async def test_registration_is_closed_unless_somebody_opens_it(make: Callable[..., House]) -> None:
    house = make("closed")
    answer = await register(house)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert (await house.client.get("/api/v1/session")).json()["registration"] == "closed"


async def test_nobody_registers_where_there_are_no_accounts(make: Callable[..., House]) -> None:
    house = make("open", root=False)
    assert (await register(house)).status_code == 403
    assert not house.identities.organisation().users


async def test_who_registers_waits_until_an_administrator_approves(
    make: Callable[..., House],
) -> None:
    house = make("approval")
    answer = await register(house)
    assert (answer.status_code, answer.json()) == (202, {"status": "waiting"})
    assert (await sign_in(house)).status_code == 401
    root = await as_user(house, "root")
    (one,) = (await root("GET", "/registrations"))["items"]
    assert (one["name"], one["note"], one["address"]) == ("sue@example.com", "cars", "192.0.2.1")
    assert PASSWORD not in str(one)
    user = await root("POST", f"/registrations/{one['id']}/approve", 201)
    assert (user["name"], user["administrator"]) == ("sue@example.com", False)
    await root("POST", f"/registrations/{one['id']}/approve", 404)
    sue = await as_user(house, "sue@example.com")
    me = await sue("GET", "/session")
    assert (me["companies"], me["systems"]) == ([], [])
    await sue("GET", "/registrations", 403)
    assert await actions(root) == [
        ("sign-in", "user", "sue@example.com"),
        ("add", "user", "sue@example.com"),
        ("approve", "registration", "sue@example.com"),
        ("register", "registration", "sue@example.com"),
    ]
    # As with every user: a company of one's own, or somebody else's who adds them.
    await sue("POST", "/companies", 201, json={"name": "cz.icecars"})


async def test_who_is_refused_is_forgotten(make: Callable[..., House]) -> None:
    house = make("approval")
    await register(house)
    root = await as_user(house, "root")
    await root("DELETE", "/registrations/1", 204)
    await root("DELETE", "/registrations/1", 404)
    assert (await root("GET", "/registrations"))["items"] == []
    assert (await sign_in(house)).status_code == 401
    assert (await actions(root))[0] == ("refuse", "registration", "sue@example.com")
    assert (await register(house)).status_code == 202


async def test_nobody_learns_who_has_an_account(make: Callable[..., House]) -> None:
    house = make("approval")
    said = [(await register(house, name=name)).json() for name in ("sue", "sue", "root")]
    assert said == [{"status": "waiting"}] * 3
    root = await as_user(house, "root")
    assert [one["name"] for one in (await root("GET", "/registrations"))["items"]] == ["sue"]


async def test_where_it_is_open_one_may_sign_in_at_once(make: Callable[..., House]) -> None:
    house = make("open")
    answer = await register(house)
    assert (answer.status_code, answer.json()) == (201, {"status": "user"})
    assert (await sign_in(house)).status_code == 201
    assert (await register(house)).status_code == 409


async def test_registrations_are_limited_by_address_and_in_all(
    make: Callable[..., House],
) -> None:
    house = make("approval", max_registrations=6)
    for at in range(5):
        assert (await register(house, name=f"sue{at}")).status_code == 202
    refused = await register(house, name="sue5")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 60
    assert (await register(house, "198.51.100.1", name="sue6")).status_code == 202
    full = await register(house, "198.51.100.1", name="sue7")
    assert (full.status_code, "6 people wait" in full.text) == (429, True)
    house.clock.advance(31 * 86_400)  # who waited so long is forgotten
    assert (await register(house, name="sue8")).status_code == 202


@pytest.mark.parametrize(
    "wrong", [{"name": "a b"}, {"password": "short"}, {"note": "x" * 501}, {"administrator": True}]
)
async def test_a_registration_that_is_none_is_refused(
    make: Callable[..., House], wrong: dict[str, Any]
) -> None:
    assert (await register(make("open"), **wrong)).status_code == 400
