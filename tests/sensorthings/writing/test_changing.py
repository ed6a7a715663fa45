from __future__ import annotations

import msgspec
import pytest
from tests.sensorthings.writing.bodies import (
    FEATURE,
    LOCATION,
    OM,
    PROPERTY,
    SENSOR,
    UNIT,
    datastream,
    thing,
)
from tests.sensorthings.writing.site import BASE, Site

from penstock.core.catalog import Policy
from penstock.core.devices import DeviceFacts
from penstock.core.entity_types import TYPES
from penstock.core.errors import Conflict, InvalidInput, NotFound
from penstock.core.observation import observations
from penstock.core.selection import Selection

PATCH = "application/json-patch+json"


@pytest.fixture
def boiler(site: Site) -> Site:
    """One Thing with one Datastream with three Observations."""
    given = [
        {"phenomenonTime": f"2024-05-01T12:00:0{n}Z", "result": n, "parameters": {"n": n}}
        for n in range(3)
    ]
    site.post("Things", thing(datastream(Observations=given)))
    return site


def test_patch_changes_what_is_given_and_put_sets_all(boiler: Site) -> None:
    boiler.ask("patch", "Things(1)", {"properties": {"floor": 4}})
    row = boiler.row("Thing", 1)
    assert (row["name"], row["description"], row["properties"]) == (
        "Boiler", "makes heat", {"floor": 4},
    )  # fmt: skip
    boiler.ask("put", "Things(1)", {"name": "Oven", "description": "d"})
    row = boiler.row("Thing", 1)
    assert (row["name"], row["description"], row["properties"]) == ("Oven", "d", {})
    with pytest.raises(InvalidInput, match="description"):
        boiler.ask("put", "Things(1)", {"name": "Oven"})
    boiler.ask("patch", "Datastreams(1)/ObservedProperty", {"name": "Heat"})
    assert boiler.row("ObservedProperty", 1)["name"] == "Heat"
    (info,) = boiler.catalog.datastreams("oven heat")
    assert info.name == "Oven.temp"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Datastreams(1)", {"Sensor": SENSOR}),
        ("Datastreams(1)", {"Observations": [{"result": 1}]}),
        ("Things(1)", {"Locations": [LOCATION]}),
        ("Things(1)", {"Datastreams": [datastream()]}),
        ("Sensors(1)", {"Datastreams": [datastream()]}),
        ("Things(1)", {"name": None}),
        ("Things(1)", {"color": "red"}),
        ("Observations", {"result": 1}),
    ],
)
def test_what_cannot_be_changed_is_refused(boiler: Site, path: str, body: object) -> None:
    with pytest.raises(InvalidInput):
        boiler.ask("patch", path, body)
    assert boiler.count("Datastream") == 1


def test_a_thing_that_is_given_locations_moves_and_its_history_grows(boiler: Site) -> None:
    place = boiler.post(
        "Locations", {**LOCATION, "location": {"type": "Point", "coordinates": [1, 2]}}
    )
    boiler.ask("patch", "Things(1)", {"Locations": [{"@iot.id": place}]})
    assert boiler.count("HistoricalLocation") == 2
    (info,) = boiler.catalog.datastreams()
    assert info.location == (1.0, 2.0)
    past = {"time": "2001-01-01T00:00:00Z", "Locations": [{"@iot.id": 1}], "Thing": {"@iot.id": 1}}
    boiler.post("HistoricalLocations", past)
    assert boiler.catalog.datastreams()[0].location == (1.0, 2.0)
    boiler.post("HistoricalLocations", {**past, "time": "2099-01-01T00:00:00Z"})
    assert boiler.catalog.datastreams()[0].location == (8.77, 51.71)


def test_json_patch_goes_step_by_step(boiler: Site) -> None:
    steps = [
        {"op": "test", "path": "/properties/floor", "value": 3},
        {"op": "add", "path": "/properties/rooms", "value": ["a"]},
        {"op": "add", "path": "/properties/rooms/-", "value": "b"},
        {"op": "move", "from": "/properties/floor", "path": "/properties/storey"},
        {"op": "replace", "path": "/name", "value": "Oven"},
    ]
    boiler.ask("patch", "Things(1)", steps, PATCH)
    row = boiler.row("Thing", 1)
    assert (row["name"], row["properties"]) == ("Oven", {"rooms": ["a", "b"], "storey": 3})
    with pytest.raises(Conflict):
        boiler.ask(
            "patch", "Things(1)", [{**steps[0], "path": "/properties/storey", "value": 9}], PATCH
        )
    for wrong in (
        {},
        [{"op": "remove", "path": "/properties/no"}],
        [{"op": "remove", "path": "/name"}],
    ):
        with pytest.raises(InvalidInput):
            boiler.ask("patch", "Things(1)", wrong, PATCH)


def test_an_observation_keeps_its_id_when_it_moves(boiler: Site) -> None:
    first, second, third = (row["@iot.id"] for row in boiler.observations(1))
    boiler.ask("patch", f"Observations({first})", {"result": 10})
    boiler.ask("patch", f"Observations({second})", {"phenomenonTime": "2024-06-01T00:00:00Z"})
    boiler.ask(
        "patch",
        f"Observations({third})",
        [{"op": "add", "path": "/parameters/m", "value": 1}],
        PATCH,
    )
    held = {row["@iot.id"]: row for row in boiler.observations(1)}
    assert held.keys() == {first, second, third}
    assert held[first]["result"] == 10
    assert held[second]["phenomenonTime"] == "2024-06-01T00:00:00Z"
    assert (held[second]["result"], held[second]["parameters"]) == (1, {"n": 1})
    assert held[third]["parameters"] == {"n": 2, "m": 1}
    boiler.ask("patch", f"Observations({second})", {"phenomenonTime": "2024-07-01T00:00:00Z"})
    boiler.ask("patch", f"Observations({second})", {"phenomenonTime": "2024-05-01T12:00:01Z"})
    assert [row["@iot.id"] for row in boiler.observations(1)] == [first, second, third]
    assert boiler.entities.moved([str(second)]) == {}
    boiler.ask("put", f"Observations({second})", {"result": 5})
    row = boiler.observations(1)[1]
    assert (row["@iot.id"], row["result"], row.get("parameters")) == (second, 5, None)
    boiler.ask("delete", f"Observations({second})")
    assert [row["@iot.id"] for row in boiler.observations(1)] == [first, third]
    with pytest.raises(NotFound):
        boiler.ask("delete", f"Observations({second})")


def test_an_observation_moves_to_another_datastream(boiler: Site) -> None:
    other = boiler.post("Datastreams", datastream("CategoryObservation", Thing={"@iot.id": 1}))
    first = boiler.observations(1)[0]["@iot.id"]
    with pytest.raises(NotFound):
        boiler.ask("patch", f"Observations({first})", {"Datastream": {"@iot.id": 99}})
    boiler.ask("patch", f"Observations({first})", {"Datastream": {"@iot.id": other}})
    assert [row["@iot.id"] for row in boiler.observations(other)] == [first]
    assert len(boiler.observations(1)) == 2


def test_filtered_delete_takes_rows_and_entities(boiler: Site) -> None:
    with pytest.raises(InvalidInput, match="filter"):
        boiler.ask("delete", "Datastreams(1)/Observations")
    boiler.ask("delete", "Datastreams(1)/Observations?$filter=result%20ge%200")
    assert boiler.observations(1) == []
    boiler.post("Things", thing(name="Other"))
    boiler.ask("delete", "Things?$filter=name%20eq%20'Other'")
    assert boiler.count("Thing") == 1


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("Things(1)", {"Thing": 0, "Datastream": 0, "Sensor": 1, "Location": 1}),
        ("Sensors(1)", {"Thing": 1, "Datastream": 0, "Sensor": 0, "ObservedProperty": 1}),
        ("ObservedProperties(1)", {"Datastream": 0, "ObservedProperty": 0}),
        ("Datastreams(1)", {"Thing": 1, "Datastream": 0, "FeatureOfInterest": 1}),
        ("FeaturesOfInterest(1)", {"Datastream": 1, "FeatureOfInterest": 0}),
        ("Locations(1)", {"Thing": 1, "Datastream": 1, "Location": 0, "HistoricalLocation": 0}),
    ],
)
def test_what_cannot_be_without_it_goes_too(boiler: Site, path: str, left: dict[str, int]) -> None:
    assert boiler.ask("delete", path).status == 200
    assert {type_: boiler.count(type_) for type_ in left} == left
    rows = boiler.store.scan(Selection()).num_rows
    assert rows == (3 if path == "Locations(1)" else 0)
    with pytest.raises(NotFound):
        boiler.ask("delete", path)


def test_links_are_added_set_and_taken_off(boiler: Site) -> None:
    place = boiler.post("Locations", {**LOCATION, "name": "Cellar"})
    boiler.ask("post", "Things(1)/Locations/$ref", {"@iot.id": place})
    query = [row["name"] for row in boiler.entities.find(_along("Thing", 1, "Locations"))]
    assert query == ["Roof", "Cellar"]
    boiler.ask("delete", "Things(1)/Locations(1)/$ref")
    assert [r["name"] for r in boiler.entities.find(_along("Thing", 1, "Locations"))] == ["Cellar"]
    sensor = boiler.post("Sensors", {**SENSOR, "name": "other"})
    boiler.ask(
        "put", "Datastreams(1)/Sensor/$ref", {"@odata.id": f"http://host/v1.1/Sensors({sensor})"}
    )
    assert boiler.row("Datastream", 1, "Sensor")["Sensor@iot.id"] == sensor
    with pytest.raises(InvalidInput):
        boiler.ask("delete", "Datastreams(1)/Sensor/$ref")
    with pytest.raises(InvalidInput):
        boiler.ask("delete", "Things(1)/Datastreams(1)/$ref")


def _along(type_: str, id_: int, link: str) -> object:
    from penstock.core.access import EVERYTHING
    from penstock.core.entities import Query, Step
    from penstock.core.entity_types import TYPES

    known = TYPES[type_].link(link)
    assert known is not None
    return Query(type=known.target, scope=EVERYTHING, along=Step(type_, (id_,), link))


def test_data_arrays_answer_for_each_element(boiler: Site) -> None:
    feature = boiler.post("FeaturesOfInterest", FEATURE)
    body = [
        {
            "Datastream": {"@iot.id": 1},
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray": [
                ["2025-01-01T00:00:00Z", 20, feature],
                ["2025-01-01T00:00:01Z", 30, "no id"],
                ["2025-01-01T00:00:02Z", 40, 99],
                ["2025-01-01T00:00:03Z", 50],
            ],
        },
        {
            "Datastream": {"@iot.id": 1},
            "components": ["phenomenonTime", "result"],
            "dataArray": [["2025-01-01T00:01:00Z", 65], ["never", 60]],
        },
        {"Datastream": {"@iot.id": 9}, "components": ["result"], "dataArray": [[1]]},
    ]
    import msgspec

    answer = boiler.ask("post", "CreateObservations", body)
    links = msgspec.json.decode(answer.body)
    assert answer.status == 201
    assert [link.startswith("error") for link in links] == [
        False, True, True, True, False, True, True,
    ]  # fmt: skip
    held = {row["@iot.id"]: row["result"] for row in boiler.observations(1)[3:]}
    assert [f"http://host/v1.1/Observations({id_})" for id_ in held] == [links[0], links[4]]
    with pytest.raises(InvalidInput):
        boiler.ask("post", "CreateObservations", {"no": "list"})


def test_many_elements_are_one_message(boiler: Site) -> None:
    rows = [[f"2025-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z", n] for n in range(10_000)]
    before = len(boiler.published)
    body = [
        {
            "Datastream": {"@iot.id": 1},
            "components": ["phenomenonTime", "result"],
            "dataArray@iot.count": len(rows),
            "dataArray": rows,
        }
    ]
    boiler.ask("post", "CreateObservations", body)
    assert len(boiler.published) == before + 1
    assert [row["result"] for row in boiler.observations(1)[3:]] == list(range(10_000))


def test_batches_refer_to_what_they_made(boiler: Site) -> None:
    import msgspec

    body = {
        "requests": [
            {"id": "sensor1", "method": "post", "url": "Sensors", "body": SENSOR},
            {
                "id": "stream",
                "method": "post",
                "url": "/v1.1/Datastreams",
                "body": datastream(Sensor={"@iot.id": "$sensor1"}, Thing={"@iot.id": 1}),
            },
            {"id": "r", "method": "post", "url": "$stream/Observations", "body": {"result": 1}},
            {"id": "p", "method": "patch", "url": "Things(1)", "body": {"name": "Oven"}},
            {"id": "bad", "atomicityGroup": "g", "method": "post", "url": "Things", "body": {}},
            {
                "id": "not",
                "atomicityGroup": "g",
                "method": "post",
                "url": "Things",
                "body": thing(),
            },
            {"id": "get", "method": "get", "url": "$sensor1"},
        ]
    }
    answer = boiler.ask("post", "$batch", body)
    found = {one["id"]: one for one in msgspec.json.decode(answer.body)["responses"]}
    assert [one["status"] for one in found.values()] == [201, 201, 201, 200, 400, 424, 200]
    assert found["sensor1"]["location"] == "http://host/v1.1/Sensors(2)"
    assert boiler.row("Datastream", 2, "Sensor")["Sensor@iot.id"] == 2
    assert [row["result"] for row in boiler.observations(2)] == [1]
    assert boiler.row("Thing", 1)["name"] == "Oven"
    assert found["get"]["body"]["name"] == "DS18B20"


def test_a_group_that_fails_is_taken_back(boiler: Site) -> None:
    import msgspec

    def request(id_: str, method: str, url: str, body: object) -> dict[str, object]:
        return {"id": id_, "atomicityGroup": "g", "method": method, "url": url, "body": body}

    requests = [
        request("1", "post", "Things", thing(name="new")),
        request("2", "patch", "Things(1)", {"name": "Oven", "properties": {}}),
        request("3", "post", "Things", {"name": "no description"}),
        request("4", "post", "Sensors", SENSOR),
        {"id": "5", "method": "post", "url": "Sensors", "body": {**SENSOR, "name": "kept"}},
    ]
    answer = boiler.ask("post", "$batch", {"requests": requests})
    found = [one["status"] for one in msgspec.json.decode(answer.body)["responses"]]
    assert found == [424, 424, 400, 424, 201]
    assert (boiler.count("Thing"), boiler.count("Sensor")) == (1, 2)
    row = boiler.row("Thing", 1)
    assert (row["name"], row["properties"]) == ("Boiler", {"floor": 3})
    answer = boiler.ask("post", "$batch", {"requests": requests[:2]})
    assert [one["status"] for one in msgspec.json.decode(answer.body)["responses"]] == [201, 200]
    assert boiler.row("Thing", 1)["name"] == "Oven"


def test_tasks_of_a_capability_that_no_device_has_are_kept(boiler: Site) -> None:
    actuator = {**SENSOR, "name": "valve"}
    capability = {
        "name": "open",
        "description": "",
        "taskingParameters": {"type": "DataRecord", "field": []},
        "Actuator": actuator,
        "Thing": {"@iot.id": 1},
    }
    id_ = boiler.post("TaskingCapabilities", capability)
    task = boiler.post(f"TaskingCapabilities({id_})/Tasks", {"taskingParameters": {"by": 5}})
    row = boiler.row("Task", task, "TaskingCapability")
    assert (row["taskingParameters"], row["TaskingCapability@iot.id"]) == ({"by": 5}, id_)
    assert ("Task", task, "create") in boiler.changes
    boiler.ask("delete", "Actuators(1)")
    assert boiler.count("Task") == 0


def test_a_task_of_what_a_device_can_do_is_a_command(site: Site) -> None:
    facts = DeviceFacts(name="acc", type="accelerometer", system=1)
    (device,) = site.fleet.records.register([facts], Policy.AUTOMATIC, 1)
    capability = {
        "name": "change_sample_frequency",
        "description": "",
        "taskingParameters": {"type": "DataRecord", "field": []},
        "Actuator": {**SENSOR, "name": "accelerometer"},
        "Thing": {"@iot.id": device.thing_id},
    }
    id_ = site.post("TaskingCapabilities", capability)
    task = site.post("Tasks", _task(id_, {"sampleFrequency": 20}))
    assert isinstance(task, int)
    held = site.fleet.commands.task(task)
    assert (held.command, dict(held.parameters), held.device) == (
        "change_sample_frequency",
        {"sampleFrequency": 20},
        "acc",
    )
    with pytest.raises(InvalidInput):
        site.post("Tasks", _task(id_, {"sampleFrequency": "much"}))
    with pytest.raises(InvalidInput):
        site.post("Tasks", _task(id_, {"sampleFrequency": [1]}))
    assert site.count("Task") == 1
    free = site.post("TaskingCapabilities", {**capability, "name": "dance"})
    other = site.post("Tasks", _task(free, {"by": 1}))
    site.ask("patch", f"Tasks({other})", {"taskingParameters": {"by": 2}})
    assert site.row("Task", other)["taskingParameters"] == {"by": 2}
    much = {"taskingParameters": {"sampleFrequency": "much"}}
    for method, url, body in (
        ("patch", f"Tasks({task})", much),
        ("put", f"Tasks({task})", {**_task(id_, {"sampleFrequency": 7})}),
        ("patch", f"Tasks({task})", {"TaskingCapability": {"@iot.id": free}}),
        ("patch", f"Tasks({other})", {"TaskingCapability": {"@iot.id": id_}}),
        ("put", f"Tasks({other})/TaskingCapability/$ref", {"@iot.id": id_}),
        ("post", f"TaskingCapabilities({id_})/Tasks/$ref", {"@iot.id": other}),
        ("patch", f"TaskingCapabilities({free})", {"Tasks": [{"@iot.id": task}]}),
    ):
        with pytest.raises(Conflict, match="POST a new Task"):
            site.ask(method, url, body)
    assert dict(site.fleet.commands.task(task).parameters) == {"sampleFrequency": 20}
    assert site.row("Task", other, "TaskingCapability")["TaskingCapability@iot.id"] == free


def _task(capability: int | str, parameters: object) -> dict[str, object]:
    return {"taskingParameters": parameters, "TaskingCapability": {"@iot.id": capability}}


def test_units_types_and_metadata_stay_as_they_were_given(boiler: Site) -> None:
    unit = {"name": None, "symbol": None, "definition": None}
    odd = datastream(Thing={"@iot.id": 1}, unitOfMeasurement=unit)
    odd |= {"observationType": "urn:mine", "Sensor": {**SENSOR, "metadata": {"a": [1]}}}
    odd |= {"ObservedProperty": {**PROPERTY, "description": ""}, "name": "n" * 1000}
    id_ = boiler.post("Datastreams", odd)
    row = boiler.row("Datastream", id_, "Sensor")
    assert (row["unitOfMeasurement"], row["observationType"]) == (unit, "urn:mine")
    assert boiler.row("Sensor", 2)["metadata"] == {"a": [1]}
    assert boiler.row("Datastream", 1)["observationType"] == f"{OM}Measurement"
    assert boiler.row("Datastream", 1)["unitOfMeasurement"] == UNIT


def test_a_thing_that_comes_to_a_place_moves_no_other(boiler: Site) -> None:
    boiler.post("Locations", {**LOCATION, "name": "Cellar"})
    boiler.ask("post", "Things(1)/Locations/$ref", {"@iot.id": 2})
    other = boiler.post("Things", thing(name="Pump"))
    visits = boiler.count("HistoricalLocation")
    boiler.ask("post", "Locations(1)/Things/$ref", {"@iot.id": other})
    assert [r["@iot.id"] for r in boiler.entities.find(_along("Thing", 1, "Locations"))] == [1, 2]
    held = boiler.entities.find(_along("Thing", other, "Locations"))
    assert [row["@iot.id"] for row in held] == [1, 3]
    assert boiler.count("HistoricalLocation") == visits + 1


@pytest.mark.parametrize(
    "url",
    [
        "Things?$filter=id gt 0&$top=1",
        "Things?$filter=id gt 0&$orderby=id&$skip=1",
        "Things(1)?$filter=id gt 5",
        "Datastreams(1)/Observations?$filter=result gt 0&$top=1",
        "Things(1)/Locations(1)/$ref?$filter=id gt 5",
    ],
)
def test_no_more_is_removed_than_was_asked_for(boiler: Site, url: str) -> None:
    before = boiler.store.scan(Selection()).num_rows
    with pytest.raises(InvalidInput, match="DELETE does not take"):
        boiler.ask("delete", url)
    assert boiler.count("Thing") == 1
    assert boiler.store.scan(Selection()).num_rows == before
    assert len(boiler.entities.find(_along("Thing", 1, "Locations"))) == 1


def test_an_observation_does_not_take_the_place_of_another(site: Site) -> None:
    site.post("Things", thing(datastream()))
    times = ("2024-01-01T00:00:01Z", "2024-01-01T00:00:02Z")
    bodies = [{"result": at, "phenomenonTime": time} for at, time in enumerate(times)]
    first, _ = (site.post("Datastreams(1)/Observations", body) for body in bodies)
    with pytest.raises(Conflict):
        site.ask("patch", f"Observations({first})", {"phenomenonTime": times[1]})
    assert [row["result"] for row in site.observations(1)] == [0, 1]


def test_removing_a_row_forgets_no_other_that_moved(site: Site) -> None:
    site.post("Things", thing(datastream(), datastream(name="other")))
    body = {"result": 1, "phenomenonTime": "2024-01-01T00:00:01Z"}
    id_ = site.post("Datastreams(1)/Observations", body)
    site.ask("patch", f"Observations({id_})", {"phenomenonTime": "2024-01-01T00:00:05Z"})
    held = site.entities.moved([str(id_)])
    claims = observations([2], [7], [0.0], parameters=[f'{{"@iot.id": {id_}}}'])
    site.store.append(claims)
    site.ask("delete", "Datastreams(2)/Observations?$filter=result eq 0")
    assert site.observations(2) == []
    assert site.entities.moved([str(id_)]) == held != {}


def test_a_patch_does_not_grow_without_end(boiler: Site) -> None:
    steps = [{"op": "add", "path": "/properties", "value": {"a": [1]}}]
    copy = {"op": "copy", "from": "/properties"}
    steps += [{**copy, "path": f"/properties/{at}"} for at in range(40)]
    with pytest.raises(InvalidInput, match="copies at most"):
        boiler.ask("patch", "Things(1)", steps, "application/json-patch+json")


def test_what_cannot_be_taken_back_is_not_done_in_a_group(boiler: Site) -> None:
    arrays = [{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": [[1]]}]
    group = {"atomicityGroup": "g", "method": "post"}
    for url, body in (("CreateObservations", arrays), ("Things(1)/Locations/$ref", {"@iot.id": 1})):
        before = boiler.store.scan(Selection()).num_rows
        requests = [{"id": "1", "url": url, "body": body, **group}]
        answer = boiler.ask("post", "$batch", {"requests": requests})
        assert b"cannot be taken back" in answer.body
        assert boiler.store.scan(Selection()).num_rows == before


@pytest.mark.parametrize("url", ["$batch", "/$batch", "//$batch", "%24batch", "/v1.1/$batch"])
def test_a_batch_holds_no_batch(boiler: Site, url: str) -> None:
    inner = {"requests": [{"id": "1", "method": "post", "url": "Things", "body": thing()}]}
    requests = [{"id": "1", "method": "post", "url": url, "body": inner}]
    answer = boiler.ask("post", "$batch", {"requests": requests})
    assert b"a batch cannot be within a batch" in answer.body
    assert boiler.count("Thing") == 1


def test_a_later_observation_has_another_id_than_one_that_moved_away(site: Site) -> None:
    site.post("Things", thing(datastream()))
    url, home = "Datastreams(1)/Observations", "2024-01-01T00:00:01Z"
    away = [f"2024-01-01T00:01:0{at}Z" for at in range(3)]

    def results() -> dict[object, object]:
        return {row["@iot.id"]: row["result"] for row in site.observations(1)}

    def post(result: int) -> object:
        return site.post(url, {"result": result, "phenomenonTime": home})

    def move(id_: object, time: str) -> None:
        site.ask("patch", _address(id_), {"phenomenonTime": time})

    first = post(1)
    move(first, away[0])
    second = post(2)
    assert isinstance(second, str)
    assert second.endswith("-2")
    assert post(3) == second, "it takes the place of the one before"
    site.ask("patch", _address(second), {"result": 2})
    assert results() == {first: 1, second: 2}
    with pytest.raises(Conflict):
        move(first, home)
    move(second, away[1])
    third = post(3)
    assert results() == {first: 1, second: 2, third: 3}
    site.ask("delete", _address(first))
    assert results() == {second: 2, third: 3}, "what remains has the ids that it had"
    with pytest.raises(NotFound):
        site.ask("patch", _address(first), {"result": 9})
    site.ask("delete", _address(third))
    move(second, home)
    assert results() == {second: 2}
    assert post(4) == second
    assert results() == {second: 4}
    arrays = {
        "Datastream": {"@iot.id": 1},
        "components": ["phenomenonTime", "result"],
        "dataArray": [[home, 5]],
    }
    site.ask("patch", _address(second), {"phenomenonTime": away[2]})
    answer = site.ask("post", "CreateObservations", [arrays])
    assert msgspec.json.decode(answer.body) == [f"{BASE}/{_address(third)}"]
    assert results() == {second: 4, third: 5}


@pytest.mark.parametrize("target", ["Datastream", "FeatureOfInterest"])
@pytest.mark.parametrize("is_followed", [True, False])
def test_an_id_is_not_given_to_another_when_its_observation_goes_with_where_it_moved(
    site: Site, target: str, is_followed: bool
) -> None:
    site.post("Things", thing(datastream(), datastream(name="other")))
    url, home = "Datastreams(1)/Observations", "2024-01-01T00:00:01Z"
    first = site.post(url, {"result": 1, "phenomenonTime": home})
    to = 2 if target == "Datastream" else site.post("FeaturesOfInterest", FEATURE)
    site.ask("patch", _address(first), {target: {"@iot.id": to}})
    body = {"result": 2, "phenomenonTime": home}
    second = site.post(url, body) if is_followed else None
    site.ask("delete", f"{TYPES[target].set_name}({to})")
    held = {row["@iot.id"]: row["result"] for row in site.observations(1)}
    assert held == ({second: 2} if is_followed else {}), "it keeps the id that it had"
    with pytest.raises(NotFound):
        site.ask("patch", _address(first), {"result": 3})
    assert site.post(url, body) == (second if is_followed else first)
    assert bool(site.entities.moved([str(first)])) is is_followed


def _address(id_: object) -> str:
    return f"Observations('{id_}')" if isinstance(id_, str) else f"Observations({id_})"


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_group_that_fails_costs_no_observation(site: Site, is_moved: bool) -> None:
    site.post("Things", thing(datastream()))
    body = {"result": 1, "phenomenonTime": "2024-01-01T00:00:01Z"}
    id_ = site.post("Datastreams(1)/Observations", body)
    if is_moved:
        site.ask("patch", f"Observations({id_})", {"phenomenonTime": "2024-01-01T00:00:05Z"})
    before = site.observations(1)
    group = {"atomicityGroup": "g", "method": "post"}
    url = "Datastreams(1)/Observations"
    requests = [
        {"id": "1", "url": url, "body": {**body, "result": 2}, **group},
        {"id": "2", "url": "Things", "body": {"name": "incomplete"}, **group},
    ]
    answer = site.ask("post", "$batch", {"requests": requests})
    assert (b"is there already" in answer.body) is not is_moved
    assert site.observations(1) == before
    if is_moved:
        return
    with pytest.raises(Conflict):
        site.ask("post", url, body, only_new=True)
    later = {"result": 3, "phenomenonTime": "2024-01-01T00:00:09Z"}
    answer = site.ask("post", "$batch", {"requests": [{**requests[0], "body": later}]})
    assert b"201" in answer.body
    assert len(site.observations(1)) == 2


def test_a_move_that_was_cut_short_is_completed_by_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.post("Things", thing(datastream()))
    body = {"result": 1, "phenomenonTime": "2024-01-01T00:00:01Z"}
    id_ = site.post("Datastreams(1)/Observations", body)
    move = {"phenomenonTime": "2024-01-01T00:00:05Z"}

    def stop(_id: str, _to: object) -> None:
        raise OSError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(site.entities, "move", stop)
        with pytest.raises(OSError, match="stopped"):
            site.ask("patch", f"Observations({id_})", move)
    assert len(site.observations(1)) == 2
    site.ask("patch", f"Observations({id_})", move)
    (row,) = site.observations(1)
    assert (row["@iot.id"], row["phenomenonTime"][:19]) == (id_, "2024-01-01T00:00:05")
    site.ask("delete", f"Observations({id_})")
    assert site.observations(1) == []
