from __future__ import annotations

import asyncio

from penstock.runtime.awaiting import Awaited


class Reader:
    """A position that moves when it is asked to hurry."""

    def __init__(self) -> None:
        self.position = 0
        self.hurried = 0

    def hurry(self) -> None:
        self.hurried += 1


def test_each_is_woken_when_the_position_is_there() -> None:
    reader = Reader()

    async def run() -> list[int]:
        awaited = Awaited(lambda: reader.position, reader.hurry, 0.001)
        woken: list[int] = []

        async def wait(offset: int) -> None:
            assert await awaited.reach(offset, 30)
            woken.append(offset)

        tasks = [asyncio.create_task(wait(offset)) for offset in (3, 1, 2, 2)]
        for position in (1, 2, 3):
            await asyncio.sleep(0)
            reader.position = position
            while len(woken) < (1, 3, 4)[position - 1]:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert await awaited.reach(3, 0)
        return woken

    assert asyncio.run(run()) == [1, 2, 2, 3]
    assert reader.hurried == 4


def test_who_waits_in_vain_is_told_and_nobody_is_forgotten() -> None:
    reader = Reader()

    async def run() -> None:
        awaited = Awaited(lambda: reader.position, reader.hurry, 0.001)
        patient = asyncio.create_task(awaited.reach(1, 30))
        given_up = asyncio.create_task(awaited.reach(1, 30))
        assert not await awaited.reach(1, 0.002)
        given_up.cancel()
        reader.position = 1
        assert await patient
        reader.position = 2
        assert await awaited.reach(2, 30)

    asyncio.run(run())
