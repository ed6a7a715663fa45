"""Simulators into a running Penstock: everything acknowledged is stored, nothing is refused."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.simulators.accelerometer import Accelerometers
from penstock.simulators.factory import Factory
from penstock.simulators.fleet import Fleet
from penstock.simulators.mqtt import Broker
from penstock.simulators.run import Run
from penstock.simulators.stations import Stations
from penstock.simulators.travellers import Travellers

START = 1_795_344_944_780_710
ROOT = Path(__file__).parents[3]


class Platform:
    def __init__(self, folder: Path) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(folder)]
        command += ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        line = self.process.stdout.readline()
        found = re.search(r"(http://\S+)  \(MQTT on ([^,]+)", line)
        assert found, line
        self.url, self.mqtt = found.groups()

    def health(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/api/v1/health", timeout=120) as answer:
            return json.load(answer)

    def until(self, observations: int) -> dict[str, int]:
        for _ in range(1800):
            health = self.health()
            if health["observations_total"] >= observations and not health["lag_messages"]:
                break
            time.sleep(0.05)
        return self.health()


@pytest.fixture
def platform(tmp_path) -> Iterator[Platform]:
    one = Platform(tmp_path / "data")
    yield one
    one.process.terminate()
    one.process.communicate(timeout=120)


def values(simulator, count: int) -> int:
    """Count the observations in what a simulator sends first."""
    total = 0
    stream = itertools.chain.from_iterable(simulator.messages(START))
    for message in itertools.islice(stream, count):
        body = json.loads(message.payload)
        if message.topic.endswith(".measurements"):
            total += len(body)
        elif simulator.name == "stations":
            total += sum(isinstance(value, (int, float)) for value in body.values())
        elif not message.topic.startswith("sensor."):
            total += 1
    return total


def campus(seed: int) -> Stations:
    """Stations that all have a clock; what comes without a time is as old as its arrival."""
    return Stations(seed, count=4)


async def test_all_five_are_stored_without_dead_letters(platform):
    sizes = {Accelerometers: 100, campus: 600, Factory: 2000, Travellers: 3000, Fleet: 300}
    broker = Broker.parse(platform.mqtt)
    expected = 0
    for simulator, count in sizes.items():
        run = Run(broker=broker, start_us=START, speed=None, messages=count)
        summary = await run.play(simulator(7))
        assert summary.acked == count
        expected += values(simulator(7), count)
    health = platform.until(expected)
    # The door writes into the log too, whenever a client comes or goes.
    assert health["messages_total"] > sum(sizes.values())
    assert health["dead_letters"] == 0
    assert health["observations_total"] == expected


def test_the_demo_program_fills_the_platform_and_ends_when_told(platform):
    demo = subprocess.Popen(
        [sys.executable, "-m", "penstock.simulators.demo", "--broker", platform.mqtt],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        health = platform.until(30_000)
    finally:
        demo.send_signal(signal.SIGTERM)
        _, said = demo.communicate(timeout=120)
    assert (demo.returncode, said) == (0, "")
    assert health["observations_total"] >= 30_000
    assert health["dead_letters"] == 0


def test_the_demo_program_says_when_there_is_no_broker():
    demo = subprocess.run(
        [sys.executable, "-m", "penstock.simulators.demo", "--broker", "127.0.0.1:1"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert demo.returncode == 1
    assert demo.stderr.startswith("penstock demo: broker 127.0.0.1:1 cannot be reached")
