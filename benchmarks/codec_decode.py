"""How many messages and rows per second each codec reads in one thread."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np

from penstock.codecs import CODECS, make
from penstock.core.codec import Messages

_START = datetime(2024, 10, 15, 8, tzinfo=UTC)
_START_MS = 1_728_979_200_000
_random = random.Random(7)


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _measurements(number: int) -> tuple[str, dict[str, str], bytes]:
    serial = ("AAD-1123", "BBB-3423")[number % 2]
    samples = []
    for sample in range(5_000):
        nanos = (number * 5_000 + sample) * 40_000 + _random.randrange(40_000)
        at = _START + timedelta(seconds=nanos // 10**9)
        fraction = f"{nanos % 10**9:09d}".rstrip("0")
        samples.append(
            f'{{"SerialNumber":"{serial}","Timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{fraction}Z",'
            f'"Value":{_random.gauss(0, 1)!r}}}'
        )
    return f"sensor.{serial}.measurements", {"serial": serial}, f"[{','.join(samples)}]".encode()


def _flat(number: int) -> tuple[str, dict[str, str], bytes]:
    station = f"RPi_{number % 200}"
    payload = {"BAT": 99, "HUMID": 40 + number % 9, "PRJ": "SPRC", "TMP": 25.3, "status": "OK"}
    payload["timestamp"] = f"{_START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}+03:00"
    return f"UPB/{station}", {"location": "UPB", "station": station}, _text(payload)


def _factory(number: int) -> tuple[str, dict[str, str], bytes]:
    site = 101 + number % 6
    metadata = {"siteId": site, "deviceId": number % 5, "sensorId": number % 125, "unit": "Bar"}
    payload = {
        "ts": _START_MS + number,
        "metadata": metadata,
        "measurement": round(_random.uniform(1, 99), 4),
    }
    return f"factory_iot/north/{site}", {"region": "north", "site": str(site)}, _text(payload)


def _number(number: int) -> tuple[str, dict[str, str], bytes]:
    return f"home/room-{number % 50}/temperature", {}, str(round(_random.gauss(20, 3), 2)).encode()


_SAMPLES: dict[str, Callable[[int], tuple[str, dict[str, str], bytes]]] = {
    "factory": _factory,
    "flat": _flat,
    "measurements": _measurements,
    "number": _number,
}


def _messages(codec: str) -> Messages:
    count = 40 if codec == "measurements" else 16_384
    made = [_SAMPLES[codec](number) for number in range(count)]
    shared = {topic: fields for topic, fields, _ in made}
    return Messages(
        [topic for topic, _, _ in made],
        [payload for _, _, payload in made],
        np.full(count, _START_MS * 1_000),
        [shared[topic] for topic, _, _ in made],
    )


def run(rounds: int = 7) -> dict[str, dict[str, float]]:
    """Return messages/s, rows/s and bytes per message by codec; the best of some rounds."""
    results = {}
    for name in CODECS:
        messages = _messages(name)
        codec = make(name)
        best, rows = float("inf"), 0
        for _ in range(rounds):
            begin = time.perf_counter()
            readings = codec.decode(messages)
            best = min(best, time.perf_counter() - begin)
            rows = len(readings.series)
            assert not readings.failures, readings.failures[0]
        results[name] = {
            "messages_per_s": round(len(messages) / best),
            "rows_per_s": round(rows / best),
            "bytes_per_message": round(sum(map(len, messages.payloads)) / len(messages), 1),
        }
    return results


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
