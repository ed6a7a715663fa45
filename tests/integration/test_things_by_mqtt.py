"""Who is told of SensorThings entities by MQTT, when there are systems and accounts."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from tests.conformance.sensorthings.service import at, datastream, place, thing

from penstock.core.access import PLATFORM
from penstock.core.people import Actor, NewClient, NewCompany, NewKey, NewSystem, NewUser
from penstock.runtime import config
from penstock.runtime.people import identities_at_rest

Start = Callable[..., Any]
CARS = ("cz.icecars.fleet.Car1", "cz.icecars.fleet.Car2")
PATIENCE_S = 90.0


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Keys of an administrator and of a client of each of two systems, by name."""
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


class Client:
    """An MQTT client that keeps what comes, by topic."""

    def __init__(self, running: Any, name: str, key: str) -> None:
        self.came: dict[str, queue.Queue[Any]] = {}
        self._ready = threading.Event()
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, name)
        self.paho.username_pw_set("key", key)
        self.paho.on_connect = lambda *_: self._ready.set()
        self.paho.on_subscribe = lambda *_: self._ready.set()
        self.paho.on_message = lambda _, __, message: self.came[message.topic].put(
            json.loads(message.payload)
        )
        self.paho.connect(*running.mqtt)
        self.paho.loop_start()
        assert self._ready.wait(PATIENCE_S)

    def listen(self, *topics: str) -> None:
        self._ready.clear()
        self.came = {topic: queue.Queue() for topic in topics}
        self.paho.subscribe([(topic, 1) for topic in topics])
        assert self._ready.wait(PATIENCE_S)

    def next(self, topic: str) -> Any:
        return self.came[topic].get(timeout=PATIENCE_S)

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()


@pytest.fixture
def clients(start: Start, keys: dict[str, str]) -> Iterator[dict[str, Any]]:
    running = start()
    found: dict[str, Any] = {name: Client(running, name, key) for name, key in keys.items()}
    found["running"] = running
    yield found
    for name in keys:
        found[name].close()


def test_a_topic_is_about_the_entities_of_its_system(
    clients: dict[str, Any], keys: dict[str, str]
) -> None:
    running = clients["running"]
    topics = {car: f"{car}/v1.1/Things" for car in CARS}
    both = [*topics.values(), *(f"{car}/v1.1/Observations" for car in CARS), "v1.1/Things"]
    for name in keys:
        clients[name].listen(*both)
    headers = {"Authorization": f"Bearer {keys['root']}"}
    body = thing(Locations=[place()], Datastreams=[datastream()])
    with httpx.Client(base_url=running.http, headers=headers, timeout=120) as http:
        for car in CARS:
            made = http.post(f"/v1.1/Things?system={car}", json={**body, "name": car})
            assert made.status_code == 201, made.text
        streams = http.get("/v1.1/Datastreams?$orderby=id").json()["value"]
    for car, stream in zip(CARS, streams, strict=True):
        assert clients[car].next(topics[car])["name"].endswith(car)
        assert clients["root"].next(topics[car])["name"].endswith(car)
        topic = f"{car}/v1.1/{at('Datastreams', stream['@iot.id'])}/Observations"
        clients[car].paho.publish(topic, json.dumps({"result": 7}), qos=1)
        told = f"{car}/v1.1/Observations"
        assert clients[car].next(told)["result"] == 7
        assert clients["root"].next(told)["result"] == 7
    for car in CARS:
        others = [name for name in both if not name.startswith(car)]
        assert all(clients[car].came[name].empty() for name in others)
    assert clients["root"].came["v1.1/Things"].empty()


def test_what_a_path_leads_to_in_another_system_is_told_to_nobody(
    clients: dict[str, Any], keys: dict[str, str]
) -> None:
    running = clients["running"]
    headers = {"Authorization": f"Bearer {keys['root']}"}
    with httpx.Client(base_url=running.http, headers=headers, timeout=120) as http:
        url = http.post(f"/v1.1/Things?system={CARS[1]}", json=thing()).headers["location"]
        path = url.rpartition("/")[2]
        clients[CARS[0]].listen(f"{CARS[0]}/v1.1/{path}", f"{CARS[0]}/v1.1/{path}/name")
        clients[CARS[1]].listen(f"{CARS[1]}/v1.1/{path}")
        assert http.patch(url, json={"name": "other"}).status_code == 200
    assert "other" in clients[CARS[1]].next(f"{CARS[1]}/v1.1/{path}")["name"]
    assert all(came.empty() for came in clients[CARS[0]].came.values())
