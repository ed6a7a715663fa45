from __future__ import annotations

import logging

from penstock.core.observation import MAX_TIME_US


def test_a_second_codec_gets_what_the_first_could_not_read(plant):
    plant.open(("#", "pairs", "lone"))
    plant.ingested(("a", "x=1@10"), ("a", "42"), ("a", "rubbish"))
    values = plant.values()
    assert values["a.x"] == [(10, 1.0)]
    assert [number for _, number in values["a.value"]] == [42.0]
    (letter,) = plant.ingest.dead_letters()
    assert letter.codec == "pairs, lone"
    assert letter.reason.startswith("pairs: payload b'rubbish'")
    assert letter.reason.endswith("; lone: not a number")


def test_a_codec_that_breaks_costs_only_the_message_that_broke_it(plant, caplog):
    plant.open()
    good = [("a", f"x={n}@{n}") for n in range(40)]
    plant.ingested(*good[:23], ("a", b"bomb"), *good[23:])
    assert len(plant.values()["a.x"]) == 40
    (letter,) = plant.ingest.dead_letters()
    assert letter.payload == b"bomb"
    assert letter.reason == "the codec broke: RuntimeError: a bomb went off"
    assert "a bomb went off" in caplog.text


def test_a_codec_that_always_breaks_is_not_asked_for_ever(plant, caplog):
    plant.open()
    calls = []
    codec = plant.ingest.pipeline._decoder._codecs["pairs"]
    decode = codec.decode
    codec.decode = lambda messages: calls.append(1) or decode(messages)
    plant.ingested(*[("a", b"bomb")] * 5000)
    assert plant.ingest.stats()["penstock_ingest_dead_letters"] == 5000
    assert len(calls) < 200
    breaks = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(breaks) == 1


def test_messages_without_a_route_say_so(plant):
    plant.open(("a/#", "pairs"))
    plant.ingested(("b", "x=1@1"), ("a", "x=1@1"))
    (letter,) = plant.ingest.dead_letters()
    assert (letter.codec, letter.reason) == ("", "no route matches topic 'b'")


def test_routes_to_none_keep_messages_in_the_log_only(plant):
    plant.open(("a", "none"), ("#", "pairs"))
    plant.ingested(("a", "rubbish"), ("b", "x=1@1"))
    assert plant.dead() == []
    assert list(plant.values()) == ["b.x"]


def test_a_time_that_no_store_can_keep_makes_the_whole_message_fail(plant):
    plant.open()
    plant.ingested(("a", f"x=1@5 x=2@{MAX_TIME_US}"), ("a", f"x=3@{MAX_TIME_US - 1}"))
    (letter,) = plant.ingest.dead_letters()
    assert letter.offset == 0
    assert "outside the years 1 to 9999" in letter.reason
    assert [row[2] for row in plant.store.rows.values()] == [3.0]


def test_rows_keep_the_order_of_their_messages_across_codecs(plant):
    """The last of several results with one identity wins, whoever read it."""
    plant.open(("#", "pairs", "lone"))
    plant.ingest.wait("door", 0, 1)
    # Message n arrives at 77 + n.
    end = plant.send(("a", "value=2@78"), ("a", "3"), ("b", "4"), ("b", "value=5@79"),
                     arrived_us=77)  # fmt: skip
    assert plant.ingest.wait("door", end, 20)
    assert plant.values() == {"a.value": [(78, 3.0)], "b.value": [(79, 5.0)]}
