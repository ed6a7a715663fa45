"""How many messages and rows per second each codec reads in one thread."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from penstock.codecs import CODECS, make
from penstock.core.codec import Messages

#: Topic, what the route captures from it, payload.
_Message = tuple[str, dict[str, str], bytes]

_START = datetime(2024, 10, 15, 8, tzinfo=UTC)
_START_MS = 1_728_979_200_000
_random = random.Random(7)


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _measurements(number: int) -> _Message:
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


def _flat(number: int) -> _Message:
    station = f"RPi_{number % 200}"
    payload = {"BAT": 99, "HUMID": 40 + number % 9, "PRJ": "SPRC", "TMP": 25.3, "status": "OK"}
    payload["timestamp"] = f"{_START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}+03:00"
    return f"UPB/{station}", {"location": "UPB", "station": station}, _text(payload)


def _factory(number: int) -> _Message:
    site = 101 + number % 6
    metadata = {"siteId": site, "deviceId": number % 5, "sensorId": number % 125, "unit": "Bar"}
    payload = {
        "ts": _START_MS + number,
        "metadata": metadata,
        "measurement": round(_random.uniform(1, 99), 4),
    }
    return f"factory_iot/north/{site}", {"region": "north", "site": str(site)}, _text(payload)


def _number(number: int) -> _Message:
    return f"home/room-{number % 50}/temperature", {}, str(round(_random.gauss(20, 3), 2)).encode()


def _positions(number: int) -> _Message:
    at = _START + timedelta(microseconds=number * 1_000)
    event = {
        "sensor_id": number % 100,
        "traveler_id": str(uuid.UUID(int=number % 5_000)),
        "traveler_type": "pedestrian",
        "position": [_random.uniform(0, 100), _random.uniform(0, 100)],
        "timestamp": at.replace(tzinfo=None).isoformat(),
    }
    return "movements", {}, _text(event)


def _sensorthings(number: int) -> _Message:
    at = (_START + timedelta(milliseconds=number)).isoformat()
    record = {"phenomenonTime": at, "resultTime": at, "Datastream": {"@iot.id": number % 50}}
    record["Datastream"]["@iot.id"] += 1
    return "cz.icecars.iot4cps-wp5-CarFleet.Car1.int", {}, _text(record | {"result": 1.5 * number})


def _senml(number: int) -> _Message:
    base = {"bn": f"urn:dev:ow:10e2073a{number % 50:08x}:", "bt": 1_728_979_200 + number}
    records = [{"n": name, "v": _random.random()} for name in ("temp", "hum", "co2", "lux")]
    return "senml", {}, _text([base, *records])


def _influx(number: int) -> _Message:
    lines = [
        f"cpu,host=server{number % 50},cpu=cpu{core} user={_random.random()},system=1.5,n=3i "
        f"{(_START_MS + number) * 1_000_000}"
        for core in range(4)
    ]
    return "telegraf", {}, "\n".join(lines).encode()


def _arrow(number: int) -> _Message:
    rows = 100_000
    table = pa.table(
        {
            "thing": pa.array([f"device-{row % 100}" for row in range(rows)]).dictionary_encode(),
            "name": pa.array(["temperature"] * rows).dictionary_encode(),
            "time": pa.array(range(number, number + rows), pa.timestamp("us", tz="UTC")),
            "number": np.arange(rows) / 4,
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return "import", {}, sink.getvalue().to_pybytes()


_SAMPLES: dict[str, Callable[[int], _Message]] = {
    "arrow": _arrow,
    "factory": _factory,
    "flat": _flat,
    "influx": _influx,
    "measurements": _measurements,
    "number": _number,
    "positions": _positions,
    "senml": _senml,
    "sensorthings": _sensorthings,
}
#: Messages in a batch where it is not 16,384.
_COUNTS = {"arrow": 4, "measurements": 40, "senml": 4_096, "influx": 2_048}


def _messages(codec: str) -> Messages:
    count = _COUNTS.get(codec, 16_384)
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
