"""The door that the suite talks to: `door.py DIRECTORY SETTINGS`, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop

from penstock.core.access import Principal
from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.door.journal import Journal
from penstock.log import SegmentLog

#: The suite expects that nobody may subscribe to this topic.
FORBIDDEN = "test/nosubscribe"


def forbid(door: Door) -> None:
    """Let the door's permissions refuse that topic, and nothing else."""
    decide = door.permissions.may_subscribe

    def may_subscribe(who: Principal, wanted: str) -> bool:
        return wanted != FORBIDDEN and decide(who, wanted)

    door.permissions.may_subscribe = may_subscribe  # type: ignore[method-assign]


async def serve(directory: Path, settings: DoorSettings) -> None:
    log = SegmentLog(directory / "log")
    journal = Journal(directory / "journal")
    door = Door(settings, log.writer("door"), SystemClock(), journal=journal)
    forbid(door)
    await door.start()
    sys.stdout.write(f"{door.address[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=DoorSettings)))
