"""Joins per second of the time-series join, from MQTT to stored rows of a derived Datastream.

    python -m benchmarks.series_join_live

Two sensors send arrays of samples (QoS 1) whose times lie between each other's; a stream app joins
each sample with its previous and next partner in the other stream and derives their difference.
All arrays are built beforehand and go out as fast as they are taken.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

import numpy as np
from benchmarks.ingest_arrays import _packet, _send
from benchmarks.ingest_platform import Running, running_platform

SAMPLES = 10_000
#: Messages of each sensor, one for each second of event time.
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "150"))
_BEGIN_S = 1_728_979_200
_SQL = """
SELECT time, left_result - right_result AS difference
FROM TABLE(SERIES_JOIN(TABLE "{0}", TABLE "{1}", INTERVAL '1' SECOND))
"""


def array(sensor: int, second: int) -> bytes:
    """Return one second of samples; the second sensor's lie in the middle between the first's."""
    serial = f"AAD-{1000 + sensor}"
    step_us = 1_000_000 // SAMPLES
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(_BEGIN_S + second))
    values = np.round(np.sin(np.arange(SAMPLES) / 50 + sensor), 4).tolist()
    samples = (
        f'{{"SerialNumber":"{serial}","Timestamp":"{stamp}.{at * step_us + sensor * 50:06d}Z",'
        f'"Value":{value}}}'
        for at, value in enumerate(values)
    )
    return f"[{','.join(samples)}]".encode()


def _post(running: Running, path: str, body: object) -> Any:
    request = urllib.request.Request(
        f"{running.http}/api/v1{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def run() -> dict[str, Any]:
    """Send all arrays, wait until the last pair is stored, and return the figures."""
    packets = [
        _packet(f"sensor.AAD-{1000 + sensor}.measurements", array(sensor, second))
        for second in range(ROUNDS)
        for sensor in (0, 1)
    ]
    rows = SAMPLES * len(packets)
    expected = rows - 1
    with running_platform() as running:
        _send(running.mqtt_port, packets[:2])
        running.wait_stored(2 * SAMPLES)
        names = [item["name"] for item in running.get("/datastreams")["items"]]
        made = _post(
            running,
            "/apps",
            {"name": "join", "sql": _SQL.format(*names), "start": "beginning", "lateness_s": 0,
             "idle_s": 2},
        )  # fmt: skip
        _post(running, f"/apps/{made['id']}/start", {})
        cpu, begin = running.cpu_seconds(), time.time()
        _send(running.mqtt_port, packets[2:])
        acked_s = time.time() - begin
        ended = running.wait_stored(rows + expected, 300)
        after = running.cpu_seconds()
        status = running.get(f"/apps/{made['id']}")["run"]
        (own,) = (
            item["id"] for item in running.get("/datastreams")["items"]
            if item["name"] not in names
        )  # fmt: skip
        found = running.get(f"/observations?width=1d&agg=count&datastream={own}")["count"]
    seconds = ended - begin
    return {
        "what": "joins/s of the time-series join, MQTT to derived rows stored and queryable",
        "observations_in": rows,
        "joins": sum(found),
        "joins_expected": expected,
        "seconds": round(seconds, 2),
        "seconds_until_acknowledged": round(acked_s, 2),
        "joins_per_s": round(expected / seconds),
        "late_rows": status["late_rows"],
        "repairs": status["repairs"],
        "cpus_used": {name: round((after[name] - cpu[name]) / seconds, 2) for name in after},
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
