"""Devices over HTTP: commands, state, logs, targets, tracks, sensors."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.api.house import SECOND, T0, AsgiStream, House

from penstock.api.fleet.answers import TrackFeature, TrackLine
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.commands import Move, TaskState
from penstock.core.device_logs import Level, LogLine
from penstock.core.series import Series


@pytest.fixture
async def sensor(house: House) -> str:
    body = {"serial_number": "AAD-1123", "sample_frequency": 100}
    assert (await send(house, "POST", "/sensors", body))[0] == 201
    return "AAD-1123"


async def send(
    house: House, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    answer = await house.client.request(
        method,
        f"/api/v1{path}",
        json=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    return answer.status_code, answer.json() if answer.content else None


async def test_sensors_are_listed_in_the_shape_that_programs_know(
    house: House, sensor: str
) -> None:
    (one,) = await house.get("/sensors")
    assert {name: one[name] for name in ("id", "serial_number", "sample_frequency")} == {
        "id": 1,
        "serial_number": sensor,
        "sample_frequency": 100.0,
    }
    assert (await house.get("/sensors/AAD-1123"))["id"] == 1
    assert (await send(house, "GET", "/sensors/GHOST-1"))[0] == 404
    assert (await house.client.get("/api/v1/readyz")).text == "OK"


async def test_registering_a_sensor_again_is_harmless(house: House, sensor: str) -> None:
    status, body = await send(house, "POST", "/sensors", {"serial_number": sensor})
    assert (status, body["sample_frequency"]) == (200, 100.0)
    assert len(await house.get("/sensors")) == 1


@pytest.mark.parametrize("serial", ["", "123", "TOO-LONG1", "A B", "A_1", "é1", "A/1"])
async def test_a_serial_number_that_is_none_is_refused(house: House, serial: str) -> None:
    status, body = await send(house, "POST", "/sensors", {"serial_number": serial})
    assert (status, body["error"]["code"]) == (400, "invalid-input")
    assert await house.get("/sensors") == []


@pytest.mark.parametrize("body", [{}, {"serial_number": "A", "sample_frequency": 0}, [], 5])
async def test_a_sensor_that_is_none_is_refused(house: House, body: object) -> None:
    assert (await send(house, "POST", "/sensors", body))[0] == 400


async def test_a_sensor_that_was_only_heard_can_be_commanded(house: House) -> None:
    house.catalog.enrol([Series(thing="BBB-3423", name="acceleration")], Policy.AUTOMATIC, T0)
    status, task = await send(house, "PUT", "/sensors/BBB-3423/sleep")
    assert (status, task["command"], task["state"]) == (200, "sleep", "queued")


async def test_a_frequency_is_ordered_with_the_words_of_its_route(
    house: House, sensor: str
) -> None:
    path = f"/sensors/{sensor}/change-sample-frequency"
    status, task = await send(house, "PUT", path, {"new_sample_frequency": 500})
    assert (status, task["parameters"]) == (200, {"sampleFrequency": 500.0})
    for wrong in ({"new_sample_frequency": 0}, {"new_sample_frequency": "x"}, {"other": 1}, None):
        assert (await send(house, "PUT", path, wrong))[0] == 400


async def test_all_sensors_or_some_can_be_put_to_sleep(house: House, sensor: str) -> None:
    await send(house, "POST", "/sensors", {"serial_number": "BBB-3423"})
    status, body = await send(house, "PUT", "/sensors/sleep?all=true")
    assert (status, [task["device"] for task in body["items"]]) == (200, [sensor, "BBB-3423"])
    status, body = await send(house, "PUT", "/sensors/awake", [sensor])
    assert [task["command"] for task in body["items"]] == ["awake"]
    for wrong in ([], ["GHOST"], {"x": 1}):
        assert (await send(house, "PUT", "/sensors/awake", wrong))[0] in (400, 404)
    assert len((await house.get("/tasks"))["items"]) == 3


async def test_a_task_is_shown_when_it_is_at_its_end(house: House, sensor: str) -> None:
    status, task = await send(
        house, "POST", f"/devices/{sensor}/commands", {"command": "sleep"}, Idempotency_Key="k1"
    )
    assert status == 202
    assert (await send(house, "POST", f"/devices/{sensor}/commands", {"command": "sleep"},
                       Idempotency_Key="k1"))[1]["id"] == task["id"]  # fmt: skip
    again = await send(
        house, "POST", f"/devices/{sensor}/commands", {"command": "awake"}, Idempotency_Key="k1"
    )
    assert (again[0], again[1]["error"]["code"]) == (409, "conflict")
    from penstock.catalog.devices.tasks import SqlTasks

    records = SqlTasks(house.catalog.database)
    records.move([Move(key=task["key"], state=TaskState.DONE, at_us=T0, message="asleep")])
    shown = await house.get(f"/tasks/{task['id']}", wait_s=20)
    assert (shown["state"], shown["message"]) == ("done", "asleep")
    assert (await house.get("/tasks", state="done"))["items"] == [shown]
    assert (await house.get(f"/devices/{sensor}/tasks", state="queued"))["items"] == []
    assert (await send(house, "GET", "/tasks/4711"))[0] == 404


async def test_a_command_for_all_needs_a_type(house: House, sensor: str) -> None:
    for wrong in (
        {"command": "sleep"},
        {"command": "sleep", "all": True},
        {"command": "sleep", "all": True, "type": "accelerometer", "devices": [sensor]},
    ):
        assert (await send(house, "POST", "/commands", wrong))[0] == 400
    body = {"command": "sleep", "all": True, "type": "accelerometer"}
    status, answer = await send(house, "POST", "/commands", body)
    assert (status, len(answer["items"])) == (202, 1)


async def test_a_declared_type_gives_its_devices_commands(house: House) -> None:
    type_ = {
        "name": "boiler",
        "commands": [
            {"name": "heat", "parameters": [{"name": "to", "minimum": 10, "maximum": 90}]}
        ],
    }
    assert (await send(house, "PUT", "/device-types/boiler", type_))[0] == 200
    assert (await send(house, "PUT", "/device-types/other", type_))[0] == 400
    assert (await send(house, "PUT", "/device-types/accelerometer",
                       {"name": "accelerometer"}))[0] == 409  # fmt: skip
    names = [one["name"] for one in (await house.get("/device-types"))["items"]]
    assert names == ["accelerometer", "boiler"]
    body = {"name": "plant/boiler 7", "type": "boiler", "topic": "plant/boiler-7"}
    assert (await send(house, "POST", "/devices", body))[0] == 201
    assert (await send(house, "POST", "/devices", {**body, "type": "ghost"}))[0] == 404
    path = "/devices/plant/boiler 7/commands"
    status, answer = await send(house, "POST", path, {"command": "heat", "parameters": {"to": 95}})
    assert status == 400
    assert "too large; allowed is a number from 10 up to 90" in answer["error"]["message"]
    status, answer = await send(house, "POST", path, {"command": "heat", "parameters": {"to": 60}})
    assert (status, answer["parameters"]) == (202, {"to": 60.0})


async def test_a_device_is_changed_and_fixed_to_a_target(house: House, sensor: str) -> None:
    status, target = await send(house, "POST", "/targets", {"ID": 0, "Name": "Pump 3"})
    assert (status, target["name"]) == (201, "Pump 3")
    assert (await send(house, "POST", "/targets", {"name": "Pump 3"}))[0] == 409
    assert (await send(house, "POST", "/targets", {}))[0] == 400
    status, device = await send(
        house, "PATCH", f"/devices/{sensor}", {"target_id": target["id"], "sample_frequency": 50}
    )
    assert (status, device["target"], device["sample_frequency"]) == (
        200,
        {"id": target["id"], "name": "Pump 3"},
        50.0,
    )
    assert (await house.get("/targets"))["items"][0]["devices"] == [sensor]
    house.clock.advance(10)
    path = f"/sensors/{sensor}/target"
    assert (await send(house, "PUT", path, {"target_id": 99}))[0] == 404
    assert (await send(house, "PUT", path, {"target_id": None}))[1]["target_id"] is None
    (history,) = (await house.get(f"/devices/{sensor}/targets"))["items"]
    assert (history["from_us"], history["until_us"]) == (T0, T0 + 10 * SECOND)
    assert (await house.get(f"/targets/{target['id']}/devices"))["items"] == [history]
    assert (await send(house, "DELETE", f"/targets/{target['id']}"))[0] == 204
    assert (await send(house, "GET", f"/targets/{target['id']}"))[0] == 404


async def test_a_target_has_a_track(house: House) -> None:
    _, target = await send(house, "POST", "/targets", {"name": "Barge", "location": [13, 47.8]})
    assert target["location"] == [13.0, 47.8]
    path = f"/targets/{target['id']}"
    body = {"places": [{"position": [13.1, 47.8, 420], "time_us": T0 + SECOND}]}
    assert (await send(house, "POST", f"{path}/locations", body))[0] == 204
    wrong = {"places": [{"position": [200, 0]}]}
    assert (await send(house, "POST", f"{path}/locations", wrong))[0] == 400
    track = await house.get(f"{path}/track")
    assert track["position"] == [[13.0, 47.8], [13.1, 47.8, 420.0]]
    assert (await house.get(path))["location"] == [13.1, 47.8, 420.0]


async def test_a_moving_device_draws_a_track(house: House) -> None:
    for second in range(10):
        series = Series(
            thing="car", name="speed", location=(13 + second / 100, 47.8),
            located_us=T0 + second * SECOND,
        )  # fmt: skip
        house.catalog.enrol([series], Policy.AUTOMATIC, T0)
    track = await house.get("/devices/car/track")
    assert track["time_us"] == [T0 + second * SECOND for second in range(10)]
    part = await house.get("/devices/car/track", **{"from": T0 + 2 * SECOND, "to": T0 + 4 * SECOND})
    assert part["time_us"] == [T0 + 2 * SECOND, T0 + 3 * SECOND]
    thinned = await house.get("/devices/car/track", limit=4)
    assert thinned["time_us"] == [T0 + second * SECOND for second in (0, 3, 6, 9)]
    answer = await house.client.get(
        "/api/v1/devices/car/track", headers={"Accept": "application/geo+json"}
    )
    assert answer.headers["content-type"] == "application/geo+json"
    feature = msgspec.json.decode(answer.content, type=TrackFeature, strict=True)
    assert isinstance(feature.geometry, TrackLine)
    assert len(feature.geometry.coordinates) == 10
    for start, shape in ((T0 + 9 * SECOND, {"type": "Point", "coordinates": [13.09, 47.8]}),
                         (T0 + 10 * SECOND, None)):  # fmt: skip
        path = f"/devices/car/track?from={start}&format=geojson"
        assert (await house.client.get(f"/api/v1{path}")).json() == {
            "type": "Feature",
            "properties": {"name": "car", "time_us": [start] if shape else []},
            "geometry": shape,
        }


async def test_a_desired_state_is_changed_by_one_at_a_time(house: House, sensor: str) -> None:
    path = f"/devices/{sensor}/state"
    empty = await house.client.get(f"/api/v1{path}")
    assert (empty.headers["etag"], empty.json()["desired"]) == ('"0"', {})
    status, state = await send(house, "PUT", f"{path}/desired", {"interval_s": 10}, If_Match='"0"')
    assert (status, state["desired_version"], state["delta"]) == (200, 1, {"interval_s": 10})
    status, body = await send(house, "PUT", f"{path}/desired", {"interval_s": 20}, If_Match='"0"')
    assert (status, body["error"]["code"]) == (412, "changed")
    assert (await send(house, "PUT", f"{path}/desired", {}, If_Match="x"))[0] == 400
    assert (await send(house, "PUT", f"{path}/desired", [1]))[0] == 400
    assert (await send(house, "PUT", f"{path}/desired", {"big": "x" * 70_000}))[0] == 400
    assert (await house.get(path))["desired"] == {"interval_s": 10}


def lines(*texts: str, device: str = "AAD-1123") -> list[LogLine]:
    return [
        LogLine(device=device, time_us=T0 + at * SECOND, level=Level.INFO, message=text)
        for at, text in enumerate(texts)
    ]


async def test_logs_are_searched_in_pages(house: House, sensor: str) -> None:
    house.fleet.logs.append([*lines("one", "two", "three"), *lines("four", device="other")])
    page = await house.get(f"/devices/{sensor}/logs", limit=2)
    assert [line["message"] for line in page["items"]] == ["three", "two"]
    rest = await house.get(f"/devices/{sensor}/logs", limit=2, before=page["next"])
    assert [line["message"] for line in rest["items"]] == ["one"]
    assert rest["next"] is None
    found = await house.get("/device-logs", text="O", device="other")
    assert [line["message"] for line in found["items"]] == ["four"]
    found = await house.get("/device-logs", level="ERROR")
    assert found["items"] == []
    found = await house.get("/device-logs", **{"from": T0 + SECOND, "to": T0 + 2 * SECOND})
    assert [line["message"] for line in found["items"]] == ["two"]
    assert (await send(house, "GET", "/device-logs?before=x"))[0] == 400


async def test_logs_are_followed_live(house: House, sensor: str) -> None:
    path = "/api/v1/device-logs/stream"
    async with AsgiStream(house.app, path, f"device={sensor}") as stream:
        assert (await stream.block()) == {"retry": "1000"}
        house.fleet.logs.append([*lines("hello"), *lines("not asked for", device="other")])
        event = await stream.block()
        assert event["event"] == "lines"
        assert [line["message"] for line in json.loads(event["data"])] == ["hello"]


async def test_a_device_is_deleted(house: House, sensor: str) -> None:
    assert (await send(house, "DELETE", f"/sensors/{sensor}"))[0] == 204
    assert (await send(house, "DELETE", f"/devices/{sensor}"))[0] == 404
    assert (await house.get("/devices"))["items"] == []


async def test_devices_are_filtered_and_paged(house: House) -> None:
    for name in ("a", "b", "c"):
        await send(house, "POST", "/devices", {"name": name})
    page = await house.get("/devices", limit=2)
    assert [one["name"] for one in page["items"]] == ["a", "b"]
    rest = await house.get("/devices", limit=2, after=page["next"])
    assert [one["name"] for one in rest["items"]] == ["c"]
    assert (await house.get("/devices", online="true"))["items"] == []
    assert [o["name"] for o in (await house.get("/devices", search="B"))["items"]] == ["b"]


async def test_a_device_that_waits_cannot_be_commanded(house: House) -> None:
    house.catalog.enrol([Series(thing="w", name="x")], Policy.APPROVAL, T0)
    status, body = await send(house, "POST", "/devices/w/commands", {"command": "sleep"})
    assert (status, body["error"]["message"]) == (
        409,
        "device 'w' is pending; approve it first",
    )
    status, _ = await send(house, "POST", "/devices/w/approve")
    assert status == 204
    assert (await house.get("/devices/w"))["status"] == DeviceStatus.ENROLLED


async def test_what_was_changed_about_devices_is_in_the_audit_trail(
    house: House, sensor: str
) -> None:
    type_ = {"name": "boiler", "commands": [{"name": "heat"}]}
    assert (await send(house, "PUT", "/device-types/boiler", type_))[0] == 200
    assert (await send(house, "PUT", f"/devices/{sensor}/state/desired", {"on": True}))[0] == 200
    _, target = await send(house, "POST", "/targets", {"name": "Pump 3"})
    body = {"target_id": target["id"]}
    assert (await send(house, "PUT", f"/sensors/{sensor}/target", body))[0] == 200
    did = [
        (one["action"], one["kind"], one["name"]) for one in (await house.get("/audit"))["items"]
    ]
    assert did == [
        ("change", "device", sensor),
        ("add", "target", "Pump 3"),
        ("desire", "device", sensor),
        ("declare", "device-type", "boiler"),
        ("add", "device", sensor),
    ]


async def test_commands_are_in_the_audit_trail(house: House, sensor: str) -> None:
    await send(house, "POST", "/sensors", {"serial_number": "BBD-2"})
    key = {"Idempotency_Key": "monday"}
    for _ in range(2):  # the second time nothing is ordered
        await send(house, "PUT", f"/sensors/{sensor}/sleep", **key)
    body = {"command": "awake", "all": True, "type": "accelerometer"}
    assert (await send(house, "POST", "/commands", body))[0] == 202
    await send(house, "PUT", "/sensors/GHOST-1/sleep")
    rows = [one for one in (await house.get("/audit"))["items"] if one["action"] == "command"]
    found = [(one["name"], one["object_id"], one["system"], one["after"]) for one in rows]
    assert found == [
        (
            f"{sensor}, BBD-2",
            0,
            1,
            {"command": "awake", "parameters": {}, "devices": 2, "tasks": [2, 3]},
        ),
        (sensor, 1, 1, {"command": "sleep", "parameters": {}, "devices": 1, "tasks": [1]}),
    ]
