"""Users, companies, systems, clients, keys, grants over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.api.house import PASSWORD, House
from tests.catalog.template import everything_in

from penstock.api import sensorthings
from penstock.core.access import Kind, Principal, digest
from penstock.core.people import Actor


class Caller:
    """Somebody who asks, with a session."""

    def __init__(self, house: House, token: str = "") -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(house.app, raise_app_exceptions=False),
            base_url="http://localhost/api/v1",
            headers=headers,
        )

    async def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        response = await self._client.request(method, path, **more)
        assert response.status_code == status, response.text
        return response.json() if response.content else None


@pytest.fixture
def root(house: House) -> Actor:
    return house.add_user("root")


@pytest.fixture
async def people(house: House, root: Actor) -> dict[str, Caller]:
    """root, sue and anna, who is nobody in particular."""
    callers = {"nobody": Caller(house)}
    for name in ("root", "sue", "anna"):
        actor = root if name == "root" else house.add_user(name)
        token = house.identities.sessions.begin(actor.who.id).token
        callers[name] = Caller(house, token)
    return callers


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], bytes]:
    """Return everything that is on disk."""
    return lambda: everything_in(tmp_path)


async def make_system(sue: Caller, name: str = "cz.icecars") -> tuple[int, int]:
    company = await sue("POST", "/companies", 201, json={"name": name})
    body = {"company": company["id"], "workcenter": "fleet", "station": "Car1"}
    system = await sue("POST", "/systems", 201, json=body)
    return company["id"], system["id"]


async def test_the_first_user_switches_accounts_on(house: House) -> None:
    anyone = Caller(house)
    assert (await anyone("GET", "/session"))["accounts"] is False
    assert (await anyone("GET", "/datastreams"))["items"] == []
    user = await anyone("POST", "/users", 201, json={"name": "Me", "password": "long enough"})
    assert (user["name"], user["administrator"]) == ("me", True)
    await anyone("GET", "/datastreams", 401)
    assert (await anyone("GET", "/session"))["kind"] == "anyone"
    body = {"name": "me", "password": "long enough"}
    token = (await anyone("POST", "/session", 201, json=body))["token"]
    assert (await Caller(house, token)("GET", "/session"))["administrator"] is True


async def test_a_cookie_signs_in_a_browser_and_scripts_cannot_read_it(
    house: House, root: Actor
) -> None:
    body = {"name": "root", "password": PASSWORD, "cookie": True}
    response = await house.client.post("/api/v1/session", json=body)
    assert response.json()["token"] is None
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert (await house.get("/session"))["name"] == "root"
    assert (await house.client.delete("/api/v1/session")).status_code == 204
    assert (await house.client.get("/api/v1/users")).status_code == 401


async def test_over_https_the_cookie_is_for_https_only(house: House, root: Actor) -> None:
    body = {"name": "root", "password": PASSWORD, "cookie": True}
    response = await house.client.post("https://localhost/api/v1/session", json=body)
    assert "Secure" in response.headers["set-cookie"]


@pytest.mark.parametrize(("name", "password"), [("root", "wrong"), ("nobody", PASSWORD)])
async def test_a_wrong_name_and_a_wrong_password_look_alike(
    house: House, root: Actor, name: str, password: str
) -> None:
    body = {"name": name, "password": password}
    response = await house.client.post("/api/v1/session", json=body)
    assert response.status_code == 401
    assert response.json()["error"]["message"] == "name or password is wrong"


async def test_guessing_is_stopped_and_told_when_to_come_back(house: House, root: Actor) -> None:
    body = {"name": "root", "password": "wrong"}
    for _ in range(5):
        assert (await house.client.post("/api/v1/session", json=body)).status_code == 401
    right = {"name": "root", "password": PASSWORD}
    stopped = await house.client.post("/api/v1/session", json=right)
    assert stopped.status_code == 429
    house.clock.advance(int(stopped.headers["retry-after"]))
    assert (await house.client.post("/api/v1/session", json=right)).status_code == 201


async def test_basic_takes_a_password_or_a_key(house: House, root: Actor) -> None:
    url = "/api/v1/session"
    assert (await house.client.get(url, auth=("root", PASSWORD))).json()["name"] == "root"
    assert (await house.client.get(url, auth=("root", "wrong"))).status_code == 401
    key = (await house.client.post("/api/v1/keys", json={}, auth=("root", PASSWORD))).json()
    assert (await house.client.get(url, auth=("x", key["secret"]))).json()["name"] == "root"
    broken = {"authorization": "Basic !!!"}
    assert (await house.client.get(url, headers=broken)).status_code == 401


async def test_keys_are_shown_once_renewed_with_overlap_and_revoked(
    house: House, people: dict[str, Caller]
) -> None:
    sue = people["sue"]
    _, system = await make_system(sue)
    client = await sue("POST", "/clients", 201, json={"system": system, "name": "car_1"})
    issued = await sue("POST", "/keys", 201, json={"client": client["id"], "label": "boot"})
    assert issued["secret"].startswith(issued["key"]["hint"])
    (listed,) = (await sue("GET", f"/keys?client={client['id']}"))["items"]
    assert issued["secret"] not in str(listed)
    car = Caller(house, issued["secret"])
    assert (await car("GET", "/session"))["name"] == "cz.icecars.fleet.Car1/car_1"
    renewed = await sue(
        "POST", f"/keys/{listed['id']}/renew", 201, json={"overlap_s": 60, "expires_us": None}
    )
    await car("GET", "/session")
    house.clock.advance(61)
    await car("GET", "/session", 401)
    fresh = Caller(house, renewed["secret"])
    await fresh("GET", "/datastreams")
    await sue("DELETE", f"/keys/{renewed['key']['id']}", 204)
    await fresh("GET", "/datastreams", 401)
    newest, _ = (await sue("GET", f"/keys?client={client['id']}"))["items"]
    assert newest["used_us"] is not None
    assert newest["revoked_us"] is not None


async def test_rules_of_companies_and_systems(people: dict[str, Caller]) -> None:
    sue, anna, root = people["sue"], people["anna"], people["root"]
    company, system = await make_system(sue)
    await anna("GET", f"/companies/{company}", 404)
    await anna("GET", f"/systems/{system}", 404)
    body = {"company": company, "workcenter": "fleet", "station": "Car2"}
    await anna("POST", "/systems", 404, json=body)
    await sue("DELETE", f"/companies/{company}", 409)
    me = (await sue("GET", "/session"))["id"]
    await sue("DELETE", f"/companies/{company}/administrators/{me}", 409)
    await sue("DELETE", f"/systems/{system}/agents/{me}", 409)
    member = await sue("POST", f"/companies/{company}/administrators", 201, json={"user": "Anna"})
    await sue("POST", f"/companies/{company}/administrators", 409, json={"user": "anna"})
    # Running the company does not open the data of its systems, nor its agents' work.
    await anna("GET", f"/systems/{system}")
    await anna("PATCH", f"/systems/{system}", 403, json={"description": "mine"})
    await anna("POST", "/clients", 403, json={"system": system, "name": "spy"})
    await anna("DELETE", f"/systems/{system}", 403)
    client = await sue("POST", "/clients", 201, json={"system": system, "name": "car"})
    await sue("DELETE", f"/systems/{system}", 409)
    await sue("DELETE", f"/clients/{client['id']}", 204)
    await sue("DELETE", f"/systems/{system}", 204)
    await sue("DELETE", f"/companies/{company}", 409)
    await sue("DELETE", f"/companies/{company}/administrators/{member['id']}", 204)
    await sue("DELETE", f"/companies/{company}", 204)
    await root("GET", f"/companies/{company}", 404)
    await root("DELETE", "/companies/1", 409)
    await root("DELETE", "/systems/1", 409)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/companies", {"name": "toolong.icecars"}),
        ("/companies", {"name": "cz"}),
        ("/companies", {"name": "cz.ice cars"}),
        ("/companies", {"name": "cz.icecars", "owner": 1}),
        ("/users", {"name": "has space", "password": "long enough"}),
        ("/users", {"name": "short", "password": "123456789"}),
        ("/systems", {"company": 1, "workcenter": "a", "station": "x" * 21}),
        ("/clients", {"system": 1, "name": "a/b"}),
        ("/clients", {"system": 1, "name": "a", "topics": ["a/#/b"]}),
        ("/keys", {"user": 1, "client": 1}),
        ("/keys", {"expires_us": 5}),
        ("/clients/batch", {"items": []}),
    ],
)
async def test_what_is_not_allowed_is_told_and_nothing_is_made(
    people: dict[str, Caller], path: str, body: dict[str, Any]
) -> None:
    root = people["root"]
    before = (await root("GET", "/audit"))["items"]
    answer = await root("POST", path, 400, json=body)
    assert answer["error"]["code"] == "invalid-input"
    assert (await root("GET", "/audit"))["items"] == before


async def test_names_that_differ_in_case_only_are_taken(people: dict[str, Caller]) -> None:
    await make_system(people["sue"])
    await people["anna"]("POST", "/companies", 409, json={"name": "CZ.IceCars"})


async def test_a_grant_needs_the_consent_of_the_owner(
    house: House, people: dict[str, Caller]
) -> None:
    sue, anna = people["sue"], people["anna"]
    _, car = await make_system(sue)
    _, road = await make_system(anna, "at.datahouse")
    wanted = {"owner": "cz.icecars.fleet.Car1", "reader": road}
    grant = await anna("POST", "/grants", 201, json=wanted)
    assert grant["state"] == "requested"
    await anna("POST", f"/grants/{grant['id']}/accept", 403)
    await anna("POST", "/grants", 409, json=wanted)
    assert road not in (s["id"] for s in (await sue("GET", "/systems"))["items"])
    accepted = await sue("POST", f"/grants/{grant['id']}/accept", json={})
    assert accepted["state"] == "in_force"
    seen = await anna("GET", f"/systems/{car}")
    assert (seen["name"], seen["agents"]) == ("cz.icecars.fleet.Car1", [])
    await people["root"]("GET", f"/grants/{grant['id']}")
    assert (await anna("POST", f"/grants/{grant['id']}/revoke"))["state"] == "revoked"
    await anna("GET", f"/systems/{car}", 404)
    await sue("POST", f"/grants/{grant['id']}/accept", 409)


async def test_a_grant_ends_when_its_time_is_over(house: House, people: dict[str, Caller]) -> None:
    sue, anna = people["sue"], people["anna"]
    _, car = await make_system(sue)
    await make_system(anna, "at.datahouse")
    until_us = house.clock.now_us() + 60_000_000
    offer = {"owner": car, "reader": "at.datahouse.fleet.Car1", "expires_us": until_us}
    grant = await sue("POST", "/grants", 201, json=offer)
    assert grant["state"] == "offered"
    await anna("POST", f"/grants/{grant['id']}/accept", 403, json={"expires_us": until_us + 1})
    await anna("POST", f"/grants/{grant['id']}/accept")
    await anna("GET", f"/systems/{car}")
    house.clock.advance(60)
    await anna("GET", f"/systems/{car}", 404)
    assert (await anna("GET", f"/grants/{grant['id']}"))["state"] == "expired"


async def test_the_same_idempotency_key_gives_the_same_answer(
    house: House, people: dict[str, Caller]
) -> None:
    sue, anna = people["sue"], people["anna"]
    key = {"idempotency-key": "k1"}
    first = await sue("POST", "/companies", 201, json={"name": "cz.icecars"}, headers=key)
    again = await sue("POST", "/companies", 201, json={"name": "cz.icecars"}, headers=key)
    assert again == first
    other = await sue("POST", "/companies", 422, json={"name": "cz.other"}, headers=key)
    assert other["error"]["code"] == "key-reused"
    # Somebody else's key is another key.
    await anna("POST", "/companies", 409, json={"name": "cz.icecars"}, headers=key)
    await anna("POST", "/companies", 201, json={"name": "at.anna"}, headers=key)
    house.clock.advance(86_401)
    await sue("POST", "/companies", 409, json={"name": "cz.icecars"}, headers=key)


async def test_a_secret_is_repeated_for_minutes_and_never_kept(
    house: House, people: dict[str, Caller], kept: Callable[[], bytes]
) -> None:
    sue = people["sue"]
    key = {"idempotency-key": "k1"}
    first = await sue("POST", "/keys", 201, json={}, headers=key)
    assert await sue("POST", "/keys", 201, json={}, headers=key) == first
    assert digest(first["secret"]).encode() in kept()
    assert first["secret"].encode() not in kept()
    house.clock.advance(601)
    assert (await sue("POST", "/keys", 409, json={}, headers=key))["error"]["code"] == "conflict"


async def test_who_changes_what_is_in_the_trail_of_those_concerned(
    people: dict[str, Caller],
) -> None:
    sue, anna, root = people["sue"], people["anna"], people["root"]
    _, system = await make_system(sue)
    client = await sue("POST", "/clients", 201, json={"system": system, "name": "car"})
    await sue("PATCH", f"/clients/{client['id']}", json={"may_write": False})
    (newest, *_) = (await sue("GET", "/audit"))["items"]
    assert (newest["by"], newest["action"], newest["kind"]) == ("sue", "change", "client")
    assert (newest["before"], newest["after"]) == ({"may_write": True}, {"may_write": False})
    assert "car" not in str((await anna("GET", "/audit"))["items"])
    page = await root("GET", "/audit?limit=2")
    rest = await root("GET", f"/audit?limit=1000&before={page['next']}")
    everything = await root("GET", "/audit?limit=1000")
    assert [*page["items"], *rest["items"]] == everything["items"]
    assert PASSWORD not in str(everything)
    assert "argon2" not in str(everything)


async def test_passwords_are_changed_with_the_old_one_and_end_sessions(
    house: House, people: dict[str, Caller]
) -> None:
    sue, root = people["sue"], people["root"]
    me = (await sue("GET", "/session"))["id"]
    url = f"/users/{me}/password"
    await sue("PUT", url, 403, json={"new": "another long one"})
    await sue("PUT", url, 403, json={"new": "another long one", "old": "wrong"})
    await sue("PUT", url, 400, json={"new": "short", "old": PASSWORD})
    await people["anna"]("PUT", url, 404, json={"new": "another long one"})
    await sue("PUT", url, 204, json={"new": "another long one", "old": PASSWORD})
    await sue("GET", "/datastreams", 401)
    body = {"name": "sue", "password": "another long one"}
    token = (await people["nobody"]("POST", "/session", 201, json=body))["token"]
    await root("PUT", url, 204, json={"new": "given by root"})
    await Caller(house, token)("GET", "/datastreams", 401)


async def test_the_last_administrator_stays_and_nobody_promotes_themselves(
    people: dict[str, Caller],
) -> None:
    sue, root = people["sue"], people["root"]
    boss, me = (await root("GET", "/session"))["id"], (await sue("GET", "/session"))["id"]
    await sue("PATCH", f"/users/{me}", 403, json={"administrator": True})
    await sue("PATCH", f"/users/{boss}", 404, json={"disabled": True})
    await root("PATCH", f"/users/{boss}", 409, json={"disabled": True})
    await root("PATCH", f"/users/{boss}", 409, json={"administrator": False})
    await root("DELETE", f"/users/{boss}", 409)
    assert (await sue("PATCH", f"/users/{me}", json={"display_name": "S"}))["display_name"] == "S"
    await make_system(sue)
    assert "cz.icecars" in (await root("DELETE", f"/users/{me}", 409))["error"]["message"]
    await root("PATCH", f"/users/{me}", json={"disabled": True})
    await sue("GET", "/datastreams", 401)


async def test_sessions_end_when_they_are_not_used(house: House, people: dict[str, Caller]) -> None:
    sue = people["sue"]
    for _ in range(3):
        house.clock.advance(6 * 86_400)
        await sue("GET", "/session")
    house.clock.advance(8 * 86_400)
    await sue("GET", "/session", 401)


async def test_a_clock_that_is_set_signs_nobody_out(
    house: House, people: dict[str, Caller]
) -> None:
    sue = people["sue"]
    for ahead_s in (31_536_000.0, -2 * 31_536_000.0, 31_536_000.0):
        house.clock.jump(ahead_s)
        await sue("GET", "/session")
        # Somebody else's sign-in removes what is over; this is not.
        house.identities.sessions.begin((await sue("GET", "/session"))["id"])
    await sue("GET", "/session")
    house.clock.advance(8 * 86_400)
    await sue("GET", "/session", 401)


async def test_one_sees_and_ends_ones_sessions(house: House, people: dict[str, Caller]) -> None:
    sue = people["sue"]
    me = (await sue("GET", "/session"))["id"]
    house.identities.sessions.begin(me, "10.0.0.1", "a phone")
    sessions = (await sue("GET", f"/users/{me}/sessions"))["items"]
    assert {session["agent"] for session in sessions} == {"", "a phone"}
    await people["anna"]("GET", f"/users/{me}/sessions", 404)
    assert (await sue("DELETE", f"/users/{me}/sessions"))["ended"] == 2
    await sue("GET", "/session", 401)


async def test_who_asks_too_often_is_told_to_wait(house: House, people: dict[str, Caller]) -> None:
    sue, anna = people["sue"], people["anna"]
    most = int(house.app.state.context.settings.max_requests_per_s * 5)
    who = house.app.state.context.rates
    me = (await sue("GET", "/session"))["id"]
    for _ in range(most - 1):
        who.count(Principal(Kind.USER, me))
    assert (await sue("GET", "/session", 429))["error"]["code"] == "too-many-requests"
    await anna("GET", "/session")
    house.clock.advance(1)
    await sue("GET", "/session")


async def test_requests_within_a_batch_count_and_wait(
    house: House, people: dict[str, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    sue = people["sue"]
    most = int(house.app.state.context.settings.max_requests_per_s * 5)
    waited: list[float] = []

    async def sleep(delay_s: float) -> None:
        waited.append(delay_s)
        house.clock.advance(delay_s)  # as time goes on

    monkeypatch.setattr(sensorthings, "asyncio", SimpleNamespace(sleep=sleep))
    requests = [{"id": str(at), "method": "get", "url": "Sensors"} for at in range(20)]
    me = Principal(Kind.USER, (await sue("GET", "/session"))["id"])
    for _ in range(most - 12):
        house.app.state.context.rates.count(me)
    batch = "http://localhost/v1.1/$batch"
    answers = (await sue("POST", batch, json={"requests": requests}))["responses"]
    assert [one["status"] for one in answers] == [200] * 20
    assert len(waited) >= 9


async def test_a_search_finds_only_what_one_may_see(people: dict[str, Caller]) -> None:
    await make_system(people["sue"])
    found = (await people["sue"]("GET", "/search?q=ICECARS"))["items"]
    assert [hit["kind"] for hit in found] == ["company", "system"]
    assert (await people["anna"]("GET", "/search?q=icecars"))["items"] == []


async def test_topics_of_a_system_are_the_administrators_and_do_not_overlap(
    people: dict[str, Caller],
) -> None:
    sue, root = people["sue"], people["root"]
    _, car = await make_system(sue)
    _, road = await make_system(people["anna"], "at.datahouse")
    await sue("PATCH", f"/systems/{car}", 403, json={"topics": ["UPB/#"]})
    changed = await root("PATCH", f"/systems/{car}", json={"topics": ["UPB/#"]})
    assert changed["topics"] == ["UPB/#"]
    await root("PATCH", f"/systems/{road}", 409, json={"topics": ["UPB/+/x"]})
    await root("PATCH", f"/systems/{road}", 409, json={"topics": ["cz.icecars.fleet.Car1/x"]})
    await root("PATCH", f"/systems/{road}", 400, json={"topics": ["a+"]})


async def test_many_clients_are_made_all_or_none(people: dict[str, Caller]) -> None:
    sue = people["sue"]
    _, system = await make_system(sue)
    items = [{"system": system, "name": f"car_{n}"} for n in range(3)]
    made = (await sue("POST", "/clients/batch", 201, json={"items": items}))["items"]
    assert [client["name"] for client in made] == ["car_0", "car_1", "car_2"]
    more = [{"system": system, "name": "new"}, {"system": system, "name": "car_1"}]
    await sue("POST", "/clients/batch", 409, json={"items": more})
    assert len((await sue("GET", "/clients"))["items"]) == 3
    keys = {"items": [{"client": client["id"]} for client in made]}
    issued = (await sue("POST", "/keys/batch", 201, json=keys))["items"]
    assert [key["key"]["client"] for key in issued] == [client["id"] for client in made]


@pytest.fixture(autouse=True)
def _closed(house: House) -> Iterator[None]:
    yield
    house.passwords.close()


async def test_pages_of_the_trail_join_to_the_whole(people: dict[str, Caller]) -> None:
    """What is between two systems is written down for both and shown once, on one page."""
    sue, anna, root = people["sue"], people["anna"], people["root"]
    await make_system(sue)
    _, road = await make_system(anna, "at.datahouse")
    wanted = {"owner": "cz.icecars.fleet.Car1", "reader": road}
    grant = await anna("POST", "/grants", 201, json=wanted)
    await sue("POST", f"/grants/{grant['id']}/accept", json={})
    await anna("POST", f"/grants/{grant['id']}/revoke")

    everything = (await root("GET", "/audit?limit=1000"))["items"]
    assert [one["action"] for one in everything if one["kind"] == "grant"] == list(
        dict.fromkeys(one["action"] for one in everything if one["kind"] == "grant")
    )
    for limit in (1, 2, 3):
        joined, page = [], await root("GET", f"/audit?limit={limit}")
        joined += page["items"]
        while page["next"] is not None:
            page = await root("GET", f"/audit?limit={limit}&before={page['next']}")
            joined += page["items"]
        assert joined == everything
