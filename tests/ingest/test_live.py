from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.observation import SCHEMA, observations
from penstock.ingest import LiveHub


def rows(*ids, start=0):
    return observations(list(ids), list(range(start, start + len(ids))), [float(i) for i in ids])


async def test_a_watcher_gets_only_the_datastreams_it_wants():
    hub = LiveHub()
    some, every = hub.subscribe([2, 3]), hub.subscribe()
    hub.publish(rows(1, 2, 1, 3))
    batch, skipped = await some.next()
    assert batch.schema == SCHEMA
    assert (batch.column(0).to_pylist(), skipped) == ([2, 3], False)
    assert (await every.next())[0].column(0).to_pylist() == [1, 2, 1, 3]


async def test_what_waits_comes_together():
    hub = LiveHub()
    watcher = hub.subscribe([1])
    hub.publish(rows(1))
    hub.publish(rows(2))
    hub.publish(rows(1, 1, start=5))
    batch, _ = await watcher.next()
    assert [t.microsecond for t in batch.column(1).to_pylist()] == [0, 5, 6]


async def test_a_slow_watcher_loses_the_oldest_rows_and_is_told_so_once():
    hub = LiveHub(max_rows=3)
    watcher = hub.subscribe()
    for number in range(5):
        hub.publish(rows(number))
    batch, skipped = await watcher.next()
    assert (batch.column(0).to_pylist(), skipped) == ([2, 3, 4], True)
    hub.publish(rows(9))
    batch, skipped = await watcher.next()
    assert (batch.column(0).to_pylist(), skipped) == ([9], False)


async def test_of_a_batch_larger_than_the_queue_the_newest_rows_stay():
    hub = LiveHub(max_rows=2)
    watcher = hub.subscribe()
    hub.publish(rows(1, 2, 3))
    batch, skipped = await watcher.next()
    assert (batch.column(0).to_pylist(), skipped) == ([2, 3], True)


async def test_a_closed_watcher_is_forgotten_and_can_be_closed_again():
    hub = LiveHub()
    watcher = hub.subscribe([1])
    watcher.close()
    watcher.close()
    assert hub.watchers == 0
    hub.publish(rows(1))


async def test_rows_from_another_thread_wake_the_waiting_watcher():
    hub = LiveHub()
    watchers = [hub.subscribe([1]), hub.subscribe([1]), hub.subscribe()]
    waiting = [asyncio.ensure_future(w.next()) for w in watchers]
    await asyncio.sleep(0)
    thread = threading.Thread(target=hub.publish, args=(rows(1),))
    thread.start()
    found = await asyncio.wait_for(asyncio.gather(*waiting), 90)
    thread.join()
    assert [batch.num_rows for batch, _ in found] == [1, 1, 1]


async def test_an_event_loop_is_woken_once_for_a_batch_however_many_watch(monkeypatch):
    hub = LiveHub()
    watchers = [hub.subscribe([n % 3]) for n in range(9)]
    loop = asyncio.get_running_loop()
    calls = []
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *args: calls.append(args))
    hub.publish(rows(0, 1, 2))
    hub.publish(rows(0, 1, 2))  # nobody has looked yet, so nobody needs waking
    assert len(calls) == 1
    assert len(calls[0][1]) == len(watchers)


def test_watchers_of_a_loop_that_is_gone_are_forgotten():
    hub = LiveHub()

    async def watch():
        hub.subscribe()

    asyncio.run(watch())
    assert hub.watchers == 1
    hub.publish(rows(1))
    assert hub.watchers == 0


@pytest.mark.parametrize("wanted", [None, [1, 2], [2], []])
@given(st.lists(st.lists(st.integers(1, 3), max_size=5), max_size=8))
def test_every_row_wanted_is_handed_over_in_order(wanted, batches):
    async def watch():
        hub = LiveHub()
        watcher = hub.subscribe(wanted)
        expected = []
        for number, ids in enumerate(batches):
            batch = rows(*ids, start=number * 10)
            hub.publish(batch)
            expected += [i for i in ids if wanted is None or i in wanted]
        if expected:
            batch, skipped = await asyncio.wait_for(watcher.next(), 90)
            assert (batch.column(0).to_pylist(), skipped) == (expected, False)
        else:
            assert not watcher._batches

    asyncio.run(watch())
