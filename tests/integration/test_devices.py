"""Devices of a running platform: they register, log, obey, and survive kills of door and hub."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

Start = Callable[..., Any]
PATIENCE_S = 90.0


def call(running: Any, method: str, path: str, body: object = None, **headers: str) -> Any:
    """Ask the API; tries again while the hub is away."""
    data = None if body is None else json.dumps(body).encode()
    end = time.monotonic() + PATIENCE_S
    while True:
        request = urllib.request.Request(
            f"{running.http}/api/v1{path}", data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            pytest.fail(f"{method} {path}: {error.code} {error.read()!r}")
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def wait_until(holds: Callable[[], Any]) -> Any:
    """Wait for something that another process does, and return it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail("it did not come true in time")
        time.sleep(0.05)


def child(running: Any, name: str) -> int:
    """The process of the door or of the hub."""
    for task in Path(f"/proc/{running.process.pid}/task").iterdir():
        for pid in (task / "children").read_text().split():
            with contextlib.suppress(OSError):  # it has ended by now
                if f"{name}_process" in Path(f"/proc/{pid}/cmdline").read_bytes().decode():
                    return int(pid)
    return 0


def kill(running: Any, name: str) -> None:
    """Kill door or hub, and wait until there is another."""
    before = child(running, name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: child(running, name) not in (0, before))


@pytest.fixture
def sensors() -> Iterator[Callable[[Any], None]]:
    """Let the simulated sensors send to a platform."""
    processes: list[subprocess.Popen[bytes]] = []

    def go(running: Any) -> None:
        host, port = running.mqtt
        command = [sys.executable, "-m", "penstock.cli.main", "simulate", "accelerometer"]
        command += ["--broker", f"{host}:{port}", "--rate", "50", "--json"]
        processes.append(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    yield go
    for process in processes:
        process.terminate()
        process.wait(120)


class Obedient:
    """A device that says done to whatever it is told, and counts."""

    def __init__(self, running: Any, serial: str) -> None:
        self.serial = serial
        self.told: list[str] = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, serial, clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self.subscribe
        self.client.on_message = self.obey
        self.client.connect(*running.mqtt)
        self.client.loop_start()

    def subscribe(self, client: paho.Client, *_: object) -> None:
        for command in ("sleep", "awake", "change_sample_frequency"):
            client.subscribe(f"sensor.{self.serial}.commands.{command}", qos=1)

    def obey(self, client: paho.Client, _: object, message: paho.MQTTMessage) -> None:
        task = json.loads(message.payload)["Task"]
        self.told.append(task)
        answer = json.dumps({"Task": task, "State": "done"})
        client.publish(f"sensor.{self.serial}.tasks", answer, qos=1)

    def register(self) -> None:
        entry = json.dumps({"SerialNumber": self.serial, "SampleFrequency": 10})
        topic = f"sensor.{self.serial}.registry.created"
        self.client.publish(topic, entry, qos=1).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def obedient() -> Iterator[Callable[..., Obedient]]:
    devices: list[Obedient] = []

    def one(running: Any, serial: str) -> Obedient:
        devices.append(Obedient(running, serial))
        return devices[-1]

    yield one
    for device in devices:
        device.close()


def ended(running: Any, task: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end of a task."""
    return wait_until(
        lambda: next(
            (
                shown
                for shown in [call(running, "GET", f"/tasks/{task['id']}")]
                if shown["ended_us"] is not None
            ),
            None,
        )
    )


def test_simulated_sensors_boot_register_obey_and_log(
    start: Start, sensors: Callable[[Any], None]
) -> None:
    running = start()
    sensors(running)
    wait_until(lambda: len(call(running, "GET", "/sensors")) == 2)
    log = "/devices/AAD-1123/logs?text=self-test"
    wait_until(lambda: len(call(running, "GET", log)["items"]) == 2)
    one = wait_until(
        lambda: next(
            (d for d in [call(running, "GET", "/devices/AAD-1123")] if d["last_seen_us"]), None
        )
    )
    assert (one["type"], one["sample_frequency"]) == ("accelerometer", 50.0)
    assert wait_until(lambda: call(running, "GET", "/devices/AAD-1123")["online"])
    path = "/sensors/AAD-1123"
    assert ended(running, call(running, "PUT", f"{path}/sleep"))["message"] == "asleep"
    assert ended(running, call(running, "PUT", f"{path}/sleep"))["message"] == "already asleep"
    assert ended(running, call(running, "PUT", f"{path}/awake"))["message"] == "awake"
    task = call(running, "PUT", f"{path}/change-sample-frequency", {"new_sample_frequency": 20})
    assert ended(running, task)["state"] == "done"
    wait_until(lambda: call(running, "GET", path)["sample_frequency"] == 20.0)
    tasks = call(running, "PUT", "/sensors/sleep?all=true")["items"]
    assert {ended(running, task)["state"] for task in tasks} == {"done"}
    assert call(running, "GET", "/dead-letters")["items"] == []


@pytest.mark.parametrize("name", ["hub", "door"])
def test_no_command_is_lost_when_a_process_is_killed(
    start: Start, obedient: Callable[..., Obedient], kept_port: Callable[[], str], name: str
) -> None:
    # Both come back where they were.
    running = start("--http", kept_port(), "--mqtt", kept_port())
    device = obedient(running, "AAD-1123")
    device.register()
    wait_until(lambda: call(running, "GET", "/sensors"))
    tasks = []
    for number in range(20):
        headers = {"Idempotency-Key": f"order-{number}"}
        if number == 10:
            kill(running, name)
        tasks.append(call(running, "PUT", "/sensors/AAD-1123/sleep", None, **headers))
    states = {ended(running, task)["state"] for task in tasks}
    assert states == {"done"}
    assert len({task["key"] for task in tasks}) == 20
    assert {task["key"] for task in tasks} == set(device.told)


def test_a_deleted_device_with_its_data_leaves_nothing(start: Start) -> None:
    running = start()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "oven")
    client.connect(*running.mqtt)
    client.loop_start()
    client.publish("kitchen/oven", '{"TMP": 25}', qos=1).wait_for_publish(PATIENCE_S)
    wait_until(lambda: call(running, "GET", "/datastreams?search=oven")["items"])
    call(running, "DELETE", "/devices/kitchen/oven?with_data=true")
    assert call(running, "GET", "/datastreams?search=oven")["items"] == []
    client.publish("kitchen/oven", '{"TMP": 26}', qos=1).wait_for_publish(PATIENCE_S)
    found = wait_until(lambda: call(running, "GET", "/datastreams?search=oven")["items"])

    def rows() -> list[float]:
        got = call(running, "GET", f"/datastreams/{found[0]['id']}/observations")
        return list(got["number"])

    assert wait_until(rows) == [26.0]
    client.disconnect()
    client.loop_stop()
