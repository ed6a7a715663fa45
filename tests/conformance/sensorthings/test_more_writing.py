"""Corners of writing: several places, history, paths that do not fit."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    place,
    point,
    ref,
    thing,
    without,
)

CLASS = "c02cud/AdditionalTests"
pytestmark = requirement("req/create-update-delete/create-entity")


@behaviour(CLASS, "test01MultipleLocations")
def test_the_feature_is_made_of_the_place_that_has_a_geometry(sta: Service) -> None:
    text = {"encodingType": "text/plain", "location": "third rock from the sun"}
    places = [
        {**place("address"), **text},
        place("roof", point(8, 51)),
        {**place("way"), **text},
    ]
    stream = without(datastream(), "observationType")
    sta.post("Things", thing(Locations=places, Datastreams=[stream]))
    path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"
    found = sta.get(f"{at('Observations', sta.make(path, {'result': 1}))}/FeatureOfInterest")
    assert found["feature"] == point(8, 51)
    assert len(sta.ids(f"{at('Things', sta.ids('Things')[0])}/Locations")) == 3


@behaviour(CLASS, "test02GeneratePhenomenonTime")
def test_an_observation_without_time_gets_one(sta: Service) -> None:
    sta.post("Things", thing(Locations=[place()], Datastreams=[datastream()]))
    path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"
    ids = [sta.make(path, {"result": number}) for number in range(5)]
    assert len(set(ids)) == 5
    for id_ in ids:
        found = sta.get(at("Observations", id_))
        assert found["phenomenonTime"].endswith("Z")
        assert found["resultTime"] is None


@behaviour(CLASS, "test03HistoricalLocationThing")
@requirement("req/create-update-delete/historical-location-auto-creation")
@requirement("req/create-update-delete/historical-location-manual-creation")
def test_the_newest_history_says_where_a_thing_is(sta: Service) -> None:
    one = sta.make("Things", thing())
    places = [sta.make("Locations", place(f"place {number}")) for number in range(3)]
    sta.change("PATCH", at("Things", one), {"Locations": [ref(places[0])]})
    history = sta.ids(f"{at('Things', one)}/HistoricalLocations")
    assert len(history) == 1
    sta.change("PATCH", at("HistoricalLocations", history[0]), {"time": "2016-01-01T06:00:00Z"})
    for time, where in (("07", 1), ("05", 2)):
        body = {
            "time": f"2016-01-01T{time}:00:00Z",
            "Thing": ref(one),
            "Locations": [ref(places[where])],
        }
        sta.post("HistoricalLocations", body)
        assert sta.ids(f"{at('Things', one)}/Locations") == [places[1]]


class Two:
    """Two Things, and an observation of the first one."""

    def __init__(self, sta: Service) -> None:
        where = sta.make("Locations", place())
        self.things = [
            sta.make("Things", thing(f"thing {number}", Locations=[ref(where)]))
            for number in range(2)
        ]
        stream = sta.make("Datastreams", datastream(Thing=ref(self.things[0])))
        seen = {"phenomenonTime": "2015-03-01T01:00:00Z", "result": 1}
        self.seen = sta.make(f"{at('Datastreams', stream)}/Observations", seen)
        self.good, self.bad = (
            f"{at('Things', one)}/{at('Datastreams', stream)}" for one in self.things
        )


@behaviour(CLASS, "test04PostInvalidPath")
@requirement("req/resource-path/resource-path-to-entities")
def test_nothing_is_written_along_a_path_that_does_not_lead_there(sta: Service) -> None:
    two = Two(sta)
    body = {"phenomenonTime": "2015-03-01T03:00:00Z", "result": 301}
    assert sta.ask(f"{two.good}/Observations").status_code == 200
    assert sta.ask(f"{two.bad}/Observations").status_code == 404
    sta.post(f"{two.good}/Observations", body)
    assert sta.http.post(sta.url(f"{two.bad}/Observations"), json=body).status_code in (400, 404)
    good, bad = (f"{path}/{at('Observations', two.seen)}" for path in (two.good, two.bad))
    for method, change in (("PUT", body | {"result": 5}), ("PATCH", {"result": 7})):
        if method == "PUT":
            change["phenomenonTime"] = "2015-03-01T01:00:00Z"
        sta.change(method, bad, change, 404)
        sta.change(method, good, change)
        assert sta.get(good)["result"] == change["result"]
    sta.delete(bad, 404)
    assert sta.ask(good).status_code == 200
    sta.delete(good)
    assert sta.ask(good).status_code == 404


@behaviour(CLASS, "test05RecreateAutomaticFoi")
def test_a_feature_that_was_deleted_is_made_again(sta: Service) -> None:
    sta.post("Things", thing(Locations=[place()], Datastreams=[datastream()]))
    path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"

    def made() -> Any:
        seen = at("Observations", sta.make(path, {"result": 1}))
        return sta.get(f"{seen}/FeatureOfInterest")["@iot.id"]

    first = made()
    sta.delete(at("FeaturesOfInterest", first))
    assert sta.ids(path) == []
    assert made() != first


@pytest.mark.parametrize(
    ("named", "status"),
    [
        pytest.param(1, 400, marks=behaviour(CLASS, "test06DoubleConflictingNavProp")),
        pytest.param(0, 201, marks=behaviour(CLASS, "test07DoubleNonConflictingNavProp")),
    ],
)
def test_path_and_body_may_not_name_different_datastreams(
    sta: Service, named: int, status: int
) -> None:
    two = Two(sta)
    streams = [
        sta.make("Datastreams", datastream(f"stream {number}", Thing=ref(two.things[0])))
        for number in range(2)
    ]
    body = {"result": 1, "Datastream": ref(streams[named])}
    sta.post(f"{at('Datastreams', streams[0])}/Observations", body, status)


def test_a_filter_that_reaches_observations_removes_what_it_finds(sta: Service) -> None:
    for number, results in enumerate(([1, 2], [3, 9], [])):
        observations = [{"result": result} for result in results]
        stream = datastream(f"stream {number}", Observations=observations)
        sta.post("Things", thing(f"thing {number}", Locations=[place()], Datastreams=[stream]))
    wanted = "Datastreams/Observations/result gt 5"
    assert [one["name"] for one in sta.all("Things", filter=wanted)] == ["thing 1"]
    sta.delete("Things", filter=wanted)
    assert [one["name"] for one in sta.all("Things", orderby="name")] == ["thing 0", "thing 2"]
    sta.delete("Datastreams", filter="Observations/result lt 2 and name eq 'stream 0'")
    assert [one["name"] for one in sta.all("Datastreams")] == ["stream 2"]
    assert sta.all("Observations") == []
    assert len(sta.ids("Things")) == 2
