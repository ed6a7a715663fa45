"""A door on a free port, and clients to call on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from tests.door.peer import Journal, Meet, OpenDoor, Peer

from penstock.core.clock import ManualClock
from penstock.core.log import MQTT_3_1_1
from penstock.door import Door, DoorSettings
from penstock.door import commit as commit_module
from penstock.door.packets import Connack, Connect

# A machine that is busy with other things makes no example wrong.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def open_door(
    journal: Journal, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenDoor]:
    """Open doors with settings; they are closed at the end."""
    monkeypatch.setattr(commit_module, "RETRY_S", 0.01)
    doors: list[Door] = []

    async def open_one(
        organisation: Path | None = None, *, internal_secret: str = "", **settings: Any
    ) -> Door:
        door = Door(
            DoorSettings(port=0, **settings),
            journal,
            clock,
            internal_secret=internal_secret,
            organisation=organisation,
        )
        await door.start()
        doors.append(door)
        return door

    yield open_one
    journal.trouble = None
    for door in doors:
        await door.close()


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    return await open_door()


@pytest.fixture
async def call() -> AsyncIterator[Meet]:
    """Open raw connections; they are closed at the end."""
    peers: list[Peer] = []

    async def call_one(door: Door, protocol: int = MQTT_3_1_1) -> Peer:
        reader, writer = await asyncio.open_connection(*door.address)
        peers.append(Peer(reader, writer, protocol))
        return peers[-1]

    yield call_one
    for peer in peers:
        await peer.close()


@pytest.fixture
def meet(call: Meet) -> Meet:
    """Open connections that have been let in; `peer.connack` is the answer."""

    async def meet_one(
        door: Door, client: str = "peer", protocol: int = MQTT_3_1_1, **more: Any
    ) -> Peer:
        peer = await call(door, protocol)
        peer.send(Connect(client, protocol, **more))
        connack = await peer.receive()
        assert isinstance(connack, Connack)
        assert not connack.reason
        peer.connack = connack  # type: ignore[attr-defined]
        return peer

    return meet_one
