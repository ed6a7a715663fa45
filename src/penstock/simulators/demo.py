"""The demo: a gentle mix of all simulators, with an hour of history at the start.

`python -m penstock.simulators.demo --broker HOST:PORT` runs until SIGTERM, SIGINT or the end of
the process that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import PenstockError
from penstock.simulators.accelerometer import Accelerometers
from penstock.simulators.factory import Factory
from penstock.simulators.fleet import Fleet
from penstock.simulators.message import Batches, Simulator, obedience_of
from penstock.simulators.mqtt import Broker
from penstock.simulators.run import Run, run_until_signal
from penstock.simulators.stations import Stations
from penstock.simulators.travellers import Travellers

#: All times begin at a multiple of this, so that a second demo on the same data replaces the
#: history of the first instead of lying between it. Every interval of the mix divides it.
GRID_US = 60_000_000
HOUR_S = 3_600
#: Stations whose messages carry no time; they cannot have a history.
WITHOUT_CLOCK = frozenset({"Dorinel-Zeus"})


class WithHistory:
    """A simulator that began some time ago: what is past is due at once.

    Args:
        simulator: What to send.
        history_s: How long ago it began, seconds.
        without: Devices that send no history.
    """

    def __init__(
        self, simulator: Simulator, history_s: int, without: frozenset[str] = frozenset()
    ) -> None:
        self._simulator = simulator
        self._history_us = history_s * 1_000_000
        self._without = without
        self.name = simulator.name
        self.devices = simulator.devices
        self.obedience = obedience_of(simulator)

    def messages(self, start_us: int) -> Batches:
        """Yield history up to `start_us`, and then what follows."""
        begin_us = start_us // GRID_US * GRID_US - self._history_us
        for batch in self._simulator.messages(begin_us):
            if batch[0].time_us >= start_us or not self._without:
                yield batch
            else:
                yield [
                    message
                    for message in batch
                    if message.time_us >= start_us or message.device not in self._without
                ]


def demo_mix(seed: int = 0) -> Sequence[Simulator]:
    """Return simulators that together send some 60 messages per second."""
    return [
        WithHistory(Accelerometers(seed, rate=20), HOUR_S // 6),
        WithHistory(Stations(seed, rate=0.5), HOUR_S, WITHOUT_CLOCK),
        WithHistory(Factory(seed, sites=[101, 102, 103], rate=0.2), HOUR_S),
        Travellers(seed, sensors=2, rate=0.3),
        WithHistory(Fleet(seed), HOUR_S),
    ]


async def run(broker: Broker, stop: asyncio.Event, clock: Clock | None = None) -> int:
    """Send the mix until told to stop and return the number of messages.

    Raises:
        NotConnected: The broker cannot be reached or refuses at the start.
    """
    clock = clock or SystemClock()
    plan = Run(broker=broker, start_us=clock.now_us())
    summaries = await asyncio.gather(
        *(plan.play(simulator, stop=stop, clock=clock) for simulator in demo_mix())
    )
    return sum(summary.messages for summary in summaries)


async def _run_beside(parent: int, broker: Broker, stop: asyncio.Event) -> int:
    """Run; stop when the process that started this one is gone."""

    async def watch() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 nothing tells that a parent has ended
            await asyncio.sleep(1)
        stop.set()

    watcher = asyncio.create_task(watch())
    try:
        return await run(broker, stop)
    finally:
        watcher.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo as a program; return its exit code."""
    parser = argparse.ArgumentParser(prog="penstock.simulators.demo", description=__doc__)
    parser.add_argument("--broker", default="127.0.0.1:1883", metavar="HOST:PORT")
    parser.add_argument("--username", default=os.environ.get("PENSTOCK_SIMULATE_USERNAME"))
    chosen = parser.parse_args(arguments)
    parent = os.getppid()
    password = os.environ.get("PENSTOCK_SIMULATE_PASSWORD")
    try:
        broker = Broker.parse(chosen.broker, chosen.username, password)
        run_until_signal(lambda stop: _run_beside(parent, broker, stop))
    except PenstockError as error:
        sys.stderr.write(f"penstock demo: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
