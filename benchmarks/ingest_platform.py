"""A platform of its own for a benchmark: `penstock up` with an empty folder on a real disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READY = re.compile(r"(http://\S+).*MQTT on \S+:(\d+)")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Running:
    """A platform that is ready."""

    http: str
    mqtt_port: int
    directory: Path
    pid: int

    def get(self, path: str) -> Any:
        """Return the JSON answer of the API."""
        with urllib.request.urlopen(f"{self.http}/api/v1{path}", timeout=60) as answer:
            return json.load(answer)

    def stored(self) -> int:
        """Observations that queries see now."""
        return int(self.get("/health")["observations_total"])

    def wait_stored(self, count: int, timeout_s: float = 300) -> float:
        """Wait until `count` observations are stored, return the time then (`time.time`)."""
        deadline = time.perf_counter() + timeout_s
        while self.stored() < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{self.stored()} of {count} observations after {timeout_s} s")
            time.sleep(0.1)
        return time.time()

    def count_by_query(self) -> int:
        """Count all observations by asking for buckets of a day."""
        ids = [item["id"] for item in self.get("/datastreams?limit=10000")["items"]]
        total = 0
        for start in range(0, len(ids), 100):
            chosen = "&".join(f"datastream={one}" for one in ids[start : start + 100])
            total += sum(self.get(f"/observations?width=1d&agg=count&{chosen}")["count"])
        return total

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time used so far by the door and the hub."""
        used = {}
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for child in children:
            command = Path(f"/proc/{child}/cmdline").read_bytes().decode()
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            name = "door" if "door_process" in command else "hub"
            used[name] = (int(fields[11]) + int(fields[12])) / _TICKS
        return used


@contextlib.contextmanager
def running_platform(**environment: str) -> Iterator[Running]:
    """Start the platform with default settings but free ports; stop and remove it afterwards."""
    directory = Path(
        tempfile.mkdtemp(prefix="penstock-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp"))
    )
    command = [sys.executable, "-m", "penstock.cli.main", "up", f"--data-dir={directory}/data"]
    command += ["--http=127.0.0.1:0", "--mqtt=127.0.0.1:0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := _READY.search(line):
                break
        else:
            raise RuntimeError("the platform did not start")
        yield Running(found[1], int(found[2]), directory, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()
            shutil.rmtree(directory)
