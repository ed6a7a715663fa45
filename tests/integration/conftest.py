"""A running platform, as a user starts it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.faults.victim import held_port


class Running:
    """`penstock up` in a process of its own."""

    def __init__(self, data_dir: Path, *options: str, environ: dict[str, str] | None = None):
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(data_dir)]
            + ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environ or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"ready: (https?://\S+)  \(MQTT on (\S+):(\d+)", line)
        if found is None:
            self.process.kill()
            pytest.fail(f"not ready: {line!r} {self.process.communicate()}")
        self.http = found.group(1)
        self.mqtt = (found.group(2), int(found.group(3)))

    def get(self, path: str) -> object:
        with urllib.request.urlopen(self.http + path, timeout=120) as answer:
            return json.load(answer)

    def post(self, path: str, body: bytes) -> object:
        request = urllib.request.Request(self.http + path, body, method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def stop(self) -> tuple[int, str]:
        """SIGTERM; return exit code and what was said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said


@pytest.fixture
def kept_port() -> Iterator[Callable[[], str]]:
    """Addresses that nobody else gets while the process that listens there is away."""
    places: list[socket.socket] = []

    def another() -> str:
        places.append(held_port())
        return f"127.0.0.1:{places[-1].getsockname()[1]}"

    yield another
    for place in places:
        place.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start platforms; all are stopped at the end."""
    running: list[Running] = []

    def go(*options: str, data_dir: Path | None = None, **environ: str) -> Running:
        running.append(Running(data_dir or tmp_path / "data", *options, environ=environ))
        return running[-1]

    yield go
    for one in running:
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.communicate()
