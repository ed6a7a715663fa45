"""From the API call to the simulated device, while 10,000 messages per second come in.

    python -m benchmarks.commands

Two simulated devices subscribe to their commands over plain sockets and answer every task. First
there is no load, then 10,000 QoS 1 messages per second. About ten commands per second are ordered
over HTTP on a kept connection, at random moments. One sample is the time from the moment before the
request is sent until the device has read the command from its socket; `accepted` is until the API
answers (the command is on disk), `shown_as_done` from the order to the end that the API shows.
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

SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
RATE = 10_000
SERIALS = ("AAD-1123", "BBB-3423")


def _packet(kind: int, body: bytes) -> bytes:
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return bytes((kind,)) + bytes(digits) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


class _Device:
    """A sensor that notes when it is told something, and says that it did it."""

    def __init__(self, port: int, serial: str) -> None:
        self.serial = serial
        self.told: dict[str, float] = {}
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._socket.sendall(connect_packet(serial))
        assert self._next()[0] == 0x20
        topics = [f"sensor.{serial}.commands.{name}" for name in ("sleep", "awake")]
        wanted = b"".join(_text(topic) + b"\1" for topic in topics)
        self._socket.sendall(_packet(0x82, b"\0\1" + wanted))
        assert self._next()[0] == 0x90
        entry = json.dumps({"SerialNumber": serial, "SampleFrequency": 100}).encode()
        self._publish(f"sensor.{serial}.registry.created", entry)
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _publish(self, topic: str, payload: bytes) -> None:
        self._socket.sendall(_packet(0x30, _text(topic) + payload))

    def _next(self) -> tuple[int, bytes]:
        while True:
            if len(self._rest) >= 2:
                length, shift, at = 0, 0, 1
                while at < len(self._rest):
                    digit = self._rest[at]
                    at += 1
                    length |= (digit & 0x7F) << shift
                    shift += 7
                    if not digit & 0x80:
                        if len(self._rest) >= at + length:
                            packet = self._rest[0], self._rest[at : at + length]
                            self._rest = self._rest[at + length :]
                            return packet
                        break
            got = self._socket.recv(65_536)
            if not got:
                raise ConnectionError
            self._rest += got

    def _listen(self) -> None:
        try:
            while True:
                kind, body = self._next()
                now = time.perf_counter()
                if kind & 0xF0 != 0x30:
                    continue
                at = 2 + int.from_bytes(body[:2], "big")
                self._socket.sendall(b"\x40\x02" + body[at : at + 2])
                task = json.loads(body[at + 2 :])["Task"]
                self.told.setdefault(task, now)
                answer = json.dumps({"Task": task, "State": "done"}).encode()
                self._publish(f"sensor.{self.serial}.tasks", answer)
        except OSError:
            return


def _percentiles(samples: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(samples, (50, 95, 99)) * 1e3
    return {
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "max_ms": round(max(samples) * 1e3, 1),
    }


def _measure(running: Running, devices: list[_Device], seconds: float) -> dict[str, Any]:
    chance = random.Random(5)
    connection = http.client.HTTPConnection(running.http.removeprefix("http://"), timeout=60)
    begun: dict[str, float] = {}
    accepted: list[float] = []
    tasks: list[int] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        time.sleep(chance.uniform(0.06, 0.14))
        device = chance.choice(devices)
        begin = time.perf_counter()
        connection.request("PUT", f"/api/v1/sensors/{device.serial}/sleep")
        answer = connection.getresponse()
        task = json.load(answer)
        assert answer.status == 200, task
        accepted.append(time.perf_counter() - begin)
        begun[task["key"]] = begin
        tasks.append(task["id"])
    told = {key: at for device in devices for key, at in device.told.items()}
    deadline = time.perf_counter() + 60
    while not begun.keys() <= told.keys() and time.perf_counter() < deadline:
        time.sleep(0.1)
        told = {key: at for device in devices for key, at in device.told.items()}
    ended = [running.get(f"/tasks/{task}?wait_s=30") for task in tasks]
    return {
        "commands": len(begun),
        "lost": len(begun.keys() - told.keys()),
        "done": sum(task["state"] == "done" for task in ended),
        "to_device": _percentiles([told[key] - begin for key, begin in begun.items()]),
        "accepted": _percentiles(accepted),
        "shown_as_done": _percentiles(
            [(task["ended_us"] - task["created_us"]) / 1e6 for task in ended if task["ended_us"]]
        ),
    }


def run() -> dict[str, Any]:
    """Measure and return the figures."""
    with running_platform() as running:
        devices = [_Device(running.mqtt_port, serial) for serial in SERIALS]
        while len(running.get("/sensors")) < len(SERIALS):
            time.sleep(0.1)
        quiet = _measure(running, devices, SECONDS / 3)
        load = spawn_load(running.mqtt_port, publishers=4, seconds=SECONDS + 8, rate=RATE)
        while running.stored() < RATE:
            time.sleep(0.1)
        busy = _measure(running, devices, SECONDS)
        out, _ = load.communicate()
        for device in devices:
            device.close()
    return {
        "what": "API call to simulated device, milliseconds",
        "seconds": SECONDS,
        "load_per_s": round(json.loads(out)["per_second"]),
        "quiet": quiet,
        "under_load": busy,
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
