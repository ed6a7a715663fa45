"""Sets as CSV, GeoJSON and data arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.api.house import House

from penstock.core.series import Unit


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    house.enrol(("a", "x"), location=(8.5, 49.0), unit=Unit("degree", "°C", "d"))
    house.keep(1, 1.5, 2.0, None, text=[None, None, '{"a, b": [1]}'])
    yield house
    house.passwords.close()
    house.catalog.close()


async def test_csv_has_a_column_for_each_property_and_expanded_one(house: House) -> None:
    address = "/v1.1/Datastreams?$resultFormat=CSV&$expand=Thing($select=name),Observations($top=1)"
    answer = await house.client.get(address)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["id"] == "1"
    assert row["name"] == "x"
    assert row["unitOfMeasurement/symbol"] == "°C"
    assert row["Thing/name"] == "a"
    assert row["Observations/result"] == "1.5"
    assert row["Observations/phenomenonTime"] == "2023-11-14T22:13:20Z"


async def test_csv_of_observations_quotes_what_has_commas(house: House) -> None:
    answer = await house.client.get("/v1.1/Observations?$resultFormat=CSV&$select=result,id")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["id", "result"]
    assert [row[1] for row in rows[1:]] == ["1.5", "2", '{"a, b":[1]}']


async def test_csv_refuses_to_show_many_in_one_row(house: House) -> None:
    answer = await house.client.get("/v1.1/Things?$resultFormat=CSV&$expand=Datastreams")
    assert answer.status_code == 400
    assert "$top=1" in answer.json()["error"]["message"]


async def test_geojson_takes_the_first_geometry_and_flattens_the_rest(house: House) -> None:
    answer = await house.client.get(
        "/v1.1/Things?$resultFormat=GeoJSON&$count=true&$expand=Locations,Datastreams($select=name)"
    )
    assert answer.headers["content-type"] == "application/geo+json"
    body = answer.json()
    assert (body["type"], body["@iot.count"]) == ("FeatureCollection", 1)
    (feature,) = body["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [8.5, 49.0]}
    assert feature["id"] == "1"
    assert feature["properties"]["name"] == "a"
    assert feature["properties"]["Datastreams/0/name"] == "x"


async def test_data_arrays_hold_the_components_asked_for(house: House) -> None:
    answer = await house.client.get(
        "/v1.1/Observations?$resultFormat=dataArray&$select=phenomenonTime,result&$count=true"
    )
    assert answer.json() == {
        "@iot.count": 3,
        "value": [
            {
                "Datastream@iot.navigationLink": "http://localhost/v1.1/Datastreams(1)",
                "components": ["phenomenonTime", "result"],
                "dataArray@iot.count": 3,
                "dataArray": [
                    ["2023-11-14T22:13:20Z", 1.5],
                    ["2023-11-14T22:13:21Z", 2],
                    ["2023-11-14T22:13:22Z", {"a, b": [1]}],
                ],
            }
        ],
    }
    answer = await house.client.get("/v1.1/Things?$resultFormat=dataArray")
    assert answer.status_code == 400


async def test_metadata_can_be_left_out(house: House) -> None:
    answer = await house.client.get(
        "/v1.1/Observations?$top=1&$count=true&$resultMetadata=minimal&$expand=Datastream"
    )
    body = answer.json()
    assert body["@iot.count"] == 3
    assert "@iot.nextLink" in body
    text = answer.text
    assert "selfLink" not in text
    assert "navigationLink" not in text
    answer = await house.client.get("/v1.1/Observations?$top=1&$resultMetadata=off")
    assert "@iot.nextLink" not in answer.json()
