"""What a device sent before it was deleted does not bring it back when it is read again."""

from __future__ import annotations


def test_a_replay_passes_over_what_a_device_sent_before_it_was_deleted(plant):
    plant.open()
    plant.send(("old", "x=1@1"), ("both", "x=1@1"), ("kept", "x=1@1"), arrived_us=1_000)
    plant.send(("both", "x=2@2"), ("kept", "x=2@2"), ("old", "junk"), arrived_us=3_000)
    plant.ingested(("kept", "x=3@3"))
    plant.close()
    # Given a catalog and a store that know nothing of it, and two devices that were deleted
    plant.store.rows.clear()
    (plant.path / "catalog.sqlite").unlink(missing_ok=True)
    for rest in plant.path.glob("catalog.sqlite-*"):
        rest.unlink()
    plant.open()
    plant.ingest.deleted = lambda: {(1, "old"): 2_000, (1, "both"): 2_000}
    # When all of the log is read again
    outcome = plant.ingest.replay("door", 0).result(20)
    # Then the one stays away, and of the other only what came later is kept
    assert plant.values() == {"both.x": [(2, 2.0)], "kept.x": [(1, 1.0), (2, 2.0), (3, 3.0)]}
    assert {one.name for one in plant.catalog.devices()} == {"both", "kept"}
    assert outcome.failed == 3
    late = [one for one in plant.ingest.dead_letters() if "was deleted after" in one.reason]
    assert {(one.topic, one.payload) for one in late} == {("old", b"x=1@1"), ("both", b"x=1@1")}
