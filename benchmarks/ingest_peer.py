"""The peer: Mosquitto, a plain adapter in Python, and InfluxDB, all as Debian ships them.

The adapter is what people write: a paho-mqtt subscriber that turns each message into a line and
writes batches of 5,000 lines, or what there is after a second, over HTTP. Mosquitto's queue is made
unlimited, so that nothing is dropped however slow the adapter is.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BATCH = 5_000
_FLUSH_S = 1.0


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    mqtt_port: int
    influx_port: int

    def stored(self) -> int:
        """Points that a query sees now."""
        text = urllib.parse.urlencode({"db": "sensors", "q": "SELECT count(value) FROM reading"})
        url = f"http://127.0.0.1:{self.influx_port}/query?{text}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            found = json.load(answer)["results"][0]
        return int(found["series"][0]["values"][0][1]) if "series" in found else 0

    def wait_stored(self, count: int, timeout_s: float = 300) -> float:
        """Wait until `count` points are stored, return the time then (`time.time`)."""
        deadline = time.perf_counter() + timeout_s
        while self.stored() < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{self.stored()} of {count} points after {timeout_s} s")
            time.sleep(0.2)
        return time.time()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed; apt install mosquitto influxdb")
    return found


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


@contextlib.contextmanager
def running_peer() -> Iterator[Peer]:
    """Start the three programs; stop them and remove their data afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="peer-", dir=os.environ.get("BENCH_DIR", "/var/tmp")))
    mqtt, http, rpc = _free_port(), _free_port(), _free_port()
    (directory / "mosquitto.conf").write_text(
        f"listener {mqtt} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
    )
    (directory / "influxdb.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\ndir = "{directory}/meta"\n'
        f'[data]\ndir = "{directory}/data"\nwal-dir = "{directory}/wal"\n'
        "query-log-enabled = false\n"
        f'[http]\nbind-address = "127.0.0.1:{http}"\nlog-enabled = false\n'
        '[monitor]\nstore-enabled = false\n[logging]\nlevel = "error"\n'
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    programs: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        programs.append(subprocess.Popen(command, **quiet))

    try:
        start(_program("mosquitto"), "-c", f"{directory}/mosquitto.conf")
        start(_program("influxd"), "-config", f"{directory}/influxdb.conf")
        _wait_for(mqtt)
        _wait_for(http)
        query = urllib.parse.urlencode({"q": "CREATE DATABASE sensors"})
        urllib.request.urlopen(f"http://127.0.0.1:{http}/query", query.encode(), timeout=60).close()
        start(sys.executable, "-m", "benchmarks.ingest_peer", str(mqtt), str(http))
        time.sleep(2)
        yield Peer(mqtt, http)
    finally:
        for program in reversed(programs):
            program.terminate()
            program.wait(30)
        shutil.rmtree(directory)


def _adapt(mqtt_port: int, influx_port: int) -> None:
    import paho.mqtt.client as paho

    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def on_message(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        reading = json.loads(message.payload)
        meta = reading["metadata"]
        lines.put(
            f"reading,site={meta['siteId']},device={meta['deviceId']},sensor={meta['sensorId']},"
            f"unit={meta['unit']} value={reading['measurement']} {reading['ts']}"
        )

    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "adapter")
    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("factory_iot/#", qos=1)
    client.connect("127.0.0.1", mqtt_port)
    threading.Thread(target=_write, args=(lines, influx_port), daemon=True).start()
    client.loop_forever()


def _write(lines: queue.SimpleQueue[str], port: int) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        batch = [lines.get()]
        deadline = time.monotonic() + _FLUSH_S
        while len(batch) < _BATCH and (left := deadline - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                batch.append(lines.get(timeout=left))
        connection.request("POST", "/write?db=sensors&precision=ms", "\n".join(batch).encode())
        answer = connection.getresponse()
        answer.read()
        if answer.status != 204:
            raise RuntimeError(f"InfluxDB refused a batch: {answer.status}")


if __name__ == "__main__":
    _adapt(int(sys.argv[1]), int(sys.argv[2]))
