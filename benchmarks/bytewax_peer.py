"""The peer of `stream_windows`: Bytewax, a keyed one-second tumbling mean in event time.

Everything is in memory, in batches, as it is fastest: no broker, no file. Its source gives lists of
(key, (time, value)); a second's mean is folded as a sum and a count, without putting the events
in order first. Its watermark runs on with the machine's clock: windows wait a minute for
stragglers, so that none is closed early because the machine is busy.
"""

from __future__ import annotations

from benchmarks import peers

PACKAGE = "bytewax==0.21.1"

_PROGRAM = """
import json, sys, time
from datetime import datetime, timedelta, timezone
import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.inputs import StatelessSourcePartition, DynamicSource
from bytewax.outputs import StatelessSinkPartition, DynamicSink
from bytewax.testing import run_main

count, keys, per_second = map(int, sys.argv[1:4])
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
BATCH = 10_000
names = [str(key) for key in range(keys)]
# Made before the clock starts.
events = [
    (names[n % keys], (START + timedelta(microseconds=n * 1_000_000 // per_second), float(n % 100)))
    for n in range(count)
]
batches = [events[at : at + BATCH] for at in range(0, count, BATCH)]


class Part(StatelessSourcePartition):
    def __init__(self):
        self.left = iter(batches)

    def next_batch(self):
        try:
            return next(self.left)
        except StopIteration:
            raise StopIteration() from None


class Source(DynamicSource):
    def build(self, step_id, worker_index, worker_count):
        return Part()


seen = [0, 0.0]


class Out(StatelessSinkPartition):
    def write_batch(self, items):
        for _, (_, (total, number)) in items:
            seen[0] += 1
            seen[1] += total / number


class Sink(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return Out()


def add(sums, item):
    sums[0] += item[1]
    sums[1] += 1
    return sums


def merge(one, other):
    return [one[0] + other[0], one[1] + other[1]]


flow = Dataflow("mean")
stream = op.input("in", flow, Source())
clock = win.EventClock(lambda item: item[0], wait_for_system_duration=timedelta(seconds=60))
windower = win.TumblingWindower(length=timedelta(seconds=1), align_to=START)
means = win.fold_window(
    "mean", stream, clock, windower, lambda: [0.0, 0], add, merge, ordered=False
)
op.output("out", means.down, Sink())
began = time.perf_counter()
run_main(flow)
took = time.perf_counter() - began
print(json.dumps({"seconds": took, "windows": seen[0], "sum_of_means": seen[1]}))
"""


def keyed_means(count: int, keys: int, per_second: int) -> dict[str, object]:
    """Return how fast Bytewax makes them of `count` events, in order, in one process.

    Args:
        count: Events; event `n` has key `n % keys`, value `n % 100`, and comes
            `n / per_second` seconds after 2026-01-01T00:00Z.
        keys: Keys.
        per_second: Events in a second of event time.
    """
    try:
        python = peers.environment("bytewax", PACKAGE)
    except RuntimeError as error:
        return {"peer": str(error)}
    found = peers.answer(python, _PROGRAM, str(count), str(keys), str(per_second))
    return {
        "peer": PACKAGE,
        "events_per_s": round(count / found["seconds"]),
        "windows": found["windows"],
        "sum_of_means": found["sum_of_means"],
    }


def run() -> dict[str, object]:
    """Measure the peer alone."""
    return keyed_means(1_000_000, 1000, 100_000)
