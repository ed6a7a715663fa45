"""What a simulator makes: messages with the time at which they are due, lazily and in order."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple, Protocol

import numpy as np

#: Messages of one batch of `merge`; large enough that a batch costs little, small enough that
#: a batch is made in a few milliseconds.
BATCH_MESSAGES = 500
#: A batch of `merge` never spans more, so that it can be sent as one without visible delay.
BATCH_SPAN_US = 20_000


class Message(NamedTuple):
    """One message of one simulated device.

    Attributes:
        time_us: When it is due, microseconds UTC.
        topic: MQTT topic.
        payload: MQTT payload.
        device: Who sends it; each device has an MQTT connection of its own.
        retain: Whether the broker shall keep it for later subscribers.
    """

    time_us: int
    topic: str
    payload: bytes
    device: str
    retain: bool = False


#: Messages in the order in which they are due; an item is what is sent together.
Batches = Iterator[Sequence[Message]]


class Simulator(Protocol):
    """A model of some devices. Knows no clock, no network and no pace."""

    @property
    def name(self) -> str:
        """Name on the command line."""
        ...

    @property
    def devices(self) -> Sequence[str]:
        """Everyone who sends."""
        ...

    def messages(self, start_us: int) -> Batches:
        """Yield what the devices send from `start_us` on, in the order of time, without end.

        The same settings, seed and start give the same messages.
        """
        ...


class Obedience(Protocol):
    """What devices do that obey commands."""

    def subscriptions(self, device: str) -> Sequence[str]:
        """Return the topics on which a device is told what to do."""
        ...

    def obey(self, topic: str, payload: bytes, time_us: int) -> Sequence[Message]:
        """Do what a device is told at a time, and return what it says to that at once.

        Never raises: a device lives with whatever it is told.
        """
        ...

    def sends(self, message: Message) -> bool:
        """Tell whether a message is sent when it is due; a device that sleeps is silent."""
        ...


def obedience_of(simulator: Simulator) -> Obedience | None:
    """Return the obedience of a simulator whose devices obey; None for others."""
    found: Obedience | None = getattr(simulator, "obedience", None)
    return found


def generator(seed: int, device: str) -> np.random.Generator:
    """Return the random numbers of one device; they do not depend on which others there are."""
    return np.random.default_rng([seed, zlib.crc32(device.encode())])


def iso(time_us: int) -> str:
    """Return a time in ISO 8601 with microseconds, UTC."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_us % 1_000_000:06d}Z"


def merge(devices: Iterable[Iterator[Message]]) -> Batches:
    """Put messages of several devices in the order of time, and in batches."""
    batch: list[Message] = []
    until = 0
    for message in heapq.merge(*devices, key=itemgetter(0)):
        if batch and (message.time_us > until or len(batch) >= BATCH_MESSAGES):
            yield batch
            batch = []
        if not batch:
            until = message.time_us + BATCH_SPAN_US
        batch.append(message)
    if batch:
        yield batch
