"""The door that the suite talks to: `door.py DIRECTORY SETTINGS`, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import uvloop

from penstock.core.clock import SystemClock
from penstock.door import Door, DoorSettings
from penstock.door.auth import Action, AllowAll, Principal
from penstock.door.journal import Journal
from penstock.log import SegmentLog

#: The suite expects that nobody may subscribe to this topic.
FORBIDDEN = "test/nosubscribe"


class Rules(AllowAll):
    """Everything is allowed but what the suite expects to be forbidden."""

    def authorise(self, who: Principal, topic: str, action: Action) -> bool:
        return action is not Action.SUBSCRIBE or topic != FORBIDDEN


async def serve(directory: Path, settings: DoorSettings) -> None:
    log = SegmentLog(directory / "log")
    journal = Journal(directory / "journal")
    door = Door(settings, log.writer("door"), SystemClock(), Rules(), journal=journal)
    await door.start()
    sys.stdout.write(f"{door.address[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=DoorSettings)))
