"""Messages belong to the system whose topic they came on, whatever they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.access import Access
from penstock.core.clock import ManualClock
from penstock.core.codec import Readings
from penstock.core.organisation import DEFAULT_SYSTEM, Organisation, System
from penstock.core.series import Series
from penstock.ingest.routes import TopicTable
from penstock.ingest.settings import DEFAULT_ROUTES
from penstock.ingest.tenancy import Owned, Tenancy, owned

CAR, HALL = "cz.icecars.fleet.Car1", "at.mill.hall.North"


def access_of(*systems: System) -> Access:
    default = Organisation().systems
    return Access(Organisation(systems=(*default, *systems)), ManualClock())


@pytest.fixture
def tenancy() -> Tenancy:
    access = access_of(
        System(id=2, company=2, name=CAR, topics=("factory_iot/north/+",)),
        System(id=3, company=2, name=HALL),
    )
    return Tenancy(lambda: access)


@pytest.mark.parametrize(
    ("topic", "system", "path"),
    [
        (f"{CAR}/hall/sensor", 2, "hall/sensor"),
        (f"{CAR}/sensor.A1.measurements", 2, "sensor.A1.measurements"),
        (f"{CAR}.int/Things", 2, f"{CAR}.int/Things"),
        (CAR, 2, CAR),
        (f"{CAR}/{HALL}/x", 2, f"{HALL}/x"),
        (f"{HALL}.ext", 3, f"{HALL}.ext"),
        ("factory_iot/north/101", 2, "factory_iot/north/101"),
        ("factory_iot/south/101", 1, "factory_iot/south/101"),
        (f"{CAR}x/hall/sensor", 1, f"{CAR}x/hall/sensor"),
        ("default/x", 1, "default/x"),
    ],
)
def test_a_topic_belongs_to_the_system_it_begins_with_or_that_claims_it(
    tenancy: Tenancy, topic: str, system: int, path: str
) -> None:
    assert tenancy.place(topic) == (system, path)


def test_every_payload_family_works_in_every_system(tenancy: Tenancy) -> None:
    table = TopicTable(DEFAULT_ROUTES, 100, tenancy)
    for plain in ("sensor.A1.measurements", "factory_iot/south/7", "movements/gate", "senml/x"):
        here, there = table[plain.encode()], table[f"{HALL}/{plain}".encode()]
        assert (there.route, there.fields, there.path) == (here.route, here.fields, plain)
        assert (here.system, there.system) == (DEFAULT_SYSTEM, 3)
    assert table.codecs[table[f"{CAR}.int".encode()].route] == ("sensorthings",)


def test_things_are_named_after_their_system(tenancy: Tenancy) -> None:
    adopted = tenancy.adopt(Series(thing="engine", name="rpm"), 2)
    assert (adopted.system, adopted.thing) == (2, f"{CAR}.engine")
    assert tenancy.adopt(Series(thing=f"{CAR}.engine", name="rpm"), 2) == adopted
    foreign = tenancy.adopt(Series(thing=f"{CAR}.engine", name="rpm"), 3)
    assert foreign.thing == f"{HALL}.{CAR}.engine"
    by_id = tenancy.adopt(Series(datastream_id=7), 3)
    assert (by_id.system, by_id.datastream_id, by_id.thing) == (3, 7, "")


def test_nobody_takes_the_name_of_a_system_without_its_topic(tenancy: Tenancy) -> None:
    said = tenancy.objection(Series(thing=f"{CAR}.engine", name="rpm"))
    assert f"begin with {CAR}/" in said
    assert tenancy.objection(Series(thing=CAR, name="rpm"))
    for free in ("engine", f"{CAR}x.engine", "cz.icecars.fleet"):
        assert not tenancy.objection(Series(thing=free, name="rpm"))
    assert not tenancy.objection(tenancy.adopt(Series(thing="engine", name="rpm"), 2))


def test_a_change_of_the_organisation_is_followed_between_batches() -> None:
    now = [access_of()]
    table = TopicTable(DEFAULT_ROUTES, 100, Tenancy(lambda: now[0]))
    topic = f"{CAR}/hall/sensor".encode()
    assert table[topic].system == DEFAULT_SYSTEM
    now[0] = access_of(System(id=2, company=2, name=CAR))
    assert table[topic].system == DEFAULT_SYSTEM
    table.trim()
    assert table[topic].system == 2


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=40),
    systems=st.lists(st.integers(1, 4), min_size=6, max_size=6),
)
def test_equal_keys_of_different_systems_stay_apart(
    rows: list[tuple[int, int]], systems: list[int]
) -> None:
    rows.sort(key=lambda row: row[1])
    keys = ["a", "b", "c", "d", "e"]
    readings = Readings(
        keys=keys,
        series=np.array([key for key, _ in rows], np.int32),
        time_us=np.arange(len(rows)),
        number=np.zeros(len(rows)),
        message=np.array([message for _, message in rows], np.int32),
    )
    told = owned(readings, np.array(systems))
    for row, (key, message) in enumerate(rows):
        system = systems[message]
        expected = keys[key] if system == DEFAULT_SYSTEM else Owned(system, keys[key])
        assert told.keys[int(told.series[row])] == expected
    if set(systems) != {DEFAULT_SYSTEM}:
        assert set(told.series.tolist()) <= set(range(len(told.keys)))
        assert len(set(told.keys)) == len(told.keys)
