"""Conditions on members of JSON, and what of it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    ANY_OBSERVATION,
    Service,
    at,
    datastream,
    place,
    ref,
    thing,
)

CLASS = "c03filtering/JsonPropertiesTests"
pytestmark = requirement("req/request-data/filter")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def text(start: int) -> str:
    """Ten letters from one on, in a circle."""
    return "".join(LETTERS[(start + step) % 26] for step in range(10))


def ints(start: int, length: int = 5) -> list[int]:
    return list(range(start, start + length))


def objects(start: int) -> list[dict[str, object]]:
    return [
        {"string": text(one), "boolean": one % 2 == 0, "int": one, "intArray": ints(one, 3)}
        for one in range(start, start + 3)
    ]


def members(number: int, shift: int = 0) -> dict[str, Any]:
    one = number + shift
    return {
        "string": text(number),
        "boolean": number % 2 == 0,
        "int": one,
        "intArray": ints(one),
        "strArray": [f"s{value}" for value in ints(one)],
        "intIntArray": [ints(one + step, 3) for step in range(3)],
        "objArray": objects(one),
    }


QUALITY = {"DQ_Status": {"code": 2, "label": "Niveau 1"}}
QUALITIES = [
    {"nameOfMeasure": "DQ_Status", "DQ_Result": {"code": 2, "label": "Niveau 1"}},
    {"nameOfMeasure": "DQ_Qualification", "DQ_Result": {"code": 1, "label": "Correcte"}},
]
#: Members of other types than those of the rest have.
ODD = (
    {"int": text(13), "string": False, "boolean": 13, "objArray": ints(13)},
    {"boolean": text(14), "int": True, "string": 14, "objArray": [ints(14)]},
    {"boolean": "true", "int": "5"},
)
UNITS = (
    {"name": "degree Celsius", "symbol": "°C", "definition": "Cel"},
    {"name": "degree Fahrenheit", "symbol": "°F", "definition": "[degF]"},
)


@pytest.fixture(scope="module")
def ids(filled: Service) -> dict[str, list[Any]]:
    """Ids of what was made, by set and number."""
    things = [
        filled.make("Things", thing(f"thing {number}", properties=members(number, 8)))
        for number in range(4)
    ]
    filled.post("Locations", place(Things=[ref(things[0])]))
    streams = [
        filled.make(
            "Datastreams",
            datastream(
                observationType=ANY_OBSERVATION, Thing=ref(things[0]), unitOfMeasurement=unit
            ),
        )
        for unit in UNITS
    ]
    path = f"{at('Datastreams', streams[0])}/Observations"
    seen = []
    for number in range(13 + len(ODD)):
        body: dict[str, object] = {
            "phenomenonTime": f"2016-01-01T00:00:{number:02}Z",
            "result": number if number < 13 else "odd",
            "parameters": members(number) if number < 13 else ODD[number - 13],
        }
        if number < 13:
            body["resultQuality"] = QUALITIES if number % 2 else QUALITY
        seen.append(filled.make(path, body))
    return {"Things": things, "Datastreams": streams, "Observations": seen}


T, D, O = "Things", "Datastreams", "Observations"  # noqa: E741
HERE = "Datastream/Thing/properties"
CASES: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    ("test03StringFilter", T, f"properties/string eq '{text(2)}'", (2,)),
    ("test03StringFilter", O, f"parameters/string eq '{text(2)}'", (2,)),
    ("test03StringFilter", T, "properties/objArray[0]/string eq 'jklmnopqrs'", (1,)),
    ("test03StringFilter", O, "parameters/objArray[0]/string eq 'jklmnopqrs'", (9,)),
    ("test03StringFilter", O, "parameters/int eq '5'", (5, 15)),
    ("test03StringFilter", T, "substringof('cdefgh', properties/string)", (0, 1, 2)),
    ("test04NumberFilter", T, "properties/int eq 10", (2,)),
    ("test04NumberFilter", O, "parameters/int eq 2", (2,)),
    ("test04NumberFilter", T, "properties/int gt 9", (2, 3)),
    ("test04NumberFilter", O, "parameters/int lt 2", (0, 1)),
    ("test04NumberFilter", T, "properties/intArray[1] gt 10", (2, 3)),
    ("test04NumberFilter", O, "parameters/intArray[1] le 2", (0, 1)),
    ("test04NumberFilter", T, "properties/intIntArray[1][0] gt 10", (2, 3)),
    ("test04NumberFilter", T, "properties/objArray[1]/intArray[1] gt 11", (2, 3)),
    ("test05BooleanFilter", T, "properties/boolean eq false", (1, 3)),
    ("test05BooleanFilter", T, "properties/boolean", (0, 2)),
    ("test05BooleanFilter", T, "not properties/boolean", (1, 3)),
    ("test05BooleanFilter", O, "parameters/boolean eq false", (1, 3, 5, 7, 9, 11)),
    ("test06UnitOfMeasurementFilter", D, "unitOfMeasurement/symbol eq '°C'", (0,)),
    ("test06UnitOfMeasurementFilter", D, "unitOfMeasurement/symbol eq '°F'", (1,)),
    ("test06UnitOfMeasurementFilter", D, "unitOfMeasurement/name eq 'degree Celsius'", (0,)),
    ("test06UnitOfMeasurementFilter", D, "unitOfMeasurement/definition eq '[degF]'", (1,)),
    ("test07PropertyCompare", O, f"parameters/int eq {HERE}/int", (8,)),
    ("test07PropertyCompare", O, f"parameters/string eq {HERE}/string", (0,)),
    (
        "test07PropertyCompare",
        O,
        f"parameters/boolean eq {HERE}/boolean",
        (0, 2, 4, 6, 8, 10, 12, 15),
    ),
    ("test08InNumberFilter", T, "properties/int in (8,9)", (0, 1)),
    ("test08InNumberFilter", T, "9 in properties/intArray", (0, 1)),
    ("test08InNumberFilter", T, "'s10' in properties/strArray", (0, 1, 2)),
    ("test20ResultQualityFilter", O, "resultQuality/DQ_Status/code eq 2", (0, 2, 4, 6, 8, 10, 12)),
    ("test20ResultQualityFilter", O, "resultQuality[0]/DQ_Result/code eq 2", (1, 3, 5, 7, 9, 11)),
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


@requirement("req/resource-path/resource-path-to-entities")
@pytest.mark.parametrize(
    ("name", "prop"),
    [
        pytest.param(
            "Things",
            "properties",
            marks=behaviour(CLASS, "test01FetchLowLevelThingProperties"),
        ),
        pytest.param(
            "Observations",
            "parameters",
            marks=behaviour(CLASS, "test02FetchLowLevelObservationParameters"),
        ),
    ],
)
def test_paths_lead_to_every_member(
    filled: Service, ids: dict[str, list[Any]], name: str, prop: str
) -> None:
    number = 2
    whole = members(number, 8 if name == "Things" else 0)
    path = f"{at(name, ids[name][number])}/{prop}"
    for member, value in whole.items():
        assert filled.get(f"{path}/{member}") == {member: value}
    assert filled.get(f"{path}/intArray[1]") == {"intArray[1]": whole["intArray"][1]}
    deep = whole["intIntArray"][1][1]
    assert filled.get(f"{path}/intIntArray[1][1]") == {"intIntArray[1][1]": deep}
    found = filled.get(f"{path}/objArray[1]/string")
    assert found == {"string": whole["objArray"][1]["string"]}
    assert filled.ask(f"{path}/nothing").status_code in (204, 404)


@behaviour(CLASS, "test21SelectUnit")
@requirement("req/request-data/select")
def test_members_can_be_selected(filled: Service, ids: dict[str, list[Any]]) -> None:
    path = at("Datastreams", ids["Datastreams"][0])
    found = filled.get(path, select="unitOfMeasurement/name")
    assert found == {"unitOfMeasurement": {"name": "degree Celsius"}}
    whole = filled.get(at("Things", ids["Things"][0]), select="properties/int,name")
    assert whole == {"name": "thing 0", "properties": {"int": 8}}
