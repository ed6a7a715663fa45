"""Observations per second from array messages, MQTT to stored and queryable.

    python -m benchmarks.ingest_arrays

Accelerometers send one array of samples each second (QoS 1), as `SOURCES` of the first system do:
eight sensors of 25,000 Hz, 25,000 samples of about 100 bytes in each message. All arrays are built
beforehand and go out as fast as they are taken; every sample is an observation of its own.
"""

from __future__ import annotations

import json
import os
import random
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.ingest_platform import Running, running_platform
from benchmarks.packets import connect_packet

SENSORS = 8
SAMPLES = 25_000
#: Messages of each sensor.
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
_START = datetime(2024, 10, 15, 8, tzinfo=UTC)
_TEMPLATE = "2024-10-15T08:00:00"


def array(sensor: int, second: int, values: list[str]) -> bytes:
    """Return one second of samples, evenly spaced, with nanoseconds as Go writes them."""
    serial = f"AAD-{1000 + sensor}"
    stamp = f"{_START + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S}"
    head = f'{{"SerialNumber":"{serial}","Timestamp":"{stamp}'
    return f"[{','.join(f'{head}{tail}' for tail in values)}]".encode()


def _tails() -> list[str]:
    """Return the part of each sample that is the same in every second."""
    chance = random.Random(5)
    step = 1_000_000_000 // SAMPLES
    tails = []
    for sample in range(SAMPLES):
        nanos = f"{sample * step + chance.randrange(1_000):09d}".rstrip("0")
        tails.append(f'.{nanos}Z","Value":{chance.gauss(0, 1)!r}}}')
    return tails


def _packet(topic: str, payload: bytes) -> bytes:
    name = topic.encode()
    rest = len(name).to_bytes(2, "big") + name + b"\x00\x01" + payload
    length, digits = len(rest), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | 0x80 if length else digit)
        if not length:
            return b"\x32" + bytes(digits) + rest


def _send(port: int, packets: list[bytes]) -> None:
    """Send one after the other, with the next one under way while one is acknowledged."""
    with socket.create_connection(("127.0.0.1", port)) as broker:
        broker.sendall(connect_packet("arrays"))
        assert broker.recv(4)[0] == 0x20
        acked = 0
        for number, packet in enumerate(packets):
            broker.sendall(packet)
            while number - acked // 4 >= 4:
                acked += len(broker.recv(4_096))
        while acked < 4 * len(packets):
            acked += len(broker.recv(4_096))


def _wait_for_the_last(running: Running) -> float:
    """Wait until the last array of each sensor can be asked for; return the time then.

    They came in one after the other, so all others are there too, which is counted afterwards.
    """
    since_us = round((_START + timedelta(seconds=ROUNDS - 1)).timestamp() * 1_000_000)
    deadline = time.perf_counter() + 300
    while True:
        newest = running.get("/latest")["time"]
        if len(newest) == SENSORS and min(newest) >= since_us:
            return time.time()
        if time.perf_counter() > deadline:
            raise TimeoutError(f"the newest samples are from {newest}")
        time.sleep(0.05)


def run() -> dict[str, Any]:
    """Send all arrays, wait until the last sample is stored, and return the figures."""
    tails = _tails()
    packets = [
        _packet(f"sensor.AAD-{1000 + sensor}.measurements", array(sensor, second, tails))
        for second in range(ROUNDS)
        for sensor in range(SENSORS)
    ]
    expected = len(packets) * SAMPLES
    with running_platform() as running:
        _send(running.mqtt_port, packets[:1])
        running.wait_stored(SAMPLES)
        cpu, begin = running.cpu_seconds(), time.time()
        _send(running.mqtt_port, packets)
        acked_s = time.time() - begin
        seconds = _wait_for_the_last(running) - begin
        after = running.cpu_seconds()
        # The count that health tells is up to a second old.
        running.wait_stored(expected)
        health = running.get("/health")
        by_query = running.count_by_query()
    return {
        "what": "observations/s from array messages, MQTT to stored and queryable",
        "observations": expected,
        "samples_per_message": SAMPLES,
        "bytes_per_sample": round(len(packets[0]) / SAMPLES, 1),
        "seconds": round(seconds, 2),
        "seconds_until_acknowledged": round(acked_s, 2),
        "observations_per_s": round(expected / seconds),
        "stored": health["observations_total"],
        "stored_by_query": by_query,
        "lost": expected - health["observations_total"],
        "cpus_used": {name: round((after[name] - cpu[name]) / seconds, 2) for name in after},
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
