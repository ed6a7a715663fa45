"""Conditions on places."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    Service,
    datastream,
    feature,
    place,
    point,
    ref,
    thing,
)

CLASS = "c03filtering/GeoTests"
pytestmark = [
    requirement("req/request-data/built-in-query-functions"),
    requirement("req/request-data/filter"),
]
SHAPES: tuple[dict[str, object], ...] = (
    point(8, 51),
    point(8, 52),
    point(8, 53),
    point(8, 54),
    {"type": "Polygon", "coordinates": [[[8, 53], [7, 52], [7, 53], [8, 53]]]},
    {"type": "LineString", "coordinates": [[5, 52], [5, 53]]},
    {"type": "LineString", "coordinates": [[5, 52], [6, 53]]},
    {"type": "LineString", "coordinates": [[4, 52], [8, 52]]},
)
#: Thing of each place, and Datastream of each observation there.
OWNERS = (0, 0, 1, 2, 3)
STREAMS = (0, 0, 1, 2)
BOX = "geography'POLYGON((7.5 51.5, 7.5 53.5, 8.5 53.5, 8.5 51.5, 7.5 51.5))'"
LINE = "geography'LINESTRING(7.5 51, 7.5 54)'"
SHORT = "geography'LINESTRING(7.5 51.5, 7.5 53.5)'"
HERE = "geography'POINT(8 54.1)'"


@pytest.fixture(scope="module")
def ids(filled: Service) -> dict[str, list[Any]]:
    """Ids of what was made, by set, in the order of `SHAPES`."""
    things = [filled.make("Things", thing(f"thing {number}")) for number in range(4)]
    streams = [
        filled.make("Datastreams", datastream(f"stream {number}", Thing=ref(things[owner])))
        for number, owner in enumerate((0, 1, 2))
    ]
    places, features, observations = [], [], []
    for number, shape in enumerate(SHAPES):
        owner = {"Things": [ref(things[OWNERS[number]])]} if number < len(OWNERS) else {}
        places.append(filled.make("Locations", place(f"place {number}", shape, **owner)))
        features.append(filled.make("FeaturesOfInterest", feature(f"feature {number}", shape)))
        if number < len(STREAMS):
            body = {
                "phenomenonTime": f"2016-01-0{number + 1}T01:01:01Z",
                "result": number + 1,
                "Datastream": ref(streams[STREAMS[number]]),
                "FeatureOfInterest": ref(features[-1]),
            }
            observations.append(filled.make("Observations", body))
    return {
        "Locations": places,
        "FeaturesOfInterest": features,
        "Observations": observations,
        "Datastreams": streams,
    }


L, F, O, D = "Locations", "FeaturesOfInterest", "Observations", "Datastreams"  # noqa: E741
CASES: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
    ("testGeoDistance", L, f"geo.distance(location, {HERE}) lt 1", (3,)),
    ("testGeoDistance", L, f"geo.distance(location, {HERE}) gt 1", (0, 1, 2, 4, 5, 6, 7)),
    ("testGeoDistance", O, f"geo.distance(FeatureOfInterest/feature, {HERE}) lt 1", (3,)),
    ("testGeoDistance", O, f"geo.distance(FeatureOfInterest/feature, {HERE}) gt 1", (0, 1, 2)),
    ("testGeoIntersects", L, f"geo.intersects(location, {LINE})", (4, 7)),
    ("testGeoIntersects", F, f"geo.intersects(feature, {LINE})", (4, 7)),
    ("testGeoIntersects", D, f"geo.intersects(observedArea, {BOX})", (0, 1)),
    ("testGeoLength", L, "geo.length(location) gt 1", (6, 7)),
    ("testGeoLength", L, "geo.length(location) ge 1", (5, 6, 7)),
    ("testGeoLength", L, "geo.length(location) eq 1", (5,)),
    ("testGeoLength", L, "geo.length(location) ne 1", (0, 1, 2, 3, 4, 6, 7)),
    ("testGeoLength", L, "geo.length(location) le 4", (0, 1, 2, 3, 4, 5, 6, 7)),
    ("testGeoLength", L, "geo.length(location) lt 4", (0, 1, 2, 3, 4, 5, 6)),
    ("testGeoLength", F, "geo.length(feature) gt 1", (6, 7)),
    ("testGeoLength", F, "geo.length(feature) eq 1", (5,)),
    ("testGeoLength", F, "geo.length(feature) lt 4", (0, 1, 2, 3, 4, 5, 6)),
    ("testStContains", L, f"st_contains({BOX}, location)", (1, 2)),
    ("testStContains", O, f"st_contains({BOX}, FeatureOfInterest/feature)", (1, 2)),
    ("testStContains", D, f"st_contains({BOX}, observedArea)", (1,)),
    ("testStCrosses", L, f"st_crosses({SHORT}, location)", (4, 7)),
    ("testStCrosses", F, f"st_crosses({SHORT}, feature)", (4, 7)),
    ("testStDisjoint", L, f"st_disjoint({BOX}, location)", (0, 3, 5, 6)),
    ("testStDisjoint", F, f"st_disjoint({BOX}, feature)", (0, 3, 5, 6)),
    ("testStEquals", L, "st_equals(location, geography'POINT(8 53)')", (2,)),
    ("testStEquals", F, "st_equals(feature, geography'POINT(8 53)')", (2,)),
    ("testStIntersects", L, f"st_intersects(location, {LINE})", (4, 7)),
    ("testStIntersects", F, f"st_intersects(feature, {LINE})", (4, 7)),
    ("testStIntersects", D, f"st_intersects(observedArea, {BOX})", (0, 1)),
    ("testStOverlaps", L, f"st_overlaps({BOX}, location)", (4,)),
    ("testStOverlaps", F, f"st_overlaps({BOX}, feature)", (4,)),
    ("testStRelate", L, f"st_relate({BOX}, location, 'T********')", (1, 2, 4, 7)),
    ("testStRelate", F, f"st_relate({BOX}, feature, 'T********')", (1, 2, 4, 7)),
    (
        "testStTouches",
        L,
        "st_touches(geography'POLYGON((8 53, 7.5 54.5, 8.5 54.5, 8 53))', location)",
        (2, 4),
    ),
    (
        "testStTouches",
        F,
        "st_touches(geography'POLYGON((8 53, 7.5 54.5, 8.5 54.5, 8 53))', feature)",
        (2, 4),
    ),
    ("testStWithin", L, "st_within(geography'POINT(7.5 52.75)', location)", (4,)),
    ("testStWithin", F, "st_within(geography'POINT(7.5 52.75)', feature)", (4,)),
)


@pytest.mark.parametrize(
    ("name", "condition", "found"),
    [pytest.param(*rest, marks=behaviour(CLASS, test), id=f"{rest[0]} {rest[1]}")
     for test, *rest in CASES],
)  # fmt: skip
def test_entities_are_found_by_place(
    filled: Service, ids: dict[str, list[Any]], name: str, condition: str, found: tuple[int, ...]
) -> None:
    answered = filled.ids(name, filter=condition)
    assert sorted(ids[name].index(id_) for id_ in answered) == list(found)


@pytest.mark.parametrize(
    "condition", ["st_within(location)", "geo.length(name) gt", "st_x(location, location)"]
)
def test_a_bad_condition_is_answered_with_400(filled: Service, condition: str) -> None:
    assert filled.ask("Locations", filter=condition).status_code == 400
