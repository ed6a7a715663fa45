"""A load generator for MQTT: many QoS 1 messages, little work for the machine.

Packets are built once, in a ring; sending is one system call for thousands of messages, and
acknowledgements are compared with the bytes that are due. Time stamps in the payloads (13 digits,
milliseconds) are moved on at every turn of the ring, so that no two messages are the same
observation. Runs in a process of its own:

    python -m benchmarks.load --port 1883 --publishers 4 --seconds 10
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from benchmarks.packets import Ring, build_ring, connect_packet
from benchmarks.transport_sockets import framed, open_socket

#: Given the number of a publisher and of messages, returns topics and payloads.
Source = Callable[[int, int], Sequence[tuple[str, bytes]]]

_START_MS = 1_729_312_551_000


def factory(publisher: int, count: int) -> list[tuple[str, bytes]]:
    """Return single-value JSON messages of about 125 bytes from 125 sensors of one site."""
    chance = random.Random(publisher)
    site = 101 + publisher
    topic = f"factory_iot/north/{site}"
    units = ("Psi", "C", "RPM", "Bar")
    messages = []
    for number in range(count):
        sensor = number % 125
        payload = (
            f'{{"ts":{_START_MS + number // 125},"metadata":{{"siteId":{site},'
            f'"deviceId":{1001 + sensor // 5},"sensorId":{10001 + sensor},'
            f'"unit":"{units[sensor % 4]}"}},"measurement":{chance.uniform(1000, 1100):.4f}}}'
        )
        messages.append((topic, payload.encode()))
    return messages


@dataclass
class Publisher:
    """One connection that sends from its ring, with at most `window` unacknowledged."""

    ring: Ring
    sock: socket.socket
    window: int
    sent_bytes: int = 0
    acked_bytes: int = 0
    turns: int = 0
    allowed: int = 0
    keep_times: bool = False
    _view: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self._view = memoryview(self.ring.data).cast("B")
        self.window = min(self.window, self.ring.count - 1)

    @property
    def acked(self) -> int:
        """Messages acknowledged."""
        return self.acked_bytes * self.ring.count // len(self.ring.acks)

    def send(self, limit: int) -> bool:
        """Send up to message number `limit` in all; return whether the socket took it all."""
        count = self.ring.count
        total = int(self.ring.ends[-1])
        goal = min(limit, self.acked + self.window)
        while True:
            turn, at = divmod(self.sent_bytes, total)
            if turn > self.turns:
                self.turns = turn
                self.ring.turn(turn)
            goal_in_turn = min(goal - turn * count, count)
            stop = int(self.ring.ends[goal_in_turn - 1]) if goal_in_turn > 0 else 0
            if stop <= at:
                return True
            try:
                taken = self.sock.send(self._view[at:stop])
            except BlockingIOError:
                return False
            self.sent_bytes += taken
            if taken < stop - at:
                return False

    def stamp_now(self, first: int, stop: int) -> None:
        """Give messages `first` to `stop` (in all) the present time, before they are sent."""
        count = self.ring.count
        now_ms = time.time_ns() // 1_000_000
        low = first % count
        high = min(low + stop - first, count)
        self.ring.write_times(low, high, np.full(high - low, now_ms, dtype=np.int64))

    def receive(self) -> None:
        """Take acknowledgements and check them."""
        try:
            chunk = self.sock.recv(1 << 20)
        except BlockingIOError:
            return
        if not chunk:
            raise ConnectionError(f"the broker closed the connection after {self.acked} messages")
        acks = self.ring.acks
        at = self.acked_bytes % len(acks)
        due = acks[at : at + len(chunk)]
        while len(due) < len(chunk):
            due += acks[: len(chunk) - len(due)]
        if chunk != due:
            raise ValueError(f"wrong acknowledgement after {self.acked} messages: {chunk[:40]!r}")
        self.acked_bytes += len(chunk)


def open_publisher(
    host: str,
    port: int,
    client: str,
    ring: Ring,
    window: int,
    protocol: int,
    transport: str = "mqtt",
    ca: str = "",
    key: str = "",
) -> Publisher:
    """Connect and wait for CONNACK."""
    sock = open_socket(transport, host, port, ca)
    if transport in ("ws", "wss"):
        ring = framed(ring)
    sock.sendall(connect_packet(client, protocol, key))
    answer = sock.recv(2)
    answer += sock.recv(answer[1])
    if answer[0] != 0x20 or answer[3]:
        raise ConnectionError(f"the broker refused the connection: {answer!r}")
    sock.setblocking(False)
    return Publisher(ring, sock, window)


def run_load(
    port: int,
    *,
    host: str = "127.0.0.1",
    publishers: int = 1,
    seconds: float = 10.0,
    count: int | None = None,
    rate: float | None = None,
    window: int = 20_000,
    ring: int = 60_000,
    protocol: int = 4,
    keep_times: bool = False,
    source: Source = factory,
    transport: str = "mqtt",
    ca: str = "",
    key: str = "",
) -> dict[str, float]:
    """Send for so long, or so many messages, and wait for every acknowledgement.

    Args:
        port: Port of the broker.
        host: Host of the broker.
        publishers: Connections.
        seconds: How long to send, unless `count` says how many.
        count: Messages in all.
        rate: Messages per second in all, each stamped with the time it is sent at; as fast as
            possible by default.
        window: Unacknowledged messages of one connection.
        ring: Messages built in advance for one connection; at most 65,535.
        protocol: 4 for MQTT 3.1.1, 5 for MQTT 5.0.
        keep_times: With `rate`, leave the time stamps as they were built, each one new.
        source: Gives topics and payloads.
        transport: `mqtt`, `mqtts`, `ws` or `wss`.
        ca: PEM file with the issuer of the broker's certificate.
        key: What the clients show to be let in.
    """
    tag = f"load-{time.time_ns() % 10**9}"
    clients = []
    for number in range(publishers):
        built = build_ring(source(number, ring), protocol)
        name = f"{tag}-{number}"
        client = open_publisher(host, port, name, built, window, protocol, transport, ca, key)
        client.keep_times = keep_times
        clients.append(client)
    started = time.perf_counter()
    share = None if count is None else -(-count // publishers)
    stopped = _drive(clients, started, seconds, share, None if rate is None else rate / publishers)
    ended = time.perf_counter()
    ended_at = time.time()
    messages = sum(client.acked for client in clients)
    for client in clients:
        client.sock.close()
    return {
        "messages": messages,
        "seconds": ended - started,
        "sending_seconds": stopped - started,
        "per_second": messages / (ended - started),
        "ended_at": ended_at,
    }


def _drive(
    clients: list[Publisher],
    started: float,
    seconds: float,
    share: int | None,
    rate: float | None,
) -> float:
    """Send and receive until all is acknowledged; return when sending ended."""
    selector = selectors.DefaultSelector()
    for client in clients:
        selector.register(client.sock, selectors.EVENT_READ, client)
    limit = share if share is not None else 1 << 62
    sending = True
    stopped = started
    last_heard = started
    while True:
        now = time.perf_counter()
        if sending and share is None and now - started >= seconds:
            sending = False
        open_work = False
        for client in clients:
            if sending:
                _advance(selector, client, limit, rate, now - started)
            elif client.sent_bytes > _bytes_of(client, _messages_in(client)):
                client.send(_messages_in(client) + 1)
            open_work |= client.acked < (limit if sending and share else _messages_in(client))
        if sending and share is not None:
            sending = any(_messages_in(client) < share for client in clients)
        if sending:
            stopped = now
        elif not open_work:
            return stopped
        for key, events in selector.select(0.001 if rate and sending else 0.05):
            if events & selectors.EVENT_READ:
                key.data.receive()
                last_heard = now
        if now - last_heard > 30:
            raise TimeoutError("no acknowledgement for 30 s")


def _advance(
    selector: selectors.BaseSelector,
    client: Publisher,
    limit: int,
    rate: float | None,
    elapsed_s: float,
) -> None:
    if rate is not None:
        due = min(limit, int(rate * elapsed_s))
        if due > client.allowed:
            if not client.keep_times:
                client.stamp_now(client.allowed, due)
            client.allowed = due
        limit = client.allowed
    drained = client.send(limit)
    events = selectors.EVENT_READ if drained else selectors.EVENT_READ | selectors.EVENT_WRITE
    if selector.get_key(client.sock).events != events:
        selector.modify(client.sock, events, client)


def _messages_in(client: Publisher) -> int:
    """Messages sent completely."""
    turn, at = divmod(client.sent_bytes, int(client.ring.ends[-1]))
    done = int(np.searchsorted(client.ring.ends, at, side="right"))
    return turn * client.ring.count + done


def _bytes_of(client: Publisher, messages: int) -> int:
    turn, index = divmod(messages, client.ring.count)
    inside = int(client.ring.ends[index - 1]) if index else 0
    return turn * int(client.ring.ends[-1]) + inside


def spawn_load(port: int, **options: object) -> subprocess.Popen[bytes]:
    """Start `run_load` in a process of its own; its result is the JSON line it prints."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "benchmarks.load", f"--port={port}", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def load(port: int, **options: object) -> dict[str, float]:
    """Run `run_load` in a process of its own and return its result."""
    process = spawn_load(port, **options)
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load generator failed with exit code {process.returncode}")
    return json.loads(out)


def _source(name: str) -> Source:
    if ":" not in name:
        return {"factory": factory}[name]
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def main() -> None:
    """Read the command line, run, print the result as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--publishers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--window", type=int, default=20_000)
    parser.add_argument("--ring", type=int, default=60_000)
    parser.add_argument("--protocol", type=int, choices=(4, 5), default=4)
    parser.add_argument("--keep-times", type=int, choices=(0, 1), default=0)
    parser.add_argument("--transport", default="mqtt", choices=("mqtt", "mqtts", "ws", "wss"))
    parser.add_argument("--ca", default="")
    parser.add_argument("--source", default="factory", help="name, or MODULE:FUNCTION")
    parser.add_argument("--key", default="")
    options = vars(parser.parse_args())
    options["source"] = _source(options["source"])
    print(json.dumps(run_load(**options)))


if __name__ == "__main__":
    main()
