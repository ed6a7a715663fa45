"""One run of a simulator from start to summary."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from penstock.core.clock import Clock, SystemClock
from penstock.simulators.message import Simulator, obedience_of
from penstock.simulators.mqtt import Broker
from penstock.simulators.pace import Limits, Pace, Progress, play
from penstock.simulators.publisher import Publisher, PublisherSettings


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did.

    Attributes:
        simulator: Its name.
        broker: `HOST:PORT`.
        start_us: Simulated time at which it began; with the seed it repeats the run.
        messages: Messages sent.
        acked: Messages that the broker acknowledged.
        payload_bytes: Size of their payloads.
        seconds: How long it took.
        messages_per_s: On average.
        reconnects: How often a connection was lost and made again.
    """

    simulator: str
    broker: str
    start_us: int
    messages: int
    acked: int
    payload_bytes: int
    seconds: float
    messages_per_s: float
    reconnects: int


#: What a program answers.
Result = TypeVar("Result")
#: Called a few times per second while a run goes on.
Watch = Callable[[Progress, Publisher], None]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a simulator.

    Attributes:
        broker: Where to send.
        publisher: How to send.
        start_us: Simulated time to begin with; None is now.
        duration_s: Simulated seconds; None goes on.
        messages: Stop after so many messages; None goes on.
        speed: Simulated seconds per second; None is as fast as the broker takes it.
    """

    broker: Broker = Broker()
    publisher: PublisherSettings = PublisherSettings()
    start_us: int | None = None
    duration_s: float | None = None
    messages: int | None = None
    speed: float | None = 1.0

    async def play(
        self,
        simulator: Simulator,
        *,
        stop: asyncio.Event | None = None,
        watch: Watch | None = None,
        clock: Clock | None = None,
    ) -> Summary:
        """Send what the simulator makes and return what was done.

        Raises:
            NotConnected: The broker cannot be reached or refuses at the start. Later it is
                tried again for as long as it takes.
        """
        clock = clock or SystemClock()
        start_us = clock.now_us() if self.start_us is None else self.start_us
        until_us = None if self.duration_s is None else start_us + round(self.duration_s * 1e6)
        progress = Progress()
        async with Publisher(self.broker, self.publisher) as publisher:
            obedience = obedience_of(simulator)
            await publisher.open(simulator.devices, obedience, clock)
            begin_s = clock.monotonic_s()
            async with _watching(watch, progress, publisher):
                await play(
                    simulator.messages(start_us),
                    publisher,
                    Pace(start_us, self.speed, clock),
                    limits=Limits(until_us=until_us, messages=self.messages),
                    progress=progress,
                    stop=stop,
                    obedience=obedience,
                )
            seconds = clock.monotonic_s() - begin_s
            return Summary(
                simulator=simulator.name,
                broker=str(self.broker),
                start_us=start_us,
                messages=publisher.sent,
                acked=publisher.acked,
                payload_bytes=progress.payload_bytes,
                seconds=round(seconds, 3),
                messages_per_s=round(publisher.sent / seconds, 1) if seconds else 0.0,
                reconnects=publisher.reconnects,
            )


@contextlib.asynccontextmanager
async def _watching(
    watch: Watch | None, progress: Progress, publisher: Publisher
) -> AsyncIterator[None]:
    if watch is None:
        yield
        return

    async def tell() -> None:
        while True:
            watch(progress, publisher)
            await asyncio.sleep(0.25)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        watch(progress, publisher)


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[Result]]) -> Result:
    """Run to the end, or to SIGINT or SIGTERM, which set the event given to `main`."""

    async def body() -> Result:
        stop = asyncio.Event()
        with _signals_set(stop):
            return await main(stop)

    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(body())


@contextlib.contextmanager
def _signals_set(
    stop: asyncio.Event, numbers: Sequence[int] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    try:
        for number in numbers:
            loop.add_signal_handler(number, stop.set)
    except NotImplementedError:  # Windows: Ctrl-C ends the program at once
        yield
        return
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return loop
