"""Devices written in Python carry out commands, and who orders them learns what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.client.conftest import Platform, wait_until

from penstock.client import Client
from penstock.client.packets import PUBLISH, RESPONSE_TOPIC, Packet
from penstock.core.errors import InvalidInput, NotFound

#: Starting a platform may take a minute on a machine with much else to do.
pytestmark = pytest.mark.timeout(400)

Connect = Callable[..., Client]

BOILER = [
    {
        "name": "heat",
        "parameters": [
            {"name": "to", "unit": "°C", "minimum": 10, "maximum": 90},
            {"name": "mode", "kind": "text", "values": ["eco", "fast"], "required": False},
        ],
    },
    {"name": "explode"},
]


@pytest.fixture(scope="module")
def boilers(platform: Platform) -> Platform:
    """A platform that knows what a boiler is."""
    Client(platform.url).declare_device_type("boiler", BOILER)
    return platform


def test_a_command_is_carried_out_and_what_became_of_it_comes_back(
    boilers: Platform, connect: Connect
) -> None:
    device = connect(boilers.url, name="boiler-7")
    device.register_device("boiler-7", type="boiler", topic="plant/boiler-7")
    got: list[tuple[float, str]] = []

    @device.on_command("boiler-7", "heat")
    def heat(to: float, mode: str = "eco") -> str:
        got.append((to, mode))
        return f"heating to {to:g}"

    @device.on_command("boiler-7", "explode")
    def explode() -> None:
        raise RuntimeError("not today")

    engineer = connect(boilers.url)
    assert [one.name for one in engineer.devices("boiler-7")] == ["boiler-7"]
    task = engineer.send_command("boiler-7", "heat", to=60)
    assert (task.state, task.message, task.is_done) == ("done", "heating to 60", True)
    engineer.send_command("boiler-7", "heat", to=70, mode="fast")
    assert got == [(60, "eco"), (70, "fast")]
    task = engineer.send_command("boiler-7", "explode")
    assert (task.state, task.message, task.is_done) == ("failed", "RuntimeError: not today", False)


def test_a_device_whose_topic_follows_from_its_name_is_commanded_too(
    boilers: Platform, connect: Connect
) -> None:
    device = connect(boilers.url)
    device.register_device("kettle", type="boiler")
    device.on_command("kettle", "heat")(lambda to: None)
    assert connect(boilers.url).send_command("kettle", "heat", to=20).is_done


def test_what_cannot_be_ordered_is_said(boilers: Platform, connect: Connect) -> None:
    engineer = connect(boilers.url)
    engineer.register_device("cold", type="boiler")
    with pytest.raises(InvalidInput, match="to"):
        engineer.send_command("cold", "heat", to=95)
    with pytest.raises(InvalidInput, match="no command 'sing'"):
        engineer.send_command("cold", "sing")
    with pytest.raises(NotFound, match="nobody"):
        engineer.send_command("nobody", "heat", to=20)
    with pytest.raises(NotFound, match=r"register_device\('nobody', type=...\) makes it"):
        engineer.on_command("nobody", "heat")(print)
    assert engineer.send_command("cold", "heat", to=20, wait_s=0).state in {"queued", "sent"}


def test_a_command_that_comes_again_is_carried_out_once_and_answered_again(
    boilers: Platform, connect: Connect
) -> None:
    device = connect(boilers.url)
    got: list[int] = []

    def count(n: int) -> None:
        got.append(n)

    device._servant.serve("again/commands/count", count, 20)
    order = json.dumps({"Command": "count", "Params": {"n": 1}, "Task": "k"}).encode()
    packet = Packet(
        PUBLISH, 0, 0, 0, "again/commands/count", order, properties={RESPONSE_TOPIC: b"again/tasks"}
    )
    before = device._outbox.spool.last
    device._servant.take(packet)
    wait_until(lambda: device._outbox.spool.last == before + 2, "accepted and done")
    device._servant.take(packet)
    wait_until(lambda: device._outbox.spool.last == before + 3, "done again")
    assert got == [1]
