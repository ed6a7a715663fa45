"""A door with a real log in a process of its own, as in earnest: `serve.py DIRECTORY [PORT]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.door.journal import Journal
from penstock.door.posted import Source
from penstock.log import SegmentLog


async def serve(directory: Path, port: int = 0) -> None:
    log = SegmentLog(directory / "log")
    journal = Journal(directory / "journal")
    door = Door(
        # Who is mostly away misses nothing, however fast the machine is.
        DoorSettings(port=port, max_queued_messages=1_000_000, max_queued_bytes=1_000_000_000),
        log.writer("door"),
        SystemClock(),
        journal=journal,
        posted=Source(log.reader("hub"), lambda: log.ends().get("hub", 0)),
    )
    await door.start()
    sys.stdout.write(f"{door.address[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), *map(int, sys.argv[2:])))
