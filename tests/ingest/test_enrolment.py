from __future__ import annotations

from collections import Counter

from penstock.core.catalog import DeviceStatus, Enrolled
from penstock.core.errors import Backpressure, InvalidInput


def test_new_series_of_a_batch_are_enrolled_by_one_call(plant, monkeypatch):
    ingest = plant.open()
    calls = []
    enrol = plant.catalog.enrol
    monkeypatch.setattr(
        ingest._enrolment._catalog,
        "enrol",
        lambda s, *rest: calls.append(len(s)) or enrol(s, *rest),
    )
    plant.ingested(*((f"thing/{n}", "x=1@1 y=2@1") for n in range(500)))
    plant.ingested(*((f"thing/{n}", "x=1@2 y=2@2") for n in range(500)))
    assert calls == [1000]
    assert len(plant.values()) == 1000


def test_a_device_that_waits_for_approval_loses_nothing(plant):
    plant.open(enrolment="approval")
    plant.ingested(("pump", "x=1@1"), ("fan", "x=2@1"), ("pump", "x=3@2"))
    assert plant.values() == {}
    assert {letter.topic for letter in plant.ingest.dead_letters()} == {"pump", "fan"}
    assert all("approv" in letter.reason for letter in plant.ingest.dead_letters())
    plant.catalog.decide("pump", DeviceStatus.ENROLLED)
    plant.wait_until(lambda: plant.values() == {"pump.x": [(1, 1.0), (2, 3.0)]})
    plant.wait_until(lambda: plant.dead() == [("fan", b"x=2@1")])
    plant.ingested(("pump", "x=4@3"))
    assert plant.values() == {"pump.x": [(1, 1.0), (2, 3.0), (3, 4.0)]}


def test_an_approval_while_ingest_is_down_counts_when_it_starts(plant):
    plant.open(enrolment="approval")
    plant.ingested(("pump", "x=1@1"))
    plant.ingest.close()
    plant.catalog.decide("pump", DeviceStatus.ENROLLED)
    plant.close()
    plant.open(enrolment="approval")
    plant.wait_until(lambda: plant.values() == {"pump.x": [(1, 1.0)]})
    plant.wait_until(lambda: plant.dead() == [])


def test_a_refused_device_goes_to_the_dead_letters(plant):
    plant.open(enrolment="approval")
    plant.ingested(("pump", "x=1@1"))
    plant.catalog.decide("pump", DeviceStatus.REFUSED)
    plant.ingested(("pump", "x=2@2"))
    assert "refused" in plant.ingest.dead_letters()[-1].reason
    assert plant.values() == {}


def test_a_closed_platform_takes_no_new_device(plant):
    plant.open()
    plant.ingested(("old", "x=1@1"))
    plant.close()
    plant.open(enrolment="closed")
    plant.ingested(("old", "x=2@2"), ("new", "x=1@1"))
    assert plant.values() == {"old.x": [(1, 1.0), (2, 2.0)]}
    assert plant.dead() == [("new", b"x=1@1")]


def test_a_refusal_does_not_ask_the_catalog_again_for_every_message(plant, monkeypatch):
    ingest = plant.open(enrolment="approval", refusal_ttl_s=3600.0)
    calls = []
    enrol = plant.catalog.enrol
    monkeypatch.setattr(
        ingest._enrolment._catalog,
        "enrol",
        lambda s, *rest: calls.append(len(s)) or enrol(s, *rest),
    )
    for n in range(5):
        plant.ingested(("pump", f"x=1@{n}"))
    assert calls == [1]


def test_a_catalog_that_is_busy_is_asked_again(plant, monkeypatch):
    ingest = plant.open()
    errors = [Backpressure("no space", 0.01), OSError("disk"), RuntimeError("locked")]
    enrol = plant.catalog.enrol

    def troubled(series, *rest):
        if errors:
            raise errors.pop()
        return enrol(series, *rest)

    monkeypatch.setattr(ingest._enrolment._catalog, "enrol", troubled)
    plant.ingested(("pump", "x=1@1"))
    assert plant.values() == {"pump.x": [(1, 1.0)]}
    assert plant.dead() == []
    assert ingest.stats()["penstock_ingest_retries_total"] == 3
    assert ingest.trouble == ""


def test_a_series_that_the_catalog_cannot_take_hurts_no_other(plant, monkeypatch):
    ingest = plant.open()
    enrol = plant.catalog.enrol

    def picky(series, *rest):
        if any(one.thing == "bad" for one in series):
            raise InvalidInput("bad is not a thing")
        return enrol(series, *rest)

    monkeypatch.setattr(ingest._enrolment._catalog, "enrol", picky)
    plant.ingested(*((f"t{n}", "x=1@1") for n in range(9)), ("bad", "x=1@1"), ("last", "x=1@1"))
    assert len(plant.values()) == 10
    (letter,) = plant.ingest.dead_letters()
    assert (letter.topic, letter.reason) == ("bad", "the catalog refused it: bad is not a thing")


def test_names_too_long_for_the_catalog_are_not_even_asked_for(plant):
    plant.open()
    plant.ingested(("x" * 300, "x=1@1"), ("ok", "x=1@1"))
    assert list(plant.values()) == ["ok.x"]
    assert "names have 1 to 255 characters" in plant.ingest.dead_letters()[0].reason


def test_the_good_series_of_a_message_are_stored_when_another_is_not_enrolled(plant, monkeypatch):
    ingest = plant.open()
    enrol = plant.catalog.enrol
    monkeypatch.setattr(
        ingest._enrolment._catalog,
        "enrol",
        lambda series, *rest: [
            Enrolled(None, "not this one") if s.name == "y" else enrol([s], *rest)[0]
            for s in series
        ],
    )
    plant.ingested(("a", "x=1@1 y=2@1 y=3@2"))
    assert plant.values() == {"a.x": [(1, 1.0)]}
    assert Counter(plant.dead()) == {("a", b"x=1@1 y=2@1 y=3@2"): 1}


def test_more_series_than_are_remembered_are_still_stored_right(plant):
    plant.open(max_series=16)
    for round_ in range(3):
        plant.ingested(*((f"t{n}", f"x={n}@{round_}") for n in range(50)))
    assert plant.values() == {f"t{n}.x": [(r, float(n)) for r in range(3)] for n in range(50)}
    assert sum(map(len, plant.ingest._enrolment._ids.values())) <= 66
