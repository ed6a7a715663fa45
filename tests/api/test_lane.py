"""Calls begin one after the other, and slow ones keep nobody waiting."""

from __future__ import annotations

import asyncio

import pytest

from penstock.api.lane import Lane


async def test_no_more_calls_than_places_run_at_once() -> None:
    lane, running, most = Lane(2, moment_s=60), 0, 0

    async def call() -> None:
        nonlocal running, most
        async with lane.turn():
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(call() for _ in range(20)))
    assert most == 2


async def test_a_slow_call_leaves_the_lane() -> None:
    lane, ended = Lane(1, moment_s=0.001), asyncio.Event()

    async def slow() -> None:
        async with lane.turn():
            await ended.wait()

    task = asyncio.create_task(slow())
    await asyncio.sleep(0)
    async with lane.turn():
        assert not task.done()
    ended.set()
    await task


async def test_a_place_is_given_back_once_however_a_call_ends() -> None:
    lane = Lane(1, moment_s=0.001)

    async def break_slowly() -> None:
        async with lane.turn():
            await asyncio.sleep(0.005)
            raise ValueError("broken")

    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            await break_slowly()
    entered = 0

    async def call() -> None:
        nonlocal entered
        async with lane.turn():
            entered += 1
            await asyncio.Event().wait()

    lane._moment_s = 60
    tasks = [asyncio.create_task(call()) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert entered == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
