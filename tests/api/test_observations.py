import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.house import SECOND, T0, House

from penstock.api import ApiSettings
from penstock.core.observation import observations


async def test_rows_come_in_columns_by_time_in_microseconds(house: House, boiler: int) -> None:
    answer = await house.get("/observations", datastream=boiler, limit=3)
    assert answer["datastream"] == [boiler] * 3
    assert answer["time"] == [T0, T0 + SECOND, T0 + 2 * SECOND]
    assert answer["number"] == [0.0, 1.0, 2.0]
    assert set(answer) == {"datastream", "time", "number", "next"}


async def test_start_is_inclusive_and_end_is_not(house: House, boiler: int) -> None:
    answer = await house.get(
        "/observations", datastream=boiler, start="2023-11-14T22:13:22Z", end=T0 // SECOND + 5
    )
    assert answer["number"] == [2.0, 3.0, 4.0]


async def test_times_can_be_text(house: House, boiler: int) -> None:
    answer = await house.get("/observations", datastream=boiler, limit=1, times="iso")
    assert answer["time"] == ["2023-11-14T22:13:20.000000Z"]


async def test_newest_come_first_when_asked(house: House, boiler: int) -> None:
    answer = await house.get("/observations", order="desc", limit=2)
    assert answer["number"] == [9.0, 8.0]


async def test_all_columns_show_when_they_hold_something(house: House) -> None:
    (id_,) = house.enrol(("a", "x"))
    house.store.append(
        observations(
            [id_, id_],
            [T0, T0 + 1],
            [None, 2**53 - 1.0],
            text=["open", None],
            feature=[2**62, 0],
            end_time=[T0 + 5, None],
            result_time=[None, T0 + 6],
            parameters=['{"a": [1]}', None],
        )
    )
    answer = await house.get("/observations", datastream=id_)
    assert answer == {
        "datastream": [id_, id_],
        "time": [T0, T0 + 1],
        "number": [None, 2**53 - 1.0],
        "text": ["open", None],
        "feature": [2**62, 0],
        "end_time": [T0 + 5, None],
        "result_time": [None, T0 + 6],
        "parameters": [{"a": [1]}, None],
        "next": None,
    }


async def test_numbers_that_json_lacks_are_null(house: House) -> None:
    (id_,) = house.enrol(("a", "x"))
    house.keep(id_, 1.0, math.inf, -math.inf)
    answer = await house.get("/observations", datastream=id_)
    assert answer["number"] == [1.0, None, None]
    assert answer["text"] == [None, None, None]


async def test_no_rows_are_empty_columns(house: House, boiler: int) -> None:
    answer = await house.get("/observations", datastream=99)
    assert answer == {"datastream": [], "time": [], "number": [], "next": None}


async def test_the_path_of_a_datastream_means_the_same(house: House, boiler: int) -> None:
    ours = await house.get(f"/datastreams/{boiler}/observations", limit=4)
    assert ours == await house.get("/observations", datastream=boiler, limit=4)
    missing = await house.client.get("/api/v1/datastreams/99/observations")
    assert missing.status_code == 404


async def _pages(house: House, **params: Any) -> list[dict[str, Any]]:
    pages = [await house.get("/observations", **params)]
    while pages[-1]["next"]:
        pages.append(await house.get("/observations", **params, after=pages[-1]["next"]))
    return pages


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 9), st.integers(-(2**63), 2**63 - 1)),
        max_size=40,
        unique=True,
    ),
    limit=st.integers(1, 12),
    order=st.sampled_from(["asc", "desc"]),
    chosen=st.sampled_from([None, [1], [1, 3]]),
)
async def test_pages_put_together_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, int, int]],
    limit: int,
    order: str,
    chosen: list[int] | None,
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    if rows:
        ids, times, features = zip(*rows, strict=True)
        numbers = [float(at) for at in range(len(rows))]
        house.store.append(observations(ids, [T0 + t for t in times], numbers, feature=features))
    params = {"order": order} | ({"datastream": chosen} if chosen else {})
    whole = await house.get("/observations", **params)
    pages = await _pages(house, **params, limit=limit)
    house.catalog.close()
    assert [number for page in pages for number in page["number"]] == whole["number"]
    assert all(len(page["number"]) == limit for page in pages[:-1])
    wanted = {at for at, row in enumerate(rows) if chosen is None or row[0] in chosen}
    assert set(whole["number"]) == wanted


async def test_the_link_header_leads_to_the_next_page(house: House, boiler: int) -> None:
    first = await house.client.get("/api/v1/observations", params={"limit": 6, "times": "iso"})
    second = await house.client.get(first.links["next"]["url"])
    assert second.json()["number"] == [6.0, 7.0, 8.0, 9.0]
    assert second.json()["time"][0].endswith("Z")
    assert "next" not in second.links


async def test_a_page_is_never_larger_than_the_setting(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_rows_per_page=4))
    house.keep(1, *range(10))
    answer = await house.get("/observations", limit=1_000_000)
    assert len(answer["number"]) == 4
    assert answer["next"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("start", "yesterday"),
        ("start", ""),
        ("end", "99999999999999999999"),
        ("end", "now-5"),
        ("after", "1_2"),
        ("after", "1_2_99999999999999999999999"),
        ("limit", "0"),
        ("order", "up"),
        ("datastream", "x"),
        ("datastream", "0"),
        ("datastream", str(2**63)),
        ("width", "5"),
        ("width", "0s"),
        ("points", "0"),
        ("agg", "median"),
        ("format", "xml"),
        ("times", "s"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(
    house: House, boiler: int, name: str, value: str
) -> None:
    params = {"datastream": boiler, name: value}
    response = await house.client.get("/api/v1/observations", params=params)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["code"] == "invalid-input"
    assert value.removeprefix("now-")[:20] in error["message"]


async def test_a_range_that_ends_before_it_starts_is_refused(house: House) -> None:
    response = await house.client.get("/api/v1/observations", params={"start": "10", "end": "9"})
    assert response.status_code == 400


async def test_buckets_are_those_of_the_store(house: House, boiler: int) -> None:
    answer = await house.get("/observations", datastream=boiler, width="4s")
    assert answer == {
        "width_us": 4 * SECOND,
        "datastream": [boiler] * 3,
        "time": [T0, T0 + 4 * SECOND, T0 + 8 * SECOND],
        "count": [4, 4, 2],
        "min": [0.0, 4.0, 8.0],
        "max": [3.0, 7.0, 9.0],
        "mean": [1.5, 5.5, 8.5],
        "first": [0.0, 4.0, 8.0],
        "last": [3.0, 7.0, 9.0],
    }


async def test_only_the_aggregates_wanted_are_given(house: House, boiler: int) -> None:
    answer = await house.get(
        f"/datastreams/{boiler}/observations", width="1m", agg=["mean", "count"]
    )
    assert set(answer) == {"width_us", "datastream", "time", "mean", "count"}


@pytest.mark.parametrize(("points", "most"), [(1, 2), (3, 4), (5, 6), (800, 10)])
async def test_points_choose_a_width_that_gives_about_so_many(
    house: House, boiler: int, points: int, most: int
) -> None:
    answer = await house.get("/observations", datastream=boiler, points=points)
    assert 1 <= len(answer["time"]) <= most
    assert sum(answer["count"]) == 10


async def test_buckets_need_a_datastream_and_one_width(house: House, boiler: int) -> None:
    for params in ({"width": "1s"}, {"width": "1s", "points": 5, "datastream": boiler}):
        response = await house.client.get("/api/v1/observations", params=params)
        assert response.status_code == 400


async def test_too_many_buckets_are_refused(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_buckets=5))
    house.keep(1, *range(10))
    refused = await house.client.get("/api/v1/observations?datastream=1&width=1s")
    assert refused.status_code == 400
    assert "wider" in refused.json()["error"]["message"]
    assert (await house.get("/observations", datastream=1, width="5s"))["count"] == [5, 5]


async def test_buckets_of_nothing_are_empty(house: House, boiler: int) -> None:
    for params in ({"points": 10, "datastream": 99}, {"points": 9, "end": 5, "datastream": 1}):
        answer = await house.get("/observations", **params)
        assert answer["time"] == []


async def test_latest_gives_one_row_for_each(house: House, boiler: int) -> None:
    (other,) = house.enrol(("a", "x"))
    house.store.append(observations([other], [T0], None, text=["on"]))
    answer = await house.get("/latest")
    assert answer["datastream"] == [boiler, other]
    assert answer["number"] == [9.0, None]
    assert answer["text"] == [None, "on"]
    only = await house.get("/latest", datastream=boiler, times="iso")
    assert (only["time"], only["text"]) == (["2023-11-14T22:13:29.000000Z"], [None])


async def test_times_as_text_reach_from_year_1_to_year_9999(house: House) -> None:
    edges = [-62_135_596_800_000_000, -1, 253_402_300_799_999_999]
    house.store.append(observations([1, 1, 1], edges, [1.0, 2.0, 3.0]))
    answer = await house.get("/observations", datastream=1, times="iso")
    assert answer["time"] == [
        "0001-01-01T00:00:00.000000Z",
        "1969-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999Z",
    ]
