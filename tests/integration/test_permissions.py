"""Two systems of a company on a running platform: keys at the door, and whose the data is."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest

from penstock.core.access import PLATFORM
from penstock.core.people import Actor, NewClient, NewCompany, NewKey, NewSystem, NewUser
from penstock.runtime import config
from penstock.runtime.people import identities_at_rest

Start = Callable[..., Any]
CARS = ("cz.icecars.fleet.Car1", "cz.icecars.fleet.Car2")
PATIENCE_S = 90.0


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Make an administrator and two systems with a client each; return the keys by name."""
    by = Actor(PLATFORM)
    loaded = config.load(environ={}, overrides={"data_dir": str(tmp_path / "data")})
    with identities_at_rest(loaded) as people:
        root = people.users.add(
            by, NewUser(name="root", password="long enough", administrator=True)
        )
        company = people.companies.add(by, NewCompany(name="cz.icecars"))
        systems = [
            people.systems.add(
                by, NewSystem(company=company.id, workcenter="fleet", station=name.split(".")[-1])
            )
            for name in CARS
        ]
        clients = people.clients.add(by, [NewClient(system=s.id, name="unit") for s in systems])
        wanted = [NewKey(user=root.id), *(NewKey(client=client.id) for client in clients)]
        secrets = [issued.secret for issued in people.keys.add(by, wanted)]
    return dict(zip(("root", *CARS), secrets, strict=True))


def connected(running: Any, key: str) -> paho.Client:
    """Connect with a key and return the client; its reason code is in `client.user_data_get()`."""
    answers: list[Any] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "same", userdata=answers)
    client.on_connect = lambda client, userdata, flags, reason, properties: userdata.append(reason)
    client.username_pw_set("SN-4711", key)
    client.connect(*running.mqtt)
    client.loop_start()
    end_s = time.monotonic() + PATIENCE_S
    while not answers and time.monotonic() < end_s:
        time.sleep(0.02)
    return client


def ask(running: Any, path: str, key: str) -> Any:
    request = urllib.request.Request(running.http + path)
    request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def names(running: Any, key: str) -> set[str]:
    return {item["name"] for item in ask(running, "/api/v1/datastreams", key)["items"]}


def test_two_systems_neither_write_nor_read_each_others_data(
    start: Start, keys: dict[str, str]
) -> None:
    running = start()
    got: list[str] = []
    one, two = (connected(running, keys[car]) for car in CARS)
    stranger = connected(running, "no key at all")
    try:
        assert [str(client.user_data_get()[0]) for client in (one, two)] == ["Success"] * 2
        assert stranger.user_data_get()[0].is_failure
        two.on_message = lambda client, userdata, message: got.append(message.topic)
        two.subscribe("#", 1)
        for client in (one, two):
            client.publish(f"{CARS[0]}/hall/temperature", "181.5", qos=1).wait_for_publish(20)
        two.publish(f"{CARS[1]}/hall/temperature", "20", qos=1).wait_for_publish(20)
        expected = {f"{car}.hall.temperature" for car in CARS}
        end_s = time.monotonic() + PATIENCE_S
        while names(running, keys["root"]) < expected and time.monotonic() < end_s:
            time.sleep(0.05)
        assert names(running, keys["root"]) == expected
        for car in CARS:
            assert names(running, keys[car]) == {f"{car}.hall.temperature"}
        wanted = urllib.parse.quote(f"{CARS[0]}.hall.temperature")
        (info,) = ask(running, f"/api/v1/datastreams?search={wanted}", keys["root"])["items"]
        rows = ask(running, f"/api/v1/datastreams/{info['id']}/observations", keys["root"])
        assert rows["number"] == [181.5], "what the other system sent is not there"
        assert set(got) == {f"{CARS[1]}/hall/temperature"}
    finally:
        for client in (one, two, stranger):
            client.disconnect()
            client.loop_stop()
