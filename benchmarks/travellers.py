"""Travellers at the default load of their system: whether minutes are answered in time.

    python -m benchmarks.travellers

The simulator sends 1,000 arrivals a second at 100 sensors (QoS 1) to a platform beside it, where
the three apps of `examples/apps/travellers` run. What is told is how far behind ingest gets, and
how long after the end of a minute and the apps' lateness its results are there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.ingest_platform import Running, running_platform

APPS = Path(__file__).parents[1] / "examples/apps/travellers/travellers.sql"
MINUTES = int(os.environ.get("BENCH_MINUTES", "3"))
LATENESS_S = 2.0


def _post(running: Running, path: str, body: bytes = b"{}", media: str = "application/json") -> Any:
    request = urllib.request.Request(
        f"{running.http}/api/v1{path}", body, {"Content-Type": media}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _watch(running: Running, until_s: float) -> dict[str, Any]:
    """Return what was seen until then: lags, and when each app had answered each minute."""
    delays: dict[str, list[float]] = {}
    done: dict[str, int] = {}
    lag = behind = 0.0
    while time.time() < until_s:
        for app in running.get("/apps")["items"]:
            name, run = app["spec"]["name"], app["run"] or {}
            assert not run.get("message"), run
            at = int(run.get("done_us") or 0)
            if at > done.get(name, at):
                delays.setdefault(name, []).append(time.time() - at / 1e6 - LATENESS_S)
            done[name] = at
        health = running.get("/health")
        lag, behind = max(lag, health["lag_s"]), max(behind, health["lag_messages"])
        time.sleep(0.2)
    return {"delays": delays, "lag_s": lag, "lag_messages": behind}


def run() -> dict[str, Any]:
    """Let travellers pass for some minutes, and return the figures."""
    with running_platform() as running:
        _post(running, "/apps/import", APPS.read_bytes(), "text/plain")
        for app in running.get("/apps")["items"]:
            _post(running, f"/apps/{app['id']}/start")
        command = [sys.executable, "-m", "penstock.cli.main", "simulate", "travellers", "--json"]
        command += [f"--broker=127.0.0.1:{running.mqtt_port}"]
        # Streets fill in the first seconds; then as many leave as come.
        simulator = subprocess.Popen(command, stdout=subprocess.PIPE)
        time.sleep(20)
        before, cpu, begin = running.stored(), running.cpu_seconds(), time.time()
        seen = _watch(running, begin + MINUTES * 60 + 10)
        after, events = running.cpu_seconds(), running.stored() - before
        seconds = time.time() - begin
        simulator.terminate()
        simulator.wait(30)
        repairs = [app["run"]["repairs"] for app in running.get("/apps")["items"]]
    delays = sorted(delay for some in seen["delays"].values() for delay in some)
    return {
        "what": "minute results of travellers, seconds behind the minute's end and the lateness",
        "events_per_s": round(events / seconds),
        "minutes_answered": {name: len(some) for name, some in seen["delays"].items()},
        "behind_s": {"median": round(delays[len(delays) // 2], 2), "worst": round(delays[-1], 2)},
        "worst_lag_of_ingest": {
            "seconds": round(seen["lag_s"], 2),
            "messages": seen["lag_messages"],
        },
        "repairs": repairs,
        "cpus_used": {name: round((after[name] - cpu[name]) / seconds, 2) for name in after},
        "cpus": os.cpu_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
