"""What it costs that messages posted by HTTP reach MQTT subscribers.

    python -m benchmarks.posted

Four kept connections post arrays of 100 values to topics of their own, as fast as they are
answered, in short rounds: while nobody subscribes, while somebody subscribes to other topics, and
while somebody subscribes to all of them. The rounds take turns, so that what the machine does
besides befalls all alike. Told are posts per second, the door's processor time for a post, and the
time from the moment before a post is sent until a subscriber has it.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import paho.mqtt.client as paho
from benchmarks.ingest_platform import Running, running_platform

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "8"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
POSTERS = 4
VALUES = 100
CASES = {"nobody": None, "others": "other/#", "all": "posted/#"}


class _Subscriber:
    """Subscribes to one filter, and notes when messages come."""

    def __init__(self, port: int, wanted: str) -> None:
        self.came: dict[str, float] = {}
        self._subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "bench")
        self._client.on_message = self._take
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe(wanted)
        if not self._subscribed.wait(30):
            raise TimeoutError("no answer to SUBSCRIBE")

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        now = time.perf_counter()
        self.came[message.payload[:24].decode()] = now

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


def _post(running: Running, number: int, until: float, sent: dict[str, float]) -> None:
    connection = http.client.HTTPConnection(running.http.removeprefix("http://"), timeout=60)
    path = f"/api/v1/messages/posted/station-{number}"
    count = 0
    while (begin := time.perf_counter()) < until:
        count += 1
        start_us = time.time_ns() // 1000
        key = f'{{"id":"{number:02}{count:07}-{start_us % 10**6:06}"'[:24].ljust(24)
        values = [{"time": start_us + at, "value": at / 7} for at in range(VALUES)]
        body = f'{key}","values":{json.dumps(values)}}}'
        connection.request("POST", path, body.encode())
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise RuntimeError(f"refused with {answer.status}")
        sent[body[:24]] = begin
    connection.close()


def _round(running: Running, wanted: str | None) -> dict[str, Any]:
    subscriber = None if wanted is None else _Subscriber(running.mqtt_port, wanted)
    sent: dict[str, float] = {}
    before, begin = running.cpu_seconds()["door"], time.perf_counter()
    posters = [
        threading.Thread(target=_post, args=(running, number, begin + SECONDS, sent))
        for number in range(POSTERS)
    ]
    for one in posters:
        one.start()
    for one in posters:
        one.join()
    took = time.perf_counter() - begin
    came: dict[str, float] = {}
    if subscriber is not None:
        if wanted == CASES["all"]:
            _wait(lambda: sent.keys() <= subscriber.came.keys())
            came = subscriber.came
        subscriber.close()
    used = running.cpu_seconds()["door"] - before
    return {
        "posts_per_s": len(sent) / took,
        "door_us": used / len(sent) * 1e6,
        "delays": [came[key] - at for key, at in sent.items() if key in came],
        "missing": len(sent.keys() - came.keys()) if came else 0,
    }


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 30
    while not holds() and time.perf_counter() < deadline:
        time.sleep(0.01)


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
    with running_platform() as running:
        _round(running, None)  # what is only done once is done
        for _ in range(ROUNDS):
            for name, wanted in CASES.items():
                found[name].append(_round(running, wanted))
    delays = [delay for one in found["all"] for delay in one["delays"]]
    p50, p99 = np.percentile(delays, (50, 99)) * 1e3
    return {
        "what": f"posts of {VALUES} values by HTTP, {POSTERS} connections, medians of {ROUNDS} "
        f"rounds of {SECONDS:g} s each; by what somebody subscribes to",
        **{
            name: {
                "posts_per_s": round(statistics.median(one["posts_per_s"] for one in rounds)),
                "door_us_per_post": round(statistics.median(one["door_us"] for one in rounds), 1),
            }
            for name, rounds in found.items()
        },
        "post_to_subscriber": {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1)},
        "not_delivered": sum(one["missing"] for one in found["all"]),
        "load_average": os.getloadavg()[0],
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
