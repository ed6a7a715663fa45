"""From publish to notification, while 10,000 messages per second come in.

    python -m benchmarks alarm_latency

A load of 10,000 QoS 1 messages per second runs all the time, and one rule looks at every
observation of it. Beside it a probe publishes a number above the threshold and one below it in
turn, about ten per second, at random moments. A webhook receiver takes what is told. The time from
the moment before a probe's packet is sent until the receiver has read the notification is one
sample.
"""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from benchmarks.ingest_platform import Running, running_platform
from benchmarks.load import spawn_load
from benchmarks.packets import connect_packet

SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
RATE = 10_000
THRESHOLD = 1_000_000_000
_TOPIC = b"bench/alarm/probe"
_RULE = (
    f"-- alarm: probe\n-- flapping: 0\nSELECT time, name, result FROM observations "
    f"WHERE result > {THRESHOLD}\n"
)


class _Receiver:
    """Notes when each number was told."""

    def __init__(self) -> None:
        self.times: dict[int, float] = {}
        times = self.times

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at = time.perf_counter()
                alarm = json.loads(body)["alarm"]
                if alarm is not None:
                    times.setdefault(int(alarm["values"]["result"]) - THRESHOLD, at)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def _post(running: Running, path: str, body: bytes, media: str) -> None:
    import urllib.request

    request = urllib.request.Request(f"{running.http}/api/v1{path}", body, {"Content-Type": media})
    with urllib.request.urlopen(request) as answer:
        answer.read()


def _publish(broker: socket.socket, number: int) -> float:
    payload = b"%d" % number
    rest = len(_TOPIC).to_bytes(2, "big") + _TOPIC + b"\x00\x01" + payload
    begin = time.perf_counter()
    broker.sendall(b"\x32" + bytes((len(rest),)) + rest)
    return begin


def _probe(running: Running, receiver: _Receiver) -> dict[str, Any]:
    chance = random.Random(3)
    target = {"name": "bench", "kind": "webhook", "address": receiver.url, "events": ["raise"]}
    _post(running, "/notification-targets", json.dumps(target).encode(), "application/json")
    _post(running, "/alarm-rules", _RULE.encode(), "text/plain")
    with socket.create_connection(("127.0.0.1", running.mqtt_port)) as broker:
        broker.sendall(connect_packet("probe"))
        assert broker.recv(4)[0] == 0x20
        load = spawn_load(running.mqtt_port, publishers=4, seconds=SECONDS + 6, rate=RATE)
        while running.stored() < RATE:
            time.sleep(0.1)
        sent: dict[int, float] = {}
        ends = time.perf_counter() + SECONDS
        while time.perf_counter() < ends:
            time.sleep(chance.uniform(0.03, 0.07))
            number = len(sent) + 1
            sent[number] = _publish(broker, THRESHOLD + number)
            time.sleep(chance.uniform(0.03, 0.07))
            _publish(broker, 0)
        time.sleep(2)
        out, _ = load.communicate()
    offered = json.loads(out)
    found = [at - sent[n] for n, at in receiver.times.items() if n in sent]
    p50, p95, p99 = np.percentile(found, (50, 95, 99)) * 1e3
    return {
        "load_per_s": round(offered["per_second"]),
        "samples": len(found),
        "lost": len(sent) - len(found),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "max_ms": round(max(found) * 1e3, 1),
    }


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    os.environ["PENSTOCK_ALARMS_WEBHOOK_PRIVATE"] = "true"
    receiver = _Receiver()
    with running_platform() as running:
        found = _probe(running, receiver)
    receiver.server.shutdown()
    return {
        "what": "publish to notification (webhook), milliseconds",
        "seconds": SECONDS,
        **found,
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
