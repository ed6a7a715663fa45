"""A platform whose catalog is in PostgreSQL goes on when the server was away."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import paho.mqtt.client as paho
import pytest
from tests.conformance.platform import Running
from tests.postgres_server import PostgresServer, name_of

pytestmark = pytest.mark.postgres

PASSWORD = "never-to-be-seen"
PATIENCE_S = 90


def publish(place: tuple[str, int], topic: str, payload: str) -> None:
    """Publish, and return when it is acknowledged."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.connect(*place)
    client.loop_start()
    client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def things(platform: Running) -> set[str]:
    answer = httpx.get(f"{platform.http}/v1.1/Things?$select=name", timeout=PATIENCE_S)
    answer.raise_for_status()
    return {thing["name"] for thing in answer.json()["value"]}


def until(platform: Running, wanted: set[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    found: object = None
    while time.monotonic() < end:
        try:
            found = things(platform)
        except httpx.HTTPStatusError as error:
            found = error
        if found == wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"{found} instead of {wanted}: {platform.said()}")


def command_lines() -> str:
    found = b""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += one.read_bytes()
        except OSError:
            continue
    return found.decode(errors="replace")


def test_what_is_sent_while_the_server_is_away_is_there_when_it_is_back(
    own_postgres_server: PostgresServer, tmp_path: Path
) -> None:
    server = own_postgres_server
    url = server.url(name_of(server.new_database()), password=PASSWORD)
    with Running(tmp_path / "data", settings=f'[catalog]\nurl = "{url}"\n') as platform:
        publish(platform.mqtt, "hall/one", "21.5")
        until(platform, {"hall"})
        assert not (tmp_path / "data" / "catalog.sqlite").exists()

        server.stop()
        publish(platform.mqtt, "yard/one", "3")
        for _ in range(3):
            answer = httpx.get(f"{platform.http}/v1.1/Things", timeout=PATIENCE_S)
            assert answer.status_code == 503
            assert PASSWORD not in answer.text
        new = {"name": "shed", "description": "made while nobody is there"}
        answer = httpx.post(f"{platform.http}/v1.1/Things", json=new, timeout=PATIENCE_S)
        assert answer.status_code == 503
        server.start()
        until(platform, {"hall", "yard"})

        assert PASSWORD not in platform.said()
        assert PASSWORD not in command_lines()
