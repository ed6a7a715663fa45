"""Memory of all processes when idle, and time from start to ready.

python -m benchmarks footprint
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
#: Time for the platform to come to rest before memory is read, in seconds.
REST_S = 15


def _tree(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _tree(int(child))
    return found


def _memory_kb(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)


def _start(directory: Path) -> tuple[subprocess.Popen[bytes], float]:
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(directory)]
        + ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert b"ready" in line, line
    return process, time.perf_counter() - began


def run() -> dict[str, object]:
    """Start the platform a few times; the first start also makes the catalog."""
    seconds = []
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as name:
        for n in range(RUNS):
            process, took = _start(Path(name))
            seconds.append(took)
            if n == RUNS - 1:
                time.sleep(REST_S)
                pids = _tree(process.pid)
                for field in ("Rss", "Pss"):
                    total = sum(_memory_kb(pid, field) for pid in pids)
                    memory[f"{field.lower()}_mb"] = round(total * 1024 / 1e6, 1)
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    return {
        "start_to_ready_s": {
            "first": round(seconds[0], 2),
            "later_median": round(statistics.median(seconds[1:]), 2),
        },
        "idle_memory_of_all_processes": memory,
    }
