"""QoS 1 messages per second acknowledged after sync, through TLS and web sockets beside plain TCP.

    python -m benchmarks transports

Every message has a web socket frame of its own, as with the clients that there are. Further
memory that a connection takes, idle, is measured with connections of one process.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.door_throughput import disk_directory
from benchmarks.load import factory, load
from benchmarks.packets import connect_packet
from benchmarks.transport_sockets import open_socket

SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
SCHEMES = ("mqtt", "mqtts", "ws", "wss")
#: The transports take turns so often; the median counts.
ROUNDS = 3
PUBLISHERS = (1, 4)
#: Connections whose memory is measured.
CONNECTIONS = 300


async def _serve(directory: Path) -> None:
    from penstock.core.clock import SystemClock
    from penstock.door import Door, DoorSettings
    from penstock.door.settings import TlsSettings, WebSocketSettings
    from penstock.log import SegmentLog

    log = SegmentLog(directory / "log")
    files = {"certificate": str(directory / "server.pem"), "key": str(directory / "server.key")}
    settings = DoorSettings(
        port=0,
        tls=TlsSettings(port=0, **files),
        websocket=WebSocketSettings(port=0, tls_port=0),
    )
    door = Door(settings, log.writer("door"), SystemClock())
    await door.start()
    print(json.dumps(door.addresses), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await door.close()
    log.close()


@contextlib.contextmanager
def running_door() -> Iterator[tuple[dict[str, int], str, int]]:
    """Run a door on every transport; gives ports by scheme, the issuer's file, the process id."""
    import trustme

    directory = disk_directory()
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    ca = f"{directory}/ca.pem"
    authority.cert_pem.write_to_path(ca)
    issued.cert_chain_pems[0].write_to_path(f"{directory}/server.pem")
    issued.private_key_pem.write_to_path(f"{directory}/server.key")
    command = [sys.executable, "-m", "benchmarks.transports", "--serve", directory]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        addresses = json.loads(process.stdout.readline())
        yield {scheme: address[1] for scheme, address in addresses.items()}, ca, process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


def _memory_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("the system does not say how much memory a process has")


def _cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _memory_of_a_connection(scheme: str) -> float:
    with running_door() as (ports, ca, pid):
        held: list[Any] = []
        before = 0
        for number in range(CONNECTIONS + 50):
            if number == 50:  # what the first ones need is needed once
                before = _memory_kb(pid)
            sock = open_socket(scheme, "127.0.0.1", ports[scheme], ca)
            sock.sendall(connect_packet(f"c{number}"))
            sock.recv(4)
            held.append(sock)
        grown = _memory_kb(pid) - before
        for sock in held:
            sock.close()
    return round(grown / CONNECTIONS, 1)


def run() -> dict[str, Any]:
    """Measure the transports in turn and return the figures."""
    rounds: dict[str, dict[str, list[int]]] = {scheme: {} for scheme in SCHEMES}
    work: dict[str, dict[str, list[float]]] = {scheme: {} for scheme in SCHEMES}
    for publishers in PUBLISHERS:
        for _ in range(ROUNDS):
            for scheme in SCHEMES:
                with running_door() as (ports, ca, pid):
                    options = {"publishers": publishers, "transport": scheme, "ca": ca}
                    load(ports[scheme], seconds=1, **options)
                    before_s = _cpu_s(pid)
                    found = load(ports[scheme], seconds=SECONDS, **options)
                    used_us = (_cpu_s(pid) - before_s) * 1e6 / found["messages"]
                work[scheme].setdefault(str(publishers), []).append(used_us)
                rounds[scheme].setdefault(str(publishers), []).append(round(found["per_second"]))
    rates = {
        scheme: {publishers: statistics.median(of) for publishers, of in by.items()}
        for scheme, by in rounds.items()
    }
    return {
        "what": "QoS 1 messages/s acknowledged after sync, by transport and publishers",
        "payload_bytes": len(factory(0, 1)[0][1]),
        "seconds": SECONDS,
        "per_second": rates,
        "rounds": rounds,
        "ratio_to_plain": {
            scheme: {key: round(rate / rates["mqtt"][key], 2) for key, rate in by.items()}
            for scheme, by in rates.items()
        },
        "cpu_us_per_message": {
            scheme: {key: round(statistics.median(of), 2) for key, of in by.items()}
            for scheme, by in work.items()
        },
        "idle_connection_kb": {scheme: _memory_of_a_connection(scheme) for scheme in SCHEMES},
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
