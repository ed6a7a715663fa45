"""MQTT create: Observations that are published."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.listening import eventually, publish
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    feature,
    own,
    place,
    ref,
    thing,
)

CLASS = "c07mqttcreate/Capability7Tests"
pytestmark = requirement("req/create-observations-via-mqtt/observations-creation")
OBSERVATION = {
    "phenomenonTime": "2015-03-01T02:40:00+02:00",
    "validTime": "2016-01-01T01:01:01Z/2016-01-01T23:59:59Z",
    "result": 20.25,
    "parameters": {"param1": "some value1", "param2": "some value2"},
}


@pytest.fixture
def stream(sta: Service) -> Any:
    """The id of a Datastream."""
    sta.post("Things", thing(Locations=[place()], Datastreams=[datastream()]))
    return sta.ids("Datastreams")[0]


def is_kept(sta: Service, stream: Any, air: Any) -> None:
    """Wait until the Observation is there, and compare it."""
    path = f"{at('Datastreams', stream)}/Observations"
    found = eventually(lambda: sta.get(path, expand="FeatureOfInterest")["value"])[0]
    assert found["phenomenonTime"].startswith("2015-03-01T00:40:00")
    assert found["validTime"].replace(".000", "") == OBSERVATION["validTime"]
    assert found["result"] == OBSERVATION["result"]
    assert found["parameters"] == OBSERVATION["parameters"]
    assert found["FeatureOfInterest"]["@iot.id"] == air


@behaviour(CLASS, "check01_CreateObservationDirect")
def test_an_observation_names_its_datastream(sta: Service, stream: Any) -> None:
    air = sta.make("FeaturesOfInterest", feature())
    links = {"Datastream": ref(stream), "FeatureOfInterest": ref(air)}
    publish(sta.door, "v1.1/Observations", {**OBSERVATION, **links})
    is_kept(sta, stream, air)


@behaviour(CLASS, "check02_CreateObservationViaDatastream")
def test_the_topic_names_the_datastream(sta: Service, stream: Any) -> None:
    air = sta.make("FeaturesOfInterest", feature())
    topic = f"v1.1/{at('Datastreams', stream)}/Observations"
    publish(sta.door, topic, {**OBSERVATION, "FeatureOfInterest": ref(air)})
    is_kept(sta, stream, air)


@behaviour(CLASS, "check03_CreateObservationViaFeatureOfInterest")
def test_the_topic_names_the_feature(sta: Service, stream: Any) -> None:
    air = sta.make("FeaturesOfInterest", feature())
    topic = f"v1.1/{at('FeaturesOfInterest', air)}/Observations"
    publish(sta.door, topic, {**OBSERVATION, "Datastream": ref(stream)})
    is_kept(sta, stream, air)


@behaviour(CLASS, "check04_CreateObservationWithDeepInsert")
def test_everything_is_described_in_place(sta: Service) -> None:
    where = {**datastream(), "Thing": thing()}
    body = {**OBSERVATION, "FeatureOfInterest": feature("station"), "Datastream": where}
    publish(sta.door, "v1.1/Observations", body)
    found = eventually(lambda: sta.get("Observations")["value"])[0]
    inner = sta.get(f"{at('Observations', found['@iot.id'])}/FeatureOfInterest")
    assert own(inner)["name"] == "station"


def letters(sta: Service) -> list[Any]:
    """Return the dead letters there are."""
    root = sta.root.removesuffix("/v1.1")
    return list(sta.http.get(f"{root}/api/v1/dead-letters").json()["items"])


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("v1.1/Datastreams(987654)/Observations", {"result": 1}),
        ("v1.1/Observations", {"result": 1}),
        ("v1.1/Datastreams(x)/Observations", {"result": 1}),
        ("v1.1/Things", thing()),
    ],
)
def test_what_cannot_be_made_waits_among_the_dead_letters(
    sta: Service, topic: str, payload: object
) -> None:
    before = len(letters(sta))
    publish(sta.door, topic, payload)
    found = eventually(lambda: letters(sta)[before:])
    assert found[0]["topic"] == topic
    assert found[0]["reason"]
    assert sta.ids("Things") == sta.ids("Observations") == []
