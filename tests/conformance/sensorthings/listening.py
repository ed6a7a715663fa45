"""MQTT clients that publish to the SensorThings API and listen to it."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import paho.mqtt.client as paho

PATIENCE_S = 90.0


class Listener:
    """A client with subscriptions, that keeps what comes, by topic."""

    def __init__(self, door: tuple[str, int], *topics: str) -> None:
        self._came: dict[str, queue.Queue[Any]] = {topic: queue.Queue() for topic in topics}
        self._ready = threading.Event()
        self._topics = topics
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"listener-{id(self)}")
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = self._message
        self.client.connect(*door)
        self.client.loop_start()
        assert self._ready.wait(PATIENCE_S)

    def _connected(self, *_: object) -> None:
        self.client.subscribe([(topic, 1) for topic in self._topics])

    def _message(self, _: object, __: object, message: paho.MQTTMessage) -> None:
        self._came[message.topic].put(json.loads(message.payload))

    def next(self, topic: str | None = None) -> Any:
        """Wait for the next message of a topic."""
        return self._came[topic or self._topics[0]].get(timeout=PATIENCE_S)

    def rest(self, topic: str | None = None) -> list[Any]:
        """Return what has come of a topic and was not looked at."""
        came = self._came[topic or self._topics[0]]
        return [came.get() for _ in range(came.qsize())]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def publish(door: tuple[str, int], topic: str, payload: object, *, retain: bool = False) -> None:
    """Publish JSON with QoS 1 and wait for the acknowledgement."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"publisher-{time.monotonic_ns()}")
    client.connect(*door)
    client.loop_start()
    client.publish(topic, json.dumps(payload), qos=1, retain=retain).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait for something that another process does, and return it."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
    return found
