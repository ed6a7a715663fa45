"""How far the store is with a partition does not go back while it is read again."""

from __future__ import annotations

import msgspec
import numpy as np

from penstock.core.clock import SystemClock
from penstock.core.publish import encode_publish
from penstock.ingest.columns import EMPTY
from penstock.ingest.ingest import Ingest
from penstock.ingest.partitions import Partitions
from penstock.log.memory import MemoryLog
from penstock.stores.memory import MemoryStore


class Again:
    """Wants all of the log read again, as streams do that had not dealt with it."""

    def heard(self, rows, marks):
        pass

    def reads_from(self, marks):
        return dict.fromkeys(marks, 0)

    def dealt_with(self, partition, at):
        return at


def write(plant, partition, *payloads):
    """Write a block for each payload into a partition."""
    writer = plant.writer if partition == "door" else plant.log.writer(partition)
    try:
        for payload in payloads:
            packet = encode_publish("a", payload)
            ends = np.array([len(packet)], "<u4").tobytes()
            writer.append("test-client", 4, plant.clock.now_us(), packet, ends)
        return writer.sync()
    finally:
        if writer is not plant.writer:
            writer.close()


def test_new_messages_of_one_partition_leave_the_mark_of_another(plant, monkeypatch):
    plant.open()
    held = write(plant, "door", b"x=1@1", b"x=2@2", b"x=3@3", b"x=4@4")
    other = write(plant, "hub", b"y=1@1")
    assert plant.ingest.wait("door", held, 20)
    assert plant.ingest.wait("hub", other, 20)
    plant.close()
    assert plant.store.flush() == {"door": held, "hub": other}
    plant.open()
    newer = write(plant, "hub", b"y=2@2")
    plant.close()
    # Given a store that does not know of the newest message, and streams that want all again
    plant.store._pending["hub"] = other
    plant.store.flush()
    start = Ingest.start

    def started(ingest):
        ingest._settings = msgspec.structs.replace(ingest._settings, max_batch_bytes=1)
        ingest.follow(Again())
        start(ingest)

    monkeypatch.setattr(Ingest, "start", started)
    # When it is read block by block
    plant.open()
    assert plant.ingest.wait("hub", newer, 20)
    assert plant.ingest.wait("door", held, 20)
    # Then the store still knows how far it is with both
    assert plant.store.flush() == {"door": held, "hub": newer}


def test_a_log_that_begins_anew_leaves_the_marks_of_other_partitions():
    log, store = MemoryLog(), MemoryStore()
    packet = encode_publish("a", b"x=1@1")
    for partition in ("door", "hub"):
        writer = log.writer(partition)
        writer.append("test-client", 4, 0, packet, np.array([len(packet)], "<u4").tobytes())
        writer.sync()
    store.append(EMPTY, {"door": 1000, "hub": 500})
    store.flush()
    partitions = Partitions(log, store, lambda: {"door": 1000, "hub": 0}, SystemClock())
    partitions.start(Behind())
    partitions.open_new()
    assert store.marks == {"door": 1000, "hub": 0}


class Behind(Again):
    """Wants one partition read again from long before."""

    def reads_from(self, marks):
        return {**marks, "door": 10}
