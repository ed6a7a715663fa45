"""QoS 1 messages per second acknowledged after sync, beside Mosquitto in the same run.

    python -m benchmarks.door_throughput

The door runs in a process of its own with the real log on a real disk; Mosquitto is the one that
is installed, with its default settings, on a free port. The load generator is a third process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.load import factory, load

SECONDS = float(os.environ.get("BENCH_SECONDS", "5"))
PUBLISHERS = (1, 4)
#: Door and Mosquitto take turns so often; the median counts.
ROUNDS = 3


async def _serve(directory: Path) -> None:
    from penstock.core.clock import SystemClock
    from penstock.door import Door, DoorSettings
    from penstock.door.journal import Journal
    from penstock.log import SegmentLog

    log = SegmentLog(directory / "log")
    journal = Journal(directory / "door")
    door = Door(DoorSettings(port=0), log.writer("door"), SystemClock(), journal=journal)
    await door.start()
    print(json.dumps(door.address), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await door.close()
    log.close()
    print(json.dumps(door.stats()), flush=True)


def disk_directory() -> str:
    """Make a folder on a disk (not in memory, as /tmp may be)."""
    return tempfile.mkdtemp(prefix="penstock-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))


@contextlib.contextmanager
def running_door() -> Iterator[int]:
    """Run a door with a segment log; gives its port."""
    directory = disk_directory()
    command = [sys.executable, "-m", "benchmarks.door_throughput", "--serve", directory]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())[1]
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


@contextlib.contextmanager
def running_mosquitto() -> Iterator[int]:
    """Run Mosquitto with its default settings; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [mosquitto_path(), "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def mosquitto_path() -> str:
    """Return where Mosquitto is installed."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError("Mosquitto is not installed; apt install mosquitto")
    return found


def _mosquitto_version() -> str:
    out = subprocess.run([mosquitto_path(), "-h"], capture_output=True, text=True, check=False)
    return out.stdout.split("\n", 1)[0]


def run() -> dict[str, Any]:
    """Measure both in turn and return the figures."""
    import uvloop

    rounds: dict[str, dict[str, list[int]]] = {"door": {}, "mosquitto": {}}
    for publishers in PUBLISHERS:
        for _ in range(ROUNDS):
            for name, running in (("door", running_door), ("mosquitto", running_mosquitto)):
                with running() as port:
                    load(port, publishers=publishers, seconds=1)
                    found = load(port, publishers=publishers, seconds=SECONDS)
                rounds[name].setdefault(str(publishers), []).append(round(found["per_second"]))
    rates = {
        name: {publishers: statistics.median(of) for publishers, of in by.items()}
        for name, by in rounds.items()
    }
    return {
        "what": "QoS 1 messages/s acknowledged (door: after sync), by publishers",
        "payload_bytes": len(factory(0, 1)[0][1]),
        "seconds": SECONDS,
        "per_second": rates,
        "rounds": rounds,
        "ratio": {
            key: round(rates["door"][key] / rates["mosquitto"][key], 2) for key in rates["door"]
        },
        "versions": {
            "python": platform.python_version(),
            "uvloop": uvloop.__version__,
            "mosquitto": _mosquitto_version(),
            "kernel": platform.release(),
        },
        "cpus": os.cpu_count(),
    }


def main() -> None:
    """Serve for `run`, or run and print."""
    if sys.argv[1:2] == ["--serve"]:
        import uvloop

        uvloop.run(_serve(Path(sys.argv[2])))
    else:
        print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
