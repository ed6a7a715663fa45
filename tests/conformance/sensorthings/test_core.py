"""Reading: entities, properties, links, paths, the service root."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import Service, at, datastream, place, ref, thing

TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Things": (
        ("name", "description"),
        ("Locations", "HistoricalLocations", "Datastreams"),
    ),
    "Locations": (
        ("name", "description", "encodingType", "location"),
        ("Things", "HistoricalLocations"),
    ),
    "HistoricalLocations": (("time",), ("Thing", "Locations")),
    "Datastreams": (
        ("name", "description", "unitOfMeasurement", "observationType"),
        ("Thing", "Sensor", "ObservedProperty", "Observations"),
    ),
    "Sensors": (("name", "description", "encodingType", "metadata"), ("Datastreams",)),
    "ObservedProperties": (("name", "definition", "description"), ("Datastreams",)),
    "Observations": (
        ("phenomenonTime", "result", "resultTime"),
        ("Datastream", "FeatureOfInterest"),
    ),
    "FeaturesOfInterest": (
        ("name", "description", "encodingType", "feature"),
        ("Observations",),
    ),
}
NAMES = tuple(TYPES)
REQUIREMENTS = {
    "Things": "thing",
    "Locations": "location",
    "HistoricalLocations": "historical-location",
    "Datastreams": "datastream",
    "Sensors": "sensor",
    "ObservedProperties": "observed-property",
    "Observations": "observation",
    "FeaturesOfInterest": "feature-of-interest",
}
EACH = [
    pytest.param(
        name,
        marks=[
            requirement(f"req/datamodel/{REQUIREMENTS[name]}/properties"),
            requirement(f"req/datamodel/{REQUIREMENTS[name]}/relations"),
        ],
    )
    for name in NAMES
]


@pytest.fixture(scope="module", autouse=True)
def oven(filled: Service) -> Service:
    """Two Things with everything that belongs to them."""
    for name in ("oven", "fridge"):
        filled.post(
            "Things",
            thing(
                name,
                properties={"room": {"floor": 3, "names": ["a", "b"]}},
                Locations=[place(f"place of {name}")],
                Datastreams=[
                    datastream(
                        f"heat of {name}",
                        Observations=[
                            {
                                "phenomenonTime": "2026-01-01T00:00:00Z",
                                "resultTime": "2026-01-01T00:00:01Z",
                                "result": 181.5,
                            }
                        ],
                    )
                ],
            ),
        )
    return filled


def first(sta: Service, name: str) -> Any:
    return sta.get(name)["value"][0]


def is_whole(entity: dict[str, Any], name: str) -> None:
    """Check control information, properties and links of an entity."""
    properties, links = TYPES[name]
    assert {"@iot.id", "@iot.selfLink", *properties} <= entity.keys()
    assert {f"{link}@iot.navigationLink" for link in links} <= entity.keys()


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "readEntitiesAndCheckResponse")
@behaviour("c01sensingcore/Capability1Tests", "readEntitiesAndCheckResponse")
@requirement("req/datamodel/entity-control-information/common-control-information")
@pytest.mark.parametrize("name", EACH)
def test_a_set_has_entities_with_all_that_belongs_to_them(filled: Service, name: str) -> None:
    for entity in filled.get(name)["value"]:
        is_whole(entity, name)


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "readEntityAndCheckResponse")
@behaviour("c01sensingcore/Capability1Tests", "readEntityAndCheckResponse")
@requirement("req/resource-path/resource-path-to-entities")
@pytest.mark.parametrize("name", EACH)
def test_an_entity_is_the_same_in_its_set_and_by_its_link(filled: Service, name: str) -> None:
    entity = first(filled, name)
    by_id = filled.get(at(name, entity["@iot.id"]))
    assert by_id == entity == filled.get(entity["@iot.selfLink"])
    is_whole(by_id, name)


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "readNonexistentEntity")
@behaviour("c01sensingcore/Capability1Tests", "readNonexistentEntity")
@requirement("req/request-data/status-code")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("id_", [2**63 - 1, 9_007_199_254_740_991, "'nobody'"])
def test_what_is_not_there_is_answered_with_404(filled: Service, name: str, id_: object) -> None:
    answer = filled.ask(f"{name}({id_})")
    assert answer.status_code == 404 or (answer.status_code == 400 and isinstance(id_, str))


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "readPropertyOfEntityAndCheckResponse")
@behaviour("c01sensingcore/Capability1Tests", "readPropertyOfEntityAndCheckResponse")
@requirement("req/resource-path/resource-path-to-entities")
@pytest.mark.parametrize("name", NAMES)
def test_a_property_and_its_value_can_be_asked_for(filled: Service, name: str) -> None:
    entity = first(filled, name)
    for prop in TYPES[name][0]:
        path = f"{at(name, entity['@iot.id'])}/{prop}"
        assert filled.get(path) == {prop: entity[prop]}
        value = filled.ask(f"{path}/$value")
        assert value.status_code == 200
        if isinstance(entity[prop], dict):
            assert value.json() == entity[prop]
        elif isinstance(entity[prop], str):
            assert value.text == entity[prop]
        else:
            assert float(value.text) == entity[prop]


@requirement("req/resource-path/resource-path-to-entities")
def test_paths_lead_into_json(filled: Service) -> None:
    path = f"{at('Things', first(filled, 'Things')['@iot.id'])}/properties"
    assert filled.get(f"{path}/room/floor") == {"floor": 3}
    assert filled.get(f"{path}/room/names[1]") == {"names[1]": "b"}
    assert filled.ask(f"{path}/room/floor/$value").text == "3"


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "checkResourcePaths")
@behaviour("c01sensingcore/Capability1Tests", "checkResourcePaths")
@requirement("req/resource-path/resource-path-to-entities")
@pytest.mark.parametrize("name", NAMES)
def test_paths_lead_from_every_entity_to_all_linked_ones(filled: Service, name: str) -> None:
    walk(filled, name, name, 4)


def walk(sta: Service, path: str, name: str, depth: int) -> None:
    """Follow every link, and look at the references too, to a depth."""
    found, refs = sta.get(path), sta.get(f"{path}/$ref")
    if "value" in found:
        entity = found["value"][0]
        assert [one.keys() for one in refs["value"]] == [{"@iot.selfLink"}] * len(found["value"])
        path = f"{path}({entity['@iot.id']})"
    else:
        entity = found
        assert refs.keys() == {"@iot.selfLink"}
    is_whole(entity, name)
    if depth > 1:
        for link in TYPES[name][1]:
            walk(sta, f"{path}/{link}", plural(link), depth - 1)


def plural(link: str) -> str:
    if link in TYPES:
        return link
    irregular = {
        "ObservedProperty": "ObservedProperties",
        "FeatureOfInterest": "FeaturesOfInterest",
    }
    return irregular.get(link, f"{link}s")


@requirement("req/resource-path/resource-path-to-entities")
def test_a_path_that_leads_nowhere_is_answered_with_404(filled: Service) -> None:
    one, other = filled.ids("Things")
    stream = filled.ids(f"{at('Things', one)}/Datastreams")[0]
    assert filled.ask(f"{at('Things', other)}/{at('Datastreams', stream)}").status_code == 404
    assert filled.ask(f"{at('Things', one)}/Sensors").status_code in (400, 404)
    assert filled.ask("Nothings").status_code in (400, 404)


@behaviour("c01sensingcore/Capability1CoreOnlyTests", "checkServiceRootUri")
@behaviour("c01sensingcore/Capability1Tests", "checkServiceRootUri")
@requirement("req/request-data/status-code")
def test_the_root_lists_every_set_and_what_is_conformed_to(filled: Service) -> None:
    root = filled.get("")
    addresses = {entry["name"]: entry["url"] for entry in root["value"]}
    for name in (*NAMES, "MultiDatastreams", "Actuators", "TaskingCapabilities", "Tasks"):
        assert addresses[name] == f"{filled.root}/{name}"
    conformance = root["serverSettings"]["conformance"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/request-data" in conformance


@requirement("req/request-data/status-code")
def test_an_entity_can_be_told_from_the_links_of_another(filled: Service) -> None:
    entity = first(filled, "Datastreams")
    for link in TYPES["Datastreams"][1]:
        assert filled.get(entity[f"{link}@iot.navigationLink"])


@requirement("req/create-update-delete/link-to-existing-entities")
def test_a_link_to_many_can_be_made_and_taken_back(filled: Service) -> None:
    one = filled.ids("Things")[0]
    other = filled.make("Locations", place("cellar"))
    before = filled.ids(f"{at('Things', one)}/Locations")
    filled.change("PATCH", at("Things", one), {"Locations": [ref(other)]})
    assert filled.ids(f"{at('Things', one)}/Locations") == [other]
    filled.change("PATCH", at("Things", one), {"Locations": [ref(id_) for id_ in before]})
    filled.delete(at("Locations", other))


@pytest.mark.parametrize("step", ["9" * 5000, "%C2%B2", "%D9%A0", "-1"])
def test_a_step_that_counts_no_part_of_a_list_leads_nowhere(sta: Service, step: str) -> None:
    one = sta.make("Things", thing("listed", properties={"list": [1, 2]}))
    address = f"{at('Things', one)}/properties/list"
    assert sta.get(f"{address}/0") == {"list[0]": 1}
    assert sta.ask(f"{address}/{step}").status_code == 204
