"""MQTT receive: subscribers are told what is made and changed, as GET shows it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conformance.sensorthings.listening import Listener, publish
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    feature,
    observed,
    place,
    point,
    ref,
    sensor,
    thing,
)

CLASS = "c08mqttsubscribe/MqttCoreTests"
EXTRA = "c08mqttsubscribe/MqttExtraTests"
pytestmark = requirement("req/receive-updates-via-mqtt/receive-updates")


class Site:
    """One entity of each kind."""

    def __init__(self, sta: Service) -> None:
        self.sta = sta
        ids = self.ids = {
            "Things": sta.make("Things", thing()),
            "Sensors": sta.make("Sensors", sensor()),
            "ObservedProperties": sta.make("ObservedProperties", observed()),
            "FeaturesOfInterest": sta.make("FeaturesOfInterest", feature()),
        }
        ids["Locations"] = sta.make("Locations", place(Things=[ref(ids["Things"])]))
        ids["Datastreams"] = sta.make("Datastreams", self.datastream())
        ids["Observations"] = sta.make("Observations", self.observation(1))
        ids["HistoricalLocations"] = sta.ids("HistoricalLocations")[0]

    def datastream(self) -> dict[str, object]:
        links = {
            "Thing": ref(self.ids["Things"]),
            "Sensor": ref(self.ids["Sensors"]),
            "ObservedProperty": ref(self.ids["ObservedProperties"]),
        }
        return {**datastream("second"), **links}

    def observation(self, result: object) -> dict[str, object]:
        return {
            "phenomenonTime": f"2026-01-01T00:00:0{result}Z",
            "result": result,
            "Datastream": ref(self.ids["Datastreams"]),
            "FeatureOfInterest": ref(self.ids["FeaturesOfInterest"]),
        }

    def path(self, name: str) -> str:
        return at(name, self.ids[name])

    def new(self, name: str) -> dict[str, object]:
        """Return another entity of a set."""
        makers: dict[str, Callable[[], dict[str, object]]] = {
            "Things": lambda: thing("other"),
            "Sensors": lambda: sensor("other"),
            "ObservedProperties": lambda: observed("other"),
            "FeaturesOfInterest": lambda: feature("other"),
            "Locations": lambda: place("other", Things=[ref(self.ids["Things"])]),
            "Datastreams": self.datastream,
            "Observations": lambda: self.observation(2),
            "HistoricalLocations": lambda: {
                "time": "2020-01-01T00:00:00Z",
                "Thing": ref(self.ids["Things"]),
                "Locations": [ref(self.ids["Locations"])],
            },
        }
        return makers[name]()


@pytest.fixture
def site(sta: Service) -> Site:
    return Site(sta)


NAMES = (
    *("Things", "Locations", "HistoricalLocations", "Sensors", "ObservedProperties"),
    *("FeaturesOfInterest", "Datastreams", "Observations"),
)
CHANGED: dict[str, dict[str, object]] = {
    "Things": {"description": "changed", "properties": {"a": 1}},
    "Locations": {"name": "changed", "location": point(9, 9)},
    "HistoricalLocations": {"time": "2021-01-01T00:00:00Z"},
    "Sensors": {"metadata": "changed"},
    "ObservedProperties": {"description": "changed"},
    "FeaturesOfInterest": {"feature": point(9, 9)},
    "Datastreams": {"description": "changed"},
    "Observations": {"result": 77},
}


@behaviour(CLASS, "check01a_SubscribeToEntitySetInsert")
@pytest.mark.parametrize("name", NAMES)
def test_a_set_tells_what_is_made(site: Site, name: str) -> None:
    with Listener(site.sta.door, f"v1.1/{name}") as listener:
        id_ = site.sta.make(name, site.new(name))
        assert listener.next() == site.sta.get(at(name, id_))
        assert listener.rest() == []


@behaviour(CLASS, "check04_SubscribeToEntitySetWithMultipleSelectInsert")
@pytest.mark.parametrize(
    ("name", "selects"),
    [
        ("Things", ("name,properties", "id,description")),
        ("Observations", ("result,phenomenonTime", "id,parameters,resultTime")),
        ("Datastreams", ("name,unitOfMeasurement", "id,Thing")),
        ("FeaturesOfInterest", ("feature", "name,id")),
    ],
)
def test_select_chooses_what_is_told(site: Site, name: str, selects: tuple[str, ...]) -> None:
    topics = [f"v1.1/{name}?$select={select}" for select in selects]
    with Listener(site.sta.door, *topics) as listener:
        id_ = site.sta.make(name, site.new(name))
        for topic, select in zip(topics, selects, strict=True):
            assert listener.next(topic) == site.sta.get(at(name, id_), select=select)


@behaviour(CLASS, "check02_SubscribeToEntitySetUpdatePATCH")
@behaviour(CLASS, "check05_SubscribeToEntitySetWithMultipleSelectUpdatePATCH")
@behaviour(CLASS, "check09_SubscribeToEntityUpdatePATCH")
@pytest.mark.parametrize("name", NAMES)
def test_a_patch_is_told_by_set_and_entity(site: Site, name: str) -> None:
    path = site.path(name)
    some = next(iter(CHANGED[name]))
    topics = [f"v1.1/{name}", f"v1.1/{name}?$select={some}", f"v1.1/{path}"]
    with Listener(site.sta.door, *topics) as listener:
        site.sta.change("PATCH", path, CHANGED[name])
        now = site.sta.get(path)
        assert listener.next(topics[0]) == now
        assert listener.next(topics[1]) == {some: now[some]}
        assert listener.next(topics[2]) == now


@behaviour(CLASS, "check03_SubscribeToEntitySetUpdatePUT")
@behaviour(CLASS, "check06_SubscribeToEntitySetWithMultipleSelectUpdatePUT")
@behaviour(CLASS, "check10_SubscribeToEntityUpdatePUT")
@pytest.mark.parametrize("name", ["Things", "Sensors", "ObservedProperties", "FeaturesOfInterest"])
def test_a_put_is_told_by_set_and_entity(site: Site, name: str) -> None:
    path = site.path(name)
    topics = [f"v1.1/{name}", f"v1.1/{name}?$select=name", f"v1.1/{path}"]
    with Listener(site.sta.door, *topics) as listener:
        site.sta.change("PUT", path, site.new(name))
        now = site.sta.get(path)
        assert [listener.next(topic) for topic in topics] == [now, {"name": "other"}, now]


@behaviour(CLASS, "check07_SubscribeToEntitySetWithRelativeTopicUpdatePUT")
@behaviour(CLASS, "check11_SubscribeToEntityWithRelativeTopicUpdatePUT")
def test_paths_lead_to_what_is_told(site: Site) -> None:
    topics = [
        f"v1.1/{site.path('Things')}/Datastreams",
        f"v1.1/{site.path('Sensors')}/Datastreams",
        f"v1.1/{site.path('Datastreams')}/Thing",
        f"v1.1/{site.path('Things')}/{site.path('Datastreams')}",
        f"v1.1/{site.path('Observations')}/Datastream/Sensor",
    ]
    elsewhere = f"v1.1/{at('Things', site.sta.make('Things', thing()))}/Datastreams"
    with Listener(site.sta.door, *topics, elsewhere) as listener:
        for name in ("Datastreams", "Things", "Sensors"):
            site.sta.change("PATCH", site.path(name), CHANGED[name])
        streams = site.sta.get(site.path("Datastreams"))
        for topic in (topics[0], topics[1], topics[3]):
            assert listener.next(topic) == streams
        assert listener.next(topics[2]) == site.sta.get(site.path("Things"))
        assert listener.next(topics[4]) == site.sta.get(site.path("Sensors"))
        assert listener.rest(elsewhere) == []


@behaviour(CLASS, "check12_SubscribeToPropertyUpdatePATCH")
@behaviour(CLASS, "check13_SubscribeToPropertyUpdatePUT")
@pytest.mark.parametrize("name", NAMES)
def test_a_property_is_told_when_it_changes(site: Site, name: str) -> None:
    path = site.path(name)
    topics = {prop: f"v1.1/{path}/{prop}" for prop in CHANGED[name]}
    same = f"v1.1/{path}/name"
    with Listener(site.sta.door, *topics.values(), same) as listener:
        site.sta.change("PATCH", path, CHANGED[name])
        now = site.sta.get(path)
        for prop, topic in topics.items():
            assert listener.next(topic) == {prop: now[prop]}
        assert listener.rest(same) == []


@behaviour(CLASS, "check08a_SubscribeToEntitySetsWithDeepInsertThing")
@behaviour(CLASS, "check08b_SubscribeToEntitySetsWithDeepInsertObservation")
def test_what_is_made_within_is_told_too(sta: Service) -> None:
    names = [name for name in NAMES if name != "FeaturesOfInterest"]
    seen = [{"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1}]
    body = thing(Locations=[place()], Datastreams=[datastream(Observations=seen)])
    with Listener(sta.door, *(f"v1.1/{name}" for name in names)) as listener:
        sta.post("Things", body)
        for name in names:
            found = listener.next(f"v1.1/{name}")
            assert found["@iot.id"] == sta.ids(name)[0], name


@behaviour(CLASS, "check14SubscribeToHistoricalLocationSetUpdateThingLocations")
def test_a_thing_that_moves_makes_history(site: Site) -> None:
    other = site.sta.make("Locations", place("other"))
    with Listener(site.sta.door, "v1.1/HistoricalLocations") as listener:
        site.sta.change("PATCH", site.path("Things"), {"Locations": [ref(other)]})
        newest = site.sta.get("HistoricalLocations", orderby="id desc", top=1)["value"][0]
        assert listener.next() == newest


@behaviour(CLASS, "check01b_SubscribeAutoFeatureCreation")
def test_a_feature_that_comes_to_be_is_told(sta: Service) -> None:
    sta.post("Things", thing(Locations=[place()], Datastreams=[datastream()]))
    with Listener(sta.door, "v1.1/FeaturesOfInterest", "v1.1/Observations") as listener:
        path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"
        seen = sta.make(path, {"result": 1})
        assert listener.next("v1.1/Observations")["@iot.id"] == seen
        made = sta.get(f"{at('Observations', seen)}/FeatureOfInterest")
        assert listener.next("v1.1/FeaturesOfInterest") == made


def topic_of(site: Site) -> str:
    return f"v1.1/{site.path('Datastreams')}/Observations"


@behaviour(EXTRA, "test01SubscribeObservationBase")
def test_an_observation_that_is_published_is_told_as_an_entity_once(site: Site) -> None:
    topics = [topic_of(site), "v1.1/Observations", f"{topic_of(site)}?$select=id,result"]
    with Listener(site.sta.door, *topics) as listener:
        publish(site.sta.door, topics[0], {"phenomenonTime": "2026-02-01T00:00:00Z", "result": 5})
        found = listener.next(topics[0])
        assert found == site.sta.get(at("Observations", found["@iot.id"]))
        assert found["result"] == 5
        assert listener.next(topics[1]) == found
        assert listener.next(topics[2]) == {"@iot.id": found["@iot.id"], "result": 5}
        assert [listener.rest(topic) for topic in topics] == [[], [], []]


@behaviour(EXTRA, "test02SubscribeObservationResultFilter")
def test_a_filter_chooses_the_observations_told(site: Site) -> None:
    topics = [f"v1.1/Observations?$filter=result {test}" for test in ("gt 4", "gt 5", "ge 5")]
    with Listener(site.sta.door, *topics) as listener:
        for number, result in enumerate((10, 5, 0, 9)):
            body = {"phenomenonTime": f"2026-02-01T00:00:0{number}Z", "result": result}
            publish(site.sta.door, topic_of(site), body)
        for topic, results in zip(topics, ((10, 5, 9), (10, 9), (10, 5, 9)), strict=True):
            assert [listener.next(topic)["result"] for _ in results] == list(results)
            assert listener.rest(topic) == []


@behaviour(EXTRA, "test03SubscribeObservationFoIFilter")
def test_a_filter_reaches_other_entities(site: Site) -> None:
    air = site.sta.make("FeaturesOfInterest", feature("water"))
    topic = "v1.1/Observations?$filter=startswith(FeatureOfInterest/name,'wat')"
    with Listener(site.sta.door, topic) as listener:
        for number, name in enumerate((site.ids["FeaturesOfInterest"], air)):
            body = {"phenomenonTime": f"2026-02-01T00:00:0{number}Z", "result": number}
            publish(site.sta.door, topic_of(site), {**body, "FeatureOfInterest": ref(name)})
        assert listener.next()["result"] == 1
        assert listener.rest() == []


def test_data_arrays_are_told_observation_by_observation(site: Site) -> None:
    rows = [[f"2026-03-01T00:{n // 60:02}:{n % 60:02}Z", n] for n in range(500)]
    body = [
        {
            "Datastream": ref(site.ids["Datastreams"]),
            "components": ["phenomenonTime", "result"],
            "dataArray": rows,
        }
    ]
    with Listener(site.sta.door, topic_of(site)) as listener:
        site.sta.post("CreateObservations", body)
        assert [listener.next()["result"] for _ in rows] == list(range(500))


def test_who_subscribes_later_is_told_of_later_things(site: Site) -> None:
    site.sta.post("Things", thing("before"))
    for _ in range(3):
        with Listener(site.sta.door, "v1.1/Things") as listener:
            site.sta.post("Things", thing("after"))
            assert listener.next()["name"] == "after"
            assert listener.rest() == []
