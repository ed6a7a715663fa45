"""Conditions across links, with null, with functions, with `any`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    ANY_OBSERVATION,
    Service,
    at,
    datastream,
    observed,
    place,
    point,
    ref,
    sensor,
    thing,
)

CLASS = "c03filtering/FilterTests"
pytestmark = requirement("req/request-data/filter")
#: Thing, Sensor and ObservedProperty of each Datastream.
STREAMS = ((0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 0), (1, 1, 1), (1, 3, 3), (2, 1, 0))
PROPERTIES: tuple[dict[str, object], ...] = (
    {},
    {"properties": {"field": 2, "string": "one"}},
    {"properties": {"field": 3, "string": "two"}},
    {},
)
#: Name, property `field` and Thing of each Location.
PLACES = (("1.0", 1, 0), ("1.1", 1.1, 0), ("2", 2, 1), ("3", 3, 2), ("4", 4, 3), ("5", 5, None))


@pytest.fixture(scope="module")
def ids(filled: Service) -> dict[str, list[Any]]:
    """Ids of what was made, by set and number."""
    things = [
        filled.make("Things", thing(f"Thing {number + 1}", **more))
        for number, more in enumerate(PROPERTIES)
    ]
    for number, (name, field, owner) in enumerate(PLACES):
        links = {} if owner is None else {"Things": [ref(things[owner])]}
        body = place(f"Location {name}", point(8, 51 + number), properties={"field": field})
        filled.post("Locations", {**body, **links})
    sensors = [filled.make("Sensors", sensor(f"Sensor {number}")) for number in range(4)]
    names = [f"ObservedProperty {number}" for number in range(4)]
    properties = [filled.make("ObservedProperties", observed(name)) for name in names]
    streams, observations = [], []
    for number, (owner, probe, what) in enumerate(STREAMS):
        body = datastream(
            f"Datastream {number}",
            observationType=ANY_OBSERVATION,
            Thing=ref(things[owner]),
            Sensor=ref(sensors[probe]),
            ObservedProperty=ref(properties[what]),
        )
        streams.append(filled.make("Datastreams", body))
        for step in range(6 if number < 6 else 0):
            result = 3 * number + step
            observation = {
                "phenomenonTime": f"2016-01-01T0{step + 1}:00:00Z",
                "result": result,
                "resultQuality": f"number-{result}" if step % 2 else result,
            }
            path = f"{at('Datastreams', streams[-1])}/Observations"
            observations.append(filled.make(path, observation))
    return {
        "Things": things,
        "ObservedProperties": properties,
        "Observations": observations,
        "Datastreams": streams,
        "Sensors": sensors,
    }


T, P, O = "Things", "ObservedProperties", "Observations"  # noqa: E741
NEAR = "Datastreams/any(d:d/ObservedProperty/name eq 'ObservedProperty {}')"
CASES: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    ("testIndirectFilter", T, "Locations/name eq 'Location 2'", (1,)),
    ("testIndirectFilter", T, "startswith(HistoricalLocations/Locations/name, 'Location 1')", (0,)),
    (
        "testIndirectFilter",
        T,
        "HistoricalLocations/Locations/properties/field eq properties/field",
        (1, 2),
    ),
    (
        "testDeepIndirection",
        P,
        "Datastreams/Thing/Datastreams/ObservedProperty/name eq 'ObservedProperty 0'",
        (0, 1, 2, 3),
    ),
    (
        "testDeepIndirection",
        P,
        "Datastreams/Thing/Datastreams/ObservedProperty/name eq 'ObservedProperty 3'",
        (0, 1, 3),
    ),
    ("testSubString", T, "substring(properties/string, 1) eq 'wo'", (2,)),
    ("testSubString", T, "substring(properties/string, 1, 1) eq 'w'", (2,)),
    ("testSubString", T, "substring(name, 4) eq 'g 4'", (3,)),
    ("testSubString", T, "substring(name, 4, 3) eq 'g 4'", (3,)),
    ("testEqualsNull", T, "properties/field eq null", (0, 3)),
    ("testEqualsNull", T, "Datastreams/id eq null", (3,)),
    ("testNotEqualsNull", T, "properties/field ne null", (1, 2)),
    ("testNotEqualsNull", T, "Datastreams/id ne null", (0, 1, 2)),
    ("testStringResultQualityValue", O, "resultQuality eq 'number-1'", (1,)),
    ("testNumericResultQualityValue", O, "resultQuality eq 2", (2,)),
    ("testAnyFilter", T, "Locations/any(l:l/name eq 'Location 2')", (1,)),
    (
        "testAnyFilter",
        T,
        "HistoricalLocations/any(hl : hl/Locations/any(l : startswith(l/name, 'Location 1')))",
        (0,),
    ),
    (
        "testAnyFilter",
        T,
        "HistoricalLocations/any(h:h/Locations/any(l:l/properties/field eq properties/field))",
        (1, 2),
    ),
    ("testAnyFilter", T, f"{NEAR.format(0)} and {NEAR.format(1)}", (0, 1)),
    ("testAnyFilter", T, f"{NEAR.format(3)} and {NEAR.format(1)}", (1,)),
)


@pytest.mark.parametrize(
    ("name", "condition", "found"),
    [pytest.param(*rest, marks=behaviour(CLASS, test), id=f"{rest[0]} {rest[1]}")
     for test, *rest in CASES],
)  # fmt: skip
def test_entities_are_found(
    filled: Service, ids: dict[str, list[Any]], name: str, condition: str, found: tuple[int, ...]
) -> None:
    answered = filled.ids(name, filter=condition)
    assert sorted(ids[name].index(id_) for id_ in answered) == list(found)
    assert len(answered) == filled.get(name, filter=condition, count="true")["@iot.count"]


@behaviour(CLASS, "testNullEntityProperty")
@behaviour(CLASS, "testNullEntityPropertyValue")
@pytest.mark.parametrize("more", ["", "/$value"])
def test_a_property_that_is_null_has_no_content(
    filled: Service, ids: dict[str, list[Any]], more: str
) -> None:
    path = f"{at('Things', ids['Things'][0])}/properties{more}"
    assert filled.ask(path).status_code == 204


CROSSING: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("Things", "Datastreams/Observations/result gt 19", (1,)),
    ("Things", "Datastreams/Observations/result lt 4", (0,)),
    ("Datastreams", "Observations/result eq 5", (0, 1)),
    ("Sensors", "Datastreams/Observations/result ge 18", (3,)),
    ("Observations", "Datastream/Thing/name eq 'Thing 2' and result lt 10", (18,)),
    ("Observations", "Datastream/id lt 0", ()),
    ("Observations", "result ge 3 and result le 3", (3, 6)),
    ("Observations", "result gt 19", (35,)),
    ("Observations", "not (result lt 19)", (34, 35)),
    ("Observations", "result in (0, 20)", (0, 35)),
    ("Observations", "(result add 1) mul 2 eq 42", (35,)),
    ("Observations", "result mod 2 eq 1 and result div 2 gt 9", (34,)),
    (
        "Observations",
        "year(phenomenonTime) eq 2016 and hour(phenomenonTime) eq 6",
        (5, 11, 17, 23, 29, 35),
    ),
)


@requirement("req/request-data/built-in-filter-operations")
@pytest.mark.parametrize(("name", "condition", "found"), CROSSING)
def test_conditions_cross_between_entities_and_observations(
    filled: Service, ids: dict[str, list[Any]], name: str, condition: str, found: tuple[int, ...]
) -> None:
    answered = filled.ids(name, filter=condition)
    assert sorted(ids[name].index(id_) for id_ in answered) == list(found)


FUNCTIONS = (
    "substringof('ing 2', name)",
    "endswith(name, '2')",
    "startswith(name, 'Thing') and indexof(name, '2') gt 0",
    "length(name) eq 7 and name gt 'Thing 1' and name lt 'Thing 3'",
    "tolower(name) eq 'thing 2'",
    "toupper(name) eq 'THING 2'",
    "trim(concat(' ', name)) eq 'Thing 2'",
    "concat(name, '!') eq 'Thing 2!'",
    "properties/field add 1 eq 3",
    "round(properties/field div 3) eq 1 and ceiling(properties/field) eq 2",
    "floor(properties/field) eq 2 and now() gt 2016-01-01T00:00:00Z",
    "properties/string in ('one', 'three')",
    "not (name ne 'Thing 2')",
)


@requirement("req/request-data/built-in-query-functions")
@pytest.mark.parametrize("condition", FUNCTIONS)
def test_functions_of_the_standard(
    filled: Service, ids: dict[str, list[Any]], condition: str
) -> None:
    assert filled.ids("Things", filter=condition) == [ids["Things"][1]]


BAD = (
    ("name eq", 7),
    ("name eq 'x", 8),
    ("nothing eq 1", 0),
    ("name foo 'x'", 0),
    ("Locations/nothing eq 1", 10),
    ("frobnicate(name) eq 1", 0),
    ("(name eq 'x'", 12),
)


@requirement("req/request-data/query-status-code")
@pytest.mark.parametrize(("condition", "position"), BAD)
def test_a_bad_condition_says_where(filled: Service, condition: str, position: int) -> None:
    answer = filled.ask("Things", filter=condition)
    assert answer.status_code == 400
    assert f"position {position}:" in answer.text
