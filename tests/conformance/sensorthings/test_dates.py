"""Conditions on times and intervals."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.date_cases import (
    DATASTREAM_CASES,
    OBSERVATION_CASES,
    DatastreamCase,
    ObservationCase,
)
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import (
    ANY_OBSERVATION,
    COMPLEX,
    Service,
    at,
    datastream,
    feature,
    multi,
    place,
    ref,
    thing,
)

CLASSES = {
    "Datastream": "c03filtering/DateTimeTests",
    "MultiDatastream": "c05multidatastream/MdDateTimeTests",
}
pytestmark = requirement("req/request-data/built-in-filter-operations")


def clock(text: str) -> str:
    """`7:01` is on the first day of 2016, `2015` at six of that year's, `a-b` an interval."""
    if "-" in text:
        return "/".join(map(clock, text.split("-")))
    if ":" in text:
        hour, minute = text.split(":")
        return f"2016-01-01T0{hour}:{minute}:00Z"
    years = {"2014": 6, "2015": 6, "2017": 9, "2018": 9}
    year, _, more = text.partition("+")
    return f"{year}-01-01T{years[year] + int(more or 0):02}:00:00Z"


#: phenomenonTime of each, and resultTime of those that are intervals and have one.
OBSERVATIONS = (
    *("6:00", "6:59", "7:00", "7:01", "7:59", "8:00", "8:01", "9:00"),
    *("6:00-6:59", "6:00-7:00", "6:00-7:01", "7:00-8:00", "7:01-7:59", "7:59-9:00", "8:00-9:00"),
    *("8:01-9:00", "6:59-8:01", "7:00-7:59", "7:00-8:01", "6:59-8:00", "7:01-8:00"),
    *("2015", "2017", "2015-2015+1", "2017-2017+1"),
)
RESULT_TIMES = {"2015-2015+1": "2015", "2017-2017+1": "2017+1"}
DATASTREAM_TIMES = (
    *("2014", "2015", "7:00", "2017+1", "2018", "7:00-8:00", "2014-2015", "2014-2017+1"),
    *("2014-2018", "2015-2017+1", "2015-2018", "2017+1-2018"),
)
SEVEN, EIGHT, NINE = map(clock, ("7:00", "8:00", "9:00"))


class Filled:
    """A Datastream or MultiDatastream with observations at all those times."""

    def __init__(self, sta: Service, kind: str) -> None:
        self.sta = sta
        self.kind = kind
        owner = sta.make("Things", thing(Locations=[place()]))
        bodies: dict[str, Any] = {
            "Datastream": datastream(observationType=ANY_OBSERVATION, Thing=ref(owner)),
            "MultiDatastream": multi("a", Thing=ref(owner), observationType=COMPLEX),
        }
        self.stream = sta.make(f"{kind}s", bodies[kind])
        self.empty = sta.make(f"{kind}s", bodies[kind])
        self.ids = [self._observe(number, text) for number, text in enumerate(OBSERVATIONS)]

    def _observe(self, number: int, text: str) -> Any:
        is_interval = "-" in text
        body = {
            "phenomenonTime": clock(text),
            "result": number if self.kind == "Datastream" else [number],
            self.kind: ref(self.stream),
            "FeatureOfInterest": feature(f"feature {number}"),
        }
        if is_interval:
            body["validTime"] = clock(text)
        made = RESULT_TIMES.get(text, "" if is_interval else text)
        if made:
            body["resultTime"] = clock(made)
        return self.sta.make("Observations", body)

    def find(self, condition: str) -> list[int]:
        """Return the numbers of the observations for which a condition holds."""
        found = self.sta.ids("Observations", filter=condition, top=100)
        return sorted(self.ids.index(id_) for id_ in found)

    def holds(self, condition: str) -> bool:
        """Tell whether a condition holds for the one with observations; never for the other."""
        found = self.sta.ids(f"{self.kind}s", filter=condition)
        assert self.empty not in found
        return found == [self.stream]


@pytest.fixture(scope="module", params=list(CLASSES))
def times(request: pytest.FixtureRequest, filled: Service) -> Filled:
    filled.clear()
    return Filled(filled, request.param)


def each(cases: Any) -> Any:
    marks = [
        pytest.param(
            case,
            marks=[behaviour(name, case.behaviour) for name in CLASSES.values()],
            id=f"{case.behaviour} {case.condition}",
        )
        for case in cases
    ]
    return pytest.mark.parametrize("case", marks)


def both(name: str) -> Any:
    def mark(test: Any) -> Any:
        for group in CLASSES.values():
            test = behaviour(group, name)(test)
        return test

    return mark


@each(OBSERVATION_CASES)
def test_observations_are_found_by_time(times: Filled, case: ObservationCase) -> None:
    properties = ("resultTime", "validTime", "phenomenonTime")
    asked = [(name, value) for value in ("7:00", "7:00-8:00") for name in properties]
    for (name, value), found in zip(asked, case.found, strict=True):
        condition = case.condition.format(time=name, value=clock(value))
        assert times.find(condition) == list(found), condition


@each(DATASTREAM_CASES)
def test_datastreams_are_found_by_time(times: Filled, case: DatastreamCase) -> None:
    for value, holds in zip(DATASTREAM_TIMES, case.holds, strict=True):
        for name in ("phenomenonTime", "resultTime"):
            condition = case.condition.format(time=name, value=clock(value))
            if holds != "-":
                assert times.holds(condition) == bool(int(holds)), condition


DURING = (
    ("during(resultTime,7:00-8:00)", (2, 3, 4)),
    ("during(validTime,7:00-8:00)", (11, 12, 17, 20)),
    ("during(phenomenonTime,7:00-8:00)", (2, 3, 4, 11, 12, 17, 20)),
    ("during(7:00,validTime)", (10, 11, 16, 17, 18, 19)),
    ("during(7:00,phenomenonTime)", (10, 11, 16, 17, 18, 19)),
    ("during(7:00-8:00,validTime)", (11, 16, 18, 19)),
    ("during(7:00-8:00,phenomenonTime)", (11, 16, 18, 19)),
)


@both("test09During")
@pytest.mark.parametrize(("condition", "found"), DURING)
def test_during_is_for_intervals(times: Filled, condition: str, found: tuple[int, ...]) -> None:
    condition = condition.replace("7:00-8:00", clock("7:00-8:00")).replace("(7:00,", f"({SEVEN},")
    assert times.find(condition) == list(found)


@both("test09During")
@pytest.mark.parametrize("second", [SEVEN, "resultTime"])
def test_nothing_is_during_an_instant(times: Filled, second: str) -> None:
    for first in ("validTime", "phenomenonTime", "resultTime", SEVEN):
        if first != second:
            answer = times.sta.ask("Observations", filter=f"during({first},{second})")
            assert answer.status_code == 400


@both("test13Year")
@requirement("req/request-data/built-in-query-functions")
@pytest.mark.parametrize(
    ("name", "found"),
    [("resultTime", (21, 23)), ("validTime", (23,)), ("phenomenonTime", (21, 23))],
)
def test_the_year_of_an_interval_is_that_of_its_start(
    times: Filled, name: str, found: tuple[int, ...]
) -> None:
    assert times.find(f"year({name}) eq 2015") == list(found)


HOUR = "duration'PT1H'"
DURATIONS = (
    (f"{{}} add {HOUR} gt {NINE}", ((6, 7, 22, 24), (15, 24), (6, 7, 15, 22, 24))),
    (f"{{}} gt {NINE} sub {HOUR}", ((6, 7, 22, 24), (15, 24), (6, 7, 15, 22, 24))),
    (f"{{}} sub {HOUR} gt {SEVEN}", ((6, 7, 22, 24), (15, 24), (6, 7, 15, 22, 24))),
    (
        f"{{}} lt {clock('6:00-7:00')} add {HOUR}",
        ((0, 1, 21, 23), (8, 9, 23), (0, 1, 8, 9, 21, 23)),
    ),
    (
        f"{{}} gt {clock('8:00-9:00')} sub {HOUR}",
        ((5, 6, 7, 22, 24), (14, 15, 24), (5, 6, 7, 14, 15, 22, 24)),
    ),
)


@both("test14Durations")
@pytest.mark.parametrize(("condition", "found"), DURATIONS)
def test_durations_move_times(
    times: Filled, condition: str, found: tuple[tuple[int, ...], ...]
) -> None:
    for name, numbers in zip(("resultTime", "validTime", "phenomenonTime"), found, strict=True):
        assert times.find(condition.format(name)) == list(numbers)


@both("test14Durations")
def test_the_difference_of_times_is_a_duration(times: Filled) -> None:
    assert times.find(f"resultTime sub {EIGHT} eq {HOUR}") == [7]


@both("test15AlternativeOverlaps")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("resultTime", (2, 3, 4)),
        ("validTime", (10, 11, 12, 13, 16, 17, 18, 19, 20)),
        ("phenomenonTime", (2, 3, 4, 10, 11, 12, 13, 16, 17, 18, 19, 20)),
    ],
)
def test_what_is_neither_before_nor_after_overlaps(
    times: Filled, name: str, found: tuple[int, ...]
) -> None:
    condition = f"not {name} lt {SEVEN} and not {name} ge {EIGHT}"
    assert times.find(condition) == list(found)


@both("test19PhenomenonTimeAfterDelete")
@requirement("req/datamodel/datastream/properties")
def test_a_datastream_without_observations_has_no_time(sta: Service) -> None:
    filled = Filled(sta, "Datastream")
    assert sta.get(at("Datastreams", filled.stream))["phenomenonTime"]
    sta.delete("Observations", filter="result ge 0")
    assert sta.get(at("Datastreams", filled.stream)).get("phenomenonTime") is None
