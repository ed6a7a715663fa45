"""The options of a query: what is shown, in which order, how much of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    ANY_OBSERVATION,
    Service,
    at,
    datastream,
    place,
    point,
    ref,
    thing,
)
from tests.conformance.sensorthings.test_core import NAMES, TYPES, plural

CLASS = "c03filtering/Capability3Tests"
STREAMS = ["stream 11", "stream 12", "stream 21", "stream 22"]
COUNTS = {
    "Things": 2,
    "Locations": 2,
    "HistoricalLocations": 2,
    "Datastreams": 4,
    "Sensors": 4,
    "ObservedProperties": 4,
    "Observations": 12,
    "FeaturesOfInterest": 2,
}


@pytest.fixture(scope="module", autouse=True)
def two_things(filled: Service) -> None:
    """Two Things of two Datastreams of three observations."""
    for number in (1, 2):
        id_ = filled.make(
            "Things",
            thing(
                f"thing {number}",
                properties={"rank": 10 - number, "deep": {"name": f"n{number}"}},
                Locations=[place(f"place {number}", point(-117.05 + number, 51.05))],
            ),
        )
        for stream in (1, 2):
            first = 6 * (number - 1) + 3 * (stream - 1)
            body = datastream(
                f"stream {number}{stream}",
                observationType=ANY_OBSERVATION,
                Thing=ref(id_),
                Observations=[
                    {
                        "phenomenonTime": f"2015-03-{first + step + 1:02}T00:00:00Z",
                        "result": first + step + 1,
                    }
                    for step in range(3)
                ],
            )
            body["Sensor"] = {**body["Sensor"], "name": f"probe {number}{stream}"}  # type: ignore[dict-item]
            body["ObservedProperty"] = {
                **body["ObservedProperty"],  # type: ignore[dict-item]
                "name": f"heat {number}{stream}",
            }
            filled.post("Datastreams", body)


def paths(sta: Service) -> list[tuple[str, str]]:
    """Return every set, and every set linked to the first entity of one, with its name."""
    found = [(name, name) for name in NAMES]
    for name in NAMES:
        path = at(name, sta.ids(name, top=1000)[0])
        found += [(f"{path}/{link}", link) for link in TYPES[name][1] if plural(link) == link]
    return found


@behaviour(CLASS, "readEntitiesWithSelectQO")
@requirement("req/request-data/select")
def test_select_shows_what_is_named_and_nothing_else(filled: Service) -> None:
    for path, name in paths(filled):
        properties, links = TYPES[name]
        for chosen in (properties[:1], properties, links[:1], (properties[0], links[0]), ("id",)):
            entity = filled.get(path, select=",".join(chosen))["value"][0]
            shown = {f"{one}@iot.navigationLink" if one in links else one for one in chosen}
            assert entity.keys() == ({"@iot.id"} if chosen == ("id",) else shown), (path, chosen)


def linked(entity: dict[str, Any], link: str) -> Any:
    """Return an expanded link's entity, or the first of its entities."""
    assert f"{link}@iot.navigationLink" not in entity or plural(link) == link
    found = entity[link]
    return found[0] if isinstance(found, list) else found


def holds_all(entity: dict[str, Any], name: str) -> None:
    assert set(TYPES[name][0]) <= entity.keys()


@behaviour(CLASS, "readEntitiesWithExpand")
@behaviour(CLASS, "readEntitiesWithExpandRelations")
@requirement("req/request-data/expand")
def test_expand_shows_linked_entities_in_place(filled: Service) -> None:
    for path, name in paths(filled):
        for link in TYPES[name][1]:
            entity = filled.get(path, expand=link)["value"][0]
            holds_all(entity, name)
            holds_all(linked(entity, link), plural(link))
        entity = filled.get(path, expand=",".join(TYPES[name][1]))["value"][0]
        for link in TYPES[name][1]:
            holds_all(linked(entity, link), plural(link))


@behaviour(CLASS, "readEntitiesWithExpandMultilevel")
@behaviour(CLASS, "readEntitiesWithExpandMultilevelRelations")
@behaviour(CLASS, "readEntitiesWithExpandNested")
@requirement("req/request-data/expand")
@pytest.mark.parametrize("form", ["{}/{}", "{}($expand={})"])
def test_expand_goes_on_within(filled: Service, form: str) -> None:
    for path, name in paths(filled):
        for link in TYPES[name][1]:
            for further in TYPES[plural(link)][1]:
                entity = filled.get(path, expand=form.format(link, further))["value"][0]
                inner = linked(entity, link)
                holds_all(inner, plural(link))
                holds_all(linked(inner, further), plural(further))


@requirement("req/request-data/expand")
def test_an_expansion_has_options_of_its_own(filled: Service) -> None:
    inner = "$select=result;$orderby=phenomenonTime desc;$top=1;$filter=result lt 12;$count=true"
    page = filled.get(
        "Things",
        select="name",
        orderby="name desc",
        expand=f"Datastreams($select=name;$orderby=name desc;$expand=Observations({inner}))",
    )
    assert [entity["name"] for entity in page["value"]] == ["thing 2", "thing 1"]
    streams = page["value"][0]["Datastreams"]
    assert [stream["name"] for stream in streams] == ["stream 22", "stream 21"]
    assert [stream["Observations"] for stream in streams] == [[{"result": 11}], [{"result": 9}]]
    assert [stream["Observations@iot.count"] for stream in streams] == [2, 3]
    again = filled.get(streams[0]["Observations@iot.nextLink"])
    assert [entity["result"] for entity in again["value"]] == [10]


@behaviour(CLASS, "readEntitiesWithTopQO")
@requirement("req/request-data/top")
@requirement("req/request-data/pagination")
def test_top_ends_a_page_and_its_link_goes_on(filled: Service) -> None:
    for path, _ in paths(filled):
        everything = filled.ids(path)
        for size in range(1, len(everything) + 2):
            page = filled.get(path, top=size)
            assert [entity["@iot.id"] for entity in page["value"]] == everything[:size]
            assert ("@iot.nextLink" in page) == (size < len(everything)), (path, size)
        assert filled.ids(path, top=1) == everything
        assert filled.ids(path, top=2, orderby="id desc") == filled.ids(path, orderby="id desc")


@behaviour(CLASS, "readEntitiesWithSkipQO")
@requirement("req/request-data/skip")
def test_skip_leaves_out_the_first(filled: Service) -> None:
    for path, _ in paths(filled):
        everything = filled.ids(path)
        for number in (0, 1, 2, 3, 4, 12):
            page = filled.get(path, skip=number)
            assert [entity["@iot.id"] for entity in page["value"]] == everything[number:]
            assert "@iot.nextLink" not in page
        assert filled.ids(path, skip=1, top=1) == everything[1:]


@behaviour(CLASS, "readEntitiesWithOrderbyQO")
@requirement("req/request-data/orderby")
def test_order_is_by_any_property_and_several(filled: Service) -> None:
    for path, name in paths(filled):
        for prop in TYPES[name][0]:
            if prop in ("unitOfMeasurement", "location", "feature"):
                continue
            for order, turned in (("", False), (" asc", False), (" desc", True)):
                found = filled.all(path, orderby=f"{prop}{order}", top=1000)
                keys = [(entity[prop] is not None, entity[prop]) for entity in found]
                assert keys == sorted(keys, reverse=turned), (path, prop, order)
                paged = filled.ids(path, orderby=f"{prop}{order},id", top=2)
                assert paged == filled.ids(path, orderby=f"{prop}{order},id")


@requirement("req/request-data/orderby")
@pytest.mark.parametrize(
    ("path", "order", "names"),
    [
        ("Things", "properties/rank", ["thing 2", "thing 1"]),
        ("Things", "properties/deep/name desc", ["thing 2", "thing 1"]),
        ("Datastreams", "Thing/name desc,name", STREAMS[2:] + STREAMS[:2]),
        ("Datastreams", "Thing/properties/rank,Sensor/name desc", STREAMS[::-1]),
    ],
)
def test_order_is_by_json_and_by_linked_entities(
    filled: Service, path: str, order: str, names: list[str]
) -> None:
    assert [entity["name"] for entity in filled.all(path, orderby=order, top=1)] == names


@behaviour(CLASS, "readEntitiesWithCountQO")
@requirement("req/request-data/count")
def test_count_is_of_everything_that_matches(filled: Service) -> None:
    for name in NAMES:
        assert filled.get(name, count="true", top=1)["@iot.count"] == COUNTS[name]
    for path, _ in paths(filled):
        page = filled.get(path, count="true", top=1)
        assert page["@iot.count"] == len(filled.ids(path))
        assert "@iot.count" not in filled.get(path, count="false")
        assert "@iot.count" not in filled.get(path)
        assert filled.ask(f"{path}/$count").text == str(page["@iot.count"])


@behaviour(CLASS, "readEntitiesWithFilterQO")
@requirement("req/request-data/filter")
def test_filter_compares_any_property(filled: Service) -> None:
    for path, name in paths(filled):
        for prop in TYPES[name][0]:
            found = [entity for entity in filled.all(path) if entity[prop] is not None]
            if not found or isinstance(found[0][prop], dict):
                continue
            middle = sorted(entity[prop] for entity in found)[len(found) // 2]
            text = f"'{middle}'" if isinstance(middle, str) and "ime" not in prop else middle
            for word, holds in COMPARISONS.items():
                expected = [e["@iot.id"] for e in found if holds(e[prop], middle)]
                answered = filled.ids(path, filter=f"{prop} {word} {text}")
                assert answered == expected, (path, prop, word, middle)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
}


@behaviour(CLASS, "checkQueriesPriorityOrdering")
@requirement("req/request-data/order")
def test_options_are_taken_in_their_order(filled: Service) -> None:
    options = {"count": "true", "top": 1, "skip": 2, "orderby": "phenomenonTime asc"}
    page = filled.get("Observations", filter="result gt '3'", **options)
    assert page["@iot.count"] == 6
    assert [entity["result"] for entity in page["value"]] == [6]
    page = filled.get("Observations", filter="result gt 3", **options)
    assert page["@iot.count"] == 9


PRECEDENCE = (
    ("checkAndOrPrecendece", "result eq 2 and result eq 1 or result eq 1", [1]),
    ("checkAndOrPrecendece", "result eq 1 or result eq 1 and result eq 2", [1]),
    ("checkAndOrPrecendece", "(result eq 1 or result eq 1) and result eq 2", []),
    ("checkArithmeticPrecendece", "1 add result mul 2 sub -1 eq 4", [1]),
    ("checkArithmeticPrecendece", "6 sub 2 sub result eq 2", [2]),
    ("checkArithmeticPrecendece", "result mul (2 sub 1) add 1 eq 4", [3]),
    ("checkArithmeticPrecendece", "12 div 2 div 3 eq result", [2]),
)


@requirement("req/request-data/built-in-filter-operations")
@pytest.mark.parametrize(
    ("condition", "found"),
    [pytest.param(*rest, marks=behaviour(CLASS, name)) for name, *rest in PRECEDENCE],
)
def test_operators_bind_as_in_arithmetic(filled: Service, condition: str, found: list[int]) -> None:
    answered = filled.all("Observations", filter=condition)
    assert [entity["result"] for entity in answered] == found


@requirement("req/request-data/query-status-code")
@pytest.mark.parametrize(
    "options",
    [
        {"top": -1},
        {"top": "many"},
        {"skip": -1},
        {"orderby": "nothing"},
        {"orderby": "name sideways"},
        {"select": "nothing"},
        {"expand": "Nothing"},
        {"expand": "Datastreams($top=x)"},
        {"count": "maybe"},
        {"frobnicate": "1"},
    ],
    ids=str,
)
def test_a_bad_option_is_answered_with_400(filled: Service, options: dict[str, Any]) -> None:
    assert filled.ask("Things", **options).status_code == 400


@requirement("req/request-data/status-code")
def test_results_come_as_csv_and_geojson(filled: Service) -> None:
    answer = filled.ask("Things", resultFormat="CSV", select="id,name")
    assert answer.status_code == 200
    assert answer.text.splitlines()[1].endswith("thing 1")
    found = filled.get("Locations", resultFormat="GeoJSON")
    assert found["type"] == "FeatureCollection"
    assert found["features"][0]["geometry"]["coordinates"] == [-116.05, 51.05]


NEW = "phenomenonTime ge 2020-01-01T00:00:00Z"


@requirement("req/request-data/pagination")
def test_keys_may_page_through_many_observations(filled: Service) -> None:
    path = at("Datastreams", filled.ids("Datastreams")[0])
    body = [
        {
            "Datastream": ref(filled.get(path)["@iot.id"]),
            "components": ["phenomenonTime", "result"],
            "dataArray": [
                [f"2020-01-01T{hour:02}:{minute:02}:00Z", hour * 60 + minute]
                for hour in range(24)
                for minute in range(60)
            ],
        }
    ]
    filled.post("CreateObservations", body)
    for order in ("phenomenonTime", "phenomenonTime desc", "result,id", "id"):
        found = filled.all(f"{path}/Observations", orderby=order, top=500, filter=NEW)
        results = [entity["result"] for entity in found]
        assert results == sorted(range(1440), reverse="desc" in order)
    filled.delete(f"{path}/Observations", filter=NEW)
