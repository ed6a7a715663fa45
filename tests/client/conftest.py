"""Clients and a real platform, as a user starts it, on ports that stay the same."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.faults.victim import Victim

from penstock.client import Client

#: Seconds that anything may take on a machine with much else to do.
PATIENCE_S = 90.0


def wait_until(holds: Callable[[], bool], what: str = "it") -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true in time")
        time.sleep(0.02)


class Platform(Victim):
    """A platform that can be killed and started again."""

    def release(self) -> None:
        """Let go of the ports."""
        for place in self._places:
            place.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def numbers(self, name: str) -> list[float]:
        """Return all numbers of a Datastream by time."""
        found = self.get(f"/api/v1/datastreams?search={name}&limit=1000")["items"]
        [id_] = [one["id"] for one in found if one["name"] == name]
        path = f"/api/v1/datastreams/{id_}/observations?limit=200000"
        return list(self.get(path)["number"])

    def wait_for(self, name: str, numbers: list[float]) -> None:
        """Wait until a Datastream holds exactly these numbers."""
        wait_until(lambda: self.numbers(name) == numbers, f"{name} = {numbers[:20]}")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for a module, as one that idles costs too; who kills it starts it again."""
    one = Platform(tmp_path_factory.mktemp("platform") / "data")
    one.start()
    yield one
    with contextlib.suppress(AssertionError):
        if one.is_running():
            one.stop()
    one.release()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Make clients that are closed at the end."""
    made: list[Client] = []

    def make(url: str, **settings: Any) -> Client:
        made.append(Client(url, max_retry_s=0.5, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close(0.5)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
