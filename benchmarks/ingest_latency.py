"""From publish to visible in the API, while 10,000 messages per second come in.

    python -m benchmarks.ingest_latency

A load of 10,000 QoS 1 messages per second runs all the time. Beside it a probe publishes numbers
that count up, about ten per second, at random moments. One reader asks `/api/v1/latest` for
the probe's datastream again and again, another listens to its live events. The time from the moment
before the probe's packet is sent until each reader has the number is one sample.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import threading
import time
from typing import Any

import numpy as np
from benchmarks.ingest_platform import Running, running_platform
from benchmarks.load import spawn_load
from benchmarks.packets import connect_packet

SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
RATE = 10_000
_TOPIC = b"bench/latency/probe"


class _Seen:
    """When each number was first seen."""

    def __init__(self) -> None:
        self.times: dict[int, float] = {}

    def number(self, value: float) -> None:
        """Note that a number is visible, and with it all before."""
        self.times.setdefault(int(value), time.perf_counter())


def _poll(running: Running, datastream: int, seen: _Seen, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection(running.http.removeprefix("http://"))
    while not stop.is_set():
        connection.request("GET", f"/api/v1/latest?datastream={datastream}")
        answer = json.load(connection.getresponse())
        seen.number(answer["number"][0])
        time.sleep(0.002)


def _listen(running: Running, datastream: int, seen: _Seen, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection(running.http.removeprefix("http://"), timeout=30)
    connection.request("GET", f"/api/v1/observations/stream?datastream={datastream}")
    answer = connection.getresponse()
    while not stop.is_set():
        line = answer.readline()
        if line.startswith(b"data: "):
            for value in json.loads(line[6:]).get("number", ()):
                seen.number(value)


def _publish(broker: socket.socket, number: int) -> float:
    payload = b"%d" % number
    rest = len(_TOPIC).to_bytes(2, "big") + _TOPIC + b"\x00\x01" + payload
    begin = time.perf_counter()
    broker.sendall(b"\x32" + bytes((len(rest),)) + rest)
    return begin


def _summary(sent: dict[int, float], seen: _Seen) -> dict[str, Any]:
    # A number that was overtaken was visible when the next one was, at the latest.
    visible, found = float("inf"), []
    for number in range(max(seen.times), 0, -1):
        visible = min(visible, seen.times.get(number, visible))
        if number in sent:
            found.append(visible - sent[number])
    p50, p95, p99 = np.percentile(found, (50, 95, 99)) * 1e3
    return {
        "samples": len(found),
        "lost": len(sent) - len(found),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "max_ms": round(max(found) * 1e3, 1),
    }


def _probe(running: Running) -> dict[str, Any]:
    chance = random.Random(3)
    with socket.create_connection(("127.0.0.1", running.mqtt_port)) as broker:
        broker.sendall(connect_packet("probe"))
        assert broker.recv(4)[0] == 0x20
        _publish(broker, 0)
        running.wait_stored(1)
        datastream = running.get("/datastreams")["items"][0]["id"]
        load = spawn_load(running.mqtt_port, publishers=4, seconds=SECONDS + 6, rate=RATE)
        polled, heard, stop = _Seen(), _Seen(), threading.Event()
        readers = [
            threading.Thread(target=_poll, args=(running, datastream, polled, stop)),
            threading.Thread(target=_listen, args=(running, datastream, heard, stop)),
        ]
        for reader in readers:
            reader.start()
        # Until the load generator has built its packets and sends.
        while running.stored() < RATE:
            time.sleep(0.1)
        sent: dict[int, float] = {}
        ends = time.perf_counter() + SECONDS
        while time.perf_counter() < ends:
            time.sleep(chance.uniform(0.06, 0.14))
            sent[len(sent) + 1] = _publish(broker, len(sent) + 1)
        time.sleep(1)
        stop.set()
        _publish(broker, len(sent) + 1)
        for reader in readers:
            reader.join()
        out, _ = load.communicate()
    offered = json.loads(out)
    return {
        "load_per_s": round(offered["per_second"]),
        "polling_latest": _summary(sent, polled),
        "live_events": _summary(sent, heard),
    }


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    with running_platform() as running:
        found = _probe(running)
    return {
        "what": "publish to visible in the API, milliseconds",
        "seconds": SECONDS,
        **found,
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
