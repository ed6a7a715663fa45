"""The Python client of the reference implementation, as it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.sensorthings.marks import requirement
from tests.conformance.sensorthings.service import MEASUREMENT, Service, multi, point, ref

fsc: Any = pytest.importorskip("frost_sta_client")

pytestmark = [
    requirement("req/create-update-delete/create-entity"),
    # Its libraries warn of themselves.
    pytest.mark.filterwarnings("default"),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def client(sta: Service) -> Any:
    return fsc.SensorThingsService(sta.root)


def oven() -> Any:
    """A Thing with a Location and a Datastream."""
    unit = fsc.UnitOfMeasurement(name="degree Celsius", symbol="°C", definition="ucum:Cel")
    stream = fsc.Datastream(
        name="heat",
        description="heat of the oven",
        observation_type=MEASUREMENT,
        unit_of_measurement=unit,
        observed_property=fsc.ObservedProperty(
            name="temperature", definition="https://example.org/t", description="of air"
        ),
        sensor=fsc.Sensor(
            name="probe", description="a probe", encoding_type="application/pdf", metadata="p.pdf"
        ),
    )
    place = fsc.Location(
        name="kitchen",
        description="a kitchen",
        location=point(8, 49),
        encoding_type="application/geo+json",
    )
    return fsc.Thing(
        name="oven",
        description="an oven",
        properties={"floor": 3},
        locations=[place],
        datastreams=[stream],
    )


def made(client: Any) -> tuple[Any, Any]:
    """Return a Thing and its Datastream, as they are at the service."""
    thing = oven()
    client.create(thing)
    return thing, client.datastreams().query().list().entities[0]


def observe(client: Any, stream: Any, *results: object) -> list[Any]:
    found = []
    for number, result in enumerate(results):
        time = NOON.replace(minute=number)
        observation = fsc.Observation(phenomenon_time=time, result=result, datastream=stream)
        client.create(observation)
        found.append(observation)
    return found


def test_entities_are_created_with_those_within_and_read(client: Any) -> None:
    thing, stream = made(client)
    found = client.things().find(thing.id)
    assert (found.name, found.properties) == ("oven", {"floor": 3})
    assert stream.unit_of_measurement.symbol == "°C"
    assert [one.name for one in found.get_locations().query().list()] == ["kitchen"]


def test_observations_are_created_and_found(client: Any) -> None:
    _, stream = made(client)
    ids = [one.id for one in observe(client, stream, 20.5, 21, 22)]
    query = client.observations().query().filter("result gt 20.6").orderby("result", "DESC")
    assert [one.id for one in query.list()] == ids[:0:-1]
    query = stream.get_observations().query().orderby("phenomenonTime", "ASC").top(1).count()
    found = query.list()
    assert found.count == 3
    assert [one.result for one in found] == [20.5, 21, 22]


def test_pages_follow_each_other(client: Any) -> None:
    _, stream = made(client)
    observe(client, stream, *range(25))
    steps: list[int] = []
    found = client.observations().query().top(4).list(callback=steps.append, step_size=5)
    assert [one.result for one in found] == list(range(25))
    assert steps


def test_linked_entities_are_expanded(client: Any) -> None:
    _, stream = made(client)
    observe(client, stream, 1, 2, 3)
    expand = (
        "Datastreams($expand=Observations($top=2;$orderby=phenomenonTime desc),Sensor),Locations"
    )
    found = client.things().query().expand(expand).list().entities[0]
    inner = found.datastreams.entities[0]
    assert inner.sensor.name == "probe"
    assert [one.result for one in inner.observations.entities[:2]] == [3, 2]
    assert found.locations.entities[0].location["coordinates"] == [8, 49]


def test_entities_are_updated_patched_and_deleted(client: Any) -> None:
    thing, stream = made(client)
    found = client.things().find(thing.id)
    found.name = "stove"
    client.update(found)
    assert client.things().find(thing.id).name == "stove"
    client.patch(found, [{"op": "replace", "path": "/properties", "value": {"floor": 4}}])
    assert client.things().find(thing.id).properties == {"floor": 4}
    observation = observe(client, stream, 5)[0]
    read = client.observations().find(observation.id)
    read.result = 6
    client.update(read)
    assert client.observations().find(observation.id).result == 6
    client.delete(read)
    assert client.observations().query().list().entities == []
    client.delete(found)
    assert client.things().query().list().entities == []


def test_data_arrays_are_made(client: Any) -> None:
    _, stream = made(client)
    values = fsc.model.ext.data_array_value.DataArrayValue()
    values.components = {
        values.Property.PHENOMENON_TIME,
        values.Property.RESULT,
    }
    values.datastream = stream
    for number in range(3):
        time = NOON.replace(minute=number).isoformat()
        values.add_observation(
            fsc.Observation(phenomenon_time=time, result=number, datastream=stream)
        )
    document = fsc.model.ext.data_array_document.DataArrayDocument()
    document.add_data_array_value(values)
    answers = client.observations().create(document)
    assert len(answers) == 3
    results = [one.result for one in client.observations().query().orderby("result", "ASC").list()]
    assert results == [0, 1, 2]


def test_multi_datastreams_are_read_and_observed(client: Any, sta: Service) -> None:
    thing, _ = made(client)
    # The client itself cannot make one: its units are a list, of which it sends null.
    id_ = sta.make("MultiDatastreams", multi("speed", "direction", things=ref(thing.id)))
    found = client.multi_datastreams().find(id_)
    seen = fsc.Observation(phenomenon_time=NOON, result=[3, 180], multi_datastream=found)
    client.create(seen)
    assert [one.result for one in found.get_observations().query().list()] == [[3, 180]]


def test_tasks_are_made(client: Any) -> None:
    thing, _ = made(client)
    parameters = {"type": "DataRecord", "field": [{"name": "on", "type": "Boolean"}]}
    capability = fsc.TaskingCapability(
        name="switch", description="on and off", tasking_parameters=parameters
    )
    capability.thing = thing
    capability.actuator = fsc.Actuator(
        name="relay", description="a relay", encoding_type="text/plain", metadata="relay"
    )
    client.create(capability)
    task = fsc.Task(tasking_parameters={"on": True}, tasking_capability=capability)
    client.create(task)
    assert client.tasks().find(task.id).tasking_parameters == {"on": True}
