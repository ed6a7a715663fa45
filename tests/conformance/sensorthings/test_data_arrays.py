"""Data arrays: many observations as rows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    feature,
    multi,
    place,
    ref,
    thing,
)

CLASS = "c06dataarrays/DataArrayTests"
pytestmark = requirement("req/data-array/data-array")
TIMES = ["2010-12-23T10:20:00-07:00", "2010-12-23T10:21:00-07:00"]


class Filled:
    """Two Datastreams and a MultiDatastream."""

    def __init__(self, sta: Service) -> None:
        self.sta = sta
        self.owner = sta.make("Things", thing(Locations=[place()]))
        self.streams = [
            sta.make("Datastreams", datastream(f"stream {number}", Thing=ref(self.owner)))
            for number in range(2)
        ]
        self.multi = sta.make("MultiDatastreams", multi("a", "b", things=ref(self.owner)))

    def fill(self) -> None:
        for number in range(3):
            for stream in self.streams:
                time = f"2026-01-0{number + 1}T00:00:00Z"
                body = {"phenomenonTime": time, "result": number, "Datastream": ref(stream)}
                self.sta.post("Observations", body)
        body = {
            "phenomenonTime": "2026-02-01T00:00:00Z",
            "result": [1, 2],
            "MultiDatastream": ref(self.multi),
        }
        self.sta.post("Observations", body)


@pytest.fixture
def filled_streams(sta: Service) -> Filled:
    return Filled(sta)


def check(page: dict[str, Any], components: set[str]) -> list[dict[str, Any]]:
    """Check the form of a page of data arrays; return its groups."""
    for group in page["value"]:
        names = group["components"]
        links = {"Datastream@iot.navigationLink", "MultiDatastream@iot.navigationLink"}
        assert links & group.keys()
        assert {name.replace("@iot.", "") for name in names} == components
        assert len(names) == len(set(names))
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        assert all(len(row) == len(names) for row in group["dataArray"])
    return list(page["value"])


@behaviour(CLASS, "test01GetDataArray")
def test_observations_come_as_rows_grouped_by_datastream(filled_streams: Filled) -> None:
    filled_streams.fill()
    sta = filled_streams.sta
    page = sta.get("Observations", count="true", top=3, resultFormat="dataArray")
    assert page["@iot.count"] == 7
    groups = check(
        page,
        {
            *("id", "phenomenonTime", "result", "resultTime"),
            *("resultQuality", "validTime", "parameters"),
        },
    )
    rows = [row for group in groups for row in group["dataArray"]]
    ids = next(n for n, name in enumerate(groups[0]["components"]) if name.endswith("id"))
    assert [row[ids] for row in rows] == sta.ids("Observations")[:3]
    found = len(rows)
    while "@iot.nextLink" in page:
        page = sta.get(page["@iot.nextLink"])
        found += sum(group["dataArray@iot.count"] for group in page["value"])
    assert found == 7


@behaviour(CLASS, "test02GetDataArraySelect")
def test_rows_have_what_is_selected(filled_streams: Filled) -> None:
    filled_streams.fill()
    page = filled_streams.sta.get(
        "Observations",
        count="true",
        top=4,
        resultFormat="dataArray",
        select="result,phenomenonTime",
        orderby="phenomenonTime desc",
    )
    assert "@iot.nextLink" in page
    check(page, {"result", "phenomenonTime"})


@behaviour(CLASS, "test03PostDataArray")
def test_rows_are_made_one_by_one_and_a_bad_one_does_not_stop_the_others(
    filled_streams: Filled,
) -> None:
    sta = filled_streams.sta
    air = sta.make("FeaturesOfInterest", feature())
    body = [
        {
            "Datastream": ref(filled_streams.streams[0]),
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray@iot.count": 2,
            "dataArray": [[TIMES[0], 20, air], [TIMES[1], 30, "no id"]],
        },
        {
            "Datastream": ref(filled_streams.streams[1]),
            "components": ["phenomenonTime", "result"],
            "dataArray@iot.count": 2,
            "dataArray": [[TIMES[0], 65], [TIMES[1], 60]],
        },
    ]
    answers = sta.post("CreateObservations", body).json()
    assert [text.lower().startswith("error") for text in answers] == [False, True, False, False]
    links = [text for text in answers if text.startswith("http")]
    made = [sta.get(link, expand="FeatureOfInterest") for link in links]
    assert [one["result"] for one in made] == [20, 65, 60]
    assert made[0]["FeatureOfInterest"]["@iot.id"] == air
    assert made[1]["FeatureOfInterest"] == made[2]["FeatureOfInterest"]
    assert made[0]["phenomenonTime"].startswith("2010-12-23T17:20:00")


@behaviour(CLASS, "test04PostDataArrayMultiDatastream")
def test_rows_of_a_multi_datastream_need_all_numbers(filled_streams: Filled) -> None:
    sta = filled_streams.sta
    body = [
        {
            "MultiDatastream": ref(filled_streams.multi),
            "components": ["phenomenonTime", "result"],
            "dataArray": [[TIMES[0], [5, 20]], [TIMES[1], 30]],
        }
    ]
    answers = sta.post("CreateObservations", body).json()
    assert [text.lower().startswith("error") for text in answers] == [False, True]
    assert sta.get(answers[0])["result"] == [5, 20]


def test_a_body_that_is_no_data_array_is_answered_with_400(filled_streams: Filled) -> None:
    sta = filled_streams.sta
    sta.post("CreateObservations", {"a": 1}, 400)
    answers = sta.post("CreateObservations", [{"components": ["result"], "dataArray": [[1]]}])
    assert answers.json()[0].startswith("error")
    assert sta.ids("Observations") == []


def test_thousands_of_rows_are_one_request(filled_streams: Filled) -> None:
    sta = filled_streams.sta
    rows = [[f"2020-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z", n] for n in range(5000)]
    stream = filled_streams.streams[0]
    body = [
        {
            "Datastream": ref(stream),
            "components": ["phenomenonTime", "result"],
            "dataArray": rows,
        }
    ]
    assert len(sta.post("CreateObservations", body).json()) == 5000
    path = f"{at('Datastreams', stream)}/Observations"
    assert sta.get(path, count="true", top=1)["@iot.count"] == 5000
    newest = sta.get(path, orderby="phenomenonTime desc", top=1)["value"]
    assert [one["result"] for one in newest] == [4999]
