"""The platform as a whole: `penstock up`, a message in, an observation out."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from tests.integration.conftest import Running

Start = Callable[..., Any]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform for all tests that leave it as it is, each with names of its own."""
    one = Running(tmp_path_factory.mktemp("platform") / "data")
    yield one
    one.stop()


def publish(running: Any, topic: str, payload: str) -> None:
    """Publish with QoS 1 and wait for the acknowledgement."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "test")
    client.connect(*running.mqtt)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(90)
    client.disconnect()
    client.loop_stop()


def wait_until(holds: Callable[[], bool], timeout_s: float = 90.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            pytest.fail("it did not come true in time")
        time.sleep(0.05)


def numbers(running: Any, name: str) -> list[float]:
    found = running.get(f"/api/v1/datastreams?search={name}")["items"]
    if not found:
        return []
    rows = running.get(f"/api/v1/datastreams/{found[0]['id']}/observations")
    return list(rows["number"])


def test_a_number_published_over_mqtt_is_an_observation_in_the_api(running: Running) -> None:
    publish(running, "kitchen/stove/temperature", "181.5")
    wait_until(lambda: numbers(running, "stove") == [181.5])
    assert running.get("/api/v1/health")["ready"]


def test_shutdown_is_clean_and_quiet_and_a_restart_has_everything(start: Start) -> None:
    running = start()
    publish(running, "kitchen/oven/temperature", "181.5")
    wait_until(lambda: numbers(running, "oven") == [181.5])
    assert running.stop() == (0, "")
    again = start()
    assert numbers(again, "oven") == [181.5]


def test_a_message_by_http_is_stored_when_it_says_so(running: Running) -> None:
    heard: list[tuple[str, bytes, bool]] = []
    subscribed = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "listener")
    client.on_message = lambda _c, _d, m: heard.append((m.topic, m.payload, m.retain))
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(*running.mqtt)
    client.loop_start()
    client.subscribe("kitchen/kettle/#", 1)
    assert subscribed.wait(40)
    offset = running.post("/api/v1/messages/kitchen/kettle/temperature", b"20")["offset"]
    assert running.get(f"/api/v1/ingested?offset={offset}&timeout_s=30")["ingested"]
    assert numbers(running, "kettle") == [20.0]
    wait_until(lambda: heard == [("kitchen/kettle/temperature", b"20", False)])
    client.disconnect()
    client.loop_stop()


def test_a_second_instance_on_the_same_folder_is_refused(running: Running) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(running.data_dir)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert second.returncode == 5  # a conflict
    assert f"another Penstock (process {running.process.pid}) runs on" in second.stderr


@pytest.mark.parametrize("option", ["--mqtt", "--http"])
def test_a_taken_port_is_an_error_that_names_it(
    running: Running, tmp_path: Path, option: str
) -> None:
    taken = f"127.0.0.1:{running.mqtt[1]}"
    other = "--http" if option == "--mqtt" else "--mqtt"
    second = subprocess.run(
        [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(tmp_path / "b")]
        + [option, taken, other, "127.0.0.1:0"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert second.returncode == 1
    assert f"cannot listen on {taken}" in second.stderr
    assert "Errno 98" in second.stderr


def children(pid: int) -> dict[str, int]:
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                command = Path(f"/proc/{child}/cmdline").read_bytes().decode()
            except OSError:
                continue  # it has ended meanwhile
            for name in ("door", "hub"):
                if f"{name}_process" in command:
                    found[name] = int(child)
    return found


def test_children_end_when_the_supervisor_is_killed(start: Start) -> None:
    running = start()
    before = children(running.process.pid)
    running.process.kill()
    running.process.communicate()

    def gone(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
        except OSError:
            return True

    wait_until(lambda: all(gone(pid) for pid in before.values()))


def test_readiness_and_liveness_answer(running: Running) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        with urllib.request.urlopen(running.http + path, timeout=120) as answer:
            assert answer.status == 200


def test_values_without_a_time_that_arrive_together_are_all_kept(running: Running) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "burst")
    client.max_inflight_messages_set(1000)
    client.connect(*running.mqtt)
    client.loop_start()
    sent = [client.publish("kitchen/fridge/temperature", str(n), qos=1) for n in range(500)]
    for one in sent:
        one.wait_for_publish(90)
    client.disconnect()
    client.loop_stop()
    wait_until(lambda: len(numbers(running, "fridge")) == 500)
    assert numbers(running, "fridge") == [float(n) for n in range(500)]


@pytest.mark.parametrize("name", ["door", "hub"])
def test_a_killed_child_is_started_again(start: Start, name: str) -> None:
    running = start("--http", "127.0.0.1:0")
    publish(running, "kitchen/oven/temperature", "1")
    wait_until(lambda: numbers(running, "oven") == [1.0])
    before = children(running.process.pid)
    os.kill(before[name], signal.SIGKILL)
    wait_until(lambda: children(running.process.pid).get(name, before[name]) != before[name])
