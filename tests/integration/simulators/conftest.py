"""Mosquitto on a free port, and a paho-mqtt subscriber as an independent witness."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest


class Mosquitto:
    """Debian's broker; can be stopped and started again on the same port."""

    def __init__(self, folder: Path, more: str = "") -> None:
        # Bound but never listening: nobody else gets the port while the broker is away.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nmax_queued_messages 0\n"
            + (more or "allow_anonymous true\n")
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        self.process = subprocess.Popen(
            [program, "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(3600):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.025)
        raise RuntimeError("mosquitto does not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.kill()
        self._place.close()


@pytest.fixture
def mosquitto_needed() -> None:
    if shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have mosquitto; install Debian's package mosquitto")
        pytest.skip("mosquitto is not installed")


@pytest.fixture
def mosquitto(mosquitto_needed, tmp_path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.close()


class Witness:
    """Subscribes with paho-mqtt and keeps what it gets."""

    def __init__(self, port: int) -> None:
        self.got: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda client, *_: client.subscribe("#", 2)
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _c, _u, m: self.got.append((m.topic, m.payload))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._subscribed.wait(120)

    def wait(self, count: int) -> None:
        for _ in range(3600):
            if len(self.got) >= count:
                return
            time.sleep(0.025)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def closed_mosquitto(mosquitto_needed, tmp_path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, "allow_anonymous false\n")
    broker.start()
    yield broker
    broker.close()


@pytest.fixture
def new_witness() -> Iterator[Callable[[int], Witness]]:
    made: list[Witness] = []

    def make(port: int) -> Witness:
        made.append(Witness(port))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def witness(mosquitto, new_witness) -> Witness:
    return new_witness(mosquitto.port)
