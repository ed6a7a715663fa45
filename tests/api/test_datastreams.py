import pytest
from tests.api.house import SECOND, T0, House

from penstock.core.series import Unit


async def test_datastreams_are_listed_with_all_that_is_known(house: House, boiler: int) -> None:
    answer = await house.get("/datastreams")
    assert answer == {
        "items": [
            {
                "id": boiler,
                "name": "site.boiler.temp",
                "thing": "site.boiler",
                "thing_id": 1,
                "observed_property": "temp",
                "observation_type": "Measurement",
                "unit": {"name": "degree Celsius", "symbol": "°C", "definition": ""},
                "sensor": "",
                "location": None,
                "properties": {},
                "thing_properties": {},
                "retention_s": None,
                "system": 1,
            }
        ],
        "total": 1,
        "next": None,
    }


async def test_search_and_thing_choose_and_the_total_counts_them(house: House) -> None:
    house.enrol(("a", "temp"), ("a", "wind"), ("b", "temp"))
    found = await house.get("/datastreams", search="TEMP", limit=1)
    assert [item["name"] for item in found["items"]] == ["a.temp"]
    assert found["total"] == 2
    in_thing = await house.get("/datastreams", thing="a", limit=1)
    assert (in_thing["total"], len(in_thing["items"])) == (2, 1)
    by_id = await house.get("/datastreams", id=[3, 1, 99])
    assert ([item["id"] for item in by_id["items"]], by_id["total"]) == ([1, 3], 2)


async def test_following_next_gives_every_datastream_once(house: House) -> None:
    ids = house.enrol(*((f"thing{n}", "x") for n in range(10)))
    seen: list[int] = []
    url: str | None = "/api/v1/datastreams?limit=3&search=thing"
    while url:
        response = await house.client.get(url)
        seen += [item["id"] for item in response.json()["items"]]
        assert response.json()["total"] == 10
        url = response.links["next"]["url"] if "next" in response.links else None
        assert (url is None) == (response.json()["next"] is None)
    assert seen == ids


async def test_newest_value_and_count_are_added_when_asked_for(house: House, boiler: int) -> None:
    house.enrol(("empty", "x"))
    answer = await house.get("/datastreams", include=["latest", "count"])
    full, empty = answer["items"]
    last = T0 + 9 * SECOND
    assert full["latest"] == {"time_us": last, "number": 9.0, "text": None}
    assert (full["count"], full["first_us"], full["last_us"]) == (10, T0, last)
    assert (empty["latest"], empty["count"], empty["first_us"]) == (None, 0, None)


async def test_one_datastream_shows_its_extent(house: House, boiler: int) -> None:
    found = await house.get(f"/datastreams/{boiler}")
    assert (found["name"], found["count"], found["first_us"]) == ("site.boiler.temp", 10, T0)


@pytest.mark.parametrize("missing", ["99", "0", "-1", "9" * 40])
async def test_a_missing_datastream_is_not_found(house: House, missing: str) -> None:
    response = await house.client.get(f"/api/v1/datastreams/{missing}")
    assert response.status_code == 404
    assert missing in response.json()["error"]["message"]


async def test_retention_can_be_set_and_taken_back(house: House, boiler: int) -> None:
    url = f"/api/v1/datastreams/{boiler}/retention"
    assert (await house.client.put(url, json={"retention_s": 60})).json() == {"retention_s": 60.0}
    assert house.catalog.retentions() == {boiler: 60.0}
    assert (await house.client.put(url, json={"retention_s": None})).status_code == 200
    assert house.catalog.retentions() == {}


@pytest.mark.parametrize("body", ['{"retention_s": -1}', '{"retention_s": "x"}', "{", "", "{}"])
async def test_a_retention_that_is_none_is_refused(house: House, boiler: int, body: str) -> None:
    response = await house.client.put(f"/api/v1/datastreams/{boiler}/retention", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "invalid-input"


async def test_the_unit_of_a_search_may_hold_any_sign(house: House) -> None:
    house.enrol(("a", "x"), unit=Unit(symbol="m³/h"))
    assert (await house.get("/datastreams", search="m³/h"))["total"] == 1
