"""Crashes, full disks and refusals: nothing is lost, nothing is there twice."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from penstock.core.errors import Corrupt, DiskFull, InvalidInput, NotConnected
from penstock.core.publish import encode_publish
from penstock.ingest import Ingest

MESSAGES = [(f"t{n % 3}", "junk" if n % 5 == 4 else f"x={n}@{n}") for n in range(60)]
GOOD = {(f"t{n % 3}.x", n, float(n)) for n in range(60) if n % 5 != 4}
BAD = Counter((topic, payload.encode()) for topic, payload in MESSAGES if payload == "junk")


def stored(plant):
    return {(name, t, v) for name, rows in plant.values().items() for t, v in rows}


@pytest.mark.parametrize("durable", [0, 1, 30, 59, 60])
def test_after_a_crash_everything_is_there_once(plant, durable):
    plant.open()
    if durable:
        plant.ingested(*MESSAGES[:durable])
        plant.store.flush()
    if durable < 60:
        plant.ingested(*MESSAGES[durable:])
    plant.ingest.store = plant.ingest.pipeline._store = NeverFlushed(plant.store)
    plant.close()
    plant.store.crash()
    plant.open()
    assert plant.ingest.wait("door", 60, 20)
    assert stored(plant) == GOOD
    assert Counter(plant.dead()) == BAD


class NeverFlushed:
    """The store of a process that was killed before it could flush."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def flush(self):
        return self._store.marks


def test_a_crash_between_replaying_and_being_done_doubles_nothing(plant, monkeypatch):
    plant.open(("#", "lone"))
    plant.ingested(*MESSAGES)
    assert len(plant.dead()) == 60
    plant.close()
    plant.open()
    monkeypatch.setattr(plant.ingest.letters.dead, "commit", lambda offset: None)
    first = plant.ingest.replay_dead_letters().result(20)
    assert (first.messages, first.failed) == (60, 12)
    plant.close()
    plant.open()
    assert plant.ingest.stats()["penstock_ingest_dead_letters"] == 60
    second = plant.ingest.replay_dead_letters().result(20)
    assert second.failed == 12
    assert Counter(plant.dead()) == BAD
    assert plant.ingest.stats()["penstock_ingest_dead_letters"] == 12
    assert stored(plant) == GOOD
    plant.close()
    plant.open()
    assert Counter(plant.dead()) == BAD


def test_a_store_that_is_full_is_waited_for(plant):
    plant.store.errors = [DiskFull("no space", 0.01), NotConnected("gone"), DiskFull("no", 0.01)]
    plant.open()
    plant.ingested(*MESSAGES)
    assert stored(plant) == GOOD
    assert Counter(plant.dead()) == BAD
    assert plant.ingest.stats()["penstock_ingest_retries_total"] == 3


def test_ingest_stops_while_it_waits_for_the_store_and_goes_on_later(plant):
    plant.store.always = lambda batch: DiskFull("no space", 0.01)
    plant.open()
    end = plant.send(*MESSAGES)
    plant.wait_until(lambda: "no space" in plant.ingest.trouble)
    assert not plant.ingest.wait("door", end, 0)
    assert plant.ingest.partitions.lag_s > 0
    plant.close()
    plant.store.always = lambda batch: None
    plant.open()
    assert plant.ingest.wait("door", end, 20)
    assert stored(plant) == GOOD
    assert Counter(plant.dead()) == BAD


def test_rows_that_the_store_refuses_for_good_become_dead_letters(plant, caplog):
    plant.store.always = lambda batch: InvalidInput("never") if batch.num_rows else None
    plant.open()
    plant.ingested(("a", "x=1@1"), ("a", "junk"))
    assert sorted(plant.dead()) == [("a", b"junk"), ("a", b"x=1@1")]
    assert "never" in plant.ingest.dead_letters()[-1].reason
    assert "ingest broke" in caplog.text
    plant.store.always = lambda batch: None
    plant.ingested(("a", "x=2@2"))
    assert plant.values() == {"a.x": [(2, 2.0)]}
    assert plant.ingest.trouble == ""


def test_a_range_of_the_log_is_ingested_again_without_doubles(plant):
    plant.open()
    plant.ingested(*MESSAGES)
    plant.store.rows.clear()
    outcome = plant.ingest.replay("door", 10, 30).result(20)
    assert (outcome.messages, outcome.observations, outcome.failed) == (20, 16, 4)
    assert stored(plant) == {row for row in GOOD if 10 <= row[1] < 30}
    assert Counter(plant.dead()) == BAD
    whole = plant.ingest.replay("door", 0).result(20)
    assert whole.messages == 60
    assert stored(plant) == GOOD
    assert Counter(plant.dead()) == BAD


@pytest.mark.parametrize(
    ("partition", "start", "end", "text"),
    [
        ("nothing", 0, 1, "there are: door"),
        ("dead", 0, 1, "there are: door"),
        ("door", 5, 5, "empty or not kept"),
        ("door", 7, None, "it has messages 0 to 2"),
    ],
)
def test_a_range_that_is_not_there_is_refused(plant, partition, start, end, text):
    plant.open()
    plant.ingested(("a", "x=1@1"), ("a", "x=1@2"))
    with pytest.raises(Exception, match=text):
        plant.ingest.replay(partition, start, end).result(20)


def test_the_log_is_told_what_is_durable_so_that_it_can_forget(plant):
    plant.open()
    plant.ingested(*MESSAGES)
    plant.store.flush()
    plant.close()
    folder = plant.log.folder("door")
    assert folder.committed()["ingest"] == 60


def test_dead_letters_beyond_the_bound_are_dropped_oldest_first(plant, caplog):
    plant.open(max_dead_letters=10)
    for n in range(30):
        plant.ingested(("a", f"junk {n}"))
    plant.ingest.letters.trim()
    assert plant.dead() == [("a", b"junk %d" % n) for n in range(20, 30)]
    assert plant.ingest.stats()["penstock_ingest_dead_letters_dropped_total"] == 20
    assert "were dropped" in caplog.text


def test_dead_letters_are_paged_by_id_across_both_boxes(plant):
    plant.open(enrolment="approval")
    for n in range(5):
        plant.ingested(("pump", f"x={n}@{n}"), ("a", f"junk{n}"))
    pages, after = [], 0
    while page := plant.ingest.dead_letters(after, 3):
        pages += page
        after = page[-1].id
    assert len(pages) == 10
    assert [x.id for x in pages] == sorted({x.id for x in pages})
    assert [x.id for x in pages] == [x.id for x in plant.ingest.dead_letters()]


def test_a_flood_of_poison_is_written_in_batches(plant, monkeypatch):
    plant.open()
    syncs = []
    writer = plant.ingest.letters.dead._writer
    sync = writer.sync
    monkeypatch.setattr(writer, "sync", lambda: syncs.append(1) or sync())
    plant.ingested(*[("a", b"poison %d" % n) for n in range(20_000)])
    assert plant.ingest.letters.waiting == 20_000
    assert len(syncs) <= 3


def test_two_partitions_are_read_side_by_side(plant):
    plant.open()
    other = plant.log.writer("hub")
    packet = encode_publish("b", b"y=7@90")
    other.append("web", 4, 5, packet, len(packet).to_bytes(4, "little"))
    end = other.sync()
    plant.ingested(("a", "x=1@1"))
    assert plant.ingest.wait("hub", end, 20)
    assert plant.values() == {"a.x": [(1, 1.0)], "b.y": [(90, 7.0)]}
    assert plant.ingest.marks == {"door": 1, "hub": 1}


def test_a_log_that_cannot_be_read_for_a_while_does_not_end_ingest(plant, monkeypatch, caplog):
    plant.open()
    plant.ingested(("a", "x=1@1"))
    reader = plant.ingest.partitions._sources["door"]._reader
    errors = [OSError("the disk is gone"), OSError("the disk is gone"), RuntimeError("what?")]
    read = reader.read

    def troubled(max_bytes):
        if errors:
            raise errors.pop(0)
        return read(max_bytes)

    monkeypatch.setattr(reader, "read", troubled)
    plant.ingested(("a", "x=2@2"))
    assert plant.values() == {"a.x": [(1, 1.0), (2, 2.0)]}
    assert "the disk is gone" in caplog.text


def test_a_corrupt_block_is_counted_and_reading_goes_on(plant, monkeypatch, caplog):
    plant.open()
    plant.ingested(("a", "x=1@1"))
    reader = plant.ingest.partitions._sources["door"]._reader
    errors = [Corrupt("offsets 7 to 9 of door are lost")]
    read = reader.read
    monkeypatch.setattr(
        reader, "read", lambda most: read(most) if not errors else raise_(errors.pop())
    )
    plant.ingested(("a", "x=2@2"))
    assert plant.values() == {"a.x": [(1, 1.0), (2, 2.0)]}
    assert "offsets 7 to 9" in caplog.text
    assert plant.ingest.partitions._sources["door"].corrupt == 1


def raise_(error):
    raise error


def test_a_log_that_was_begun_anew_is_read_from_its_beginning(plant, caplog):
    plant.open()
    plant.ingested(*MESSAGES)
    plant.close()
    shutil.rmtree(plant.path / "log")
    plant.open()
    plant.ingested(("new", "x=1@1"))
    plant.wait_until(lambda: plant.ingest.marks == {"door": 1})
    assert plant.values()["new.x"] == [(1, 1.0)]
    assert "the log is another one" in caplog.text


def test_a_replay_that_nobody_waits_for_any_more_is_done_all_the_same(plant):
    plant.open()
    plant.ingested(*MESSAGES)
    abandoned = plant.ingest.replay_dead_letters()
    assert not abandoned.cancel()
    assert plant.ingest.replay_dead_letters().result(20).messages == 12
    assert abandoned.result(20).messages == 12
    assert plant.ingest.trouble == ""


def test_a_replay_is_ended_when_ingest_is(plant):
    plant.open()
    plant.ingested(*MESSAGES)
    plant.store.always = lambda batch: DiskFull("no space", 0.01)
    waiting = plant.ingest.replay("door", 0)
    plant.wait_until(lambda: "no space" in plant.ingest.trouble)
    plant.close()
    with pytest.raises(NotConnected, match="stopped before the replay was done"):
        waiting.result(20)


def test_before_it_starts_ingest_has_figures_but_no_replays(plant):
    plant.open()
    ingest = Ingest(
        plant.log, plant.catalog, plant.store, lambda name: plant.codecs[name](),
        plant.settings, plant.clock,
    )  # fmt: skip
    assert ingest.stats()["penstock_ingest_dead_letters"] == 0
    with pytest.raises(NotConnected, match="not running"):
        ingest.replay("door", 0).result(20)
