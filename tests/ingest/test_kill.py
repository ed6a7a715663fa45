"""`kill -9` at random moments: every message ends up stored or dead, exactly once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from penstock.catalog import SqlCatalog
from penstock.codecs import make
from penstock.core.clock import SystemClock
from penstock.core.publish import encode_publish
from penstock.core.selection import Selection
from penstock.ingest import Ingest, IngestSettings, Route
from penstock.log import SegmentLog
from penstock.stores.lake.store import LakeStore

CHILD = Path(__file__).with_name("killed_ingest.py")


def message(number: int) -> tuple[str, bytes]:
    if number % 50 == 49:
        return "UPB/RPi", b"poison %d" % number
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_600_000_000 + number))
    return "UPB/RPi", b'{"N":%d,"timestamp":"%s"}' % (number, stamp.encode())


def feed(writer, start: int, count: int) -> None:
    packets = [encode_publish(*message(n)) for n in range(start, start + count)]
    ends = np.cumsum([len(p) for p in packets]).astype("<u4").tobytes()
    writer.append("rpi", 4, time.time_ns() // 1000, b"".join(packets), ends)
    writer.sync()


class Feeder:
    """Sends messages all the time while it is entered."""

    def __init__(self, log: SegmentLog) -> None:
        self.sent = 0
        self._writer = log.writer("door")

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            feed(self._writer, self.sent, 40)
            self.sent += 40

    def __enter__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def campaign(path: Path, kills: int, seed: int) -> None:
    """Kill ingest after it flushed a few times, or not at all, and then check everything."""
    rng = random.Random(seed)
    log = SegmentLog(path / "log")
    feeder = Feeder(log)
    for number in range(kills):
        child = subprocess.Popen([sys.executable, str(CHILD), str(path)], stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"started\n"
        with feeder:
            for _ in range(rng.randint(0 if number else 1, 3)):
                assert child.stdout.readline() == b"flushed\n"
            time.sleep(rng.uniform(0, 0.1))
            child.kill()
        child.communicate()
    sent = feeder.sent
    store = LakeStore.open(path / "store")
    assert store.marks["door"] > 0
    catalog = SqlCatalog.open(path / "catalog")
    settings = IngestSettings(
        routes=(Route(topic="{location}/{station}", codecs=("flat",)),), default_routes=False
    )
    ingest = Ingest(log, catalog, store, make, settings, SystemClock())
    ingest.start()
    assert ingest.wait("door", sent, 60)
    stored = Counter(store.scan(Selection()).column("number").to_pylist())
    dead = Counter(letter.offset for letter in ingest.dead_letters(limit=100_000))
    for close in (ingest.close, store.close, catalog.close, log.close):
        close()
    assert stored == Counter(float(n) for n in range(sent) if n % 50 != 49)
    assert dead == Counter(n for n in range(sent) if n % 50 == 49)


def test_nothing_is_lost_or_doubled_when_ingest_is_killed(tmp_path):
    campaign(tmp_path, kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_or_doubled_in_a_hundred_kills(tmp_path, seed):
    campaign(tmp_path, kills=20, seed=seed)
