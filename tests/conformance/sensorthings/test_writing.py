"""Making, changing and removing entities."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    SETS,
    Service,
    at,
    datastream,
    feature,
    observed,
    own,
    place,
    point,
    ref,
    sensor,
    thing,
    without,
)

CLASS = "c02cud/Capability2Tests"
CREATE = "req/create-update-delete/"
DEEP = requirement(f"{CREATE}deep-insert")


def deep() -> dict[str, Any]:
    """A Thing with everything."""
    seen = [{"phenomenonTime": "2015-03-01T00:10:00Z", "result": 10}]
    return thing(
        "office",
        properties={"reference": "third floor"},
        Locations=[place("roof")],
        Datastreams=[datastream("light", Observations=seen)],
    )


def count(sta: Service, name: str) -> int:
    return int(sta.get(name, count="true", top=0)["@iot.count"])


def is_empty(sta: Service, *names: str) -> None:
    for name in names:
        assert count(sta, name) == 0, name


@behaviour(CLASS, "test02CreateEntities")
@requirement(f"{CREATE}create-entity")
@requirement(f"{CREATE}link-to-existing-entities")
def test_every_kind_of_entity_is_made_and_comes_back_as_it_was(sta: Service) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "Things": thing(properties={"a": {"b": [1, None, "é"]}}),
        "Locations": place(properties={"c": 1}),
        "Sensors": sensor(properties={"d": True}),
        "ObservedProperties": observed(properties={"e": "f"}),
        "FeaturesOfInterest": feature(properties={"g": 0.5}),
    }
    ids = {name: sta.make(name, body) for name, body in bodies.items()}
    for name, body in bodies.items():
        assert own(sta.get(at(name, ids[name]))) == body
    links = {
        "Thing": ref(ids["Things"]),
        "Sensor": ref(ids["Sensors"]),
        "ObservedProperty": ref(ids["ObservedProperties"]),
    }
    stream = sta.make("Datastreams", {**datastream(), **links})
    for link, target in (("Thing", "Things"), ("Sensor", "Sensors")):
        assert sta.get(f"{at('Datastreams', stream)}/{link}")["@iot.id"] == ids[target]
    body = {
        "phenomenonTime": "2015-03-01T00:40:00Z",
        "result": 8,
        "Datastream": ref(stream),
        "FeatureOfInterest": ref(ids["FeaturesOfInterest"]),
    }
    seen = sta.make("Observations", body)
    path = f"{at('Observations', seen)}/FeatureOfInterest"
    assert sta.get(path)["@iot.id"] == ids["FeaturesOfInterest"]


@behaviour(CLASS, "test02CreateEntities")
@requirement(f"{CREATE}create-entity")
def test_an_observation_gets_the_place_of_its_thing_as_feature(sta: Service) -> None:
    sta.post("Things", deep())
    path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"
    ids = [sta.make(path, {"result": number}) for number in range(3)]
    found = [sta.get(f"{at('Observations', id_)}/FeatureOfInterest") for id_ in ids]
    assert found[0]["feature"] == place()["location"]
    assert [one["@iot.id"] for one in found] == [found[0]["@iot.id"]] * 3
    assert count(sta, "FeaturesOfInterest") == 1


@behaviour(CLASS, "test03CreateEntitiesWithDeepInsert")
@DEEP
@requirement(f"{CREATE}deep-insert-status-code")
def test_entities_within_are_made_too(sta: Service) -> None:
    answer = sta.post("Things", deep())
    found = sta.get(
        answer.headers["location"],
        expand="Locations,HistoricalLocations,Datastreams($expand=Sensor,ObservedProperty,Observations)",
    )
    assert [one["name"] for one in found["Locations"]] == ["roof"]
    assert len(found["HistoricalLocations"]) == 1
    stream = found["Datastreams"][0]
    assert stream["Sensor"]["name"] == "probe"
    assert stream["ObservedProperty"]["name"] == "temperature"
    assert [one["result"] for one in stream["Observations"]] == [10]
    body = {"phenomenonTime": "2015-03-02T00:00:00Z", "result": 1, "FeatureOfInterest": feature()}
    seen = sta.make(f"{at('Datastreams', stream['@iot.id'])}/Observations", body)
    assert sta.get(f"{at('Observations', seen)}/FeatureOfInterest")["name"] == "air"


INCOMPLETE = [
    ("Things", without(thing(), "name")),
    ("Things", thing(Datastreams=[without(datastream(), "Sensor")], Locations=[place()])),
    ("Things", thing(Locations=[without(place(), "location")])),
    ("Datastreams", without(datastream(), "ObservedProperty")),
    ("Datastreams", datastream()),
    ("Sensors", without(sensor(), "metadata")),
    ("ObservedProperties", without(observed(), "definition")),
    ("FeaturesOfInterest", without(feature(), "encodingType")),
    ("HistoricalLocations", {"time": "2015-03-01T00:40:00Z"}),
    ("Observations", {"result": 8}),
]


@behaviour(CLASS, "test01CreateInvalidEntitiesWithDeepInsert")
@behaviour(CLASS, "test04CreateInvalidEntities")
@requirement(f"{CREATE}deep-insert-status-code")
@pytest.mark.parametrize(("name", "body"), INCOMPLETE)
def test_nothing_is_made_when_something_is_missing(
    sta: Service, name: str, body: dict[str, object]
) -> None:
    assert sta.http.post(sta.url(name), json=body).status_code in (400, 409)
    is_empty(sta, *SETS, "Datastreams", "HistoricalLocations", "Observations")


@behaviour(CLASS, "test01CreateInvalidEntitiesWithDeepInsert")
@behaviour(CLASS, "test04CreateInvalidEntities")
@requirement(f"{CREATE}create-entity")
def test_an_observation_of_a_thing_without_place_needs_a_feature(sta: Service) -> None:
    sta.post("Things", thing(Datastreams=[datastream()]))
    path = f"{at('Datastreams', sta.ids('Datastreams')[0])}/Observations"
    sta.post(path, {"result": 1}, 400)
    sta.post(path, {"result": 1, "FeatureOfInterest": without(feature(), "feature")}, 400)
    sta.post(path, {"result": 1, "FeatureOfInterest": ref(12345)}, 404)
    is_empty(sta, "Observations", "FeaturesOfInterest")


CHANGES: dict[str, dict[str, Any]] = {
    "Things": {"description": "patched", "properties": {"new": 1}},
    "Locations": {"location": point(114.05, -50)},
    "HistoricalLocations": {"time": "2015-07-01T00:00:00Z"},
    "Sensors": {"metadata": "patched"},
    "ObservedProperties": {"description": "patched"},
    "FeaturesOfInterest": {"feature": point(114.05, -51.05)},
    "Datastreams": {"unitOfMeasurement": {"name": "e", "symbol": "S2", "definition": "x"}},
    "Observations": {"phenomenonTime": "2015-07-01T00:40:00Z"},
}


@behaviour(CLASS, "test05PatchEntities")
@requirement(f"{CREATE}update-entity")
@pytest.mark.parametrize("name", CHANGES)
def test_patch_changes_what_it_names(sta: Service, name: str) -> None:
    sta.post("Things", deep())
    path = at(name, sta.ids(name)[0])
    before = sta.get(path)
    sta.change("PATCH", path, CHANGES[name])
    after = sta.get(path)
    for prop in before.keys() - {"phenomenonTime", "observedArea"}:
        expected = CHANGES[name].get(prop, before[prop])
        assert after[prop] in (expected, str(expected).replace("00Z", "00.000Z")), prop


@behaviour(CLASS, "test06PutEntities")
@requirement(f"{CREATE}update-entity-put")
def test_put_sets_everything(sta: Service) -> None:
    sta.post("Things", deep())
    bodies: dict[str, dict[str, Any]] = {
        "Things": thing("other"),
        "Locations": place("other", point(114.05, -50)),
        "Sensors": sensor("other"),
        "ObservedProperties": observed("other"),
        "FeaturesOfInterest": feature("other"),
    }
    for name, body in bodies.items():
        path = at(name, sta.ids(name)[0])
        sta.change("PUT", path, body)
        found = own(sta.get(path))
        assert without(found, "properties") == body
        assert found.get("properties") in (None, {})
    sta.change("PUT", at("Things", sta.ids("Things")[0]), {"name": "only"}, 400)


INLINE = [
    ("Things", {"Locations": [place()]}),
    ("Things", {"Datastreams": [{"unitOfMeasurement": {}}]}),
    ("Sensors", {"Datastreams": [datastream()]}),
    ("ObservedProperties", {"Datastreams": [datastream()]}),
    ("Datastreams", {"ObservedProperty": observed()}),
    ("Datastreams", {"Sensor": sensor()}),
    ("Datastreams", {"Thing": thing()}),
    ("Datastreams", {"Observations": [{"result": 1}]}),
    ("Things", {"name": 7}),
    ("Things", {"Locations": [ref(54321)]}),
]


@behaviour(CLASS, "test07InvalidPatchEntities")
@requirement(f"{CREATE}update-entity")
@pytest.mark.parametrize(("name", "body"), INLINE)
def test_patch_makes_no_entities(sta: Service, name: str, body: dict[str, object]) -> None:
    sta.post("Things", deep())
    path = at(name, sta.ids(name)[0])
    before = sta.get(path)
    answer = sta.http.patch(sta.url(path), json=body)
    assert answer.status_code in (400, 404)
    assert sta.get(path) == before


#: What is gone with an entity of a set; the rest stays.
GONE = {
    "Things": ("Things", "Datastreams", "HistoricalLocations", "Observations"),
    "Datastreams": ("Datastreams", "Observations"),
    "Locations": ("Locations", "HistoricalLocations"),
    "HistoricalLocations": ("HistoricalLocations",),
    "Sensors": ("Sensors", "Datastreams", "Observations"),
    "ObservedProperties": ("ObservedProperties", "Datastreams", "Observations"),
    "FeaturesOfInterest": ("FeaturesOfInterest", "Observations"),
    "Observations": ("Observations",),
}


@behaviour(CLASS, "test08DeleteEntities")
@requirement(f"{CREATE}delete-entity")
@pytest.mark.parametrize("name", GONE)
def test_what_cannot_be_without_an_entity_goes_with_it(sta: Service, name: str) -> None:
    sta.post("Things", deep())
    sta.get(f"{at('Observations', sta.ids('Observations')[0])}/FeatureOfInterest")
    path = at(name, sta.ids(name)[0])
    sta.delete(path)
    assert sta.ask(path).status_code == 404
    is_empty(sta, *GONE[name])
    for other in GONE.keys() - set(GONE[name]):
        assert count(sta, other) == 1, other


@behaviour(CLASS, "test09DeleteNoneexistentEntities")
@requirement(f"{CREATE}delete-entity")
@pytest.mark.parametrize("name", GONE)
def test_what_is_not_there_cannot_be_deleted(sta: Service, name: str) -> None:
    sta.delete(f"{name}({2**63 - 1})", 404)
