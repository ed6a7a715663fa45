"""A door with a real log in a process of its own, as it runs in earnest: `serve.py DIRECTORY`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.door.journal import Journal
from penstock.log import SegmentLog


async def serve(directory: Path) -> None:
    log = SegmentLog(directory / "log")
    journal = Journal(directory / "journal")
    door = Door(DoorSettings(port=0), log.writer("door"), SystemClock(), journal=journal)
    await door.start()
    sys.stdout.write(f"{door.address[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
