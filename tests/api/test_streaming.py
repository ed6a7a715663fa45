import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.api.house import SECOND, T0, AsgiStream, House

from penstock.api import ApiSettings
from penstock.core.observation import observations
from penstock.core.selection import Selection

PATH = "/api/v1/observations/stream"


async def events(stream: AsgiStream) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    while True:
        block = await stream.block()
        if "event" in block:
            yield block["event"], json.loads(block["data"])


async def test_a_stream_begins_with_stored_rows_and_goes_on_live(house: House, boiler: int) -> None:
    query = f"datastream={boiler}&start={T0 + 7 * SECOND}"
    async with AsgiStream(house.app, PATH, query) as stream:
        assert await stream.block() == {"retry": "1000"}
        assert stream.status == 200
        snapshot = await stream.block()
        assert snapshot["event"] == "snapshot"
        assert snapshot["id"] == str(T0 + 9 * SECOND)
        assert json.loads(snapshot["data"]) == {
            "datastream": [boiler] * 3,
            "time": [T0 + at * SECOND for at in (7, 8, 9)],
            "number": [7.0, 8.0, 9.0],
            "start": T0 + 7 * SECOND,
        }
        house.keep(boiler, 10.5, start=T0 + 10 * SECOND)
        live = await stream.block()
        assert live["event"] == "observations"
        assert json.loads(live["data"])["number"] == [10.5]
        assert live["id"] == str(T0 + 10 * SECOND)


async def test_without_start_the_snapshot_is_empty(house: House, boiler: int) -> None:
    async with AsgiStream(house.app, PATH, f"datastream={boiler}&times=iso") as stream:
        seen = events(stream)
        name, data = await anext(seen)
        assert (name, data["time"], data["start"]) == ("snapshot", [], None)
        house.keep(boiler, 1.0)
        assert (await anext(seen))[1]["time"] == ["2023-11-14T22:13:20.000000Z"]


async def test_only_the_datastreams_chosen_are_streamed(house: House) -> None:
    first, second = house.enrol(("a", "x"), ("b", "x"))
    house.keep(second, 1.0)
    async with AsgiStream(house.app, PATH, f"datastream={first}&start=0") as stream:
        seen = events(stream)
        assert (await anext(seen))[1]["time"] == []
        house.keep(second, 2.0)
        house.keep(first, 3.0)
        assert (await anext(seen))[1]["number"] == [3.0]


async def test_rows_that_came_while_the_snapshot_was_read_come_once(
    house: House, boiler: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given rows that are kept after subscribing and before reading, they are in both."""
    scan = house.store.scan

    def keep_and_scan(selection: Selection) -> pa.Table:
        house.keep(boiler, 10.0, start=T0 + 10 * SECOND)
        return scan(selection)

    monkeypatch.setattr(house.store, "scan", keep_and_scan)
    async with AsgiStream(house.app, PATH, "start=0") as stream:
        seen = events(stream)
        assert (await anext(seen))[1]["number"] == [float(n) for n in range(11)]
        house.keep(boiler, 11.0, start=T0 + 11 * SECOND)
        assert (await anext(seen))[1]["number"] == [11.0]


async def test_a_row_that_changed_comes_again_and_the_last_value_wins(
    house: House, boiler: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a row kept as 1 and then as 2 before reading, the watcher must end with 2."""
    scan = house.store.scan

    def keep_and_scan(selection: Selection) -> pa.Table:
        for number in (1.0, 2.0):
            house.keep(boiler, number, start=T0 + 10 * SECOND)
        return scan(selection)

    monkeypatch.setattr(house.store, "scan", keep_and_scan)
    async with AsgiStream(house.app, PATH, f"start={T0 + 10 * SECOND}") as stream:
        seen = events(stream)
        held = (await anext(seen))[1]["number"][-1]
        assert held == 2.0
        house.keep(boiler, 3.0, start=T0 + 11 * SECOND)
        numbers: list[float] = []
        while 3.0 not in numbers:
            numbers += (await anext(seen))[1]["number"]
        assert ([held, *numbers][:-1])[-1] == 2.0


async def test_nothing_is_missing_and_nothing_double_while_a_thread_appends(
    house: House, boiler: int
) -> None:
    """The seam, with a real writer: many streams begin at any moment of it."""
    last = 400
    go_on = threading.Event()

    def write() -> None:
        for at in range(10, last + 1):
            house.keep(boiler, float(at), start=T0 + at * SECOND)
            go_on.wait(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(12):
            async with AsgiStream(house.app, PATH, f"datastream={boiler}&start=0") as stream:
                numbers: list[float] = []
                target = None
                async for name, data in events(stream):
                    assert name in {"snapshot", "observations"}
                    numbers += data["number"]
                    target = target or min(last, int(numbers[-1]) + 20)
                    if numbers[-1] >= target:
                        break
                assert numbers == [float(at) for at in range(int(numbers[-1]) + 1)]
    finally:
        go_on.set()
        writer.join()
    assert house.live.watchers == 0


async def test_a_snapshot_that_is_cut_says_so_and_from_where_it_is_whole(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_snapshot_rows=4))
    house.keep(1, *range(10))
    house.keep(2, *range(10))
    async with AsgiStream(house.app, PATH, "start=0") as stream:
        seen = events(stream)
        assert await anext(seen) == ("gap", {})
        name, data = await anext(seen)
    assert name == "snapshot"
    assert len(data["time"]) == 4
    assert data["start"] == T0 + 8 * SECOND + 1


async def test_rows_that_were_skipped_are_told(house: House, boiler: int) -> None:
    async with AsgiStream(house.app, PATH) as stream:
        seen = events(stream)
        await anext(seen)
        rows = house.app.state.context.settings.max_rows_per_event + 1
        batch = observations([boiler] * rows, list(range(T0, T0 + rows)), [0.0] * rows)
        house.live.publish(batch)
        assert await anext(seen) == ("gap", {})
        name, data = await anext(seen)
    assert (name, len(data["time"]), data["time"][-1]) == ("observations", rows - 1, T0 + rows - 1)


async def test_rows_that_come_quickly_are_put_together(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_events_per_s=2.0))
    async with AsgiStream(house.app, PATH) as stream:
        seen = events(stream)
        await anext(seen)
        for at in range(50):
            house.keep(1, float(at), start=T0 + at * SECOND)
            await asyncio.sleep(0)
        numbers: list[list[float]] = []
        while sum(map(len, numbers)) < 50:
            numbers.append((await anext(seen))[1]["number"])
    assert [number for event in numbers for number in event] == [float(at) for at in range(50)]
    assert len(numbers) <= 10


async def test_a_silent_stream_shows_signs_of_life(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(heartbeat_s=0.01))
    async with AsgiStream(house.app, PATH) as stream:
        await stream.block()
        await stream.block()
        assert await stream.block() == {"": "still here"}
        assert await stream.block() == {"": "still here"}
        house.keep(1, 5.0)
        async for _, data in events(stream):
            assert data["number"] == [5.0]
            break


async def test_a_client_that_comes_back_gets_what_it_missed(house: House, boiler: int) -> None:
    house.keep(boiler, *range(10, 60), start=T0 + 10 * SECOND)
    house.clock.advance(60)
    seen_until = T0 + 30 * SECOND
    async with AsgiStream(house.app, PATH, f"start={T0}", last_event_id=str(seen_until)) as stream:
        _, data = await anext(events(stream))
    assert data["time"][0] == seen_until - 10 * SECOND
    assert data["number"][-1] == 59.0


async def test_a_time_in_the_far_future_does_not_blind_who_comes_back(house: House) -> None:
    house.keep(1, *range(5))
    async with AsgiStream(house.app, PATH, "", last_event_id=str(T0 * 5)) as stream:
        _, data = await anext(events(stream))
    assert data["number"] == [0.0, 1.0, 2.0, 3.0, 4.0]


async def test_streams_are_bounded_and_the_place_is_given_back(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_streams=1))
    async with AsgiStream(house.app, PATH) as stream:
        await stream.block()
        refused = await house.client.get(PATH)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
    assert house.live.watchers == 0
    async with AsgiStream(house.app, PATH) as stream:
        await stream.block()
        assert stream.status == 200


async def test_all_streams_end_when_the_server_stops(house: House) -> None:
    async with AsgiStream(house.app, PATH) as stream:
        await stream.block()
        await stream.block()
        house.app.state.context.closing.set()
        await asyncio.wait_for(asyncio.shield(stream.task), 90)
    assert house.live.watchers == 0


async def test_wrong_parameters_are_refused_before_the_stream_begins(house: House) -> None:
    for query in ("start=never", "datastream=x", "times=ms"):
        assert (await house.client.get(f"{PATH}?{query}")).status_code == 400
