"""The log alone: cost of a block, of a sync with and without room ahead, and of reading.

Run: `python -m benchmarks log_blocks`. Set TMPDIR to measure another disk.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from penstock.log import LogSettings, SegmentLog
from penstock.testing.log_contract import run_of_messages

#: 125 bytes with its topic, as in the acceptance table.
PAYLOAD = b'{"value": 21.5, "time": "2026-01-01T00:00:00.000Z"}'.ljust(100)
#: Messages of one block: from a lone device, and from a fast one.
RUNS = (1, 10, 150)
#: Blocks of 150 messages in one sync, and how many syncs.
GROUPS = {1: 500, 4: 300, 16: 100}


def appends(directory: Path) -> dict[str, object]:
    """Measure `append` and reading, in microseconds per block."""
    log = SegmentLog(directory)
    writer = log.writer("door")
    result: dict[str, object] = {}
    for run in RUNS:
        packets, ends = run_of_messages(*[PAYLOAD] * run)
        blocks = 100_000 // run
        start = time.perf_counter()
        for i in range(blocks):
            writer.append("device-1", 4, i, packets, ends)
        took = time.perf_counter() - start
        writer.sync()
        reader = log.reader("door")
        reader.seek(writer.end_offset - blocks * run)
        start = time.perf_counter()
        while reader.read():
            pass
        read = time.perf_counter() - start
        result[f"{run} messages"] = {
            "append_us": round(took / blocks * 1e6, 2),
            "read_us": round(read / blocks * 1e6, 2),
            "bytes": len(packets),
        }
    log.close()
    return result


def syncs(directory: Path, room_bytes: int) -> dict[str, object]:
    """Measure `append` plus `sync` of a group, in microseconds."""
    log = SegmentLog(directory, LogSettings(room_bytes=room_bytes))
    writer = log.writer("door")
    packets, ends = run_of_messages(*[PAYLOAD] * 150)
    result: dict[str, object] = {}
    for group, times in GROUPS.items():
        taken = []
        for i in range(times):
            start = time.perf_counter()
            for _ in range(group):
                writer.append("device-1", 4, i, packets, ends)
            writer.sync()
            taken.append((time.perf_counter() - start) * 1e6)
        taken.sort()
        result[f"{group * len(packets) // 1000} kB"] = {
            "p50_us": round(statistics.median(taken)),
            "p99_us": round(taken[len(taken) * 99 // 100]),
            "messages_per_s": round(group * 150 * times / sum(taken) * 1e6),
        }
    log.close()
    return result


def run() -> dict[str, object]:
    """Return all figures; with and without room in turns, since disks have moods."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        rounds = [
            {
                "room ahead 1 MiB": syncs(directory / f"room-{i}", 1_048_576),
                "no room": syncs(directory / f"none-{i}", 0),
            }
            for i in range(3)
        ]
        return {"block": appends(directory / "blocks"), "sync": rounds}
