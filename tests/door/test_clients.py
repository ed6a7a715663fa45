"""Clients that others wrote, against the real door and the real log."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from penstock.core.clock import SystemClock
from penstock.core.publish import parse_publish
from penstock.door import Door, DoorSettings
from penstock.door.presence import DOOR
from penstock.log import SegmentLog

PATIENCE_S = 90.0


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed; apt install mosquitto-clients"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    log = SegmentLog(tmp_path)
    door = Door(DoorSettings(port=0), log.writer("door"), SystemClock())
    await door.start()
    yield door
    await door.close()
    log.close()


def _logged(tmp_path: Path) -> list[tuple[str, bytes]]:
    found = []
    for block in SegmentLog(tmp_path).reader("door").read():
        if block.client == DOOR:
            continue
        start = 0
        for at in range(0, len(block.ends), 4):
            stop = int.from_bytes(block.ends[at : at + 4], "little")
            found.append(parse_publish(block.packets[start:stop], block.protocol))
            start = stop
    return found


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["0", "1", "2"])
async def test_mosquitto_pub_and_sub(door: Door, tmp_path: Path, version: str, qos: str) -> None:
    pub, sub = _tool("mosquitto_pub"), _tool("mosquitto_sub")
    where = ["-p", str(door.address[1]), "-V", version, "-q", qos]
    # A retained message says that the subscription is in place.
    await _run(pub, *where, "-t", "plant/ready", "-m", "yes", "-r")
    listening = asyncio.create_task(_run(sub, *where, "-t", "plant/#", "-v", "-C", "3", "-W", "30"))
    delivered = "penstock_door_delivered_total"
    async with asyncio.timeout(PATIENCE_S):
        while door.stats()[delivered] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await _run(pub, *where, "-t", "plant/1", "-m", "first")
    await _run(pub, *where, "-t", "plant/2", "-m", "x" * 100_000)
    assert (await listening).split("\n") == [
        "plant/ready yes",
        "plant/1 first",
        "plant/2 " + "x" * 100_000,
        "",
    ]
    assert _logged(tmp_path) == [
        ("plant/ready", b"yes"),
        ("plant/1", b"first"),
        ("plant/2", b"x" * 100_000),
    ]


@pytest.mark.parametrize("protocol", [mqtt.MQTTv311, mqtt.MQTTv5])
async def test_paho_sends_and_gets_a_thousand_messages_at_each_qos(
    door: Door, tmp_path: Path, protocol: int
) -> None:
    got: list[tuple[int, bytes]] = []
    await asyncio.to_thread(_paho_round_trip, door.address, protocol, got)
    for qos in range(3):
        assert [p for q, p in got if q == qos] == [b"%d" % n for n in range(1000)]
    assert len(_logged(tmp_path)) == 3000


def _paho_round_trip(address: tuple[str, int], protocol: int, got: list[tuple[int, bytes]]) -> None:
    complete, ready = threading.Event(), threading.Event()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        got.append((message.qos, message.payload))
        if len(got) == 3000:
            complete.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "paho", protocol=protocol)
    client.on_message = on_message
    client.on_subscribe = lambda *_: ready.set()
    client.max_inflight_messages_set(100)
    client.connect(*address)
    client.loop_start()
    if protocol == mqtt.MQTTv5:
        properties = Properties(PacketTypes.SUBSCRIBE)
        properties.SubscriptionIdentifier = 5
        client.subscribe("bulk/+", options=SubscribeOptions(qos=2), properties=properties)
    else:
        client.subscribe("bulk/+", 2)
    assert ready.wait(PATIENCE_S)
    for qos in range(3):
        sent = [client.publish(f"bulk/{qos}", b"%d" % n, qos) for n in range(1000)]
        for one in sent:
            one.wait_for_publish(PATIENCE_S)
    assert complete.wait(PATIENCE_S)
    client.disconnect()
    client.loop_stop()
