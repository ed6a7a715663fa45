"""QoS 1 messages per second with permissions on, beside the same door without accounts.

    python -m benchmarks permissions

Four publishers send to 400 topics each. With permissions they show a key of one client among a
thousand, and every topic is decided by the organisation; in a third measurement that organisation
changes once a second. The three take turns, so that a machine that slows down slows down all. The
processor time of the door for a message depends least on what else the machine does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from benchmarks.door_throughput import disk_directory
from benchmarks.load import load

from penstock.core.access import digest
from penstock.core.organisation import Client, Company, Grant, Key, Organisation, System

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
PUBLISHERS = 4
ROUNDS = 3
TOPICS = 400
CLIENTS = 1000
SYSTEMS = 50
SECRET = "benchmark-key"


def _system(number: int) -> str:
    return f"de.bench.hall.s{number}"


def topics(publisher: int, count: int) -> list[tuple[str, bytes]]:
    """Return messages to several hundred topics of the first system."""
    names = [f"{_system(0)}/p{publisher}/sensor{number:03}" for number in range(TOPICS)]
    payload = b'{"temperature": 21.53, "humidity": 40.1, "timestamp": "2024-05-01T12:00:00Z"}'
    return [(names[number % TOPICS], payload) for number in range(count)]


def organisation(version: int = 0) -> Organisation:
    """Return systems with clients, keys and grants; what the load shows is the first key."""
    return Organisation(
        accounts=True,
        version=version,
        companies=(Company(id=2, name="de.bench"),),
        systems=(
            *Organisation().systems,
            *(System(id=2 + n, company=2, name=_system(n)) for n in range(SYSTEMS)),
        ),
        clients=[
            Client(id=1 + n, system=2 + n % SYSTEMS, name=f"client{n}") for n in range(CLIENTS)
        ],
        keys=[
            Key(id=1 + n, digest=digest(SECRET if not n else f"{SECRET}{n}"), client=1 + n)
            for n in range(CLIENTS)
        ],
        grants=[Grant(id=1 + n, owner=2, reader=3 + n) for n in range(SYSTEMS - 1)],
    )


def leave(folder: Path, version: int = 0) -> Path:
    """Leave the organisation as the hub does."""
    file = folder / "access.json"
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(organisation(version)))
    new.replace(file)
    return file


async def _serve(folder: Path, *, with_permissions: bool) -> None:
    from penstock.core.clock import SystemClock
    from penstock.door import Door, DoorSettings
    from penstock.log import SegmentLog

    log = SegmentLog(folder / "log")
    file = folder / "access.json" if with_permissions else None
    door = Door(DoorSettings(port=0), log.writer("door"), SystemClock(), organisation=file)
    await door.start()
    print(json.dumps(door.address), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await door.close()
    log.close()


@contextlib.contextmanager
def running_door(how: str) -> Iterator[tuple[int, int]]:
    """Run a door `without`, `with` or with `changing` permissions; gives port and process id."""
    folder = Path(disk_directory())
    leave(folder)
    kind = "without" if how == "without" else "with"
    command = [sys.executable, "-m", "benchmarks.permissions", "--serve", str(folder), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    done = threading.Event()

    def change() -> None:
        version = 0
        while not done.wait(1.0):
            version += 1
            leave(folder, version)

    changes = threading.Thread(target=change)
    try:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())[1]
        if how == "changing":
            changes.start()
        yield port, process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        done.set()
        if changes.is_alive():
            changes.join()
        process.kill()
        process.wait()
        shutil.rmtree(folder)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run() -> dict[str, Any]:
    """Measure all three in turn and return the figures."""
    rounds: dict[str, list[int]] = {"without": [], "with": [], "changing": []}
    costs: dict[str, list[float]] = {how: [] for how in rounds}
    options = {
        "publishers": PUBLISHERS,
        "source": "benchmarks.permissions:topics",
        "ring": 20_000,
        "window": 10_000,
    }
    for number in range(ROUNDS):
        names = list(rounds)
        # Each goes first in turn.
        for how in names[number % 3 :] + names[: number % 3]:
            with running_door(how) as (port, pid):
                load(port, seconds=0.5, key=SECRET, **options)
                before_s = cpu_s(pid)
                found = load(port, seconds=SECONDS, key=SECRET, **options)
                used_s = cpu_s(pid) - before_s
            rounds[how].append(round(found["per_second"]))
            costs[how].append(round(used_s / found["messages"] * 1e6, 3))
    rates = {how: statistics.median(of) for how, of in rounds.items()}
    return {
        "what": "QoS 1 messages/s acknowledged after sync, without and with permissions",
        "publishers": PUBLISHERS,
        "topics": PUBLISHERS * TOPICS,
        "organisation": {"systems": SYSTEMS, "clients": CLIENTS, "grants": SYSTEMS - 1},
        "seconds": SECONDS,
        "per_second": rates,
        "rounds": rounds,
        "ratio": {how: round(rates[how] / rates["without"], 3) for how in ("with", "changing")},
        "door_cpu_us_per_message": {how: statistics.median(of) for how, of in costs.items()},
        "door_cpu_rounds": costs,
    }


def main() -> None:
    """Serve for `run`, or run and print."""
    if sys.argv[1:2] == ["--serve"]:
        import uvloop

        uvloop.run(_serve(Path(sys.argv[2]), with_permissions=sys.argv[3] == "with"))
    else:
        print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
