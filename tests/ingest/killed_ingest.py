"""Ingest in a process of its own, to be killed: `python killed_ingest.py DIRECTORY`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from penstock.catalog import SqlCatalog
from penstock.codecs import make
from penstock.core.clock import SystemClock
from penstock.ingest import Ingest, IngestSettings, Route
from penstock.log import SegmentLog
from penstock.stores.lake.store import LakeStore
from penstock.stores.settings import LakeSettings

#: So small that flushes happen all the time.
LAKE = LakeSettings(flush_rows=300, flush_interval_s=0.05)


def main(path: Path) -> None:
    clock = SystemClock()
    log = SegmentLog(path / "log")
    store = LakeStore.open(
        path / "store", LakeSettings(flush_rows=300, flush_interval_s=0.05), clock
    )
    settings = IngestSettings(
        routes=(Route(topic="{location}/{station}", codecs=("flat",)),),
        default_routes=False,
        max_batch_bytes=4096,
    )
    ingest = Ingest(log, SqlCatalog.open(path / "catalog"), store, make, settings, clock)
    ingest.start()
    say("started")
    marks = store.marks
    pause = threading.Event()
    while True:
        pause.wait(0.01)
        if store.marks != marks:
            marks = store.marks
            say("flushed")


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
