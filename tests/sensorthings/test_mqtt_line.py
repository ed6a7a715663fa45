"""The hub's line to the door: it comes back, and knows what is wanted by then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.log import SegmentLog
from penstock.sensorthings.mqtt_line import ThingsLine

SECRET = "only the platform knows"
TOPIC = "v1.1/Things"


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def subscriber(door: Door, name: str) -> tuple[Any, Any]:
    """Return a connection that has subscribed to the topic."""
    reader, writer = await asyncio.open_connection(*door.address)
    client = name.encode()
    head = b"\0\4MQTT\4\2\0\0" + len(client).to_bytes(2, "big") + client
    writer.write(b"\x10" + bytes((len(head),)) + head)
    wanted = len(TOPIC).to_bytes(2, "big") + TOPIC.encode() + b"\0"
    writer.write(b"\x82" + bytes((len(wanted) + 2,)) + b"\0\1" + wanted)
    await reader.readexactly(4 + 5)
    return reader, writer


async def test_a_door_that_comes_back_is_asked_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = SegmentLog(tmp_path / "log")
    writer = log.writer("door")

    async def open_door() -> Door:
        door = Door(DoorSettings(port=0), writer, SystemClock(), internal_secret=SECRET)
        await door.start()
        return door

    doors = [await open_door()]
    told: list[frozenset[str]] = []
    line = ThingsLine(lambda: doors[-1].address if doors else None, SECRET, told.append)
    running = asyncio.create_task(line.run())
    for round_ in range(2):
        reader, link = await subscriber(doors[-1], f"client-{round_}")
        await eventually(lambda: bool(told) and told[-1] == {TOPIC})
        await line.send([(TOPIC, b'{"name":"oven"}')] * 2500)
        data = await reader.readexactly(2500 * (2 + 2 + len(TOPIC) + 15))
        assert data.count(b'{"name":"oven"}') == 2500
        door = doors.pop()
        await door.close()
        link.close()
        await eventually(lambda: told[-1] == frozenset())
        await line.send([(TOPIC, b"lost")])
        doors.append(await open_door())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await doors[-1].close()
    writer.close()
    log.close()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
