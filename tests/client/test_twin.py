"""What a digital twin does: register, produce, subscribe, consume; against a running platform."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.client.conftest import Platform, wait_until

from penstock.client import Client, Datastream, Message, ObservationType, Quantity, State
from penstock.core.errors import InvalidInput, NotFound

#: Starting a platform may take a minute on a machine with much else to do.
pytestmark = pytest.mark.timeout(400)

Connect = Callable[..., Client]

INSTANCES: dict[str, Any] = {
    "Things": {
        "car": {
            "name": "Twin1",
            "Locations": [{"location": {"type": "Point", "coordinates": [13.04, 47.8]}}],
        }
    },
    "Sensors": {"probe": {"name": "PT100", "encodingType": "text/plain", "metadata": "class A"}},
    "Datastreams": {
        "temperature_1": {
            "name": "temperature",
            "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "urn:c"},
            "ObservedProperty": {"name": "air temperature"},
            "Thing": "car",
            "Sensor": "probe",
        },
        "gear": {"observationType": "OM_CountObservation", "Thing": "car"},
        "braking": {"observationType": "OM_TruthObservation", "Thing": "car"},
        "road": {"observationType": "OM_CategoryObservation", "Thing": "car"},
        "gps": {"observationType": "OM_Observation", "Thing": "car"},
    },
}


def consume(client: Client, count: int) -> list[Message]:
    """Consume until so many messages came."""
    found: list[Message] = []

    def are_all_there() -> bool:
        found.extend(client.consume(0.2))
        return len(found) >= count

    wait_until(are_all_there, "messages")
    return found


def test_a_twin_registers_from_a_file_and_its_typed_results_come_back_with_their_units(
    platform: Platform, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(INSTANCES))
    twin = connect(platform.url)
    registered = twin.register(file)
    assert [stream.key for stream in registered] == list(INSTANCES["Datastreams"])
    assert twin.register(file) == registered
    reader = connect(platform.url)
    reader.subscribe("*")
    at = "2026-05-01T12:00:00+02:00"
    twin.produce("temperature_1", "21.5", at, driver="sue", valid=True)
    twin.produce("gear", 3.0, 1_777_629_600)
    twin.produce("braking", 1)
    twin.produce("road", "wet")
    twin.produce("gps", {"lat": 47.8, "lon": 13.04})
    assert twin.flush(30)
    temperature, gear, braking, road, gps = consume(reader, 5)
    assert temperature.result == 21.5
    assert temperature.phenomenon_time == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert temperature.unit.symbol == "°C"
    assert (temperature.name, temperature.quantity) == ("Twin1.temperature", "temperature")
    assert (temperature.thing, temperature.location) == ("Twin1", (13.04, 47.8))
    assert temperature.extra == {"driver": "sue", "valid": True}
    assert temperature.datastream is not None
    assert temperature.datastream.sensor == "PT100"
    assert (gear.result, type(gear.result), gear.time_us) == (3, int, 1_777_629_600_000_000)
    assert braking.result is True
    assert road.result == "wet"
    assert gps.result == {"lat": 47.8, "lon": 13.04}
    platform.wait_for("Twin1.temperature", [21.5])


def test_only_what_was_subscribed_to_is_consumed(platform: Platform, connect: Connect) -> None:
    twin = connect(platform.url)
    twin.register([Quantity("a", "Chosen"), Quantity("b", "Chosen")])
    reader = connect(platform.url)
    reader.subscribe(["Chosen.b"])
    for number in range(5):
        twin.produce("a", number)
        twin.produce("b", number)
    assert [message.result for message in consume(reader, 5)] == [0, 1, 2, 3, 4]
    assert reader.consume(0) == []


def test_records_of_others_on_the_topic_of_the_system_are_consumed_too(
    platform: Platform, connect: Connect
) -> None:
    twin = connect(platform.url)
    [stream] = twin.register(Quantity("speed", "Other", unit="km/h"))
    reader = connect(platform.url)
    reader.subscribe("Other.speed")
    record = {"phenomenonTime": 1_777_629_600, "result": 7, "Datastream": {"@iot.id": stream.id}}
    twin._outbox.add([b"\0\x0bdefault.int" + json.dumps(record).encode()], 0)
    twin._sending.wake()
    [message] = consume(reader, 1)
    assert (message.result, type(message.result)) == (7.0, float)
    assert message.time_us == 1_777_629_600_000_000


def test_existing_datastreams_are_taken_by_name(platform: Platform, connect: Connect) -> None:
    connect(platform.url).register(Quantity("level", "Basin", "m", ObservationType.MEASUREMENT))
    other = connect(platform.url)
    [stream] = other.register_existing("Basin.level")
    assert stream.unit.symbol == "m"
    other.produce("level", 3.25)
    other.produce("Basin.level", 3.5)
    assert other.flush(30)
    platform.wait_for("Basin.level", [3.25, 3.5])
    with pytest.raises(NotFound, match=r"did you mean one of: Basin\.level"):
        other.register_existing("Basin")


def test_results_without_a_time_never_share_one(platform: Platform, connect: Connect) -> None:
    twin = connect(platform.url)
    twin.register(Quantity("burst", "Fast"))
    for number in range(3000):
        twin.produce("burst", number)
    twin.produce_many("burst", range(3000, 5000))
    assert twin.flush(60)
    platform.wait_for("Fast.burst", [float(number) for number in range(5000)])


def test_what_is_not_registered_or_does_not_fit_is_refused_and_nothing_is_kept(
    platform: Platform, connect: Connect
) -> None:
    twin = connect(platform.url)
    with pytest.raises(NotFound, match="registered are: none"):
        twin.produce("speed", 1)
    twin.register([Quantity("speed", "Strict"), Quantity("speed", "Lax")])
    with pytest.raises(NotFound, match=r"means several datastreams: Lax\.speed, Strict\.speed"):
        twin.produce("speed", 1)
    with pytest.raises(InvalidInput, match="'fast' is no Measurement"):
        twin.produce("Strict.speed", "fast")
    with pytest.raises(InvalidInput, match="timestamp 12345 cannot be read"):
        twin.produce("Strict.speed", 1, 12345)
    with pytest.raises(InvalidInput, match="resultTime cannot be given as extra values"):
        twin.produce("Strict.speed", 1, resultTime=2, lane=3)
    with pytest.raises(InvalidInput, match="2 results have 1 timestamps"):
        twin.produce_many("Strict.speed", [1, 2], [1_777_629_600])
    with pytest.raises(InvalidInput, match="'three' is no Measurement"):
        twin.produce_many("Strict.speed", [1, 2, "three"])
    assert twin.status().waiting == 0


def test_the_client_tells_how_it_stands(platform: Platform, connect: Connect) -> None:
    states: list[State] = []
    twin = connect(platform.url, on_state=lambda state, _: states.append(state))
    assert twin.status().state is State.NEW
    twin.register(Quantity("x", "Standing"))
    twin.produce("x", 1)
    assert twin.flush(30)
    status = twin.status()
    assert (status.waiting, status.acknowledged) == (0, 1)
    twin.disconnect()
    twin.disconnect()
    assert states[-2:] == [State.ONLINE, State.CLOSED]


def test_a_datastream_knows_whose_it_is() -> None:
    assert Datastream(id=1, name="Roof.temperature").owner() == "default"
    name = "cz.icecars.fleet.Twin1.roof.temperature"
    assert Datastream(id=2, name=name, system=7).owner() == "cz.icecars.fleet.Twin1"
