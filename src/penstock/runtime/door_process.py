"""The door's process: listener and log writer, and nothing that could take them down."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import time
from pathlib import Path

import msgspec

from penstock.core.clock import SystemClock
from penstock.door.door import Door
from penstock.door.journal import Journal
from penstock.door.posted import Source
from penstock.door.settings import DoorSettings
from penstock.log.mark import DurableMark
from penstock.log.segments import SegmentLog
from penstock.log.settings import LogSettings
from penstock.runtime.access_file import access_file
from penstock.runtime.child import run_child, say_ready
from penstock.runtime.data_dir import door_folder, door_stats_file, write_stats
from penstock.runtime.open_files import allow_connections

#: Log partition that the door writes, and the hub's, which it follows.
PARTITION, HUB_PARTITION = "door", "hub"
#: How often the door's counters are left for the hub, in seconds.
STATS_EVERY_S = 1.0
#: Looking through ten thousand connections for garbage takes a quarter of a second, in which
#: nobody is answered; at Python's default pace that is every few seconds.
GC_THRESHOLDS = (50_000, 20, 50)


class DoorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of `Config` that the door needs; the rest would only cost memory here."""

    data_dir: str
    log_level: str
    door: DoorSettings
    log: LogSettings


async def main(config: DoorConfig, internal_secret: str, stopping: asyncio.Event) -> None:
    """Listen until told to stop; then acknowledge what is on disk and close."""
    clock = SystemClock()
    possible = allow_connections(config.door.max_connections)
    settings = msgspec.structs.replace(config.door, max_connections=possible)
    data = Path(config.data_dir)
    stats = door_stats_file(data)
    stats.parent.mkdir(parents=True, exist_ok=True)
    log = SegmentLog(data / "log", config.log, clock)
    writer = log.writer(PARTITION)
    journal = Journal(door_folder(data))
    door = Door(
        settings,
        writer,
        clock,
        internal_secret=internal_secret,
        journal=journal,
        organisation=access_file(data),
        posted=Source(log.reader(HUB_PARTITION), lambda: end_of(log, HUB_PARTITION)),
    )
    await door.start()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    host, port = door.address
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, door.reload)
    say_ready(host=host, port=port, doors=door.addresses)
    while not stopping.is_set():
        try:
            write_stats(stats, {"at": time.time(), "doors": door.addresses, **door.stats()})
        except OSError as error:
            logging.getLogger(__name__).debug("counters not written: %s", error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), STATS_EVERY_S)
    await door.close()
    log.close()


def end_of(log: SegmentLog, partition: str) -> int:
    """Return the durable end of a partition; 0 before it is there."""
    try:
        mark = DurableMark(log.folder(partition).mark)
    except FileNotFoundError:
        return 0
    try:
        return mark.offset
    finally:
        mark.close()


if __name__ == "__main__":
    run_child("door", DoorConfig, main)
