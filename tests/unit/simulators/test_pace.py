from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from penstock.core.clock import ManualClock
from penstock.core.errors import ConfigError
from penstock.simulators.message import Message, merge
from penstock.simulators.mqtt import Broker
from penstock.simulators.pace import Limits, Pace, play


class Sink:
    """Stands for a publisher that takes everything at once and notes when."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.got: list[tuple[float, Message]] = []

    async def send(self, batch: Sequence[Message]) -> None:
        self.got += [(self.clock.monotonic_s(), message) for message in batch]

    async def drain(self, timeout_s: float) -> bool:
        return True


def message(time_s: float, device: str = "a") -> Message:
    return Message(round(time_s * 1e6), "t", b"1", device)


def pace(clock: ManualClock, start_s: float, speed: float | None = 1.0) -> Pace:
    async def sleep(seconds: float) -> None:
        clock.advance(seconds)

    return Pace(round(start_s * 1e6), speed, clock, sleep)


async def play_all(batches, speed=1.0, **limits):
    clock = ManualClock()
    sink = Sink(clock)
    progress = await play(batches, sink, pace(clock, 100, speed), limits=Limits(**limits))
    return sink, progress


async def test_messages_go_out_when_they_are_due():
    sink, progress = await play_all([[message(100)], [message(101.5)], [message(104)]])
    assert [at for at, _ in sink.got] == [0.0, 1.5, 4.0]
    assert progress.messages == 3


async def test_speed_shortens_the_waiting():
    sink, _ = await play_all([[message(100)], [message(140)]], speed=20.0)
    assert [at for at, _ in sink.got] == [0.0, 2.0]


async def test_no_speed_never_waits():
    sink, _ = await play_all([[message(100)], [message(9e9)]], speed=None)
    assert [at for at, _ in sink.got] == [0.0, 0.0]


async def test_messages_of_the_past_go_out_at_once():
    sink, progress = await play_all([[message(1)], [message(50)], [message(101)]])
    assert [at for at, _ in sink.got] == [0.0, 0.0, 1.0]
    assert progress.behind_s == 0.0


async def test_duration_ends_before_the_first_message_behind_it():
    batches = [[message(100), message(101)], [message(101.5), message(103)], [message(104)]]
    sink, _ = await play_all(batches, until_us=102_000_000)
    assert [m.time_us for _, m in sink.got] == [100_000_000, 101_000_000, 101_500_000]


async def test_count_cuts_a_batch():
    sink, progress = await play_all([[message(100)] * 5, [message(101)] * 5], messages=7)
    assert len(sink.got) == progress.messages == 7


async def test_stop_ends_a_wait_at_once():
    stop = asyncio.Event()
    clock = ManualClock()

    async def sleep(seconds: float) -> None:
        stop.set()
        await asyncio.Event().wait()

    sink = Sink(clock)
    forever = Pace(0, 1.0, clock, sleep)
    progress = await play([[message(0)], [message(1000)]], sink, forever, stop=stop)
    assert progress.messages == 1


def test_merge_keeps_the_order_of_time_and_of_each_device():
    one = [message(1, "a"), message(1.001, "a"), message(5, "a")]
    two = [message(1, "b"), message(1.0005, "b"), message(4, "b")]
    batches = list(merge([iter(one), iter(two)]))
    flat = [m for batch in batches for m in batch]
    assert [m.time_us for m in flat] == sorted(m.time_us for m in flat)
    assert [len(batch) for batch in batches] == [4, 1, 1]
    assert [m for m in flat if m.device == "a"] == one


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("localhost:1884", "localhost", 1884),
        ("broker", "broker", 1883),
        ("[::1]:1885", "::1", 1885),
        ("[::1]", "::1", 1883),
    ],
)
def test_broker_addresses_are_understood(address: str, host: str, port: int):
    broker = Broker.parse(address)
    assert (broker.host, broker.port) == (host, port)


@pytest.mark.parametrize("address", ["", ":1883", "host:", "host:x", "host:0", "host:70000"])
def test_wrong_broker_addresses_are_refused(address: str):
    with pytest.raises(ConfigError, match="is not HOST:PORT"):
        Broker.parse(address)
