"""The Python client: results produced per second through a buffer on disk, and consumed per second.

Run: `python -m benchmarks client`, or `python -m benchmarks.client [results]`

The peer is what the Digital Twin stack states of its Python client: 20,000 published records per
second (hardware not stated). Producer, consumer, door and hub share the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ingest_platform import Running, running_platform

from penstock.client import Client, Quantity

#: Records per second that the Digital Twin stack states for its client.
STATED_PEER = 20_000
#: Messages that the platform's queue for one client holds, and a few less.
QUEUE = 9_500

_CONSUMER = """
import sys, time
from penstock.client import Client
url, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = Client(url, name="bench", buffer=folder or None)
client.subscribe("*")
print("ready", flush=True)
got, first = 0, 0.0
while got < count:
    messages = client.consume(5.0)
    if not messages:
        break
    first = first or time.perf_counter()
    got += len(messages)
print(got, time.perf_counter() - first, client.status().gaps, flush=True)
client.close(0)
"""


def run(results: int = 200_000) -> dict[str, object]:
    """Measure."""
    found: dict[str, object] = {"results": results, "stated_peer_records_per_s": STATED_PEER}
    with running_platform() as running, tempfile.TemporaryDirectory(dir=running.directory) as name:
        folder = Path(name)
        found["one_by_one"] = produce(running, folder / "one", results, 1)
        found["in_memory"] = produce(running, None, results, 1)
        found["many_of_1000"] = produce(running, folder / "many", results, 1000)
        found["consume"] = consume(running, str(folder / "consumer"), QUEUE)
        found["consume_in_memory"] = consume(running, "", QUEUE)
    return found


def produce(running: Running, folder: Path | None, results: int, at_once: int) -> dict[str, object]:
    """Produce, and return results per second kept, and on the platform's disk."""
    settings = {"max_memory_bytes": 1 << 30, "max_buffer_bytes": 1 << 30}
    with Client(running.http, buffer=folder, **settings) as client:
        client.register(Quantity("value", thing=f"bench-{at_once}-{folder is None}", unit="m"))
        client.produce("value", 0.0)
        client.flush()
        began = time.perf_counter()
        if at_once == 1:
            for number in range(results):
                client.produce("value", number * 0.1)
        else:
            for start in range(0, results, at_once):
                client.produce_many("value", [n * 0.1 for n in range(start, start + at_once)])
        kept_s = time.perf_counter() - began
        flushed = client.flush(300)
        acknowledged_s = time.perf_counter() - began
    return {
        "kept_per_s": round(results / kept_s),
        "acknowledged_per_s": round(results / acknowledged_s),
        "all_acknowledged": flushed,
    }


def consume(running: Running, folder: str, results: int) -> dict[str, object]:
    """Consume what is produced at once, as much as the platform's queue can hold."""
    arguments = [sys.executable, "-c", _CONSUMER, running.http, folder, str(results)]
    consumer = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert consumer.stdout is not None
    consumer.stdout.readline()
    with Client(running.http) as client:
        client.register(Quantity("consumed", thing=f"bench-{folder[-3:]}"))
        client.produce_many("consumed", range(results))
        client.flush()
    got, seconds, gaps = consumer.stdout.readline().split()
    consumer.communicate()
    per_s = round(int(got) / float(seconds))
    return {"offered": results, "consumed": int(got), "per_s": per_s, "gaps": int(gaps)}


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
