"""`kill -9` under load: what was acknowledged is in the log."""

from __future__ import annotations

import random
import select
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from penstock.core.log import LogReader
from penstock.core.publish import parse_publish
from penstock.door.encoding import encode
from penstock.door.packets import Connect, Publish
from penstock.door.presence import DOOR
from penstock.log import SegmentLog

PATIENCE_S = 90.0


class Sender:
    """Sends numbered QoS 1 messages and counts what is acknowledged."""

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.acked = 0
        self.sent = 0
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.sock.sendall(encode(Connect(name), 4))
        assert self.sock.recv(4) == b"\x20\x02\0\0"
        self._rest = b""

    def step(self) -> bool:
        """Send some, take what is acknowledged; say whether the door is still there."""
        try:
            if self.sent - self.acked < 5000:
                batch = range(self.sent, self.sent + 200)
                self.sock.sendall(
                    b"".join(
                        encode(Publish(self.name, b"%d" % n, 1, packet_id=n % 60_000 + 1), 4)
                        for n in batch
                    )
                )
                self.sent += len(batch)
            while select.select([self.sock], [], [], 0)[0]:
                data = self.sock.recv(65_536)
                if not data:
                    return False
                self._take(data)
        except ConnectionError:
            return False
        return True

    def drain(self) -> None:
        """Take the acknowledgements that were on their way, and close."""
        with suppress(ConnectionError):
            while data := self.sock.recv(65_536):
                self._take(data)
        self.sock.close()

    def _take(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) // 4 * 4
        for at in range(0, whole, 4):
            expected = b"\x40\x02" + (self.acked % 60_000 + 1).to_bytes(2, "big")
            assert data[at : at + 4] == expected
            self.acked += 1
        self._rest = data[whole:]


def _payloads(reader: LogReader) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    while blocks := reader.read():
        for block in blocks:
            if block.client == DOOR:
                continue
            start = 0
            for at in range(0, len(block.ends), 4):
                stop = int.from_bytes(block.ends[at : at + 4], "little")
                topic, payload = parse_publish(block.packets[start:stop], block.protocol)
                found.setdefault(topic, []).append(int(payload))
                start = stop
    return found


def _trial(directory: Path, chance: random.Random) -> int:
    """Load a door, kill it, and compare; return how many messages were acknowledged."""
    script = Path(__file__).with_name("serve.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(directory)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert process.stdout is not None
    with process, process.stdout:
        port = int(process.stdout.readline())
        senders = [Sender(port, f"sender-{number}") for number in range(3)]
        deadline = time.monotonic() + PATIENCE_S
        goal = chance.randrange(200, 20_000)
        while sum(sender.acked for sender in senders) < goal and time.monotonic() < deadline:
            assert all(sender.step() for sender in senders)
        process.kill()
        process.wait(PATIENCE_S)
        for sender in senders:
            sender.drain()

    log = SegmentLog(directory / "log")
    log.writer("door").close()  # cuts off a torn tail
    kept = _payloads(log.reader("door"))
    log.close()
    for sender in senders:
        numbers = kept.get(sender.name, [])
        assert numbers == list(range(len(numbers)))
        assert sender.acked <= len(numbers)
    return sum(sender.acked for sender in senders)


@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_survives_kill_minus_nine(tmp_path: Path, seed: int) -> None:
    assert _trial(tmp_path, random.Random(seed)) >= 200


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 200))
def test_what_was_acknowledged_survives_a_hundred_kills(tmp_path: Path, seed: int) -> None:
    assert _trial(tmp_path, random.Random(seed)) >= 200


def test_a_door_that_was_killed_says_that_nobody_is_here_any_more(tmp_path: Path) -> None:
    script = Path(__file__).with_name("serve.py")
    for name in ("first", "second"):
        with subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as door:
            assert door.stdout is not None
            client = Sender(int(door.stdout.readline()), name)
            # What is acknowledged is on disk, and the coming of its client with it.
            while not client.acked:
                assert client.step()
            door.kill()
            client.sock.close()
    told = []
    reader = SegmentLog(tmp_path / "log").reader("door")
    while blocks := reader.read():
        told += [parse_publish(b.packets, b.protocol) for b in blocks if b.client == DOOR]
    assert [topic.rsplit("/", 1)[-1] for topic, _ in told] == ["door", "first", "door", "second"]
    assert all(b'"online":true' in payload for _, payload in told[1::2])
