"""Ten thousand connected clients, each with a key of its own: memory, latency, reconnect storm.

    python -m benchmarks fleet

One door, in a process of its own with log, journal and an organisation of so many clients; the
clients are plain sockets in another process. Each publishes at QoS 1 every ten seconds. Then the
door is killed and started again, and all clients come back at once.

With `--serve` and `--clients` it runs one of the two processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
from benchmarks.door_throughput import disk_directory
from benchmarks.packets import connect_packet

from penstock.core.access import digest
from penstock.core.organisation import Client, Company, Key, Organisation, System

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "10000"))
PERIOD_S = 10.0
#: How long the acknowledgements are timed.
MEASURE_S = float(os.environ.get("BENCH_SECONDS", "30"))
#: Clients that are being let in at one time, when all connect for the first time.
AT_ONCE = 100
#: Clients of one system.
PER_SYSTEM = 100
#: Longest wait of a client before it comes back, as devices do it; doubled when it fails.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 8.0
PATIENCE_S = 300.0


def system_of(number: int) -> str:
    """Return the system of a client."""
    return f"de.bench.fleet.s{number // PER_SYSTEM}"


def key_of(number: int) -> str:
    """Return the key of a client."""
    return f"key-{number:06}-of-the-fleet"


def organisation(clients: int) -> Organisation:
    """Return an organisation with so many clients, each with a key."""
    systems = -(-clients // PER_SYSTEM)
    return Organisation(
        accounts=True,
        companies=(Company(id=2, name="de.bench"),),
        systems=(
            *Organisation().systems,
            *(System(id=2 + n, company=2, name=system_of(n * PER_SYSTEM)) for n in range(systems)),
        ),
        clients=[
            Client(id=1 + n, system=2 + n // PER_SYSTEM, name=f"c{n}") for n in range(clients)
        ],
        keys=[Key(id=1 + n, digest=digest(key_of(n)), client=1 + n) for n in range(clients)],
    )


# The door's process.


async def serve(folder: Path, port: int) -> None:
    """Run a door until SIGTERM; its address is the first line."""
    from penstock.core.clock import SystemClock
    from penstock.door import Door, DoorSettings
    from penstock.door.journal import Journal
    from penstock.log import SegmentLog
    from penstock.runtime.door_process import GC_THRESHOLDS
    from penstock.runtime.open_files import allow_connections

    allow_connections(DoorSettings().max_connections)
    log = SegmentLog(folder / "log")
    door = Door(
        DoorSettings(port=port),
        log.writer("door"),
        SystemClock(),
        journal=Journal(folder / "door"),
        organisation=folder / "access.json",
    )
    await door.start()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    print(json.dumps(door.address), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await door.close()
    log.close()


def allow_files() -> None:
    """Raise this process's limit of open files as far as it goes."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_files(clients: int) -> None:
    """Stop with a clear word when the system does not allow so many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < clients + 200:
        sys.exit(
            f"{clients} clients need {clients + 200} open files, and the limit is {hard}; raise it "
            "with `ulimit -Hn`, or set BENCH_CLIENTS lower"
        )


class Serving:
    """A door in a process of its own, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [sys.executable, "-m", "benchmarks.fleet", "--serve", str(self._folder)]
        self._process = subprocess.Popen([*command, f"--port={self.port}"], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the door did not start")

    def kill(self) -> None:
        """Kill it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def memory_kib(self) -> int:
        """Return the memory that it holds."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)

    def cpu_s(self) -> float:
        """Return the processor time that it has used."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# The clients' process.


class Device(asyncio.Protocol):
    """One client on a plain socket."""

    def __init__(self, fleet: Fleet, number: int) -> None:
        self.fleet = fleet
        self.number = number
        self.transport: asyncio.Transport | None = None
        self.is_in = False
        self.settled = asyncio.Event()
        self.sent_at_s = 0.0
        topic = f"{system_of(number)}/c{number}/status".encode()
        body = len(topic).to_bytes(2, "big") + topic + b"\0\1" + b'{"temperature": 21.5}'
        self.packet = bytes((0x32, len(body))) + body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(connect_packet(f"c{self.number}", 4, key_of(self.number)))

    def data_received(self, data: bytes) -> None:
        """Take CONNACK, then PUBACKs; they are short and never cut in these tests."""
        if not self.is_in:
            if data[:4] != b"\x20\x02\0\0":
                raise ValueError(f"the door refused client {self.number}: {data!r}")
            self.is_in = True
            self.fleet.came()
            self.settled.set()
        elif self.sent_at_s:
            self.fleet.latencies.append(time.perf_counter() - self.sent_at_s)
            self.sent_at_s = 0.0

    def connection_lost(self, error: Exception | None) -> None:
        """Come back, whatever the error."""
        del error
        self.transport = None
        self.sent_at_s = 0.0
        self.settled.set()
        self.fleet.went(self, was_in=self.is_in)
        self.is_in = False

    def publish(self) -> None:
        """Publish one message, unless the last one is still on its way."""
        if self.is_in and self.transport is not None:
            if self.sent_at_s:
                self.fleet.late += 1
                return
            self.sent_at_s = time.perf_counter()
            self.transport.write(self.packet)


class Fleet:
    """All clients."""

    def __init__(self, port: int, clients: int, period_s: float) -> None:
        self.port = port
        self.period_s = period_s
        self.devices = [Device(self, number) for number in range(clients)]
        self.latencies: list[float] = []
        self.late = 0
        self.here = 0
        self.tries = 0
        self.lost_at_s = 0.0
        self._changed = asyncio.Event()
        self._chance = random.Random(1)
        self._works: set[asyncio.Task[None]] = set()

    async def connect(self) -> float:
        """Connect all, and return how long that took."""
        began_s = time.perf_counter()
        gate = asyncio.Semaphore(AT_ONCE)

        async def come(device: Device) -> None:
            async with gate:
                while not device.is_in:
                    await self._try(device)

        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*map(come, self.devices))
        return time.perf_counter() - began_s

    async def all_here(self) -> None:
        """Wait until all are connected."""
        async with asyncio.timeout(PATIENCE_S):
            while self.here < len(self.devices):
                self._changed.clear()
                await self._changed.wait()

    async def all_gone(self) -> None:
        """Wait until nobody is connected as before: the door was killed."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.lost_at_s:
                self._changed.clear()
                await self._changed.wait()

    async def publish(self, seconds: float) -> dict[str, float]:
        """Publish every period, each device at its own moment; return what the answers took."""
        self.latencies.clear()
        self.late = 0
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        order = self.devices[:]
        self._chance.shuffle(order)
        turn = 0
        while (now_s := loop.time() - began_s) < seconds:
            due = int(now_s / self.period_s * len(order))
            while turn < due:
                order[turn % len(order)].publish()
                turn += 1
            await asyncio.sleep(0.002)
        async with asyncio.timeout(PATIENCE_S):
            while any(device.sent_at_s for device in self.devices):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        found = sorted(self.latencies)
        return {
            "messages": len(found),
            "late": self.late,
            "p50_ms": round(statistics.median(found) * 1000, 2),
            "p99_ms": round(found[int(len(found) * 0.99)] * 1000, 2),
            "max_ms": round(found[-1] * 1000, 2),
        }

    def came(self) -> None:
        """Count one more."""
        self.here += 1
        self._changed.set()

    def went(self, device: Device, *, was_in: bool) -> None:
        """Count one less, and let it come back after a while."""
        if was_in:
            self.here -= 1
            self.lost_at_s = self.lost_at_s or time.perf_counter()
            self._changed.set()
            work = asyncio.ensure_future(self._come_back(device))
            self._works.add(work)
            work.add_done_callback(self._works.discard)

    async def _come_back(self, device: Device) -> None:
        pause_s = FIRST_PAUSE_S
        while not device.is_in:
            await asyncio.sleep(self._chance.uniform(0, pause_s))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            self.tries += 1
            with contextlib.suppress(OSError):
                await self._try(device)

    async def _try(self, device: Device) -> None:
        device.settled.clear()
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: device, "127.0.0.1", self.port)
        await device.settled.wait()

    def close(self) -> None:
        """Cut all connections."""
        for device in self.devices:
            if device.transport is not None:
                device.transport.abort()


async def run_clients(port: int, clients: int, period_s: float, measure_s: float) -> None:
    """Go through all phases; each ends with a line, and the next begins with one from the parent.

    `connected`, `published`, `waiting` for the door to be killed, `back`.
    """
    allow_files()
    loop = asyncio.get_running_loop()
    fleet = Fleet(port, clients, period_s)

    def say(**what: object) -> None:
        print(json.dumps(what), flush=True)

    say(connected_s=await fleet.connect())
    await loop.run_in_executor(None, sys.stdin.readline)
    say(**await fleet.publish(measure_s))
    await loop.run_in_executor(None, sys.stdin.readline)
    say(waiting=fleet.here)
    await fleet.all_gone()
    await asyncio.sleep(0.1)
    await fleet.all_here()
    say(back_s=time.perf_counter() - fleet.lost_at_s, tries=fleet.tries)
    await loop.run_in_executor(None, sys.stdin.readline)
    say(**await fleet.publish(measure_s))
    fleet.close()


class Clients:
    """The clients' process."""

    def __init__(self, port: int, clients: int, period_s: float, measure_s: float) -> None:
        options = [f"--clients={clients}", f"--period={period_s}", f"--measure={measure_s}"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fleet", f"--port={port}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def result(self) -> dict[str, Any]:
        """Return what the phase at hand found."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the clients have ended before their time")
        return json.loads(line)

    def go_on(self) -> None:
        """Let the next phase begin."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def running(clients: int, folder: Path) -> Iterator[Serving]:
    """Run a door that knows so many clients."""
    (folder / "access.json").write_bytes(msgspec.json.encode(organisation(clients)))
    door = Serving(folder)
    try:
        door.start()
        yield door
    finally:
        door.kill()


def measure(clients: int, period_s: float, measure_s: float, folder: Path) -> dict[str, Any]:
    """Go through everything and return the figures."""
    check_files(clients)
    with running(clients, folder) as door:
        fleet = Clients(door.port, clients, period_s, measure_s)
        try:
            empty_kib = door.memory_kib()
            connected = fleet.result()
            fleet.go_on()
            cpu_s, began_s = door.cpu_s(), time.perf_counter()
            steady = fleet.result()
            busy = (door.cpu_s() - cpu_s) / (time.perf_counter() - began_s)
            full_kib = door.memory_kib()
            fleet.go_on()
            assert fleet.result() == {"waiting": clients}
            door.kill()
            killed_s = time.perf_counter()
            door.start()
            started_s = time.perf_counter()
            back = fleet.result()
            back_s = time.perf_counter()
            fleet.go_on()
            after = fleet.result()
        finally:
            fleet.close()
    return {
        "clients": clients,
        "period_s": period_s,
        "connect_s": round(connected["connected_s"], 2),
        "connects_per_s": round(clients / connected["connected_s"]),
        "door_kib": {"before": empty_kib, "with_clients": full_kib},
        "bytes_per_client": round((full_kib - empty_kib) * 1024 / clients),
        "door_cpu": round(busy, 3),
        "acknowledgements": steady,
        "storm": {
            "door_restart_s": round(started_s - killed_s, 2),
            "all_back_after_restart_s": round(back_s - started_s, 2),
            "all_back_after_loss_s": round(back["back_s"], 2),
            "connects_per_s": round(clients / (back_s - started_s)),
            "tries": back["tries"],
        },
        "acknowledgements_after": after,
    }


def run() -> dict[str, Any]:
    """Measure with all clients."""
    folder = Path(disk_directory())
    try:
        return {
            "what": "clients with a key each on one door: memory, latency, reconnect storm",
            **measure(CLIENTS, PERIOD_S, MEASURE_S, folder),
        }
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Be the door, or the clients, or run and print."""
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--clients", type=int, default=0)
    parser.add_argument("--period", type=float, default=PERIOD_S)
    parser.add_argument("--measure", type=float, default=MEASURE_S)
    chosen = parser.parse_args()
    if chosen.serve is not None:
        uvloop.run(serve(chosen.serve, chosen.port))
    elif chosen.clients:
        uvloop.run(run_clients(chosen.port, chosen.clients, chosen.period, chosen.measure))
    else:
        print(json.dumps(run(), indent=2))


if __name__ == "__main__":
    main()
