"""The platform with its observations in PostgreSQL."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import psycopg
import pytest
from tests.integration.conftest import Running
from tests.integration.test_platform import children, numbers, publish, wait_until
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgres
Start = Callable[[str], Running]


@pytest.fixture
def start_on(start: Callable[..., Running], kept_port: Callable[[], str]) -> Start:
    """Start platforms on a database, at addresses that stay when the hub is started again."""
    return lambda url: start("--http", kept_port(), PENSTOCK_STORE_URL=url)


def send(running: Any, topic: str, values: range) -> None:
    """Publish with QoS 1, and return when all are acknowledged."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "burst")
    client.max_inflight_messages_set(200)
    client.connect(*running.mqtt)
    client.loop_start()
    sent = [client.publish(topic, str(value), qos=1) for value in values]
    for one in sent:
        one.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def test_what_comes_by_mqtt_is_in_the_database_and_in_the_api(
    start_on: Start, postgres_url: str
) -> None:
    running = start_on(postgres_url)
    publish(running, "kitchen/oven/temperature", "181.5")
    wait_until(lambda: numbers(running, "oven") == [181.5])
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT number FROM penstock.observations").fetchall()
    assert rows == [(181.5,)]
    things = running.get("/v1.1/Observations?$count=true")
    assert (things["@iot.count"], things["value"][0]["result"]) == (1, 181.5)
    assert running.get("/api/v1/health")["ready"]
    assert not (running.data_dir / "store").exists()
    assert running.stop() == (0, "")
    assert numbers(start_on(postgres_url), "oven") == [181.5]


def test_nothing_is_lost_when_the_hub_is_killed_while_it_writes(
    start_on: Start, postgres_url: str
) -> None:
    running = start_on(postgres_url)
    for kill in range(3):
        before = children(running.process.pid)["hub"]
        send(running, "kitchen/oven/temperature", range(kill * 1000, kill * 1000 + 1000))
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: children(running.process.pid).get("hub", before) != before)  # noqa: B023
    everything = [float(value) for value in range(3000)]
    wait_until(lambda: sorted(all_numbers(running)) == everything, 90)


def test_a_server_that_is_away_is_waited_for(
    start_on: Start, own_postgres_server: PostgresServer
) -> None:
    running = start_on(own_postgres_server.new_database())
    publish(running, "kitchen/oven/temperature", "1")
    wait_until(lambda: numbers(running, "oven") == [1.0])
    own_postgres_server.kill()
    publish(running, "kitchen/oven/temperature", "2")
    wait_until(lambda: "does not answer" in trouble(running))
    own_postgres_server.start()
    wait_until(lambda: all_numbers(running) == [1.0, 2.0])
    wait_until(lambda: running.get("/api/v1/health")["ready"])


def all_numbers(running: Any) -> list[float]:
    """Return what there is; nothing while the hub starts."""
    try:
        found = running.get("/api/v1/datastreams?search=oven")["items"]
        rows = running.get(f"/api/v1/datastreams/{found[0]['id']}/observations?limit=10000")
        return list(rows["number"])
    except (OSError, IndexError):
        time.sleep(0.2)
        return []


def trouble(running: Any) -> str:
    checks = running.get("/api/v1/health")["checks"]
    return " ".join(check["message"] for check in checks if not check["ok"])
