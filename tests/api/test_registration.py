from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.house import House

from penstock.core.access import PLATFORM
from penstock.core.people import Actor, NewClient, NewCompany, NewKey, NewSystem

DOCUMENT: dict[str, Any] = {
    "Things": {
        "car": {
            "name": "Car1",
            "properties": {"seats": 4},
            "Locations": [{"location": {"type": "Point", "coordinates": [13.04, 47.8]}}],
        }
    },
    "Sensors": {"probe": {"name": "PT100", "metadata": {"class": "A"}}},
    "Datastreams": {
        "temperature_1": {
            "name": "temperature",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": None},
            "ObservedProperty": {"name": "air temperature", "definition": "urn:at"},
            "Thing": "car",
            "Sensor": "probe",
        },
        "doors": {"observationType": "OM_CountObservation", "Thing": "car"},
    },
}


async def put(house: House, document: object) -> tuple[int, Any]:
    answer = await house.client.put("/api/v1/registration", json=document)
    return answer.status_code, answer.json()


async def test_a_document_becomes_datastreams_that_are_found_by_their_keys(house: House) -> None:
    status, body = await put(house, DOCUMENT)
    assert status == 200
    assert body["system"] == "default"
    temperature, doors = body["items"]
    assert (temperature["key"], temperature["name"]) == ("temperature_1", "Car1.temperature")
    assert temperature["unit"] == {"name": "degree Celsius", "symbol": "°C", "definition": ""}
    assert temperature["observed_property"] == "air temperature"
    assert temperature["sensor"] == "PT100"
    assert temperature["location"] == [13.04, 47.8]
    assert temperature["thing_properties"] == {"seats": 4}
    assert (doors["key"], doors["name"], doors["observation_type"]) == (
        "doors",
        "Car1.doors",
        "Count",
    )
    assert await put(house, DOCUMENT) == (status, body)
    assert (await house.get("/datastreams"))["total"] == 2


async def test_lists_and_things_described_in_place_mean_the_same(house: House) -> None:
    _, body = await put(house, DOCUMENT)
    stream = {"name": "Car1.temperature", "Thing": {"name": "Car1"}, "unitOfMeasurement": None}
    status, again = await put(house, {"Datastreams": [stream]})
    assert status == 200
    assert again["items"][0]["id"] == body["items"][0]["id"]
    assert again["items"][0]["sensor"] == "PT100"
    assert again["items"][0]["unit"]["symbol"] == "°C"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Thing": "lorry"}, "Thing 'lorry' is not described in the document; described are: car"),
        ({"Sensor": "nose"}, "Sensor 'nose' is not described"),
        ({"Thing": ""}, "has no Thing"),
        ({"observationType": "OM_Guess"}, "observationType 'OM_Guess' is not known"),
        ({"name": "x" * 256}, "1 to 255 are allowed"),
        ({"Thing": {"name": "Car1", "properties": {}}}, "described twice"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_registered(
    house: House, change: dict[str, Any], said: str
) -> None:
    wrong = {**DOCUMENT["Datastreams"]["temperature_1"], **change}
    datastreams = {**DOCUMENT["Datastreams"], "temperature_1": wrong}
    status, body = await put(house, {**DOCUMENT, "Datastreams": datastreams})
    assert status == 400
    assert said in body["error"]["message"]
    assert (await house.get("/datastreams"))["total"] == 0
    assert (await house.get("/devices"))["items"] == []


async def test_a_document_without_sections_registers_nothing(house: House) -> None:
    assert await put(house, {}) == (200, {"system": "default", "items": []})


async def test_the_connection_names_the_door(house: House) -> None:
    found = await house.get("/connection")
    assert found == {"system": "default", "mqtt": {"mqtt": ["127.0.0.1", 1883]}}


CAR = "cz.icecars.fleet.Car1"


class Company:
    """Accounts, a company with a car, and the keys of its clients."""

    def __init__(self, house: House) -> None:
        self.house = house
        root = Actor(PLATFORM)
        people = house.identities
        company = people.companies.add(root, NewCompany(name="cz.icecars"))
        new = NewSystem(company=company.id, workcenter="fleet", station="Car1")
        self.system = people.systems.add(root, new)
        self.keys: dict[str, str] = {}
        for name, may_write in (("writer", True), ("reader", False)):
            wanted = NewClient(system=self.system.id, name=name, may_write=may_write)
            [key] = people.keys.add(root, [NewKey(client=people.clients.add(root, [wanted])[0].id)])
            self.keys[name] = key.secret

    async def ask(self, method: str, path: str, key: str, **more: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.keys[key]}"} if key else {}
        answer = await self.house.client.request(method, f"/api/v1{path}", headers=headers, **more)
        return answer.status_code, answer.json()


@pytest.fixture
def company(guarded: House) -> Company:
    return Company(guarded)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, accounts=True)
    yield house
    house.catalog.close()


async def test_a_client_registers_for_its_own_system(company: Company) -> None:
    status, body = await company.ask("PUT", "/registration", "writer", json=DOCUMENT)
    assert status == 200, body
    assert body["system"] == CAR
    assert [item["name"] for item in body["items"]] == [
        f"{CAR}.Car1.temperature",
        f"{CAR}.Car1.doors",
    ]
    assert {item["thing"] for item in body["items"]} == {f"{CAR}.Car1"}
    again = await company.ask("PUT", "/registration?system=" + CAR, "writer", json=DOCUMENT)
    assert again == (status, body)
    trail = company.house.identities.trail.list(Actor(PLATFORM))
    [entry] = [entry for entry in trail if entry.action == "register"]
    assert entry.by == f"{CAR}/writer"


async def test_who_may_not_write_there_registers_nothing(company: Company) -> None:
    for key, path, wanted in (
        ("reader", "/registration", 403),
        ("writer", "/registration?system=default", 404),
        ("writer", "/registration?system=at.mill.hall.North", 404),
        ("", "/registration", 401),
    ):
        status, body = await company.ask("PUT", path, key, json=DOCUMENT)
        assert (status, key, path) == (wanted, key, path), body
    assert company.house.catalog.count_datastreams() == 0


async def test_the_connection_names_the_system_of_the_one_who_asks(company: Company) -> None:
    for key in ("reader", "writer"):
        status, body = await company.ask("GET", "/connection", key)
        assert (status, body["system"]) == (200, CAR)
    assert (await company.ask("GET", "/connection", ""))[0] == 401


async def test_an_agent_of_several_systems_says_which(company: Company) -> None:
    people, root = company.house.identities, Actor(PLATFORM)
    sue = company.house.add_user("sue")
    new = NewSystem(company=company.system.company_id, workcenter="fleet", station="Car2")
    for system in (company.system, people.systems.add(root, new)):
        people.systems.agents.add(root, system.id, "sue")
    [key] = people.keys.add(sue, [NewKey(user=sue.who.id)])
    company.keys["sue"] = key.secret
    status, body = await company.ask("PUT", "/registration", "sue", json=DOCUMENT)
    assert status == 400
    assert "yours are: cz.icecars.fleet.Car1, cz.icecars.fleet.Car2" in body["error"]["message"]
    status, body = await company.ask("PUT", f"/registration?system={CAR}", "sue", json=DOCUMENT)
    assert (status, body["system"]) == (200, CAR)
