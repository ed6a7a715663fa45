"""Long windows that hop by a minute: what a minute of them costs, and how late its answer is.

Means of 100 keys over `HOP` windows of an hour and of a day, at 1,000 and 10,000 rows a second.
Time is turned by hand, second by second, so a machine of which others have a part says the same.
What is told is processor time: of a whole minute, and of what is to be done at its end.

Run: `python -m benchmarks.stream_hops [hours rows_per_second ...]`
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks.stream_rig import Rig

from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.sql.settings import SqlSettings

KEYS = 100
MINUTES = 4
#: Rows of a key in a minute of the past, where that is not wanted as full as the present. Each key
#: is in each minute, so what is put together at the end of a window is as much.
THIN = 2
BEGIN_US = 1_764_000_000_000_000
LATENESS_S = 2.0


def query(hours: int) -> str:
    """Return the query."""
    return (
        "SELECT window_start, thing, AVG(result) AS mean, MAX(result) AS high FROM HOP(TABLE "
        f"observations, DESCRIPTOR(time), INTERVAL '1' MINUTE, INTERVAL '{hours}' HOUR) "
        "GROUP BY window_start, window_end, thing"
    )


def measure(hours: int, rate: int, *, is_full: bool) -> dict[str, object]:
    """Return what a minute costs once a whole window has passed.

    Args:
        hours: Length of the windows.
        rate: Rows a second.
        is_full: Whether the past has as many rows.
    """
    length_s = hours * 3600
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock(BEGIN_US)
        rig = Rig(Path(folder), SqlSettings(max_slice_s=600), clock)
        ids = rig.datastreams(KEYS)
        rng = np.random.default_rng(1)

        def send(start_s: float, length_s: float, count: int) -> None:
            at = BEGIN_US + round(start_s * 1e6)
            times = at + np.arange(count) * round(length_s * 1e6) // count
            values = np.round(rng.random(count) * 100, 2)
            rig.send(observations(ids[np.arange(count) % KEYS], times, values))

        try:
            for start_s in range(0, length_s, 60):
                send(start_s, 60, 60 * rate if is_full else KEYS * THIN)
            rig.store.flush()
            clock.advance(length_s)
            rig.start(1, query(hours), start_us=BEGIN_US, lateness_s=LATENESS_S, idle_s=3600)
            seconds: list[float] = []
            ends: list[float] = []
            first = _turn(rig)
            for second in range(MINUTES * 60):
                send(length_s + second, 1, rate)
                clock.advance(1)
                before = rig.engine.status(1)
                took = _turn(rig)
                after = rig.engine.status(1)
                assert before is not None
                assert after is not None
                if after.message:
                    return {
                        "hours": hours,
                        "rate": rate,
                        "is_full": is_full,
                        "fails": after.message,
                    }
                seconds.append(took)
                if before.done_us != after.done_us:
                    ends.append(took)
            # The first minute has the past to read.
            steady = sum(seconds[60:]) / (MINUTES - 1)
            return {
                "hours": hours, "rate": rate, "is_full": is_full,
                "first_turn_cpu_s": round(first, 2),
                "minute_cpu_s": round(steady, 2),
                "cores": round(steady / 60, 4),
                "at_the_end_cpu_s": [round(one, 2) for one in ends],
            }  # fmt: skip
        finally:
            rig.close()


def _turn(rig: Rig) -> float:
    began_s = time.process_time()
    while not rig.engine.turn():
        pass
    return time.process_time() - began_s


def run() -> dict[str, object]:
    """Return the result."""
    return {
        "keys": KEYS,
        "windows": [
            measure(1, 1000, is_full=True),
            measure(1, 10_000, is_full=True),
            measure(24, 1000, is_full=False),
            measure(24, 10_000, is_full=False),
        ],
    }


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    made = [measure(h, r, is_full=h < 2) for h, r in zip(words[::2], words[1::2], strict=True)]
    sys.stdout.write(json.dumps(made or run(), indent=2) + "\n")
