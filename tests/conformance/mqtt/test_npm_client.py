"""npm's `mqtt` package as a client of the door."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.door.peer import Journal, OpenDoor

FOLDER = Path(__file__).parent.parent / "node"
#: Starting node on a busy machine takes a while.
PATIENCE_S = 90.0


def _node() -> str:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "mqtt").is_dir():
        message = "npm's mqtt package is not installed; run `make node`"
        # CI says when npm's registry could not give it.
        if os.environ.get("CI") == "true" and not os.environ.get("PENSTOCK_WITHOUT_NODE"):
            pytest.fail(message)
        pytest.skip(message)
    return node


@pytest.fixture
async def spoken(request: pytest.FixtureRequest, open_door: OpenDoor, journal: Journal) -> Any:
    door = await open_door()
    host, port = door.address
    command = [_node(), str(FOLDER / "client.js"), f"mqtt://{host}:{port}", str(request.param)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    return request.param, json.loads(out)


@pytest.mark.parametrize("spoken", [4, 5], indirect=True)
async def test_npm_mqtt_publishes_subscribes_and_resumes(spoken: Any, journal: Journal) -> None:
    version, said = spoken
    user = {"unit": "kPa", "batch": ["1", "2"]} if version == 5 else None
    expiry = 100 if version == 5 else None
    assert [(one["topic"], one["qos"]) for one in said["granted"]] == [("plant/+", 2)]
    assert said["came"] == [
        {
            "topic": "plant/p",
            "payload": f"qos {qos}",
            "qos": qos,
            "retain": False,
            "user": user,
            "expiry": expiry,
        }
        for qos in (0, 1, 2)
    ]
    assert said["resumed"] is True
    assert [(one["payload"], one["retain"]) for one in said["later"]] == [
        ("while away", False),
        ("retained", False),
        ("sender is gone", False),
        ("retained", True),
    ]
    assert [m.payload for m in journal.messages()] == [
        b"qos 0",
        b"qos 1",
        b"qos 2",
        b"while away",
        b"retained",
        b"sender is gone",
    ]
