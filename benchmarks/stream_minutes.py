"""Minutes of travellers through store and engine, in one process: how soon they are answered.

    python -m benchmarks.stream_minutes [slower]

60,000 events/s at 100 sensors, and the three apps of `examples/apps/travellers`. `slower` lets time
pass that many times slower, for a machine of which others leave a part only: what is told in
seconds is in seconds of that time. `travellers` is the same with everything around it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from benchmarks.stream_rig import Rig

from penstock.core.catalog import Policy
from penstock.core.observation import observations
from penstock.core.series import ObservationType, Series
from penstock.sql.apps.app_text import parse_apps

APPS = Path(__file__).parents[1] / "examples/apps/travellers/travellers.sql"
RATE, SENSORS, PER_S = 60_000, 100, 10
#: Before the first whole minute, that minute, and behind it; seconds.
LENGTH_S = 5 + 60 + 8
LATENESS_S = 2.0
KINDS = pa.array(["pedestrian", "bicyclist", "vehicle"])


class SlowClock:
    """A clock that begins shortly before a minute."""

    def __init__(self, slower: float) -> None:
        self._began_s, self._slower = time.monotonic(), slower
        self._first_s = time.time() // 60 * 60 + 55

    def now_us(self) -> int:
        """Return the time."""
        return int((self._first_s + self.monotonic_s()) * 1e6)

    def monotonic_s(self) -> float:
        """Return seconds since it was made."""
        return (time.monotonic() - self._began_s) / self._slower


class Crowd:
    """As many travellers as pass at once, in columns; each stays for about six seconds."""

    def __init__(self, ids: np.ndarray) -> None:
        self._rng, self._ids, self._next = np.random.default_rng(1), ids, 0
        count = RATE // PER_S
        self._who, self._kind, self._where = (np.zeros(count, np.int64) for _ in range(3))
        self._replace(np.ones(count, np.bool_))

    def _replace(self, gone: np.ndarray) -> None:
        count = int(gone.sum())
        self._who[gone] = np.arange(self._next, self._next + count)
        self._kind[gone] = self._rng.integers(0, len(KINDS), count)
        self._where[gone] = self._rng.integers(0, SENSORS, count)
        self._next += count

    def look(self, now_us: int) -> pa.RecordBatch:
        """Return where all are."""
        count = len(self._who)
        self._replace(self._rng.random(count) < 1 / 60)
        x, y = (pa.array((self._rng.random(count) * 100).round(4)).cast(pa.string()) for _ in "xy")
        place = pc.binary_join_element_wise(x, y, ",")
        who, kind = pa.array(self._who).cast(pa.string()), KINDS.take(pa.array(self._kind))
        facts = pc.binary_join_element_wise(
            '{"traveler_id":"0a41c2d4-8d53-4b3c-9b0e-', who, '","traveler_type":"', kind, '"}', ""
        )
        times = now_us - 1_000_000 // PER_S + np.arange(count) * (1_000_000 // PER_S // count)
        return observations(
            self._ids[self._where], times, None, feature=self._who.copy(), parameters=facts,
            text=pc.binary_join_element_wise("[", place, "]", ""),
        )  # fmt: skip


def run(slower: float = 1.0) -> dict[str, object]:
    """Let a little more than a minute pass, and return the figures."""
    with tempfile.TemporaryDirectory() as folder:
        clock = SlowClock(slower)
        rig = Rig(Path(folder), clock=clock)
        series = [
            Series(thing=f"sensor-{n}", name="position", observation_type=ObservationType.COMPLEX)
            for n in range(SENSORS)
        ]
        found = rig.catalog.enrol(series, Policy.AUTOMATIC, clock.now_us())
        crowd = Crowd(np.array([one.datastream for one in found], np.int64))
        apps = parse_apps(APPS.read_text())
        for number, app in enumerate(apps, 1):
            rig.start(number, app.sql, reach_s=app.reach_s, lateness_s=LATENESS_S)
        rig.engine.open()
        done: dict[int, int] = {}
        behind: list[float] = []
        slowest = 0.0
        began, worked, rows = clock.monotonic_s(), time.process_time(), 0
        while clock.monotonic_s() - began < LENGTH_S:
            batch = crowd.look(clock.now_us())
            sending = clock.monotonic_s()
            rig.send(batch)
            slowest = max(slowest, clock.monotonic_s() - sending)
            rows += batch.num_rows
            for number in range(1, len(apps) + 1):
                status = rig.engine.status(number)
                assert status is not None
                assert not status.message, status.message
                at = status.done_us or 0
                if at > done.get(number, at):
                    behind.append((clock.now_us() - at) / 1e6 - LATENESS_S)
                done[number] = at
            wait = began + rows / RATE - clock.monotonic_s()
            time.sleep(max(0.0, wait * slower))
        took = clock.monotonic_s() - began
        worked = time.process_time() - worked
        stats = dict(rig.engine.stats())
        rig.close()
    return {
        "what": "minute results of travellers, seconds behind the minute's end and the lateness",
        "time_passed_slower": slower,
        "events_per_s": round(rows / took),
        "behind_s": [round(one, 2) for one in sorted(behind)],
        "slowest_append_s": round(slowest, 2),
        "cpu_s_per_s": round(worked / took, 2),
        "engine_busy": round(stats["penstock_sql_busy_seconds_total"] / took, 2),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*map(float, sys.argv[1:])), indent=2) + "\n")
