"""Where the hub's part of the log ends, as the door asks: also while others are being created."""

from __future__ import annotations

from pathlib import Path

from penstock.core.clock import ManualClock
from penstock.core.log import MQTT_3_1_1
from penstock.log import SegmentLog
from penstock.log.settings import LogSettings
from penstock.runtime.door_process import HUB_PARTITION, end_of


def test_a_partition_that_is_being_created_troubles_nobody(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, LogSettings(), ManualClock())
    assert end_of(log, HUB_PARTITION) == 0
    writer = log.writer(HUB_PARTITION)
    packet = b"\x30\x04\x00\x01a1"
    writer.append("http", MQTT_3_1_1, 0, packet, len(packet).to_bytes(4, "little"))
    writer.sync()
    log.writer("door").close()
    log.folder("door").mark.write_bytes(b"")
    assert end_of(log, HUB_PARTITION) == 1
    log.close()
