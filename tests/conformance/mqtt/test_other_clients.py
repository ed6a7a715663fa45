"""paho-mqtt and Mosquitto use what MQTT 5.0 brought: answers, sessions, wills, figures."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import penstock
from penstock.door import Door

#: Nothing here takes this long unless something is wrong.
PATIENCE_S = 90.0


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed; apt install mosquitto-clients"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, out.decode()
    return out.decode()


class Client:
    """A paho client whose calls wait for what they cause."""

    def __init__(self, name: str) -> None:
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=mqtt.MQTTv5)
        self.came: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.session_present = False
        self._in, self._subscribed = threading.Event(), threading.Event()
        self.paho.on_connect = self._on_connect
        self.paho.on_subscribe = lambda *_: self._subscribed.set()
        self.paho.on_message = lambda _client, _data, message: self.came.put(message)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, _reason: Any, _more: Any) -> None:
        self.session_present = flags.session_present
        self._in.set()

    def connect(self, address: tuple[str, int], expiry_s: int = 0) -> None:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry_s
        self.paho.connect(*address, clean_start=not expiry_s, properties=properties)
        self.paho.loop_start()
        assert self._in.wait(PATIENCE_S)

    def subscribe(self, topic: str, qos: int = 0) -> None:
        self.paho.subscribe(topic, qos)
        assert self._subscribed.wait(PATIENCE_S)

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> None:
        self.paho.publish(topic, payload, qos).wait_for_publish(PATIENCE_S)

    def next(self) -> mqtt.MQTTMessage:
        return self.came.get(timeout=PATIENCE_S)

    def vanish(self) -> None:
        """Close the socket without a goodbye."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def new_client() -> Iterator[Callable[[str], Client]]:
    """Make clients that are closed at the end."""
    made: list[Client] = []

    def new(name: str) -> Client:
        made.append(Client(name))
        return made[-1]

    yield new
    for one in made:
        one.close()


async def test_mosquitto_rr_asks_and_paho_answers(
    door: Door, new_client: Callable[[str], Client]
) -> None:
    program = _tool("mosquitto_rr")
    server = new_client("server")

    def answer(_client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        given = message.properties
        assert given is not None
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = given.CorrelationData
        server.paho.publish(given.ResponseTopic, b"re: " + message.payload, 1, False, properties)

    server.paho.on_message = answer
    await asyncio.to_thread(server.connect, door.address)
    await asyncio.to_thread(server.subscribe, "ask", 1)
    where = ["-h", door.address[0], "-p", str(door.address[1]), "-V", "mqttv5", "-q", "1"]
    more = ["-D", "publish", "correlation-data", "7", "-W", "30"]
    said = await _run(program, *where, *more, "-t", "ask", "-e", "answers/1", "-m", "how?")
    assert said == "re: how?\n"


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_mosquitto_sub_reads_the_figures(door: Door, version: str) -> None:
    where = ["-h", door.address[0], "-p", str(door.address[1]), "-V", version]
    said = await _run(
        _tool("mosquitto_sub"), *where, "-t", "$SYS/broker/version", "-C", "1", "-W", "30", "-v"
    )
    assert said == f"$SYS/broker/version penstock {penstock.__version__}\n"


async def test_paho_finds_what_came_while_it_was_away(
    door: Door, new_client: Callable[[str], Client]
) -> None:
    def story() -> list[tuple[bytes, int, bool]]:
        first = new_client("listener")
        first.connect(door.address, expiry_s=60)
        first.subscribe("plant/+", 2)
        first.close()
        sender = new_client("sender")
        sender.connect(door.address)
        for qos in (1, 2):
            sender.publish("plant/1", b"%d" % qos, qos)
        again = new_client("listener")
        again.connect(door.address, expiry_s=60)
        assert again.session_present
        return [(m.payload, m.qos, m.dup) for m in (again.next(), again.next())]

    assert await asyncio.to_thread(story) == [(b"1", 1, False), (b"2", 2, False)]


async def test_paho_has_its_will_when_it_vanishes(
    door: Door, new_client: Callable[[str], Client]
) -> None:
    def story() -> mqtt.MQTTMessage:
        watcher = new_client("watcher")
        watcher.connect(door.address)
        watcher.subscribe("gone/+", 1)
        properties = Properties(PacketTypes.WILLMESSAGE)
        properties.UserProperty = ("why", "power cut")
        pump = new_client("pump")
        pump.paho.will_set("gone/pump", b"gone", 1, properties=properties)
        pump.connect(door.address)
        pump.vanish()
        return watcher.next()

    will = await asyncio.to_thread(story)
    assert (will.topic, will.payload, will.qos) == ("gone/pump", b"gone", 1)
    assert will.properties is not None
    assert will.properties.UserProperty == [("why", "power cut")]
