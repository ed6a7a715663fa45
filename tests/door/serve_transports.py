"""A door on every transport, in a process of its own: `serve_transports.py DIRECTORY SETTINGS`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import msgspec
import uvloop

from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.log import SegmentLog


async def serve(directory: Path, settings: DoorSettings) -> None:
    log = SegmentLog(directory)
    door = Door(settings, log.writer("door"), SystemClock())
    await door.start()
    sys.stdout.write(json.dumps(door.addresses) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=DoorSettings)))
