"""Asking a platform that lives about its alarms, as a client would."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

TIMEOUT_S = 120
#: What a busy machine may need for what takes a second.
PATIENCE_S = 90
#: Of rules that need not wait for stragglers.
PRESENT = "-- lateness: 0 s\n-- idle: 1 s\n"


class Caller:
    """Asks a house that lives."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"

    def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        response = requests.request(method, self._url + path, timeout=TIMEOUT_S, **more)
        assert response.status_code == status, response.text
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return response.json() if is_json else response.text

    def send(self, thing: str, name: str, *rows: tuple[int, float]) -> None:
        """Keep numbers at microseconds."""
        for time_us, value in rows:
            body = {"timestamp": time_us, name: value}
            sent = self("POST", f"/messages/{thing}", 201, json=body)
        assert self("GET", f"/ingested?offset={sent['offset']}&timeout_s=30")["ingested"]

    def rules(self, text: str, status: int = 200) -> Any:
        found = self("POST", "/alarm-rules/import", status, data=text.encode())
        return found["items"] if status == 200 else found["error"]["message"]

    def alarms(self, rule: str = "", **wanted: Any) -> list[Any]:
        found = self("GET", "/alarms", params={"all": "true", **wanted})["items"]
        return [one for one in found if rule in ("", one["rule"])]

    def backtest(self, rule: int, start_us: int, end_us: int) -> Any:
        rng = {"from": str(start_us), "to": str(end_us)}
        begun = self("POST", f"/alarm-rules/{rule}/backtest", 202, json=rng)
        path = f"/alarm-rules/backtests/{begun['id']}"
        eventually(lambda: self("GET", path)["state"] != "running")
        done = self("GET", path)
        assert done["state"] == "done", done
        return done


def eventually(look: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > end:
            pytest.fail("it did not come")
        time.sleep(0.05)


def now_us() -> int:
    return time.time_ns() // 1000


def text_of(time_us: int) -> str:
    moment = datetime.fromtimestamp(time_us / 1e6, UTC).replace(microsecond=time_us % 1_000_000)
    return moment.isoformat().replace("+00:00", "Z")
