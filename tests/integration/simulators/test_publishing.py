"""Simulators against a real broker, with paho-mqtt as the witness of what arrived."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections import Counter

import pytest
from typer.testing import CliRunner

from penstock.cli.simulate import app
from penstock.core.errors import ConfigError, NotConnected
from penstock.simulators.accelerometer import Accelerometers
from penstock.simulators.factory import Factory
from penstock.simulators.fleet import Fleet
from penstock.simulators.message import Message
from penstock.simulators.mqtt import Broker
from penstock.simulators.publisher import Publisher, PublisherSettings
from penstock.simulators.run import Run
from penstock.simulators.stations import Stations
from penstock.simulators.travellers import Travellers

START = 1_795_344_944_780_710
SIMULATORS = [
    lambda: Accelerometers(1, rate=500),
    lambda: Factory(1),
    lambda: Fleet(1),
    lambda: Stations(1),
    lambda: Travellers(1, sensors=10),
]


def expected(simulator, count: int) -> list[tuple[str, bytes]]:
    stream = itertools.chain.from_iterable(simulator.messages(START))
    return [(m.topic, m.payload) for m in itertools.islice(stream, count)]


def run(mosquitto, **options) -> Run:
    broker = Broker(host="127.0.0.1", port=mosquitto.port)
    return Run(broker=broker, start_us=START, speed=None, **options)


@pytest.mark.parametrize("make", SIMULATORS)
async def test_every_message_arrives_once_and_is_acknowledged(mosquitto, witness, make):
    summary = await run(mosquitto, messages=300).play(make())
    await asyncio.to_thread(witness.wait, 300)
    assert summary.messages == summary.acked == 300
    assert Counter(witness.got) == Counter(expected(make(), 300))


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_each_quality_of_service_delivers_in_order(mosquitto, witness, qos: int):
    settings = PublisherSettings(qos=qos, window=20)
    summary = await run(mosquitto, messages=500, publisher=settings).play(Travellers(1, sensors=3))
    await asyncio.to_thread(witness.wait, 500)
    assert summary.acked == 500
    assert witness.got == expected(Travellers(1, sensors=3), 500)


async def test_what_was_not_acknowledged_is_sent_again_after_a_broker_restart(mosquitto):
    """The broker is killed and started again while messages flow; each arrives at least once."""
    broker = Broker(host="127.0.0.1", port=mosquitto.port)
    acked_before = 0
    async with Publisher(broker, PublisherSettings(window=100)) as publisher:
        await publisher.open(["a", "b"])
        for number in range(300):
            if number in {100, 200}:
                mosquitto.kill()
                acked_before = publisher.acked
                asyncio.get_running_loop().call_later(0.3, mosquitto.start)
            device = "ab"[number % 2]
            await publisher.send([Message(0, "t", str(number).encode(), device)])
        assert await publisher.drain(60)
        assert publisher.sent == publisher.acked == 300
        assert acked_before < 300
        assert publisher.reconnects >= 2


async def test_devices_have_client_ids_of_their_own(mosquitto):
    """Two publishers with the same devices do not push each other off."""
    address = Broker(host="127.0.0.1", port=mosquitto.port)
    async with Publisher(address) as one, Publisher(address) as two:
        await one.open(["car", "truck"])
        await two.open(["car", "truck"])
        for publisher in (one, two):
            await publisher.send([Message(0, "t", b"1", "car"), Message(0, "t", b"1", "truck")])
            assert await publisher.drain(30)
        assert one.connected == two.connected == 2
        assert one.reconnects == two.reconnects == 0


async def test_more_devices_than_connections_share_them(mosquitto, witness):
    settings = PublisherSettings(max_connections=3)
    summary = await run(mosquitto, messages=200, publisher=settings).play(Stations(count=50))
    await asyncio.to_thread(witness.wait, 200)
    assert summary.acked == 200
    assert Counter(witness.got) == Counter(expected(Stations(count=50), 200))


async def test_a_broker_that_is_not_there_is_named():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NotConnected, match=f"broker 127.0.0.1:{port} cannot be reached"):
        await Run(broker=Broker(port=port)).play(Stations())


async def test_a_wrong_password_is_said(closed_mosquitto):
    address = Broker(port=closed_mosquitto.port, username="me", password="no")
    with pytest.raises(NotConnected, match=r"refuses the connection: .*--password"):
        await Run(broker=address).play(Stations())


@pytest.mark.parametrize("settings", [{"qos": 3}, {"window": 0}, {"window": 70_000}])
async def test_impossible_settings_are_refused(mosquitto, settings: dict[str, int]):
    async with Publisher(Broker(port=mosquitto.port), PublisherSettings(**settings)) as publisher:
        with pytest.raises(ConfigError):
            await publisher.open(["a"])


def test_command_sends_and_sums_up_as_json(mosquitto, witness):
    options = ["--broker", f"127.0.0.1:{mosquitto.port}", "--json", "--as-fast-as-possible"]
    options += ["--start", "2026-11-22T10:55:44.780710Z", "--seed", "1", "--messages", "50"]
    result = CliRunner().invoke(app, ["stations", *options])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["messages"], summary["acked"]) == (50, 50)
    witness.wait(50)
    assert Counter(witness.got) == Counter(expected(Stations(1), 50))


def test_accelerometers_leave_a_retained_message(mosquitto, new_witness):
    options = ["--broker", f"127.0.0.1:{mosquitto.port}", "--count", "1", "--rate", "10"]
    result = CliRunner().invoke(
        app, ["accelerometer", *options, "--messages", "10", "--as-fast-as-possible"]
    )
    assert result.exit_code == 0, result.output
    late = new_witness(mosquitto.port)
    late.wait(1)
    assert [topic for topic, _ in late.got] == ["sensor.AAD-1123.measurements"]
