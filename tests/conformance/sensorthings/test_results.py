"""Results of every type, and what may be said about one."""

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
    quoted,
    ref,
    thing,
)

CLASS = "c02cud/ResultTypesTests"
pytestmark = requirement("req/datamodel/observation/properties")
OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
QUALITY = {"DQ_Status": {"code": "https://example.org/446#2", "label": "Niveau 1"}}
QUALITIES = [
    {"nameOfMeasure": "DQ_Status", "DQ_Result": {"code": 2, "label": "Niveau 1"}},
    {"nameOfMeasure": "DQ_Qualification", "DQ_Result": {"code": 1, "label": "é"}},
]


def stream(sta: Service, kind: str = ANY_OBSERVATION) -> str:
    """Make a Datastream and return its path."""
    body = thing(Locations=[place()], Datastreams=[datastream(observationType=kind)])
    sta.post("Things", body)
    return at("Datastreams", sta.ids("Datastreams")[0])


def case(name: str, *results: object) -> Any:
    return pytest.param(results, marks=behaviour(CLASS, name), id=name)


@pytest.mark.parametrize(
    "results",
    [
        case("testBooleanResult", True, False),
        case("testStringResult", "fourty two"),
        case("testNumericResult", 1, 1.23, -4e12),
        case("testObjectResult", {"number": 1.23, "string": "a", "boolean": True, "null": None}),
        case("testArrayResult", [1.23, "One comma twentythree", True], []),
        case("testNullResult", None),
    ],
)
def test_a_result_comes_back_as_it_was(sta: Service, results: tuple[object, ...]) -> None:
    path = stream(sta)
    for number, result in enumerate(results):
        body = {"phenomenonTime": f"2026-01-01T00:00:0{number}Z", "result": result}
        id_ = sta.make(f"{path}/Observations", body)
        found = sta.get(at("Observations", id_))["result"]
        assert found == result
        assert isinstance(found, bool) == isinstance(result, bool)


@behaviour(CLASS, "testNullResult")
def test_a_result_can_become_null(sta: Service) -> None:
    path = at("Observations", sta.make(f"{stream(sta)}/Observations", {"result": 1.23}))
    sta.change("PATCH", path, {"result": None})
    assert sta.get(path)["result"] is None


@pytest.mark.parametrize(
    "quality",
    [
        pytest.param(QUALITY, marks=behaviour(CLASS, "testResultQualityObject")),
        pytest.param(QUALITIES, marks=behaviour(CLASS, "testResultQualityArray")),
        "good",
        3,
    ],
)
def test_the_quality_of_a_result_is_any_json(sta: Service, quality: object) -> None:
    body = {"result": 1.0, "resultQuality": quality, "parameters": {"depth": 3}}
    found = sta.get(at("Observations", sta.make(f"{stream(sta)}/Observations", body)))
    assert found["resultQuality"] == quality
    assert found["parameters"] == {"depth": 3}


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("OM_Measurement", 21.5),
        ("OM_CountObservation", 7),
        ("OM_TruthObservation", True),
        ("OM_CategoryObservation", "wet"),
        ("OM_ComplexObservation", [1, {"a": 2}]),
        ("OM_Observation", "text"),
    ],
)
def test_every_observation_type_of_the_standard_is_kept(
    sta: Service, kind: str, result: object
) -> None:
    path = stream(sta, OM + kind)
    assert sta.get(path)["observationType"] == OM + kind
    id_ = sta.make(f"{path}/Observations", {"result": result})
    assert sta.get(at("Observations", id_))["result"] == result


def test_times_come_back_as_they_were(sta: Service) -> None:
    body = {
        "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
        "resultTime": "2026-01-01T02:00:00.250Z",
        "validTime": "2026-01-02T00:00:00Z/2026-01-03T00:00:00Z",
        "result": 5,
    }
    found = sta.get(at("Observations", sta.make(f"{stream(sta)}/Observations", body)))
    for name in ("phenomenonTime", "validTime", "resultTime"):
        assert found[name].replace(".000", "") == body[name]


@behaviour("c02cud/DeleteFilterTests", "testDeleteByTime")
@requirement("req/create-update-delete/delete-entity")
def test_observations_are_deleted_by_a_filter(sta: Service) -> None:
    path = stream(sta)
    times = [f"2026-01-01T0{hour}:00:00Z" for hour in range(6)]
    ids = [
        sta.make(
            f"{path}/Observations",
            {
                "phenomenonTime": time,
                "resultTime": time,
                "validTime": f"{time}/{time.replace(':00Z', ':30Z')}",
                "result": number,
            },
        )
        for number, time in enumerate(times)
    ]
    sta.delete(f"{path}/Observations", filter=f"resultTime lt {times[1]}")
    assert sta.ids("Observations", orderby="phenomenonTime") == ids[1:]
    sta.delete(f"{path}/Observations", filter=f"validTime lt {times[2]}")
    assert sta.ids("Observations", orderby="phenomenonTime") == ids[2:]
    sta.delete(f"{path}/Observations", filter=f"{times[4]} lt phenomenonTime")
    assert sta.ids("Observations", orderby="phenomenonTime") == ids[2:5]
    sta.delete("Observations", filter="result eq 3")
    assert sta.ids("Observations", orderby="phenomenonTime") == [ids[2], ids[4]]


@requirement("req/create-update-delete/update-entity")
def test_an_observation_keeps_its_id_when_it_is_moved(sta: Service) -> None:
    path = stream(sta)
    body = {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1}
    id_ = sta.make(f"{path}/Observations", body)
    sta.change("PATCH", at("Observations", id_), {"phenomenonTime": "2026-02-01T00:00:00Z"})
    found = sta.get(f"Observations({quoted(id_)})")
    assert found["@iot.id"] == id_
    assert found["phenomenonTime"].startswith("2026-02-01T00:00:00")
    assert sta.ids(f"{path}/Observations") == [id_]


@requirement("req/create-update-delete/update-entity")
def test_an_observation_can_be_moved_to_another_datastream(sta: Service) -> None:
    path = stream(sta)
    owner = sta.ids("Things")[0]
    other = sta.make("Datastreams", datastream("other", Thing=ref(owner)))
    id_ = sta.make(f"{path}/Observations", {"result": 1})
    sta.change("PATCH", at("Observations", id_), {"Datastream": ref(other)})
    assert sta.ids(f"{at('Datastreams', other)}/Observations") == [id_]
    assert sta.ids(f"{path}/Observations") == []
