from __future__ import annotations


def test_a_message_in_the_log_becomes_observations(plant):
    plant.open()
    plant.ingested(("pump/1", "level=3@1000000 flow=4@1000000"), ("pump/1", "level=5@2000000"))
    assert plant.values() == {
        "pump.1.level": [(1_000_000, 3.0), (2_000_000, 5.0)],
        "pump.1.flow": [(1_000_000, 4.0)],
    }
    assert plant.ingest.trouble == ""


def test_what_the_platform_tells_itself_is_passed_over_and_not_counted(plant):
    plant.open(("$SYS/#", "lone"), ("#", "pairs"))
    plant.ingested(("$SYS/penstock/clients/a", '{"online":true}'), ("pump/1", "level=3@1"))
    assert plant.dead() == []
    assert plant.values() == {"pump.1.level": [(1, 3.0)]}
    assert plant.ingest.stats()["penstock_ingest_messages_received_total"] == 1


def test_what_cannot_be_decoded_waits_with_its_reason(plant):
    plant.open()
    plant.ingested(("pump/1", "level=3@1"), ("pump/1", "rubbish"), ("pump/1", "level=4@2"))
    (letter,) = plant.ingest.dead_letters()
    assert (letter.topic, letter.payload, letter.codec) == ("pump/1", b"rubbish", "pairs")
    assert (letter.partition, letter.offset, letter.client) == ("door", 1, "test-client")
    assert "is not made of pairs" in letter.reason
    assert plant.values() == {"pump.1.level": [(1, 3.0), (2, 4.0)]}


def test_dead_letters_are_stored_once_the_route_is_corrected(plant):
    plant.open(("#", "lone"))
    plant.ingested(("pump/1", "level=3@1"), ("pump/1", "nonsense"))
    assert len(plant.dead()) == 2
    plant.close()
    plant.open(("#", "pairs"))
    outcome = plant.ingest.replay_dead_letters().result(20)
    assert (outcome.messages, outcome.observations, outcome.failed) == (2, 1, 1)
    assert plant.values() == {"pump.1.level": [(1, 3.0)]}
    assert plant.dead() == [("pump/1", b"nonsense")]


def test_discarded_dead_letters_are_gone(plant):
    plant.open()
    plant.ingested(("a", "x"), ("a", "y"))
    assert plant.ingest.discard_dead_letters().result(20).messages == 2
    assert plant.dead() == []
    assert plant.ingest.stats()["penstock_ingest_dead_letters"] == 0
