"""When simulated time is on the wall clock, and the loop that sends at that pace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from penstock.core.clock import Clock, SystemClock
from penstock.simulators.message import Message, Obedience
from penstock.simulators.publisher import Publisher

#: Seconds to wait at the end for the last acknowledgements.
DRAIN_TIMEOUT_S = 30.0
#: The same after being told to stop.
STOP_TIMEOUT_S = 2.0

Sleep = Callable[[float], Awaitable[None]]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When to stop; None means never.

    Attributes:
        until_us: Before the first message at or after this simulated time.
        messages: After so many messages.
    """

    until_us: int | None = None
    messages: int | None = None


@dataclass(slots=True)
class Progress:
    """How far a run is; updated while it goes on."""

    messages: int = 0
    payload_bytes: int = 0
    time_us: int = 0
    behind_s: float = 0.0
    all_acked: bool = True


class Pace:
    """Maps simulated time to waiting.

    Args:
        start_us: The simulated time that is now.
        speed: Simulated seconds per second; None never waits.
        clock: Tells what time it is.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        start_us: int,
        speed: float | None = 1.0,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._clock = clock or SystemClock()
        self._speed = speed
        self._start_us = start_us
        self._begin_s = self._clock.monotonic_s()
        self._sleep = sleep

    async def wait(self, time_us: int) -> float:
        """Wait until a simulated time and return by how many seconds it was missed."""
        if self._speed is None:
            return 0.0
        due_s = self._begin_s + (time_us - self._start_us) / 1e6 / self._speed
        ahead_s = due_s - self._clock.monotonic_s()
        if ahead_s > 0:
            await self._sleep(ahead_s)
            return 0.0
        return -ahead_s if time_us >= self._start_us else 0.0


async def play(
    batches: Iterable[Sequence[Message]],
    publisher: Publisher,
    pace: Pace,
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
    stop: asyncio.Event | None = None,
    obedience: Obedience | None = None,
) -> Progress:
    """Send batches when they are due, until they end, a limit is reached or `stop` is set.

    Then wait for the acknowledgements. A broker that is too slow makes the run late, it loses
    nothing.
    """
    progress = progress or Progress()
    sending = asyncio.ensure_future(
        _send(batches, publisher, pace, limits or Limits(), progress, obedience)
    )
    stopped = asyncio.ensure_future((stop or asyncio.Event()).wait())
    try:
        await asyncio.wait({sending, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        was_stopped = not sending.done()
        sending.cancel()
        stopped.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await sending
    progress.all_acked = await publisher.drain(STOP_TIMEOUT_S if was_stopped else DRAIN_TIMEOUT_S)
    return progress


async def _send(
    batches: Iterable[Sequence[Message]],
    publisher: Publisher,
    pace: Pace,
    limits: Limits,
    progress: Progress,
    obedience: Obedience | None,
) -> None:
    for whole in batches:
        batch = _within(whole, limits, progress.messages)
        is_last = len(batch) < len(whole)
        if batch:
            progress.behind_s = await pace.wait(batch[0].time_us)
            time_us = batch[-1].time_us
            if obedience is not None:
                batch = [message for message in batch if obedience.sends(message)]
            await publisher.send(batch)
            progress.messages += len(batch)
            progress.payload_bytes += sum(len(message.payload) for message in batch)
            progress.time_us = time_us
        if is_last:
            break
        await asyncio.sleep(0)  # let acknowledgements in, even when nothing waits


def _within(batch: Sequence[Message], limits: Limits, sent: int) -> Sequence[Message]:
    if limits.messages is not None:
        batch = batch[: max(0, limits.messages - sent)]
    if limits.until_us is not None and batch and batch[-1].time_us >= limits.until_us:
        batch = [message for message in batch if message.time_us < limits.until_us]
    return batch
