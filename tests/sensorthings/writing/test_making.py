from __future__ import annotations

import pytest
from tests.sensorthings.writing.bodies import FEATURE, LOCATION, OM, UNIT, datastream, thing
from tests.sensorthings.writing.site import Site

from penstock.core.errors import InvalidInput, NotFound

NOTHING = ("Thing", "Datastream", "Sensor", "ObservedProperty", "Location", "FeatureOfInterest")


def test_a_thing_is_made_with_all_that_is_within_it(site: Site) -> None:
    first = {"phenomenonTime": "2024-05-01T12:00:00Z", "result": 21.5}
    second = {
        "phenomenonTime": "2024-05-01T13:00:00Z/2024-05-01T14:00:00Z",
        "resultTime": "2024-05-01T14:00:01Z",
        "result": 3,
        "resultQuality": {"code": "good"},
        "validTime": "2024-05-01T00:00:00Z/2024-05-02T00:00:00Z",
        "parameters": {"by": "hand"},
        "FeatureOfInterest": FEATURE,
    }
    id_ = site.post("Things", thing(datastream(Observations=[first, second])))
    row = site.row("Thing", id_)
    assert (row["name"], row["properties"]) == ("Boiler", {"floor": 3})
    assert [site.count(type_) for type_ in NOTHING] == [1, 1, 1, 1, 1, 2]
    assert site.count("HistoricalLocation") == 1
    one, two = site.observations(1)
    assert (one["phenomenonTime"], one["result"]) == ("2024-05-01T12:00:00Z", 21.5)
    assert one["resultTime"] is None
    for name in ("phenomenonTime", "resultTime", "result", "resultQuality", "validTime"):
        assert two[name] == second[name]
    assert two["parameters"] == {"by": "hand"}
    assert (one["@feature"], two["@feature"]) == (0, 2)
    assert site.entities.own_features([1]) == {1: 1}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (thing(datastream(Sensor={"name": "s"})), "Datastreams[0].Sensor"),
        (thing(datastream(Sensor={"@iot.id": 99})), "Datastreams[0].Sensor"),
        (thing(datastream(Observations=[{"phenomenonTime": "x", "result": 1}])), "Observations[0]"),
        (thing(datastream(Observations=[{"phenomenonTime": "2024-01-01T00:00:00Z"}])), "result"),
        (thing({"name": "d"}), "Datastreams[0]"),
        (thing(datastream(), nonsense=1), "nonsense"),
        (thing(datastream(), Locations=[{**LOCATION, "location": None}]), "Locations[0].location"),
        (thing(datastream("CategoryObservation", Observations=[{"result": [1]}])), "result"),
        (thing(datastream(Observations=[{"result": 1}]), Locations=[]), "FeatureOfInterest"),
        (thing(datastream(), name=5), "name"),
    ],
)
def test_what_is_wrong_anywhere_makes_nothing_and_says_where(
    site: Site, body: object, where: str
) -> None:
    with pytest.raises((InvalidInput, NotFound)) as problem:
        site.ask("post", "Things", body)
    assert where in str(problem.value)
    assert [site.count(type_) for type_ in NOTHING] == [0] * len(NOTHING)
    assert site.published == []


def test_what_the_path_leads_through_is_linked(site: Site) -> None:
    id_ = site.post("Things", thing())
    stream = site.post(f"Things({id_})/Datastreams", datastream())
    assert site.row("Datastream", stream, "Thing")["Thing@iot.id"] == id_
    place = site.post(f"Things({id_})/Locations", {**LOCATION, "name": "Cellar"})
    assert site.count("HistoricalLocation") == 2
    again = site.post(f"Locations({place})/Things", {"name": "Pump", "description": ""})
    assert site.row("Thing", again)["name"] == "Pump"
    with pytest.raises(NotFound):
        site.post("Things(77)/Datastreams", datastream())
    with pytest.raises(InvalidInput, match="Thing"):
        site.post(f"Things({id_})/Datastreams", datastream(Thing={"@iot.id": again}))


def test_an_observation_needs_no_time_and_keeps_one_of_its_own(site: Site) -> None:
    site.post("Things", thing(datastream()))
    made = [site.post("Datastreams(1)/Observations", {"result": n}) for n in range(5)]
    assert len(set(made)) == 5
    held = site.observations(1)
    assert [row["result"] for row in held] == [0, 1, 2, 3, 4]
    assert [row["@iot.id"] for row in held] == made
    assert {row["@feature"] for row in held} == {0}


def test_an_observation_may_bring_its_datastream_along(site: Site) -> None:
    body = {
        "phenomenonTime": "2024-05-01T12:00:00.5Z",
        "result": 7,
        "Datastream": datastream(Thing=thing()),
    }
    id_ = site.post("Observations", body)
    (row,) = site.observations(1)
    assert (row["@iot.id"], row["result"]) == (id_, 7)


def test_a_thing_that_moves_gives_observations_another_feature(site: Site) -> None:
    site.post("Things", thing(datastream()))
    site.post("Datastreams(1)/Observations", {"result": 1})
    site.post("Things(1)/Locations", {**LOCATION, "name": "Cellar"})
    site.post("Datastreams(1)/Observations", {"result": 2})
    assert [row["@feature"] for row in site.observations(1)] == [0, 2]
    assert site.row("FeatureOfInterest", 2)["name"] == "Cellar"


@pytest.mark.parametrize(
    ("kind", "results"),
    [
        ("Measurement", [1, 21.5, -0.25, None, 2**60 + 1, "warm", "21.5", True, [1], {"a": 1}]),
        ("CountObservation", [1, 2, "many"]),
        ("TruthObservation", [True, False, 1, "x"]),
        ("CategoryObservation", ["red", "123", 5]),
        ("Observation", [1, "123", "a", True, None, {"x": [1]}, []]),
        ("ComplexObservation", [{"x": 1}, "null", 0.1]),
    ],
)
def test_results_of_every_kind_are_read_back_equal(
    site: Site, kind: str, results: list[object]
) -> None:
    given = [
        {"phenomenonTime": f"2024-05-01T12:00:{n:02}Z", "result": result}
        for n, result in enumerate(results)
    ]
    site.post("Things", thing(datastream(kind, Observations=given)))
    held = [row["result"] for row in site.observations(1)]
    assert held == results
    assert [type(one) for one in held if isinstance(one, bool)] == [
        type(one) for one in results if isinstance(one, bool)
    ]


def test_results_of_a_multi_datastream_have_a_part_for_each_property(site: Site) -> None:
    site.post("Things", thing(datastream()))
    body = {
        "name": "wind",
        "description": "",
        "multiObservationDataTypes": [f"{OM}Measurement", f"{OM}CategoryObservation"],
        "unitOfMeasurements": [UNIT, {"name": None, "symbol": None, "definition": None}],
        "Sensor": {"@iot.id": 1},
        "Thing": {"@iot.id": 1},
        "ObservedProperties": [{"@iot.id": 1}, {"@iot.id": 1}],
    }
    id_ = site.post("MultiDatastreams", body)
    site.post(f"MultiDatastreams({id_})/Observations", {"result": [1.5, "north"]})
    assert [row["result"] for row in site.observations(id_)] == [[1.5, "north"]]
    for wrong in (1, [1], [1, 2, 3]):
        with pytest.raises(InvalidInput, match="list of 2"):
            site.post(f"MultiDatastreams({id_})/Observations", {"result": wrong})
    with pytest.raises(InvalidInput, match="as many"):
        site.post("MultiDatastreams", {**body, "ObservedProperties": [{"@iot.id": 1}]})


def test_a_thing_made_here_is_the_one_that_messages_speak_of(site: Site) -> None:
    id_ = site.post("Things", thing(datastream(), name="plant/boiler"))

    async def send() -> None:
        by_name = ("plant/boiler", b'{"temp": 4.5}')
        by_id = ("v1.1/Datastreams(1)/Observations", b'{"result": 3}')
        offset = await site.publish([by_name, by_id], "c")
        await site.ingested(offset, 10)

    site.runner.run(send())
    assert (site.count("Thing"), site.count("Datastream")) == (1, 1)
    assert sorted(row["result"] for row in site.observations(1)) == [3, 4.5]
    assert site.row("Datastream", 1, "Thing")["Thing@iot.id"] == id_


def test_a_thing_that_is_renamed_answers_to_its_new_name(site: Site) -> None:
    site.post("Things", thing(datastream(), name="plant/boiler"))

    async def send(topic: str, number: float) -> None:
        offset = await site.publish([(topic, b'{"temp": %f}' % number)], "c")
        await site.ingested(offset, 10)

    site.runner.run(send("plant/boiler", 1))
    site.ask("patch", "Things(1)", {"name": "plant/oven"})
    site.runner.run(send("plant/oven", 2))
    site.runner.run(send("plant/boiler", 3))
    assert sorted(row["result"] for row in site.observations(1)) == [1, 2]
    assert [row["result"] for row in site.observations(2)] == [3]
    assert [info.name for info in site.catalog.datastreams()] == [
        "plant/oven.temp",
        "plant/boiler.temp",
    ]
