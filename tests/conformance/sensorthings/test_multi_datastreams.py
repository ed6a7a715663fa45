"""MultiDatastreams: several results at once."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import behaviour, never, requirement
from tests.conformance.sensorthings.service import (
    Service,
    at,
    datastream,
    multi,
    observed,
    place,
    ref,
    sensor,
    thing,
)

CLASS = "c05multidatastream/MultiDatastreamTests"
pytestmark = [
    requirement("req/multi-datastream/properties"),
    requirement("req/multi-datastream/relations"),
    requirement("req/multi-datastream/constraints"),
]
#: ObservedProperties and Sensor of each MultiDatastream.
STREAMS = (((0,), 0), ((0, 1), 0), ((1, 0), 0), ((0, 0), 1))


class Filled:
    """Two Datastreams and four MultiDatastreams of one Thing, with observations."""

    def __init__(self, sta: Service) -> None:
        self.sta = sta
        self.thing = sta.make("Things", thing(Locations=[place()]))
        self.sensors = [sta.make("Sensors", sensor(f"probe {number}")) for number in range(2)]
        names = ("temperature", "humidity")
        self.observed = [sta.make("ObservedProperties", observed(name)) for name in names]
        links: dict[str, Any] = {
            "Thing": ref(self.thing),
            "ObservedProperty": ref(self.observed[0]),
        }
        self.streams = [
            sta.make("Datastreams", {**datastream(), **links, "Sensor": ref(probe)})
            for probe in self.sensors
        ]
        self.multis = [
            sta.make(
                "MultiDatastreams",
                multi(
                    *(names[at_] for at_ in those),
                    things=ref(self.thing),
                    observed_ids=[self.observed[at_] for at_ in those],
                    Sensor=ref(self.sensors[probe]),
                ),
            )
            for those, probe in STREAMS
        ]
        self.seen: list[Any] = []
        for number, stream in enumerate(self.streams):
            self.seen.append(self._observe("Datastream", stream, number, 0))
        for number, (those, _) in enumerate(STREAMS):
            for step in range(3):
                result = [3 * number + step + index for index in range(len(those))]
                self.seen.append(
                    self._observe("MultiDatastream", self.multis[number], result, step)
                )

    def _observe(self, kind: str, stream: object, result: object, step: int) -> Any:
        time = f"2016-01-01T0{step}:00:00Z"
        body = {"phenomenonTime": time, "result": result, kind: ref(stream)}
        return self.sta.make("Observations", body)

    def multi(self, number: int) -> str:
        return at("MultiDatastreams", self.multis[number])


@pytest.fixture
def many(sta: Service) -> Filled:
    return Filled(sta)


@behaviour(CLASS, "test01MultiDatastream")
@behaviour(CLASS, "test02ObservationInMultiDatastream")
@behaviour(CLASS, "test15Observations")
def test_results_of_several_properties_are_one_observation(many: Filled) -> None:
    assert sorted(many.sta.ids("Observations"), key=str) == sorted(many.seen, key=str)
    assert many.sta.get(at("Observations", many.seen[5]))["result"] == [3, 4]
    found = many.sta.get(many.multi(1))
    assert len(found["multiObservationDataTypes"]) == len(found["unitOfMeasurements"]) == 2


@behaviour(CLASS, "test03ObservationInMultiDatastreamIncorrect")
@pytest.mark.parametrize(
    ("number", "result"), [(1, 1), (0, [1, 2]), (1, [1]), (1, "ab"), (1, None)]
)
def test_a_result_that_does_not_fit_is_refused(many: Filled, number: int, result: object) -> None:
    many.sta.post(f"{many.multi(number)}/Observations", {"result": result}, 400)
    assert len(many.sta.ids(f"{many.multi(number)}/Observations")) == 3


@behaviour(CLASS, "test04Json")
def test_links_and_properties_are_shown(many: Filled) -> None:
    sta = many.sta
    for name in ("Things", "Sensors", "ObservedProperties"):
        assert "MultiDatastreams@iot.navigationLink" in sta.get(name)["value"][0]
    for entity in sta.get("Observations")["value"]:
        links = {"MultiDatastream@iot.navigationLink", "Datastream@iot.navigationLink"}
        assert links & entity.keys()
    shown = sta.get("MultiDatastreams")["value"][0].keys()
    links = {"Thing", "Sensor", "ObservedProperties", "Observations"}
    assert {f"{link}@iot.navigationLink" for link in links} <= shown
    path = f"{at('Observations', many.seen[6])}/result[0]"
    assert sta.get(path) == {"result[0]": 4}


@behaviour(CLASS, "test05MultiDatastreamThings")
@behaviour(CLASS, "test06MultiDatastreamSensors")
@behaviour(CLASS, "test07MultiDatastreamObservedProperties1")
@behaviour(CLASS, "test08MultiDatastreamObservedProperties2")
@pytest.mark.parametrize(
    ("start", "streams", "multis"),
    [
        ("Things", (0, 1), (0, 1, 2, 3)),
        ("Sensors 0", (0,), (0, 1, 2)),
        ("Sensors 1", (1,), (3,)),
        ("ObservedProperties 0", (0, 1), (0, 1, 2, 3)),
        ("ObservedProperties 1", (), (1, 2)),
    ],
)
def test_entities_lead_to_their_multi_datastreams(
    many: Filled, start: str, streams: tuple[int, ...], multis: tuple[int, ...]
) -> None:
    name, _, number = start.partition(" ")
    ids = {"Things": [many.thing], "Sensors": many.sensors, "ObservedProperties": many.observed}
    path = at(name, ids[name][int(number or 0)])
    assert many.sta.ids(f"{path}/Datastreams") == [many.streams[one] for one in streams]
    assert many.sta.ids(f"{path}/MultiDatastreams") == [many.multis[one] for one in multis]


@behaviour(CLASS, "test09ObservationLinks1")
@behaviour(CLASS, "test10ObservationLinks2")
def test_an_observation_has_one_kind_of_datastream(many: Filled) -> None:
    kinds = ("Datastream", "MultiDatastream")
    for seen, has, has_not in ((0, *kinds), (2, *reversed(kinds))):
        path = at("Observations", many.seen[seen])
        assert many.sta.get(f"{path}/{has}")["@iot.id"] in (many.streams[0], many.multis[0])
        assert many.sta.ask(f"{path}/{has_not}").status_code in (204, 404)
        assert many.sta.get(path, expand=f"{has},{has_not}").get(has_not) is None


def test_observed_properties_keep_their_order(many: Filled) -> None:
    for number, (those, _) in enumerate(STREAMS[:3]):
        found = many.sta.ids(f"{many.multi(number)}/ObservedProperties")
        assert found == [many.observed[one] for one in those]
    expanded = many.sta.get(many.multi(2), expand="ObservedProperties")["ObservedProperties"]
    assert [one["@iot.id"] for one in expanded] == [many.observed[1], many.observed[0]]


@behaviour(CLASS, "test11ObservedPropertyOrder")
@behaviour("c05multidatastream/MultiDatastreamObsPropTests", "test04ObservedPropertyOrder")
def test_an_observed_property_of_two_numbers_is_listed_twice(many: Filled) -> None:
    found = many.sta.ids(f"{many.multi(3)}/ObservedProperties")
    assert found == [many.observed[0]] * 2


@behaviour(CLASS, "test12IncorrectObservation")
@behaviour(CLASS, "test13IncorrectObservedProperty")
def test_links_that_contradict_are_refused(many: Filled) -> None:
    seen = at("Observations", many.seen[0])
    many.sta.change("PATCH", seen, {"MultiDatastream": ref(many.multis[0])}, 400)
    what = at("ObservedProperties", many.observed[1])
    many.sta.change("PATCH", what, {"MultiDatastreams": [ref(many.multis[0])]}, 400)


@behaviour(CLASS, "test14FetchObservationsByMultiDatastream")
def test_observations_are_found_by_multi_datastream(many: Filled) -> None:
    for number in range(4):
        first = 2 + 3 * number
        assert many.sta.ids(f"{many.multi(number)}/Observations") == many.seen[first : first + 3]
    found = many.sta.ids("Observations", filter="MultiDatastream/name eq 'temperature'")
    assert found == many.seen[2:5]


@behaviour(CLASS, "test16DeleteObservedProperty")
@behaviour(CLASS, "test17DeleteSensor")
@behaviour(CLASS, "test18DeleteThing")
@requirement("req/create-update-delete/delete-entity")
def test_multi_datastreams_go_with_what_they_need(many: Filled) -> None:
    sta = many.sta
    sta.delete(at("ObservedProperties", many.observed[1]))
    assert sta.ids("MultiDatastreams") == [many.multis[0], many.multis[3]]
    left = {*many.seen[:5], *many.seen[11:]}
    assert set(sta.ids("Observations")) == left
    sta.delete(at("Sensors", many.sensors[1]))
    assert sta.ids("MultiDatastreams") == [many.multis[0]]
    sta.delete(at("Things", many.thing))
    assert sta.ids("MultiDatastreams") == sta.ids("Observations") == []


OBSERVED = "c05multidatastream/MultiDatastreamObsPropTests"


@behaviour(OBSERVED, "test01CreateMultiDatastreams")
@behaviour(OBSERVED, "test02MultiDatastreamObservedProperties1")
@behaviour(OBSERVED, "test03MultiDatastreamObservedProperties2")
def test_observed_properties_may_be_made_along_the_way(sta: Service) -> None:
    owner = sta.make("Things", thing())
    made = sta.make("MultiDatastreams", multi("a", "b", "c", things=ref(owner)))
    found = sta.all(f"{at('MultiDatastreams', made)}/ObservedProperties")
    assert [one["name"] for one in found] == ["a", "b", "c"]
    for one in found:
        assert sta.ids(f"{at('ObservedProperties', one['@iot.id'])}/MultiDatastreams") == [made]
    few = multi("a", "b", things=ref(owner), observed_ids=[found[0]["@iot.id"]])
    sta.post("MultiDatastreams", few, 400)


def take_off(sta: Service, made: object, what: object) -> int:
    path = f"{at('MultiDatastreams', made)}/{at('ObservedProperties', what)}/$ref"
    return sta.http.delete(sta.url(path)).status_code


def test_an_observed_property_that_is_needed_cannot_be_taken_off(sta: Service) -> None:
    made = sta.make("MultiDatastreams", multi("a", "b", things=thing()))
    assert take_off(sta, made, sta.ids("ObservedProperties")[0]) in (400, 409)
    assert len(sta.ids(f"{at('MultiDatastreams', made)}/ObservedProperties")) == 2


@behaviour(OBSERVED, "test05UnLinkObsProp1")
@never(
    "the numbers of its results would not fit its ObservedProperties any more, which "
    "req/multi-datastream/constraints forbids"
)
def test_an_observed_property_can_be_taken_off(sta: Service) -> None:
    made = sta.make("MultiDatastreams", multi("a", "b", things=thing()))
    assert take_off(sta, made, sta.ids("ObservedProperties")[0]) == 204
