"""QoS 1 messages per second that are stored and queryable, sustained, beside a plain adapter.

    python -m benchmarks.ingest_sustained

Four publishers send single-value JSON messages of about 125 bytes for a minute at a fixed rate; the
platform runs with its default settings on a real disk. Every message is an observation of its own,
so the count that the API gives at the end says whether one was lost. Then the same messages go
as fast as they are taken, to see where the limit is, and then through the peer (`ingest_peer`).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from benchmarks.ingest_peer import running_peer
from benchmarks.ingest_platform import Running, running_platform
from benchmarks.load import factory, load

SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
#: Messages per second offered in the sustained part.
OFFERED = float(os.environ.get("BENCH_RATE", "300000"))
PUBLISHERS = 4
#: Seconds of the part that is as fast as possible.
BURST_S = min(SECONDS, 20.0)
PEER_MESSAGES = 150_000


def _watch(running: Running, stop: threading.Event, lags: list[int]) -> None:
    while not stop.wait(1):
        lags.append(int(running.get("/health")["lag_messages"]))


def _measure(offer: Callable[[int], dict[str, float]]) -> dict[str, Any]:
    """Send to a new platform, wait until all is stored, and count."""
    with running_platform() as running:
        # Warm; the same observations come again below and replace these.
        warm = load(running.mqtt_port, publishers=PUBLISHERS, count=PUBLISHERS * 1_000)
        running.wait_stored(int(warm["messages"]))
        cpu, lags, stop = running.cpu_seconds(), [], threading.Event()
        watcher = threading.Thread(target=_watch, args=(running, stop, lags))
        watcher.start()
        sent = offer(running.mqtt_port)
        expected = int(sent["messages"])
        after_s = running.wait_stored(expected) - sent["ended_at"]
        seconds = sent["seconds"] + after_s
        stop.set()
        watcher.join()
        after = running.cpu_seconds()
        health = running.get("/health")
        return {
            "published_and_acked": expected,
            "acked_per_s": round(sent["per_second"]),
            "stored": health["observations_total"],
            "stored_by_query": running.count_by_query(),
            "lost": expected - health["observations_total"],
            "dead_letters": health["dead_letters"],
            "stored_per_s": round(expected / seconds),
            "seconds_after_last_ack": round(after_s, 2),
            "largest_lag_messages": max(lags, default=0),
            "cpus_used": {name: round((after[name] - cpu[name]) / seconds, 2) for name in after},
        }


def _peer() -> dict[str, Any]:
    with running_peer() as peer:
        sent = load(peer.mqtt_port, publishers=PUBLISHERS, count=PEER_MESSAGES, ring=60_000)
        after_s = peer.wait_stored(int(sent["messages"])) - sent["ended_at"]
        return {
            "published_and_acked": int(sent["messages"]),
            "acked_per_s": round(sent["per_second"]),
            "stored": peer.stored(),
            "stored_per_s": round(sent["messages"] / (sent["seconds"] + after_s)),
        }


def run() -> dict[str, Any]:
    """Measure platform and peer in turn and return the figures."""
    sustained = _measure(
        lambda port: load(port, publishers=PUBLISHERS, seconds=SECONDS, rate=OFFERED, keep_times=1)
    )
    burst = _measure(lambda port: load(port, publishers=PUBLISHERS, seconds=BURST_S))
    peer = _peer()
    return {
        "what": "QoS 1 messages/s, MQTT to stored and queryable",
        "payload_bytes": len(factory(0, 1)[0][1]),
        "publishers": PUBLISHERS,
        "sustained": {"seconds": SECONDS, "offered_per_s": OFFERED} | sustained,
        "as_fast_as_possible": {"seconds": BURST_S} | burst,
        "peer": peer,
        "ratio": round(sustained["stored_per_s"] / peer["stored_per_s"], 1),
        "versions": _versions(),
        "cpus": os.cpu_count(),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "kernel": platform.release()}
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "mosquitto", "influxdb"]
    out = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return found | dict(line.split(" ", 1) for line in out.splitlines())


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
