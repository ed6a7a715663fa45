from typing import Any

import pytest
from tests.api.house import House

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
